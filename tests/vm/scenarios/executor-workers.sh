# F20, H-18: workers that die or hang. Another takes the place of each; what it had in hand is answered; nobody else
# waits.
# needs: demo
# timeout: 90
edu=0000:00:03.0
other=0000:01:01.0
nic=0000:01:02.0
mkdir -p /tmp/policy
cat >/tmp/policy/all.json <<'EOP'
{ "rules": [ { "name": "all", "effect": "allow", "device": { "address": "*" }, "lockout": "unused", "reset": "try",
               "modes": ["attached", "open"] } ] }
EOP
start_client driver drive "$(executor)" --policy-dir /tmp/policy
marks=0
# say LINE…: has the driver do it, and waits until it has.
say() {
	echo "> $*"
	marks=$((marks + 1))
	printf '%s\n' "$@" "mark $RIG/mark$marks" >"$RIG/driver.stdin"
	wait_for_mark driver "$RIG/mark$marks"
}
# pids_of WORKER
pids_of() {
	local pid
	for pid in $(product_processes); do
		[ "$(cat "/proc/$pid/comm")" != "ioasid-$1" ] || echo "$pid"
	done
}
expect_said() {
	grep -qF -e "$1" "$RIG/driver.log" || { cat "$RIG/driver.log"; fail "nobody said '$1'"; }
}

step "idle ones are killed"
say topology
for pid in $(pids_of surveyor) $(pids_of watcher) $(pids_of binder); do
	kill -KILL "$pid"
	wait-for-exit 10 "$pid"
done
say "survey $edu" "claim a attached $other / $nic" "close a" "release a"
expect_said "a: done"
[ -n "$(pids_of watcher)" ] && [ -n "$(pids_of surveyor)" ] && [ -n "$(pids_of binder)" ] || fail "a worker is missing"

step "an unbind hangs: surveys, events and other claims go on"
say "claim b open $edu" "hide b" "post-release b" "await-stuck b"
say "survey $edu $other" "claim c attached $other / $nic" "close c" "release c"
expect_said "c: done"
say "overdue b" "survey $other" "show b" "await b"
expect_said "is stuck in the kernel"
expect_equal "the driver of $edu" none "$(driver_of "$edu")"

step "it hangs again, and its worker is killed, which does not end it: the answer is that nobody knows, and a release may be run again"
say "claim d open $edu" "hide d" "post-release d" "await-stuck d"
for pid in $(pids_of binder); do
	kill -KILL "$pid"
done
say "show d" "await d"
expect_said "d: interrupted: the worker ended in the middle of the plan"
say "release d"
expect_equal "the driver of $edu" none "$(driver_of "$edu")"

step "the broker goes with a claim held: what was done stands, its FDs are closed, and all processes end"
say "claim e attached $edu"
all=$(product_processes)
end_client driver
# shellcheck disable=SC2086
wait-for-exit 10 $all
expect_equal "the driver of $edu" vfio-pci "$(driver_of "$edu")"

step "the next executor knows what was given, and to which claim"
start_client driver drive "$(executor)" --policy-dir /tmp/policy
say "claim f attached $edu"
expect_said "f: refused: $edu was delivered to the claim"
say "recall e attached $edu" "release e"
expect_said "e: done"
expect_equal "the driver of $edu" none "$(driver_of "$edu")"
say "claim g attached $edu" "close g" "release g"
all=$(product_processes)
end_client driver
# shellcheck disable=SC2086
wait-for-exit 10 $all
