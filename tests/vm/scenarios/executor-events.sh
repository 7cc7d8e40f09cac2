# F9, SR-50: events that are lost, a watcher that dies, and no udevd: the broker's picture of the host is right all the same.
# needs: hotplug
# timeout: 90
edu=0000:01:00.0
mkdir -p /tmp/policy
echo '{ "rules": [] }' >/tmp/policy/none.json
start_driver() {
	rm -f /tmp/mark*
	start_client driver drive /usr/local/libexec/ioasidd/ioasid-executor --policy-dir /tmp/policy
	marks=0
}
say() {
	echo "> $*"
	marks=$((marks + 1))
	printf '%s\n' "$@" "mark /tmp/mark$marks" >"$RIG/driver.stdin"
	wait_for_mark driver "/tmp/mark$marks"
}
watcher() {
	local pid
	for pid in $(product_processes); do
		[ "$(cat "/proc/$pid/comm")" != ioasid-watcher ] || echo "$pid"
	done
}
flood() {
	local left=60
	while [ "$left" -gt 0 ]; do
		udevadm trigger --subsystem-match=pci --action=change
		left=$((left - 1))
	done
	udevadm settle
}

step "more events than the watcher can keep, and among them an unplugging"
start_driver
say "await-device $edu"
pid=$(watcher)
kill -STOP "$pid"
flood
host device_del edu1
wait_for_removal "$edu"
kill -CONT "$pid"
say "await-gone $edu"
grep -qF "some were lost" "$RIG/driver.log" || fail "no event was lost: the flood was too small"
host device_add edu,id=edu2,bus=port1,dma_mask=0xffffffffff
say "await-device $edu"

step "the watcher dies, and does not see what goes meanwhile"
pid=$(watcher)
kill -STOP "$pid"
host device_del edu2
wait_for_removal "$edu"
kill -KILL "$pid"
say "await-gone $edu"
end_client driver

step "without udevd the kernel's own events will do"
udevadm control --exit
wait-for-path --gone 10 /run/udev/control
start_driver
say topology
host device_add edu,id=edu1,bus=port1,dma_mask=0xffffffffff
say "await-device $edu"
end_client driver
/usr/lib/systemd/systemd-udevd --daemon
udevadm trigger --type=devices --action=add
udevadm settle
wait_for_device "$edu"
