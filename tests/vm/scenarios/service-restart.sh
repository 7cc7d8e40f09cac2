# Eight claims are held and eight devices do DMA without a break, while the service is restarted, both programs are killed,
# and a newer build is installed over the old one: no lease ends, nothing is doubled, and at the end all is put back.
# needs: systemd systemd-stock
# with --all: systemd-backports
# timeout: 420
install_policy <<EOP
{ "rules": [ { "name": "alice drives edu", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "limits": { "memlock": "64M" }, "reset": "try" } ] }
EOP
enable_product

devices=
for slot in 08 09 0a 0b 0c 0d 0e 0f; do devices="$devices 0000:00:$slot.0"; done
# shellcheck disable=SC2086
start_endure alice $devices

# What has to hold after each of these.
expect_goes_on() {
	expect_answer rounds 'rounds * leases-over 0'
	expect_answer report 'rounds [1-9]* leases-over 0'
	claim_ids >"$RIG/ids.now"
	expect_equal "the number of claims after $1" 8 "$(wc -l <"$RIG/ids.now")"
	expect_equal "what the manager keeps after $1" 16 "$(property_of ioasidd.service NFileDescriptorStore)"
	cmp "$RIG/ids.before" "$RIG/ids.now" || fail "other claims after $1"
	expect_answer resume 'resumed 8 of 8'
	# Whoever has a device keeps it.
	expect_status 4 as alice ioasidctl claim 0000:00:08.0
}

claim_ids >"$RIG/ids.before"
expect_goes_on "nothing"

expect_success systemctl restart ioasidd.service
expect_goes_on "systemctl restart"

pid=$(property_of ioasidd.service MainPID)
kill -9 "$pid"
wait-for-exit "$pid"
wait_for_unit ioasidd.service active
expect_goes_on "kill -9 of the broker"

executor=$(pidof ioasid-executor | tr ' ' '\n' | sort -n | head -n 1)
old=$(property_of ioasidd.service MainPID)
kill -9 "$executor"
wait-for-exit "$old"
wait_for_unit ioasidd.service active
expect_goes_on "kill -9 of the executor"

new=$(newer_product)
/rig/install /rig/newer
systemctl daemon-reload
expect_success systemctl restart ioasidd.service
expect_success ioasidctl status
expect_output_contains "$new"
expect_goes_on "an upgrade"
/rig/install
systemctl daemon-reload
expect_success systemctl restart ioasidd.service
expect_goes_on "a downgrade"

expect_success systemctl reload ioasidd.service
expect_goes_on "a reload"

end_endure 8
claim_ids >"$RIG/ids.now"
expect_equal "the number of claims at the end" 0 "$(wc -l <"$RIG/ids.now")"
expect_equal "what the manager keeps at the end" 0 "$(property_of ioasidd.service NFileDescriptorStore)"
disable_product
