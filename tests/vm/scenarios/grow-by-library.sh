# libioasid adds and removes devices of a claim that is held: one of the same group, which without iommufd the library
# opens itself by the group that the client has, and one of another group.
# needs: two-edus two-edus-stock
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" } ] }
EOP
remember_fd_counts
expect_success as alice grow-claim 0000:01:01.0 0000:01:02.0 0000:02:01.0
expect_output_contains "has 3 devices through $([ -e /dev/iommu ] && echo iommufd || echo group)"
expect_output_contains "has 1 devices"
expect_output_contains released
wait_until_free 0000:01:01.0
expect_same_fd_counts
stop_daemon
