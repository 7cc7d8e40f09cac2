# F17, H-18: an open FD of a device, in flight in a socket where no search finds it: the unbind blocks in the kernel,
# unkillably. The claim is stuck at its deadline, others go on meanwhile, and when the kernel lets go it is freed.
# needs: demo
edu=0000:00:03.0
other=0000:01:01.0
start_daemon - --plan-deadline 2 <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": ["alice", "bob"] }, "lockout": "unused",
               "device": { "id": ["1234:11e8"] }, "modes": ["attached", "open"], "reset": "try" } ] }
EOP
remember_fd_counts
start_client alice as alice speak-varlink \
	say "{\"method\":\"org.ioasid1.Claim\",\"parameters\":{\"devices\":[\"$edu\"],\"mode\":\"open\"}}" hear \
	say '{"method":"org.ioasid1.Acknowledge","parameters":{"claim":"@CLAIM@"}}' hear hide 2 drop \
	say '{"method":"org.ioasid1.Release","parameters":{"claim":"@CLAIM@"}}' hear touch /tmp/answered wait
wait_for_mark alice /tmp/answered
grep -q '"state":"stuck"' "$RIG/alice.log" || { cat "$RIG/alice.log"; fail "the release is not said to be stuck"; }
step "the device is nobody's, and all else works"
expect_status 4 as bob ioasidctl claim "$edu"
expect_output_contains "stuck"
expect_success as bob ioasidctl run "$other" -- edu-dma $(dma_words "$other")
step "the FD is gone with its process: the kernel lets go"
end_client alice
wait_until_free "$edu"
expect_success as bob ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
