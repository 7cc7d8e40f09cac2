# A bound FD of a device that is in flight in a socket, where no search finds it: the claim lingers, and asking again
# changes nothing. An operator has it unbound: that waits for the FD in a worker, the claim is stuck meanwhile, and with
# the last close the device is reset, put back and free.
# needs: demo stock
edu=0000:00:03.0
start_daemon - --plan-deadline 2 <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": ["alice", "bob"] }, "lockout": "unused",
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
# Which of the claim's FDs is the device's: without iommufd there is a group before it.
device_fd=2
[ -e /dev/iommu ] || device_fd=3
remember_fd_counts
start_client alice as alice speak-varlink \
	say "{\"method\":\"org.ioasid1.Claim\",\"parameters\":{\"devices\":[\"$edu\"]}}" hear \
	say '{"method":"org.ioasid1.Acknowledge","parameters":{"claim":"@CLAIM@"}}' hear hide $device_fd drop \
	say '{"method":"org.ioasid1.Release","parameters":{"claim":"@CLAIM@"}}' hear touch /tmp/answered wait
wait_for_mark alice /tmp/answered
wait_until_lingering
claim=$(the_claim)
expect_success ioasidctl show "$claim"
expect_output_contains "could not be found"
expect_success ioasidctl status
expect_output_contains "revoke --unbind"
expect_status 4 ioasidctl release "$claim"
expect_status 3 as alice ioasidctl revoke --unbind "$claim"

step "an operator has it unbound"
expect_success ioasidctl revoke --unbind "$claim"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	ioasidctl show "$claim" | grep -q '^state *stuck' && break
	sleep 1
done
expect_success ioasidctl show "$claim"
expect_output_contains "stuck"
expect_status 4 as bob ioasidctl claim "$edu"
end_client alice
wait_until_free "$edu"
expect_success as bob ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
