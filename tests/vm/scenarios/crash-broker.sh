# F1: the broker is killed while a claim is held. The client's DMA goes on, the next start finds the claim in the
# journal, lets it linger as long as the client has its FDs, and puts everything back after.
# needs: demo stock
edu=0000:01:01.0
nic=0000:01:02.0
cat >/tmp/policy <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" } ] }
EOP
start_daemon /tmp/policy
start_client alice as alice ioasidctl run "$edu" -- \
	edu-dma $(dma_words "$edu") --hold --touch /tmp/held
wait_for_mark alice /tmp/held
all=$(product_processes)
kill -KILL "$daemon"
# shellcheck disable=SC2086
wait-for-exit 20 $all || fail "the executor outlives the broker"
expect_equal "the driver of $edu" vfio-pci "$(driver_of "$edu")"
expect_equal "the driver of $nic" none "$(driver_of "$nic")"
rm -f /run/ioasidd/org.ioasid1
start_daemon /tmp/policy
left=200
until ioasidctl list | grep -q lingering; do
	[ "$left" -gt 0 ] || fail "the claim of before is not known any more"
	left=$((left - 1))
	usleep 50000
done
expect_status 4 as alice ioasidctl claim "$edu"
end_client alice
wait_until_free "$edu"
expect_equal "the driver of $nic" e1000 "$(driver_of "$nic")"
expect_success as alice ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
stop_daemon
