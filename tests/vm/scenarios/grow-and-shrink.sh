# AddDevice and RemoveDevice on the real kernel: the sibling joins the claim's context, leaves it again and stays locked
# out, and a device of another group comes and goes with its own lockouts.
# needs: two-edus
first=0000:01:01.0
second=0000:01:02.0
nic=0000:01:03.0
other=0000:02:01.0
other_nic=0000:02:02.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" } ] }
EOP
remember_fd_counts
call() {
	printf '{"method":"org.ioasid1.%s","parameters":{"claim":"@CLAIM@"%s}}' "$1" "${2:+,\"device\":\"$2\"}"
}
start_client alice as alice speak-varlink \
	say "{\"method\":\"org.ioasid1.Claim\",\"parameters\":{\"devices\":[\"$first\"]}}" hear \
	say "$(call Acknowledge)" hear \
	say "$(call AddDevice $second)" hear say "$(call Acknowledge)" hear \
	say "$(call AddDevice $other)" hear say "$(call Acknowledge)" hear touch /tmp/grown wait \
	say "$(call RemoveDevice $second)" hear
wait_for_mark alice /tmp/grown
for address in $first $second $other; do
	expect_equal "the driver of $address" vfio-pci "$(driver_of $address)"
done
for address in $nic $other_nic; do
	expect_equal "the driver of $address" none "$(driver_of $address)"
	expect_status 1 sh -c "echo $address >/sys/bus/pci/drivers/e1000/bind"
done
step "a device of which the client still has the FD is not taken back"
end_client alice
grep -q WrongState "$RIG/alice.log" || fail "the removal of a device that is still open was not refused"
wait_until_free "$first"

step "given back properly it stays locked out with its group; another group's device takes its lockouts with it"
start_client again as alice speak-varlink \
	say "{\"method\":\"org.ioasid1.Claim\",\"parameters\":{\"devices\":[\"$first\",\"$second\",\"$other\"]}}" hear \
	say "$(call Acknowledge)" hear drop-but 0 \
	say "$(call RemoveDevice $second)" hear say "$(call RemoveDevice $other)" hear touch /tmp/shrunk wait
wait_for_mark again /tmp/shrunk
expect_equal "the driver of $first" vfio-pci "$(driver_of $first)"
expect_equal "the driver of $second" none "$(driver_of $second)"
expect_equal "the override of $second" ioasidd-locked-out "$(override_of $second)"
expect_equal "the driver of $other" none "$(driver_of $other)"
expect_equal "the override of $other" "(null)" "$(override_of $other)"
expect_equal "the driver of $other_nic" e1000 "$(driver_of $other_nic)"
end_client again
wait_until_free "$first"
expect_same_fd_counts
stop_daemon
