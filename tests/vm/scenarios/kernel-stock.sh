# What Debian's own kernel offers: legacy VFIO and no iommufd, with the devices of the topology "demo".
# needs: stock stock-6.1
[ ! -e /dev/iommu ] || fail "this kernel has /dev/iommu: the scenarios for kernels without it belong elsewhere"
[ -e /dev/vfio/vfio ] || fail "/dev/vfio/vfio is missing"
expect_equal "the driver of the e1000" e1000 "$(driver_of "$(find_device 8086:100e)")"
expect_equal "the driver of the e1000e" e1000e "$(driver_of "$(find_device 8086:10d3)")"
expect_equal "the driver of the nvme" nvme "$(driver_of "$(find_device 1b36:0010)")"
expect_equal "the group of the e1000" "$(group_of 0000:01:01.0)" "$(group_of 0000:01:02.0)"
