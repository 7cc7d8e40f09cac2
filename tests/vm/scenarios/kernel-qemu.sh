# The kernel's side without ioasidd: root opens an iommufd and the cdev of a disk, and a user without any privilege runs
# QEMU 10 with both FDs; its guest's own driver does DMA. If this fails, blame the rig before the product.
# needs: qemu
# timeout: 500
# only with --all
disk=0000:01:00.0
to_vfio "$disk"

step "$(as alice qemu-system-x86_64 -version | head -n 1)"

ulimit -l 1048576
expect_success open-for-qemu "$disk" -- as-user alice /rig/nested/qemu \
	-object iommufd,id=i,fd=3 -device vfio-pci,iommufd=i,fd=4,id=dev0
expect_output_contains "NESTED-DMA nvme 0000:00:01.0 the-disk-of-alice"
to_host "$disk"
