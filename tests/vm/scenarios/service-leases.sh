# What keeps a claim alive besides a descriptor: a scope of a machine, the asker's own service, his process, an
# operator's word. Each claim ends with it, and goes on over a restart of the service until then.
# needs: systemd
# with --all: systemd-backports
# timeout: 420
install_policy <<EOP
{ "rules": [ { "name": "alice drives edu", "effect": "allow", "subject": { "user": ["alice", "carol", "root"] },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "limits": { "memlock": "64M" }, "reset": "try" } ],
  "operators": { "group": ["vmadmin"] } }
EOP
enable_product

# call DEVICE MORE: a call of Claim.
call() {
	echo "{\"method\":\"org.ioasid1.Claim\",\"parameters\":{\"devices\":[\"$1\"],$2}}"
}
acknowledge='{"method":"org.ioasid1.Acknowledge","parameters":{"claim":"@CLAIM@"}}'
# Somebody else's unit is for operators.
varlink alice "$(call 0000:00:08.0 '"lease":"unit","unit":"machine-vm1.scope"')" >"$RIG/answer"
grep -q OperatorsOnly "$RIG/answer" || fail "alice binds a claim to a machine: $(cat "$RIG/answer")"
varlink carol "$(call 0000:00:08.0 '"lease":"unit","unit":"machine-vm1.scope"')" >"$RIG/answer"
grep -q 'does not run' "$RIG/answer" || fail "a claim by a unit that does not run: $(cat "$RIG/answer")"
expect_equal "claims after refusals" "" "$(claim_ids)"

# A machine's scope.
systemd-run --quiet --scope --unit=machine-vm1.scope sleep 100000 &
machine=$!
wait_for_unit machine-vm1.scope active
varlink carol "$(call 0000:00:08.0 '"lease":"unit","unit":"machine-vm1.scope"')" "$acknowledge" >"$RIG/answer"
cat "$RIG/answer"
claim=$(claim_ids)
expect_success ioasidctl show "$claim"
expect_output_contains held
expect_output_contains machine-vm1.scope
expect_equal "the driver while the machine runs" vfio-pci "$(driver_of 0000:00:08.0)"
expect_success systemctl restart ioasidd.service
expect_equal "the claims after a restart" "$claim" "$(claim_ids)"
systemctl stop machine-vm1.scope
wait "$machine" || :
wait_until_free 0000:00:08.0

# The asker's own service; that it is started anew is another run of it.
cat >/run/scenario-claimant <<'EOS'
#!/bin/sh
speak-varlink say '{"method":"org.ioasid1.Claim","parameters":{"devices":["0000:00:09.0"],"lease":"unit"}}' hear \
	say '{"method":"org.ioasid1.Acknowledge","parameters":{"claim":"@CLAIM@"}}' hear drop
echo "claimed"
exec sleep 100000
EOS
chmod 0755 /run/scenario-claimant
systemd-run --quiet --uid=alice --unit=scenario-claimant.service --setenv=PATH="$PATH" /run/scenario-claimant
wait_for_journal 60 claimed _SYSTEMD_UNIT=scenario-claimant.service
claim=$(claim_ids)
[ -n "$claim" ] || { journal _SYSTEMD_UNIT=scenario-claimant.service; fail "alice's service has no claim"; }
expect_success ioasidctl show "$claim"
expect_output_contains scenario-claimant.service
systemctl stop scenario-claimant.service
wait_until_free 0000:00:09.0

# A process: its connection may go, it may not.
start_client process as alice speak-varlink say "$(call 0000:00:0a.0 '"lease":"process"')" hear say "$acknowledge" hear \
	drop touch /tmp/claimed wait
wait_for_mark process /tmp/claimed
claim=$(claim_ids)
expect_success systemctl restart ioasidd.service
expect_equal "the claims after a restart" "$claim" "$(claim_ids)"
kill_client process
wait_until_free 0000:00:0a.0

# An operator's word.
varlink carol "$(call 0000:00:0b.0 '"lease":"operator"')" "$acknowledge" >"$RIG/answer"
claim=$(claim_ids)
expect_success systemctl restart ioasidd.service
expect_equal "the claims after a restart" "$claim" "$(claim_ids)"
expect_success as carol ioasidctl release "$claim"
wait_until_free 0000:00:0b.0
rm -f /run/scenario-claimant
disable_product
