# Every process of the product is killed in turn, at random moments under a loop of claims: binders, surveyor, watcher,
# the executor, the broker. Nothing is quarantined, nothing is lost, and in the end all is as it was.
# needs: demo
# with --all: stock
# timeout: 300
allow_kernel_complaints
edu=0000:01:01.0
alone=0000:00:03.0
flr=0000:02:00.0
cat >/tmp/policy <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": ["alice", "bob"] }, "device": { "id": ["1234:11e8"] },
               "lockout": "unused", "modes": ["attached", "node"], "reset": "try" },
             { "name": "nic", "effect": "allow", "subject": { "user": "alice" }, "device": { "address": ["0000:02:00.0"] },
               "in_use": "take", "reset": "try" } ] }
EOP
start_daemon /tmp/policy
# claim_again USER DEVICE MODE: until told to stop, whatever comes of it.
claim_again() {
	while [ ! -e /tmp/stop ]; do
		timeout 40 as-user "$1" ioasidctl run --mode "$3" "$2" -- usleep $((RANDOM % 200 * 1000)) >>"$RIG/claims-$2.log" 2>&1 || :
		usleep 20000
	done
}
rm -f /tmp/stop
claim_again alice "$edu" attached & loops=$!
claim_again bob "$alone" node & loops="$loops $!"
claim_again alice "$flr" attached & loops="$loops $!"
kills=0
while [ $kills -lt 12 ]; do
	usleep $((RANDOM % 300 * 1000 + 50000))
	# Each kind in its turn, and of each kind any.
	case $((kills % 4)) in
	0 | 2) kind=ioasid-binder ;;
	1) kind='ioasid-surveyor|ioasid-watcher' ;;
	3) kind='ioasidd|ioasid-executor' ;;
	esac
	pids=
	for pid in $(product_processes); do
		! grep -qxE "$kind" "/proc/$pid/comm" 2>/dev/null || pids="$pids $pid"
	done
	# shellcheck disable=SC2086
	set -- $pids
	[ $# -gt 0 ] || continue
	eval pid="\${$((RANDOM % $# + 1))}"
	name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
	all=$(product_processes)
	kill -KILL "$pid" 2>/dev/null || continue
	kills=$((kills + 1))
	echo "killed $name"
	[ $((kills % 4)) -eq 0 ] || continue
	# The broker ends with its executor, and both come back.
	# shellcheck disable=SC2086
	wait-for-exit 20 $all || fail "after a kill of $name the others go on"
	start_daemon /tmp/policy
done
touch /tmp/stop
# shellcheck disable=SC2086
wait $loops
left=400
while ioasidctl list | grep -qE 'held|offered|releasing|lingering|stuck'; do
	[ "$left" -gt 0 ] || { ioasidctl list; fail "something is still going on"; }
	left=$((left - 1))
	usleep 50000
done
expect_success ioasidctl list
expect_output_lacks quarantined
! grep quarantined "$RIG/ioasidd.log" || fail "something was quarantined"
expect_equal "the journal" "" "$(ls -A /run/ioasidd/claims)"
for device in $edu $alone $flr; do
	wait_until_free "$device"
done
# A claim works as before.
expect_success as alice ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
stop_daemon
