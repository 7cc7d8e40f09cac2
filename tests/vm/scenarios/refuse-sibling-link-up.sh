# A sibling that the rule lets be locked out while it is unused, but its link is up: busy, and the link stays up.
# needs: demo stock
edu=0000:01:01.0
nic=0000:01:02.0
interface=$(interface_of "$nic")
start_daemon - <<'EOP'
{ "rules": [ { "name": "what nobody uses", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" } ] }
EOP
remember_fd_counts
ip link set "$interface" up
wait_for_carrier "$interface" 1
for verb in plan claim; do
	expect_status 4 as alice ioasidctl "$verb" "$edu"
	expect_output_contains "$nic"
	expect_output_contains "$interface"
	expect_output_contains "what nobody uses"
done
expect_equal "the driver of $nic" e1000 "$(driver_of "$nic")"
ip link set "$interface" down
step "with the link down it is unused, and the claim is allowed"
expect_success as alice ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
