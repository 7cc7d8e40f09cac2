# Eight claims are held and eight devices do DMA without a break, while the service is restarted, both programs are
# killed, and a newer build is installed over the old one: no lease ends, nothing is doubled, and at the end all is put
# back. What is not acknowledged then is rolled back by the next start, and nothing else is.
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

# start_unacknowledged [WORD…]: alice claims 0000:00:08.0, does what the words say, and acknowledges no more.
start_unacknowledged() {
	rm -f /tmp/offered
	start_client offered as alice speak-varlink say '{"method":"org.ioasid1.Claim","parameters":{"devices":["0000:00:08.0"]}}' hear \
		"$@" touch /tmp/offered wait
	wait_for_mark offered /tmp/offered
}
# expect_end_of_it: the client goes, and all is as it was.
expect_end_of_it() {
	end_client offered
	wait_until_free 0000:00:08.0
	expect_equal "the claims after that" "" "$(claim_ids)"
	journal_lacks quarantined
}

for act in restart kill; do
	step "a claim is not acknowledged, and the service ends: $act"
	start_unacknowledged
	old=$(property_of ioasidd.service MainPID)
	if [ $act = restart ]; then
		expect_success systemctl restart ioasidd.service
	else
		kill -9 "$(pidof ioasid-executor | tr ' ' '\n' | sort -n | head -n 1)"
		wait-for-exit "$old"
		wait_for_unit ioasidd.service active
	fi
	wait_until_lingering
	expect_end_of_it
done

step "the addition of a device is not acknowledged, and the service is restarted: the claim goes on"
start_unacknowledged say '{"method":"org.ioasid1.Acknowledge","parameters":{"claim":"@CLAIM@"}}' hear \
	say '{"method":"org.ioasid1.AddDevice","parameters":{"claim":"@CLAIM@","device":"0000:00:09.0"}}' hear
claim=$(the_claim)
expect_success systemctl restart ioasidd.service
left=100
until ioasidctl show "$claim" | grep -q 'not acknowledged'; do
	[ "$left" -gt 0 ] || fail "the device is not taken back"
	left=$((left - 1))
	usleep 50000
done
expect_success ioasidctl show "$claim"
expect_output_contains held
expect_end_of_it
disable_product
