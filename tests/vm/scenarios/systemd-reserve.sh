# What the policy reserves is kept from its drivers from the first moment on: the drivers are loaded in the initrd, one
# of them for a disk of the host's that is of the same kind. Nobody has started anything but the boot.
# needs: systemd-initrd
# timeout: 300
reserved="0000:00:02.0 0000:00:03.0"

step "the initrd has all that it takes"
for file in etc/udev/rules.d/60-ioasidd-reserve.rules usr/lib/udev/rules.d/60-ioasidd.rules usr/libexec/ioasidd/reserve \
	scripts/init-top/ioasidd; do
	grep -qx "$file" /rig/initrd.list || fail "$file is not in the initrd"
done
grep -q '/vfio-pci\.ko' /rig/initrd.list || fail "vfio-pci is not in the initrd"

step "reserved devices were kept for VFIO in the initrd, and no other driver has had them"
for address in $reserved; do
	expect_equal "the override of $address" vfio-pci "$(override_of "$address")"
	expect_equal "the driver of $address" vfio-pci "$(driver_of "$address")"
	expect_equal "IOASID_RESERVED of $address" 1 \
		"$(udevadm info --query=property --property=IOASID_RESERVED --value "/sys/bus/pci/devices/$address")"
	expect_equal "IOASID_VFIO of $address" 1 \
		"$(udevadm info --query=property --property=IOASID_VFIO --value "/sys/bus/pci/devices/$address")"
	expect_equal "IOASID_GROUP of $address" "$(group_of "$address")" \
		"$(udevadm info --query=property --property=IOASID_GROUP --value "/sys/bus/pci/devices/$address")"
done
journalctl --boot --dmesg --output cat >"$RIG/boot"
grep -E '(nvme|e1000e).*(00:02\.0|00:03\.0)' "$RIG/boot" && fail "a driver has had a reserved device"
expect_equal "the driver of the disk that is not reserved" nvme "$(driver_of 0000:00:04.0)"
expect_equal "IOASID_RESERVED of that disk" "" \
	"$(udevadm info --query=property --property=IOASID_RESERVED --value /sys/bus/pci/devices/0000:00:04.0)"

step "the system's own rules are there, made before udev started"
expect_equal "how the reserving ended" success "$(property_of ioasidd-reserve.service Result)"
grep -q '0000:00:02.0' /run/udev/rules.d/60-ioasidd-reserve.rules
made=$(property_of ioasidd-reserve.service ExecMainExitTimestampMonotonic)
udev=$(property_of systemd-udevd.service ExecMainStartTimestampMonotonic)
[ "$made" -gt 0 ] && [ "$made" -le "$udev" ] || fail "the rules were made at $made, and udev started at $udev"

step "a claim takes a reserved device, and it is back on VFIO after that"
expect_success ioasidctl status
expect_output_lacks "is reserved"
expect_success as alice ioasidctl run 0000:00:02.0 -- true
wait_until_released 0000:00:02.0
expect_success as alice ioasidctl run pool:NICs -- true
wait_until_released 0000:00:03.0
for address in $reserved; do
	expect_equal "the driver of $address" vfio-pci "$(driver_of "$address")"
done

step "the policy changes: the rules follow, for devices that come later"
mv /etc/ioasidd/policy.d/50-reserve.json "$KEEP"
wait_for_removed() {
	left=200
	while [ -e "$1" ]; do
		[ "$left" -gt 0 ] || fail "$1 is still there"
		left=$((left - 1))
		usleep 50000
	done
}
wait_for_removed /run/udev/rules.d/60-ioasidd-reserve.rules
wait_for_unit ioasidd-reserve.service inactive
mv "$KEEP/50-reserve.json" /etc/ioasidd/policy.d/
wait-for-path 60 /run/udev/rules.d/60-ioasidd-reserve.rules
wait_for_unit ioasidd-reserve.service inactive
expect_equal "what the sandboxes refused" "" "$(violations)"
disable_product
systemctl --quiet enable ioasidd.socket
systemctl --quiet start ioasidd-reserve.path ioasidd.socket
