# Mode open: QEMU 10, started by an ordinary user, takes the FDs that ioasidd hands out and binds them itself; its
# guest's own driver does DMA with the device.
# needs: qemu
# timeout: 900
disk=0000:01:00.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "disks for guests", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "id": ["1b36:0010"] }, "modes": ["open"], "limits": { "memlock": "1G" } } ] }
EOP
remember_fd_counts
expect_status 3 as alice ioasidctl run "$disk" -- true
expect_output_contains "request a mode that it allows (open)"
ulimit -l 64
expect_success as alice ioasidctl run --mode open "$disk" -- /rig/nested/qemu -object "iommufd,id=i,fd={iommufd}" -device "vfio-pci,iommufd=i,fd={fd:$disk},id=dev0"
expect_output_contains "NESTED-DMA nvme 0000:00:01.0 the-disk-of-alice"
wait_until_free "$disk"
expect_equal "the driver of $disk" nvme "$(driver_of "$disk")"
expect_same_fd_counts
stop_daemon
