# The kernel's side without ioasidd, on Debian 12 as it is: root gives a user the node of a disk's group, and QEMU 7.2
# opens it by path; its guest's own driver does DMA. If this fails, blame the rig before the product.
# needs: qemu-legacy
# timeout: 500
# only with --all
disk=0000:01:00.0
to_vfio "$disk"
node=/dev/vfio/$(group_of "$disk")
# The product is installed, and leaves the container open to everybody, as kernel and udev do.
chown alice "$node"

step "$(as alice qemu-system-x86_64 -version | head -n 1)"
ulimit -l 1048576
expect_success as alice /rig/nested/qemu -device "vfio-pci,host=$disk"
expect_output_contains "NESTED-DMA nvme 0000:00:01.0 the-disk-of-alice"

step "without memlock it says what lacks"
ulimit -l 1024
expect_status 1 as alice /rig/nested/qemu -device "vfio-pci,host=$disk"
expect_output_contains "Cannot allocate memory"
to_host "$disk"
