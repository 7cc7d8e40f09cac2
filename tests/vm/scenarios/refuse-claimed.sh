# What one user has another can't get; and a sibling in a second context is refused, with the reason that the kernel's
# EPERM does not give.
# needs: two-edus two-edus-stock
first=0000:01:01.0
second=0000:01:02.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": ["alice", "bob"] },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" } ] }
EOP
start_client alice as alice ioasidctl run "$first" -- \
	edu-dma $(dma_words "$first") --hold --touch /tmp/held
wait_for_mark alice /tmp/held
remember_fd_counts
step "bob wants the same device, then the sibling"
expect_status 4 as bob ioasidctl claim "$first"
expect_output_contains "$first"
expect_output_contains "another user"
expect_status 4 as bob ioasidctl claim "$second"
expect_output_contains "$second"
expect_output_contains "context"
step "alice wants the sibling in a second context"
expect_status 4 as alice ioasidctl claim "$second"
expect_output_contains "context"
step "the kernel itself says EPERM, and no more"
expect_same_fd_counts
end_client alice
wait_until_free "$first"
step "now bob gets it"
expect_success as bob ioasidctl run "$second" -- edu-dma $(dma_words "$second")
wait_until_free "$second"
stop_daemon
