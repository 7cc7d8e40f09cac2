# A sibling on a host driver that the rule does not let be locked out: refused by policy, and nothing is touched.
# needs: demo stock stock-6.1
edu=0000:01:01.0
nic=0000:01:02.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards without siblings", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
remember_fd_counts
for verb in plan claim; do
	expect_status 3 as alice ioasidctl "$verb" "$edu"
	expect_output_contains "$nic"
	expect_output_contains "cards without siblings"
	expect_output_contains '"named"'
done
expect_equal "the driver of $nic" e1000 "$(driver_of "$nic")"
step "the one that is alone in its group is allowed by the same rule"
expect_success as alice ioasidctl plan 0000:00:03.0
expect_same_fd_counts
stop_daemon
