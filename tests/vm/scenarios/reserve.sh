# What the policy reserves is set aside before any driver gets it: the rules that ioasidd prints make udev set
# driver_override when the device comes, and ioasidd says where a reserved device is not ready. (A driver that is loaded
# already is faster than udev.)
# needs: hotplug-stock
nic=0000:03:00.0
cat >/tmp/policy.json <<'EOP'
{ "rules": [ { "name": "NICs", "effect": "allow", "subject": { "user": "alice" }, "device": { "id": ["8086:10d3"] },
               "reset": "try" } ],
  "pools": { "nics": [ { "id": ["8086:10d3"] } ] },
  "reserve": [ { "pool": ["nics"] } ] }
EOP
start_daemon /tmp/policy.json
expect_success ioasidctl status
expect_output_contains "$nic"
grep -q "$nic" "$RIG/ioasidd.log" || fail "the log does not say that $nic is not ready"
mkdir -p /run/udev/rules.d
ioasidd --print-udev-rules >/run/udev/rules.d/60-ioasidd-reserve.rules
cat /run/udev/rules.d/60-ioasidd-reserve.rules
udevadm control --reload
stop_daemon

step "it comes while its driver is not loaded yet, as at boot: the driver does not get it any more"
unplug nic1 "$nic"
rmmod e1000e
host device_add e1000e,id=nic1,bus=port3,netdev=net1
wait_for_device "$nic"
udevadm settle
expect_equal "the override of $nic" vfio-pci "$(override_of "$nic")"
insmod /rig/modules/e1000e.ko
# vfio-pci, which is loaded here, was asked before udev had a say or after.
[ "$(driver_of "$nic")" != none ] || echo "$nic" >/sys/bus/pci/drivers_probe
expect_equal "the driver of $nic" vfio-pci "$(driver_of "$nic")"

step "and the daemon has nothing more to say"
start_daemon /tmp/policy.json
expect_success ioasidctl status
expect_output_lacks "$nic"
expect_success as alice ioasidctl run pool:nics -- readlink /proc/self/fd/{fd:pool:nics}
expect_output_contains vfio-device
wait_until_released "$nic"
expect_equal "the driver of $nic" vfio-pci "$(driver_of "$nic")"
stop_daemon
rm /run/udev/rules.d/60-ioasidd-reserve.rules
udevadm control --reload
unplug nic1 "$nic"
host device_add e1000e,id=nic1,bus=port3,netdev=net1
wait_for_device "$nic"
udevadm settle
expect_equal "the driver of $nic" e1000e "$(driver_of "$nic")"
