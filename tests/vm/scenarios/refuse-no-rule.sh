# A user without a rule gets nothing, and learns which rule is missing; a device that is not there is said to be
# unknown.
# needs: demo stock
start_daemon - <<'EOP'
{ "rules": [ { "name": "alice alone", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" },
             { "name": "carol never", "effect": "deny", "subject": { "user": "carol" }, "device": { "address": "*" } } ] }
EOP
remember_fd_counts
expect_status 3 as bob ioasidctl claim 0000:00:03.0
expect_output_contains 0000:00:03.0
expect_status 3 as carol ioasidctl claim 0000:00:03.0
expect_output_contains "carol never"
step "unknown device"
expect_status 5 as alice ioasidctl claim 0000:77:00.0
expect_output_contains 0000:77:00.0
expect_status 5 as alice ioasidctl plan 77:00.0
step "a bridge is nothing to be claimed"
expect_status 6 as alice ioasidctl claim 0000:00:02.0
expect_same_fd_counts
stop_daemon
