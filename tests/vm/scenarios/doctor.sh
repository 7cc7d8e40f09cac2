# What a host lacks, told before anybody claims: without the daemon, with a daemon that has no rule, and when all is
# well.
# needs: demo stock stock-6.1
expect_status 7 as alice ioasidctl doctor
expect_output_contains /run/ioasidd/org.ioasid1
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
expect_success as alice ioasidctl doctor
if [ -e /dev/iommu ]; then
	expect_output_contains iommufd
else
	expect_output_contains CONFIG_IOMMUFD
fi
expect_success as alice ioasidctl doctor --json
expect_output_contains '"interface"'
expect_success ioasidctl status
expect_output_contains "$([ -e /dev/iommu ] && echo iommufd || echo group)"
stop_daemon
