# What the executor does beside plans, under systemd: it stops a unit that holds a device of a rule that says so, and no
# other; an audit names the unit; records stand in the audit log as they were given, with what it did itself confirmed.
# needs: systemd systemd-stock
# timeout: 120
held=0000:00:08.0
other=0000:00:09.0
modprobe -q vfio-pci && modprobe -q vfio_iommu_type1 || :
mkdir -p /tmp/policy
cat >/tmp/policy/all.json <<'EOP2'
{ "rules": [ { "name": "units", "effect": "allow", "device": { "address": ["0000:00:08.0"] }, "reset": "try",
               "revoke": { "stop": "unit" } },
             { "name": "all", "effect": "allow", "device": { "address": "*" }, "reset": "try" } ] }
EOP2
start_client driver drive "$(executor)" --policy-dir /tmp/policy
marks=0
# say LINE…: has the driver do it, and waits until it has.
say() {
	echo "> $*"
	marks=$((marks + 1))
	printf '%s\n' "$@" "mark $RIG/mark$marks" >"$RIG/driver.stdin"
	wait_for_mark driver "$RIG/mark$marks"
}
expect_said() {
	grep -qF -e "$1" "$RIG/driver.log" || { cat "$RIG/driver.log"; fail "nobody said '$1'"; }
}
# to_unit UNIT DEVICE: a service of that name has the device open.
to_unit() {
	node=/dev/vfio/$(group_of "$2")
	rm -f /tmp/open
	systemd-run --quiet --unit "$1" sh -c "exec 3<>$node; touch /tmp/open; exec sleep 1000"
	wait-for-path 20 /tmp/open
}

step "a unit that holds a device is stopped, if the device was given, and the rule says so"
to_vfio "$held"
to_unit scenario-stranger "$held"
say "stop unit scenario-stranger.service units $held"
expect_said "stop: refused: the devices were not given to one claim by the rule \"units\""
systemctl stop scenario-stranger.service
to_host "$held"
say "survey $held" "rule units 0" "claim held attached $held" "close held"
expect_said "held: done"
to_unit scenario-holder "$held"
pid=$(property_of scenario-holder.service MainPID)
say "stop unit scenario-other.service units $held"
expect_said "stop: refused: no process of scenario-other.service holds any of the devices"
say "stop unit scenario-holder.service all $held"
expect_said "stop: refused: the devices were not given to one claim by the rule \"all\""
say "stop unit init.scope units $held"
expect_said "stop: refused: init.scope is not a service or scope that may be stopped"
say audit
expect_said "[$pid] uid 0 unit scenario-holder.service: 1 group vfio/$(group_of "$held") device - group $(group_of "$held")"
expect_equal "the unit" active "$(state_of scenario-holder.service)"
say "stop unit scenario-holder.service units $held"
expect_said "stop: gone"
expect_equal "the unit" inactive "$(state_of scenario-holder.service)"

step "a process alone, which does not listen to SIGTERM"
rm -f /tmp/open
sh -c "trap '' TERM; exec 3<>/dev/vfio/$(group_of "$held"); touch /tmp/open; exec sleep 1000" &
pid=$!
wait-for-path 20 /tmp/open
say "stop process $pid units $held"
expect_equal "times that something was stopped" 2 "$(grep -c '^stop: gone' "$RIG/driver.log")"
wait-for-exit 5 "$pid"
say "release held"

step "records, as auditd keeps them"
systemctl start auditd.service
say "rule all 1000" "claim one attached $other" "record grant yes 1000 $other" "record grant yes 1000 $held"
say "close one" "release one" "record release yes 1000 $other" "record refusal no 1001 $held" "record policy-load yes 0"
expect_equal "records" 5 "$(grep -c '^record: done' "$RIG/driver.log")"
end_client driver
ausearch --input-logs --raw -m USER_DEVICE,USYS_CONFIG | tee "$RIG/audit.log"
# It refuses to be stopped by systemctl.
kill "$(property_of auditd.service MainPID)"
wait_for_unit auditd.service inactive
auditctl -e 0 >/dev/null
rm -f /var/log/audit/*
# have TEXT…: the audit log has a record with all of these.
have() {
	local found text
	found=$(cat "$RIG/audit.log")
	for text; do
		found=$(echo "$found" | grep -F -e "$text") || fail "no audit record has all of: $*"
	done
}
have "op=grant id=1000 opid=" "device=\"$other\"" "confirmed=yes" 'unit="driven.service"' "res=success"
have "op=grant id=1000 opid=" "device=\"$held\"" "confirmed=no" "res=success"
have "op=release" "device=\"$other\"" "confirmed=yes" "res=success"
have "op=refusal id=1001" "device=\"$held\"" "confirmed=no" "res=failed"
have "op=policy-load id=0" "res=success" "hostname=? addr=? terminal=?"
expect_equal "records of devices, and of the system's configuration" "4 1" \
	"$(grep -c type=USER_DEVICE "$RIG/audit.log") $(grep -c type=USYS_CONFIG "$RIG/audit.log")"
