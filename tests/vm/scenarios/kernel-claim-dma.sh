# The kernel's side without ioasidd: root claims an edu that has a sibling step by step, a user without any privilege
# does DMA through the FDs, and everything is put back. If this fails, blame the rig before the product.
# needs: demo
edu=0000:01:01.0
nic=0000:01:02.0
alone=$(find_device 1234:11e8)

step "edu and e1000 share a group, because a bridge of old PCI is above them"
expect_equal "the second edu" "$edu" "$(find_device 1234:11e8 1)"
expect_equal "the group of $nic" "$(group_of "$edu")" "$(group_of "$nic")"
expect_equal "the driver of $nic" e1000 "$(driver_of "$nic")"
expect_equal "the members beside $alone" "$alone" "$(members_of "$alone")"
expect_status 1 as 65534 cat /dev/iommu

step "DMA by uid 65534, with the sibling and alone"
for device in "$edu" "$alone"; do
	expect_success root-claim --user 65534 "$device" -- edu-dma '{fd}' '{iommufd}' '{ioasid}'
	expect_output_contains "uid 65534: the device read 2048 bytes of my memory and wrote them back, verified"
done
expect_equal "the driver of $nic afterwards" e1000 "$(driver_of "$nic")"

step "while it is held the sibling can't get its driver back"
start_client holder root-claim --user alice "$edu" -- edu-dma '{fd}' '{iommufd}' '{ioasid}' --hold --touch /tmp/verified
wait_for_mark holder /tmp/verified
echo >"/sys/bus/pci/devices/$nic/driver_override"
expect_status 1 sh -c "echo $nic >/sys/bus/pci/drivers/e1000/bind"
expect_output_contains "Device or resource busy"
end_client holder

step "how long it takes without ioasidd: with a sibling, alone, and with a reset of its own"
for device in "$edu" "$alone" "$(find_device 8086:10d3)"; do
	expect_success root-claim --cycles 2 "$device"
done
