# The host side can unplug and plug devices in the middle of a scenario, and udev in the guest sees it.
# needs: hotplug
edu=0000:01:00.0
expect_equal "the first edu" 0000:00:05.0 "$(find_device 1234:11e8)"
expect_equal "the second edu" "$edu" "$(find_device 1234:11e8 1)"

unplug edu1 "$edu"
host device_add edu,id=edu1,bus=port1,dma_mask=0xffffffffff
wait_for_device "$edu"
expect_success root-claim "$edu" -- edu-dma '{fd}' '{iommufd}' '{ioasid}'

step "a refusal by the host's side is seen"
! host device_del nonsense || fail "device_del of a device that is not there has worked"
