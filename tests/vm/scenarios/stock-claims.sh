# Debian's own kernel has no iommufd: the daemon starts, lists and plans, and claims say what is missing.
# needs: stock
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" } ] }
EOP
remember_fd_counts
expect_success ioasidctl status
expect_output_contains "iommufd"
expect_success as alice ioasidctl list
expect_output_contains 0000:01:02.0
expect_status 6 as alice ioasidctl plan 0000:01:01.0
expect_output_contains 0000:01:02.0
expect_output_contains CONFIG_IOMMUFD
expect_status 6 as alice ioasidctl claim 0000:00:03.0
expect_output_contains CONFIG_IOMMUFD
expect_status 6 as alice ioasidctl run 0000:00:03.0 -- true
expect_output_contains CONFIG_IOMMUFD
expect_equal "the driver of the e1000" e1000 "$(driver_of 0000:01:02.0)"
expect_same_fd_counts
stop_daemon
