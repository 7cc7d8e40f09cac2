# Neither unit's list of system calls lacks one that is needed: with a list that kills instead of refusing, which nobody
# could overlook, everything goes as ever.
# needs: systemd
# with --all: systemd-stock
# timeout: 300
edu=0000:00:08.0
shared=0000:01:01.0
install_policy <<'EOP'
{ "rules": [ { "name": "all of it", "effect": "allow", "subject": { "user": "alice" }, "lockout": "unused",
               "device": { "id": ["1234:11e8", "1b36:0010", "8086:10d3"] }, "modes": ["attached", "node"],
               "limits": { "memlock": "64M" }, "reset": "try", "revoke": { "grace": "100ms", "stop": "process" } } ] }
EOP
for unit in ioasidd.service ioasid-executor@.service; do
	mkdir -p "/run/systemd/system/$unit.d"
	printf '[Service]\nSystemCallErrorNumber=kill\n' >"/run/systemd/system/$unit.d/strict.conf"
done
systemctl daemon-reload
enable_product
expect_success ioasidctl status
broker=$(pgrep -x ioasidd)
executor=$(pgrep -x ioasid-executor)
cat /run/systemd/system/*.d/strict.conf | grep -c kill
for address in "$edu" "$shared" 0000:00:05.0 0000:02:00.0; do
	expect_success as alice ioasidctl run "$address" -- true
	wait_until_released "$address"
done
expect_success as alice ioasidctl run --mode node "$edu" -- true
wait_until_released "$edu"
for verb in list "show $shared" "plan --as alice $shared" metrics audit "snapshot /tmp/snapshot.json" "policy show" "policy reload"; do
	# shellcheck disable=SC2086
	expect_success ioasidctl $verb
done
expect_success /usr/bin/busctl introspect org.ioasid1 /org/ioasid1
# shellcheck disable=SC2046
start_client alice as alice ioasidctl run "$edu" -- edu-dma $(dma_words "$edu") --hold --touch /tmp/held
wait_for_mark alice /tmp/held
expect_success ioasidctl revoke "$(the_claim)"
wait-for-exit 60 "$(cat "$RIG/alice.pid")" || fail "who has the revoked device is still there"
end_holder alice
wait "$client" 2>/dev/null || :
wait_until_free "$edu"

step "both are those that were started, and the kernel has ended none of their workers"
expect_equal "the broker" "$broker" "$(pgrep -x ioasidd)"
expect_equal "the executor" "$executor" "$(pgrep -x ioasid-executor)"
journal_lacks "was ended by signal"
expect_success systemctl restart ioasidd.service
expect_success ioasidctl status
expect_equal "what was refused" "" "$(violations)"
disable_product
rm -r /run/systemd/system/ioasidd.service.d /run/systemd/system/ioasid-executor@.service.d
systemctl daemon-reload
