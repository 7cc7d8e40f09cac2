# A device that somebody went round ioasidd to get: root bound it to vfio-pci and has its node open. A plan says by whom
# it is held and how it comes free, whichever device of the group is asked for, and by whichever node it is held;
# nothing is touched.
# needs: two-edus two-edus-stock
# timeout: 120
held=0000:01:01.0
sibling=0000:01:02.0
for device in $held $sibling; do
	echo vfio-pci >/sys/bus/pci/devices/$device/driver_override
	echo $device >/sys/bus/pci/drivers_probe
	expect_equal "the driver of $device" vfio-pci "$(driver_of $device)"
done
start_daemon - <<'EOP2'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": ["alice", "carol"] },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "modes": ["attached", "open", "node"],
               "reset": "try" } ],
  "operators": { "group": ["vmadmin"] } }
EOP2
remember_fd_counts

# is_refused DEVICE: a plan for it is, and names the holder to whom it may be named.
is_refused() {
	expect_status 4 as alice ioasidctl plan "$1"
	expect_output_contains "held by a process that did not get it from ioasidd"
	expect_output_lacks "$holder"
	expect_status 4 as carol ioasidctl plan "$1"
	expect_output_contains "open-nodes[$holder]"
	expect_output_contains "ioasidctl audit"
	expect_status 4 as alice ioasidctl run "$1" -- true
}

# hold NODE: root has it open.
hold() {
	rm -f /tmp/open
	start_client foreign open-nodes "$1" --touch /tmp/open
	wait_for_mark foreign /tmp/open
	holder=$(pid_of open-nodes)
}

for node in /dev/vfio/$(group_of $held) /dev/vfio/devices/$(ls /sys/bus/pci/devices/$held/vfio-dev); do
	[ -e "$node" ] || continue
	step "root has $node open"
	hold "$node"
	is_refused $held
	is_refused $sibling
	expect_equal "the driver of $held" vfio-pci "$(driver_of $held)"
	expect_equal "the override of $sibling" vfio-pci "$(override_of $sibling)"
	end_client foreign
	expect_success as carol ioasidctl plan $held
done
expect_success as alice ioasidctl run $held -- true
wait_until_released $held
expect_same_fd_counts
stop_daemon
for device in $held $sibling; do
	echo $device >/sys/bus/pci/drivers/vfio-pci/unbind
	echo >/sys/bus/pci/devices/$device/driver_override
done
