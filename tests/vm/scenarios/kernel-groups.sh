# The groups of this topology are what its file promises: more than one device in a group, in three ways.
# needs: two-edus nvme-use
if [ -e /sys/bus/pci/devices/0000:00:02.1 ]; then
	expect_equal "the members of the slot" "0000:00:02.0 0000:00:02.1" "$(members_of 0000:00:02.0 | xargs)"
	expect_equal "the driver of its disk" nvme "$(driver_of 0000:00:02.1)"
	[ -b /dev/nvme0n1 ] && [ -b /dev/nvme1n1 ] || fail "the disks are missing"
	expect_equal "the members beside the other disk" 0000:00:03.0 "$(members_of 0000:00:03.0)"
	expect_equal "the members beside the other edu" 0000:00:04.0 "$(members_of 0000:00:04.0)"
else
	for pair in 01:01.0=01:02.0 01:01.0=01:03.0 02:01.0=02:02.0; do
		expect_equal "the group of 0000:${pair#*=}" "$(group_of "0000:${pair%=*}")" "$(group_of "0000:${pair#*=}")"
	done
	[ "$(group_of 0000:01:01.0)" != "$(group_of 0000:02:01.0)" ] || fail "both bridges share a group"
	for address in 00:04.0 03:00.0 04:00.0; do
		expect_equal "the members beside $address" "0000:$address" "$(members_of "0000:$address")"
	done
fi
