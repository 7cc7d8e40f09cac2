# A member of the group is kept ready on vfio-pci, and nobody asked for it: by its cdev nobody gets at it; where the
# client has the whole group open it is taken off VFIO for that time. Both ways it is back on vfio-pci at the end.
# needs: two-edus two-edus-stock
asked=0000:01:01.0
ready=0000:01:02.0
nic=0000:01:03.0
echo vfio-pci >/sys/bus/pci/devices/$ready/driver_override
echo $ready >/sys/bus/pci/drivers_probe
expect_equal "the driver of $ready" vfio-pci "$(driver_of $ready)"
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "address": ["0000:01:01.0"] }, "lockout": "unused", "modes": ["attached", "node"],
               "reset": "try" } ] }
EOP
remember_fd_counts

# holds WHAT-MODE: alice has a claim in that mode.
holds() {
	rm -f /tmp/held
	start_client alice as alice ioasidctl run --mode "$1" $asked -- sh -c 'touch /tmp/held; cat'
	wait_for_mark alice /tmp/held
}

# wait_until_back: until the member is what it was before the claim.
wait_until_back() {
	wait_until_released $asked
	expect_equal "the driver of $ready" vfio-pci "$(driver_of $ready)"
	expect_equal "the override of $ready" vfio-pci "$(override_of $ready)"
	expect_equal "the driver of $nic" e1000 "$(driver_of $nic)"
}

holds attached
if [ -e /dev/iommu ]; then
	expect_equal "the driver of $ready" vfio-pci "$(driver_of $ready)"
else
	expect_equal "the driver of $ready" none "$(driver_of $ready)"
fi
end_client alice
wait_until_back

holds node
expect_equal "the driver of $ready" none "$(driver_of $ready)"
expect_equal "the override of $ready" ioasidd-locked-out "$(override_of $ready)"
end_client alice
wait_until_back

expect_same_fd_counts
stop_daemon
echo $ready >/sys/bus/pci/drivers/vfio-pci/unbind
echo >/sys/bus/pci/devices/$ready/driver_override
