# Mode node: QEMU 7.2, which knows no FDs of VFIO's, opens the nodes by their path as an ordinary user, for as long as
# the claim lasts; its guest's own driver does DMA with the device.
# needs: qemu-legacy
# timeout: 900
disk=0000:01:00.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "disks for guests", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "id": ["1b36:0010"] }, "modes": ["node", "open"], "limits": { "memlock": "1G" } } ] }
EOP
remember_fd_counts
ulimit -l 64
step "the mode open needs what this kernel has not: nothing is touched, and the way out is named"
expect_status 6 as alice ioasidctl run --mode open "$disk" -- true
expect_output_contains "the mode node"
expect_equal "the driver of $disk" nvme "$(driver_of "$disk")"
step "$(as alice qemu-system-x86_64 -version | head -n 1)"
expect_success as alice ioasidctl run --mode node "$disk" -- /rig/nested/qemu -device "vfio-pci,host=$disk"
expect_output_contains "NESTED-DMA nvme 0000:00:01.0 the-disk-of-alice"
wait_until_free "$disk"
expect_equal "the driver of $disk" nvme "$(driver_of "$disk")"
expect_same_fd_counts
stop_daemon
