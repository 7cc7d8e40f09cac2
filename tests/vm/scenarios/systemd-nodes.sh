# The nodes of VFIO and iommufd are root's, whoever comes, but for the container, which is left to everybody: a program
# that gets its device without ioasidd goes on as before. What a claim lets its user open he can open still when udev
# looks at the node again; other rules can tell by properties what ioasidd does.
# needs: systemd systemd-stock
# timeout: 300
edu=0000:00:08.0
other=0000:00:09.0
shared=0000:01:01.0
sibling=0000:01:02.0
install_policy <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" }, "device": { "id": ["1234:11e8"] },
               "modes": ["attached", "node"], "lockout": "unused", "reset": "try" } ] }
EOP
enable_product
expect_success ioasidctl status

# access_of NODE: mode and owner.
access_of() {
	stat -c '%a %U:%G' "$1"
}
# property NAME PATH: what udev's database has.
property() {
	udevadm info --query=property --property="$1" --value "$2"
}

# may_again NODE: alice can open it, in a moment.
may_again() {
	left=100
	until as alice test -w "$1"; do
		[ "$left" -gt 0 ] || fail "alice can't open $1 any more: $(getfacl -c "$1" | tr '\n' ' ')"
		left=$((left - 1))
		usleep 50000
	done
}

step "nodes that come belong to root"
expect_equal "the container" "666 root:root" "$(access_of /dev/vfio/vfio)"
expect_success as bob sh -c 'exec 3<>/dev/vfio/vfio'
expect_equal "IOASID_NODE" container "$(property IOASID_NODE /dev/vfio/vfio)"
if [ -e /dev/iommu ]; then
	expect_equal "/dev/iommu" "600 root:root" "$(access_of /dev/iommu)"
	expect_equal "IOASID_NODE" iommu "$(property IOASID_NODE /dev/iommu)"
	expect_equal "/dev/ioasid" iommu "$(readlink /dev/ioasid)"
fi
to_vfio "$other"
node=/dev/vfio/$(group_of "$other")
expect_equal "$node" "600 root:root" "$(access_of "$node")"
expect_equal "IOASID_NODE" group "$(property IOASID_NODE "$node")"
expect_equal "IOASID_GROUP" "$(group_of "$other")" "$(property IOASID_GROUP "$node")"
expect_equal "IOASID_GROUP of the device" "$(group_of "$other")" "$(property IOASID_GROUP "/sys/bus/pci/devices/$other")"
expect_equal "IOASID_VFIO of the device" 1 "$(property IOASID_VFIO "/sys/bus/pci/devices/$other")"
for cdev in /dev/vfio/devices/*; do
	[ ! -c "$cdev" ] || expect_equal "$cdev" "600 root:root" "$(access_of "$cdev")"
	[ ! -c "$cdev" ] || expect_equal "IOASID_NODE of $cdev" device "$(property IOASID_NODE "$cdev")"
done
to_host "$other"
udevadm settle
expect_equal "IOASID_VFIO when the driver is gone" "" "$(property IOASID_VFIO "/sys/bus/pci/devices/$other")"
expect_equal "IOASID_GROUP when the driver is gone" "$(group_of "$other")" "$(property IOASID_GROUP "/sys/bus/pci/devices/$other")"

step "what alice may open, she may after changes, though nobody is there to grant it anew"
mkdir -m 777 /tmp/marks
start_client alice as alice ioasidctl run --mode node "$edu" -- sh -c "touch /tmp/marks/held; cat"
wait_for_mark alice /tmp/marks/held
nodes="/dev/vfio/$(group_of "$edu")"
executor=$(pgrep -x ioasid-executor)
kill -STOP "$executor"
udevadm trigger --settle --action=change --subsystem-match=vfio --subsystem-match=vfio-dev --subsystem-match=misc
for node in $nodes; do
	as alice test -w "$node" || fail "alice can't open $node any more: $(getfacl -c "$node" | tr '\n' ' ')"
	expect_status 1 as bob test -w "$node"
done
kill -CONT "$executor"
echo "alice's: $nodes"

step "and when it all comes again, as after installing another package's rules, she gets it back"
udevadm trigger --settle --action=add --subsystem-match=vfio --subsystem-match=vfio-dev --subsystem-match=misc
for node in $nodes; do
	may_again "$node"
done
end_client alice
wait_until_free "$edu"
expect_equal "the container after the claim" "666 root:root" "$(access_of /dev/vfio/vfio)"

step "the same where the host's own rule closes the container: a claim opens it to its user, and udev's events don't last"
mkdir -p /run/udev/rules.d
echo 'SUBSYSTEM=="misc", KERNEL=="vfio", OWNER="root", GROUP="root", MODE="0600"' >/run/udev/rules.d/99-closed.rules
udevadm control --reload
udevadm trigger --settle --action=change --subsystem-match=misc
expect_equal "the container" "600 root:root" "$(access_of /dev/vfio/vfio)"
start_client alice as alice ioasidctl run --mode node "$edu" -- sh -c "touch /tmp/marks/closed; cat"
wait_for_mark alice /tmp/marks/closed
udevadm trigger --settle --action=change --subsystem-match=misc
may_again /dev/vfio/vfio
expect_status 1 as bob test -w /dev/vfio/vfio
end_client alice
wait_until_free "$edu"
expect_equal "the container after the claim" "600 root:root" "$(access_of /dev/vfio/vfio)"
rm /run/udev/rules.d/99-closed.rules
udevadm control --reload
udevadm trigger --settle --action=change --subsystem-match=misc
expect_equal "the container" "666 root:root" "$(access_of /dev/vfio/vfio)"

step "a device that root gave alice without ioasidd is hers as before"
to_vfio "$other"
chown alice "/dev/vfio/$(group_of "$other")"
expect_success as alice open-group "$other" -- edu-dma 5 --container=3
chown root "/dev/vfio/$(group_of "$other")"
to_host "$other"

step "other rules can tell what a claim has locked out"
# shellcheck disable=SC2046
start_client locker as alice ioasidctl run "$shared" -- edu-dma $(dma_words "$shared") --hold --touch /tmp/marks/locked
wait_for_mark locker /tmp/marks/locked
udevadm settle
expect_equal "IOASID_LOCKED_OUT" 1 "$(property IOASID_LOCKED_OUT "/sys/bus/pci/devices/$sibling")"
end_client locker
wait_until_free "$shared"
udevadm settle
expect_equal "IOASID_LOCKED_OUT after the claim" "" "$(property IOASID_LOCKED_OUT "/sys/bus/pci/devices/$sibling")"
disable_product
