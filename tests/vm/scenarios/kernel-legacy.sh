# The kernel's side without ioasidd, on Debian's own kernels: root makes a container and opens the group and the device,
# a user without any privilege does DMA through the FDs. If this fails, blame the rig before the product.
# needs: stock stock-6.1
edu=0000:01:01.0
nic=0000:01:02.0
alone=$(find_device 1234:11e8)
echo "Linux $(uname -r)"

step "alone in its group"
to_vfio "$alone"
expect_success open-group "$alone" -- as-user 65534 edu-dma 5 --container=3
expect_output_contains "uid 65534: the device read 2048 bytes of my memory and wrote them back, verified"

step "beyond memlock the client's map fails"
(
	ulimit -l 4
	expect_status 1 open-group "$alone" -- as-user 65534 edu-dma 5 --container=3
	expect_output_contains "Cannot allocate memory"
)

step "the device's owner opens the nodes himself"
# The product is installed: its rules leave the container open to everybody, as kernel and udev do.
chown alice "/dev/vfio/$(group_of "$alone")"
expect_success as alice open-group "$alone" -- edu-dma 5 --container=3
to_host "$alone"

step "with a sibling on the host's driver the group is not viable"
to_vfio "$edu"
expect_status 1 open-group "$edu" -- true
expect_output_contains "not viable"
expect_equal "the driver of $nic" e1000 "$(driver_of "$nic")"

step "with the sibling locked out it is; meanwhile nobody else gets in"
echo locked-out >"/sys/bus/pci/devices/$nic/driver_override"
echo "$nic" >/sys/bus/pci/drivers/e1000/unbind
start_client holder open-group "$edu" -- as-user alice edu-dma 5 --container=3 --hold --touch /tmp/verified
wait_for_mark holder /tmp/verified
expect_status 1 open-group "$edu" -- true
expect_output_contains "Device or resource busy"
end_client holder
to_host "$edu"
echo >"/sys/bus/pci/devices/$nic/driver_override"
echo "$nic" >/sys/bus/pci/drivers_probe
