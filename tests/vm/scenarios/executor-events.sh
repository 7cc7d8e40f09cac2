# F9, SR-50: events that are lost, a watcher that dies, and no udevd: the broker's picture of the host is right all the
# same.
# needs: demo stock
# timeout: 60
edu=0000:00:03.0
mkdir -p /tmp/policy
echo '{ "rules": [] }' >/tmp/policy/none.json
start_driver() {
	rm -f "$RIG"/mark*
	start_client driver drive "$(executor)" --policy-dir /tmp/policy
	marks=0
}
say() {
	echo "> $*"
	marks=$((marks + 1))
	printf '%s\n' "$@" "mark $RIG/mark$marks" >"$RIG/driver.stdin"
	wait_for_mark driver "$RIG/mark$marks"
}
watcher() {
	local pid
	for pid in $(product_processes); do
		[ "$(cat "/proc/$pid/comm")" != ioasid-watcher ] || echo "$pid"
	done
}
flood() {
	local left=45
	while [ "$left" -gt 0 ]; do
		udevadm trigger --subsystem-match=pci --action=change
		left=$((left - 1))
	done
	udevadm settle
}

step "more events than the watcher can keep, and among them a removal"
start_driver
say "await-device $edu"
pid=$(watcher)
kill -STOP "$pid"
flood
echo 1 >"/sys/bus/pci/devices/$edu/remove"
wait_for_removal "$edu"
kill -CONT "$pid"
say "await-gone $edu"
grep -qF "some were lost" "$RIG/driver.log" || fail "no event was lost: the flood was too small"
echo 1 >/sys/bus/pci/rescan
say "await-device $edu"

step "the watcher dies, and does not see what goes meanwhile"
pid=$(watcher)
kill -STOP "$pid"
echo 1 >"/sys/bus/pci/devices/$edu/remove"
wait_for_removal "$edu"
kill -KILL "$pid"
say "await-gone $edu"
end_client driver

step "without udevd the kernel's own events will do"
udevadm control --exit
rm -f /run/udev/control # under systemd its socket unit does that
start_driver
say topology
echo 1 >/sys/bus/pci/rescan
say "await-device $edu"
end_client driver
/usr/lib/systemd/systemd-udevd --daemon
udevadm trigger --type=devices --action=add
udevadm settle
wait_for_device "$edu"
