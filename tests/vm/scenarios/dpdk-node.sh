# Mode node: DPDK's testpmd, started by an ordinary user, opens a NIC by its path and forwards packets: it answers pings
# that come from the kernel's NIC on the same network. With pages of the usual size and with huge ones.
# needs: dpdk dpdk-iommufd
# timeout: 240
nic=0000:01:00.0
other=0000:03:00.0
peer=$(interface_of 0000:02:00.0)
start_daemon - <<'EOP'
{ "rules": [ { "name": "NICs for DPDK", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "address": ["0000:01:00.0"] }, "modes": ["node"], "limits": { "memlock": "128M" } },
             { "name": "a NIC and no memory", "effect": "allow", "subject": { "user": ["bob"] },
               "device": { "address": ["0000:03:00.0"] }, "modes": ["node"] } ] }
EOP
remember_fd_counts
ip link set "$peer" up
ip addr add 10.7.7.1/24 dev "$peer"
export XDG_RUNTIME_DIR=/tmp
ulimit -l 64

answers_pings() {
	wait_for_line testpmd 60 "Press enter to exit"
	expect_success ping -c 5 -I "$peer" 10.7.7.2
	expect_output_contains " 5 packets received"
}

step "DPDK wants huge pages: where there are none, what to set is told"
expect_status 1 as alice ioasidctl run --mode node "$nic" -- dpdk-testpmd --in-memory --iova-mode=va -a "$nic" --no-telemetry -- --auto-start
expect_output_contains vm.nr_hugepages
wait_until_free "$nic"

step "with pages of the usual size"
start_client testpmd as alice ioasidctl run --mode node "$nic" -- dpdk-testpmd --no-huge -m 64 --iova-mode=va -l 0,1 -a "$nic" --no-telemetry -- --no-mlockall --forward-mode=icmpecho --auto-start --total-num-mbufs=2048
answers_pings

step "a limit of locked memory that is too small is told before"
mkdir -m 777 /tmp/bob
XDG_RUNTIME_DIR=/tmp/bob expect_status 1 as bob ioasidctl run --mode node "$other" -- dpdk-testpmd --no-huge -m 64 --iova-mode=va -l 0,1 -a "$other" --no-telemetry -- --no-mlockall --auto-start
expect_output_contains "limits.memlock"
expect_output_contains "Cannot allocate memory"

wait_until_released "$other"
step "nobody else can open the group, and another user has a device of his own at the same time"
expect_status 1 as bob sh -c "exec 3<>/dev/vfio/$(group_of "$nic")"
start_client bob as bob ioasidctl run --mode node "$other" -- open-nodes "/dev/vfio/$(group_of "$other")" --touch /tmp/bob/opened
wait_for_mark bob /tmp/bob/opened
expect_status 1 as alice sh -c "exec 3<>/dev/vfio/$(group_of "$other")"
end_client bob

step "udev sets the node's mode anew, and alice can open hers still"
mkdir -p /run/udev/rules.d
echo 'SUBSYSTEM=="vfio", MODE="0600"' >/run/udev/rules.d/99-vfio.rules
udevadm control --reload
udevadm trigger --settle --action=change --subsystem-match=vfio
end_client testpmd
wait_until_free "$nic"
expect_equal "nodes of groups" "" "$(ls /dev/vfio | grep -v vfio || :)"

step "with huge pages, and with udev's rule in force from the start"
echo 64 >/proc/sys/vm/nr_hugepages
start_client testpmd as alice ioasidctl run --mode node "$nic" -- dpdk-testpmd --in-memory --iova-mode=va -l 0,1 -a "$nic" --no-telemetry -- --no-mlockall --forward-mode=icmpecho --auto-start --total-num-mbufs=2048
answers_pings
udevadm trigger --settle --action=change --subsystem-match=vfio
# Opening a group again while it is open is EBUSY, and without the right to it EACCES.
left=100
while expect_status 1 as alice sh -c "exec 3<>/dev/vfio/$(group_of "$nic")" && ! grep -q "Resource busy\|resource busy" "$RIG/stderr"; do
	[ "$left" -gt 0 ] || fail "the ACL did not hold against udev"
	left=$((left - 1))
	usleep 50000
done
end_client testpmd
echo 0 >/proc/sys/vm/nr_hugepages
wait_until_free "$nic"
rm /run/udev/rules.d/99-vfio.rules
udevadm control --reload
ip addr flush dev "$peer"
ip link set "$peer" down
expect_same_fd_counts
stop_daemon
