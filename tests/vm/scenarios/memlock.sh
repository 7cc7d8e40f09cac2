# The memlock limit of the rule becomes the client's; without one a map beyond its limit fails in the client, with
# ENOMEM, and the daemon goes on.
# needs: demo stock stock-6.1
edu=0000:00:03.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards with memory", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "limits": { "memlock": "16M" }, "reset": "try" },
             { "name": "cards without", "effect": "allow", "subject": { "user": "bob" },
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
remember_fd_counts
expect_success as alice sh -c "ulimit -l 64; exec ioasidctl run $edu -- sh -c 'ulimit -l'"
expect_output_contains 16384
wait_until_free "$edu"
expect_success as bob sh -c "ulimit -l 64; exec ioasidctl run $edu -- sh -c 'ulimit -l'"
expect_output_contains 64
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
