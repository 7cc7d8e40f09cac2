# What the policy reserves is never its host driver's, though that driver is in the initrd, and drives a neighbour of the
# same kind: the initrd has the rules, and what is faster than those. A claim gets it, and gives it back as reserved.
# needs: systemd-initrd
disk=0000:00:02.0
nic=0000:00:03.0
neighbour=0000:00:04.0

step "the initrd has all of it"
for file in etc/udev/rules.d/60-ioasidd-reserve.rules usr/lib/udev/rules.d/60-ioasidd.rules usr/libexec/ioasidd/reserve \
	scripts/init-top/ioasidd; do
	grep -qx "$file" /rig/initrd.list || fail "$file is not in the initrd"
done
grep -q '/vfio-pci\.ko' /rig/initrd.list || fail "vfio-pci is not in the initrd"
expect_equal "the driver of the host's own disk" nvme "$(driver_of "$neighbour")"

step "no driver of the host's has had it since the boot"
expect_equal "the override of $disk" vfio-pci "$(override_of "$disk")"
expect_equal "the override of $nic" vfio-pci "$(override_of "$nic")"
case $(driver_of "$disk")$(driver_of "$nic") in *nvme* | *e1000e*) fail "a host driver has a reserved device" ;; esac
journalctl --quiet --boot --dmesg --output cat >"$RIG/boot"
grep -q "nvme.*$neighbour" "$RIG/boot" || fail "the kernel's log does not say who drives $neighbour"
! grep -E "nvme[0-9].*$disk|e1000e $nic" "$RIG/boot" || fail "a host driver has had a reserved device"

step "a claim gets it, and gives it back as reserved"
expect_success udevadm info --query=property --property=IOASID_RESERVED "/sys/bus/pci/devices/$disk"
expect_output_contains IOASID_RESERVED=1
expect_success as alice ioasidctl run "$disk" "$nic" -- true
wait_until_released "$disk"
expect_equal "the override of $disk" vfio-pci "$(override_of "$disk")"
systemctl --quiet stop ioasidd.service ioasid-executor.socket
