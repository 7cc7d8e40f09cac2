# Mode node where the kernel has iommufd: QEMU 10 gets the iommufd, which nobody may open by its path, and opens the
# device's node itself. So does libvirt.
# needs: qemu
# timeout: 900
# only with --all
disk=0000:01:00.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "disks for guests", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "id": ["1b36:0010"] }, "modes": ["node"], "limits": { "memlock": "1G" } } ] }
EOP
remember_fd_counts
ulimit -l 64
expect_success as alice ioasidctl run --mode node "$disk" -- /rig/nested/qemu -object "iommufd,id=i,fd={iommufd}" -device "vfio-pci,iommufd=i,host=$disk"
expect_output_contains "NESTED-DMA nvme 0000:00:01.0 the-disk-of-alice"
wait_until_free "$disk"
expect_equal "the driver of $disk" nvme "$(driver_of "$disk")"
expect_same_fd_counts
stop_daemon
