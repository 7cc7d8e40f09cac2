# A device whose driver can't be put back, because the kernel gives no way to bind or unbind it: refused beforehand.
# needs: demo
edu=0000:00:03.0
echo intel_scu_ipc >"/sys/bus/pci/devices/$edu/driver_override" 2>/dev/null || :
driver=
for path in /sys/bus/pci/drivers/*; do
	[ -e "$path/unbind" ] || driver=${path##*/}
done
[ -n "$driver" ] || fail "no PCI driver of this kernel lacks unbind"
echo "$driver" >"/sys/bus/pci/devices/$edu/driver_override"
echo "$edu" >/sys/bus/pci/drivers_probe
expect_equal "the driver of $edu" "$driver" "$(driver_of "$edu")"
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
remember_fd_counts
expect_status 6 as alice ioasidctl claim "$edu"
expect_output_contains "$edu"
expect_output_contains "$driver"
expect_same_fd_counts
stop_daemon
step "put back the hard way, as there is no other; that driver forgets its interrupt then, and the kernel says so"
allow_kernel_complaints
echo 1 >"/sys/bus/pci/devices/$edu/remove"
wait_for_removal "$edu"
echo 1 >/sys/bus/pci/rescan
wait_for_device "$edu"
