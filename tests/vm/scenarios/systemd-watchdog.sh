# A broker that hangs is found by the watchdog and replaced, and its claims go on; a shutdown with a claim held is over
# soon, and nobody is waited for.
# needs: systemd
# timeout: 300
edu=0000:00:08.0
case $boot in
2)
	step "the shutdown"
	journalctl --boot=-1 --quiet --since "@$(cat "$KEEP/shutdown")" --output short-monotonic --identifier systemd \
		>"$RIG/shutdown"
	grep -E 'ioasid|scenario-client' "$RIG/shutdown" | tail -n 20
	grep -E '(ioasid|scenario-client).*(timed out|SIGKILL|Timeout)' "$RIG/shutdown" && fail "a unit had to be killed"
	# What stopped is journald's last word; the kernel's is later.
	begun=$(sed -n 's/^\[ *\([0-9]*\)\..*Stopping ioasidd.service.*/\1/p' "$RIG/shutdown" | tail -n 1)
	ended=$(sed -n 's/^\[ *\([0-9]*\)\..*Stopped ioasidd.service.*/\1/p' "$RIG/shutdown" | tail -n 1)
	[ -n "$begun" ] && [ -n "$ended" ] || fail "the journal does not tell of the service's end"
	[ $((ended - begun)) -lt 15 ] || fail "stopping took $((ended - begun)) s"
	exit 0
	;;
esac
install_policy <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" }, "device": { "id": ["1234:11e8"] },
               "reset": "try" } ] }
EOP
expect_equal "the watchdog" 30s "$(systemctl cat ioasidd.service | sed -n 's/^WatchdogSec=//p')"
mkdir -p /run/systemd/system/ioasidd.service.d
printf '[Service]\nWatchdogSec=5s\n' >/run/systemd/system/ioasidd.service.d/watchdog.conf
systemctl daemon-reload
enable_product
mkdir -m 777 /tmp/marks
mkfifo -m 666 /tmp/marks/stdin
systemd-run --quiet --unit scenario-client --uid alice --setenv "PATH=$PATH" /bin/sh -c \
	"exec ioasidctl run $edu -- edu-dma $(dma_words "$edu") --hold --touch /tmp/marks/held <>/tmp/marks/stdin"
wait-for-path 60 /tmp/marks/held
claim=$(the_claim)

step "it hangs"
broker=$(property_of ioasidd.service MainPID)
kill -STOP "$broker"
wait_for_journal 60 "Watchdog timeout"
wait-for-exit 30 "$broker" || fail "the broker that hung is still there"
wait_for_unit ioasidd.service active 60
[ "$(property_of ioasidd.service MainPID)" != "$broker" ] || fail "no other broker has taken its place"
expect_equal "the claim" "$claim" "$(the_claim)"
expect_equal "the client" active "$(state_of scenario-client.service)"
expect_equal "its restarts" 1 "$(property_of ioasidd.service NRestarts)"
# For the shutdown, not for the next boot.
systemctl --quiet disable ioasidd.socket
/bin/date +%s.%N >"$KEEP/shutdown"
reboot_guest
