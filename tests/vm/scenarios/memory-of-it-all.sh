# The resident memory of all processes together stays under 24 MiB, with a claim held.
# needs: demo stock
edu=0000:01:01.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" } ] }
EOP
start_client alice as alice ioasidctl run "$edu" -- \
	edu-dma $(dma_words "$edu") --hold --touch /tmp/held
wait_for_mark alice /tmp/held
sum=0
for pid in $(product_processes); do
	kib=$(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status")
	echo "$(tr '\0' ' ' <"/proc/$pid/cmdline"): $kib KiB"
	sum=$((sum + kib))
done
echo "together: $sum KiB"
end_client alice
wait_until_free "$edu"
stop_daemon
# A sanitizer's shadow is not the product's memory.
grep -q __asan_init "$(command -v ioasidd)" || [ "$sum" -lt 24576 ] || fail "$sum KiB are more than 24 MiB"
