# What an operator reads: the journal, by fields and with explanations; the kernel's audit log; numbers for Prometheus;
# who went round ioasidd; and what happens, as it happens. Names from outside forge nothing in any of them.
# needs: systemd
# with --all: systemd-stock
# timeout: 420
device=0000:01:01.0
sibling=0000:01:02.0
disk=0000:00:05.0
rule='alice: "cards" res=success'
install_policy <<EOP
{ "rules": [ { "name": "alice: \"cards\" res=success", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "address": ["$device"] }, "lockout": { "named": ["$sibling"] },
               "limits": { "memlock": "64M", "devices": 2 }, "reset": "try", "revoke": { "stop": "process" } } ],
  "operators": { "group": ["vmadmin"] } }
EOP
journalctl --update-catalog
systemctl start auditd.service
enable_product
allow_dma_faults

# entry MESSAGE_ID MATCH…: there is exactly one such entry.
entry() {
	local id="$1"
	shift
	expect_equal "entries $id with $*" 1 "$(journal --output json MESSAGE_ID="$id" "$@" | wc -l)"
}

step "a watcher is told what happens"
start_client watcher as carol ioasidctl --json monitor
wait_for_line watcher 30 '"ready"'

step "a claim, by a program whose name is hostile"
program="/tmp/$(printf 'e\nUID=0\033[m')"
cp "$(command -v edu-dma)" "$program"
start_client driver as alice ioasidctl run "$device" -- "$program" $(dma_words "$device") --hold --touch /tmp/held
wait_for_mark driver /tmp/held
claim=$(claim_ids)
expect_status 3 as bob ioasidctl claim "$disk"

step "the journal: by fields, each once, with an explanation"
alice=$(id -u alice)
entry 2b5ec9a98b21470ab0ee536529d3529e "IOASID_CLAIM=$claim" "IOASID_DEVICE=$device" "IOASID_MEMBER=$sibling" \
	"IOASID_GROUP=$(group_of "$device")" "IOASID_UID=$alice" "IOASID_RULE=$rule" IOASID_VERDICT=allowed PRIORITY=5 \
	_SYSTEMD_UNIT=ioasidd.service SYSLOG_IDENTIFIER=ioasidd
entry 4ee5ac25aea5480f930f52074f38e138 "IOASID_DEVICE=$disk" "IOASID_UID=$(id -u bob)" IOASID_VERDICT=no-rule IOASID_STATUS=3
entry 89d5cd6699104a1bab3d06f490e30eea IOASID_RULES=1 IOASID_FILE=/etc/ioasidd/policy.d/50-scenario.json
expect_equal "lines about the claim" 1 "$(journal --output cat _SYSTEMD_UNIT=ioasidd.service | grep -c -F "$claim")"
journal --catalog MESSAGE_ID=2b5ec9a98b21470ab0ee536529d3529e >"$RIG/explained"
cat "$RIG/explained"
grep -q -F "Claim $claim was granted to user $alice by the rule" "$RIG/explained" || fail "nothing is explained"
grep -q -F "\`ioasidctl show $claim\` shows its state" "$RIG/explained" || fail "it does not say what to do"

step "numbers"
as carol ioasidctl metrics >"$RIG/metrics"
for line in 'ioasid_claims{state="held",mode="attached"} 1' 'ioasid_claims_refused_total{reason="no-rule"} 1' \
	'ioasid_rule_devices{rule="alice: \"cards\" res=success",of="one-user"} 1' 'ioasid_stored_descriptors 2' '# EOF'; do
	grep -q -x -F -e "$line" "$RIG/metrics" || fail "the metrics have no '$line'"
done
as alice ioasidctl metrics >"$RIG/metrics"
! grep -F cards "$RIG/metrics" || fail "alice is told of rules"
mkdir -p /var/lib/prometheus/node-exporter
systemctl start ioasidd-metrics.service
expect_equal "mode of the file" 644 "$(stat -c %a /var/lib/prometheus/node-exporter/ioasidd.prom)"
grep -q -x -F 'ioasid_claims{state="held",mode="attached"} 1' /var/lib/prometheus/node-exporter/ioasidd.prom ||
	fail "the file has no claim"
expect_equal "files" ioasidd.prom "$(ls /var/lib/prometheus/node-exporter)"

step "who went round ioasidd"
expect_success as carol ioasidctl audit
expect_status 3 as alice ioasidctl audit
expect_output_contains "only operators"
rm -f /tmp/open
systemd-run --quiet --unit scenario-stranger sh -c 'exec 3<>/dev/vfio/vfio; touch /tmp/open; exec sleep 1000'
wait-for-path 20 /tmp/open
expect_status 1 as carol ioasidctl audit
expect_output_contains "in scenario-stranger.service"
expect_output_contains "systemctl stop scenario-stranger.service"
systemctl stop scenario-stranger.service
expect_success as carol ioasidctl audit
node=/dev/vfio/$(group_of "$device")
chmod 0666 "$node"
expect_status 1 as carol ioasidctl audit
expect_output_contains "everybody"
expect_output_contains "chmod 0600 $node"
chmod 0600 "$node"
expect_equal "the container, which gives nobody a device" 666 "$(stat -c %a /dev/vfio/vfio)"
expect_success as carol ioasidctl audit

step "an operator takes it back"
expect_success as carol ioasidctl revoke "$device" --grace 0.3 --reason 'maintenance' --wait
expect_output_contains "its client is asked to release it within 0.3 s: maintenance"
expect_output_contains "ended, its devices are free"
end_holder driver
! wait "$(cat "$RIG/driver.pid")" || fail "the program was not stopped"
carol=$(id -u carol)
entry ab3d19b4588b40fabe5aa73d59d71270 "IOASID_CLAIM=$claim" "IOASID_ACTOR=$carol" "IOASID_UID=$alice" IOASID_REASON=maintenance
entry 2127ae142d064e198429cfa6e8e16462 "IOASID_CLAIM=$claim" "IOASID_DEVICE=$device"
journal --output cat MESSAGE_ID=6d7229738bb74adba6cf1b3182490217 "IOASID_CLAIM=$claim" >"$RIG/lingering"
cat "$RIG/lingering"
grep -q -F 'e\x0aUID=0\x1b[m' "$RIG/lingering" || fail "the holder's name is not told, or not escaped"
expect_equal "entries with a forged field" 0 "$(journal --output json "IOASID_CLAIM=$claim" UID=0 | wc -l)"

step "what the watcher was told"
wait_for_line watcher 20 '"claim-gone"'
for kind in offered refused revocation revocation-step ending device; do
	grep -q -F "\"$kind\"" "$RIG/watcher.log" || fail "the watcher was not told of $kind"
done
! grep -q "$(printf '\033')" "$RIG/watcher.log" || fail "the watcher's lines are not escaped"

step "the audit log, as ausearch prints it"
ausearch --input-logs --raw -m USER_DEVICE,USYS_CONFIG >"$RIG/audit.log"
ausearch --input-logs --interpret -m USER_DEVICE,USYS_CONFIG | tail -n 20
ausearch --input-logs --raw --success no -m USER_DEVICE >"$RIG/failed.log"
kill "$(property_of auditd.service MainPID)"
wait_for_unit auditd.service inactive
auditctl -e 0 >/dev/null
rm -f /var/log/audit/*
cat "$RIG/audit.log"
# have TEXT…: the audit log has a record with all of these.
have() {
	local found text
	found=$(cat "$RIG/audit.log")
	for text; do
		found=$(echo "$found" | grep -F -e "$text") || fail "no audit record has all of: $*"
	done
}
# The rule's name has a space and quotes, so that it is written in hexadecimal digits: it can't be taken for a field.
hex=$(printf %s "$rule" | xxd -p | tr -d '\n' | tr a-f A-F)
have "op=policy-load" "res=success"
have "op=grant id=$alice" "device=\"$device\"" "lockout=\"$sibling\"" "claim=\"$claim\"" "rule=$hex" "confirmed=yes" "res=success"
have "op=refusal id=$(id -u bob)" "device=\"$disk\"" "res=failed"
have "op=revocation id=$alice actor=$carol" "claim=\"$claim\"" "res=success"
have "op=stop id=$alice" "claim=\"$claim\"" "res=success"
have "op=release id=$alice actor=$carol" "claim=\"$claim\"" "confirmed=yes" "res=success"
grep -q "op=refusal" "$RIG/failed.log" || fail "ausearch finds no failure"
! grep "op=refusal" "$RIG/audit.log" | grep -q "res=success" || fail "a refusal is a success"

kill_client watcher
rm -rf /var/lib/prometheus "$program"
disable_product
expect_equal "what is left of the metrics" inactive "$(state_of ioasidd-metrics.service)"
