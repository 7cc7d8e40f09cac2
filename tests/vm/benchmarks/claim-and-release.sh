# Claim and release through ioasidd by a user without privileges, over the same steps done by root in one process, turn
# and turn about on one kernel: devices with and without siblings, and with a reset of their own (FLR).
# needs: demo
# timeout: 300
start_daemon - <<'EOP'
{ "rules": [ { "name": "all", "effect": "allow", "subject": { "user": "alice" }, "device": { "address": "*" },
               "lockout": "unused", "reset": "try" } ] }
EOP
rounds=5 cycles=10
p50() {
	sed -n 's/^claim+release .*p50 \([0-9.]*\) ms.*/\1/p' "$1"
}
median() {
	sort -n | sed -n "$(((rounds + 1) / 2))p"
}
for row in "edu:alone:0000:00:03.0" "edu:with-an-e1000-beside-it:0000:01:01.0" "e1000e:with-FLR:0000:02:00.0"; do
	device=0000:${row#*:0000:}
	name=${row%%:0000:*}
	: >/tmp/root
	: >/tmp/ioasidd
	round=0
	while [ $round -lt $rounds ]; do
		root-claim --cycles $cycles "$device" >/tmp/out
		p50 /tmp/out >>/tmp/root
		as alice claim-cycles $cycles "$device" >/tmp/out
		p50 /tmp/out >>/tmp/ioasidd
		round=$((round + 1))
	done
	by_root=$(median </tmp/root)
	by_ioasidd=$(median </tmp/ioasidd)
	ratio=$(awk -v a="$by_ioasidd" -v b="$by_root" 'BEGIN { printf "%.2f", a / b }')
	echo "BENCHMARK $name: ioasidd $by_ioasidd ms, root in one process $by_root ms, ratio $ratio"
done
stop_daemon
