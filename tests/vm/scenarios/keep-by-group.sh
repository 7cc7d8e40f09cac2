# Without iommufd: a client that keeps nothing but a copy of the device's FD after its release keeps the whole group.
# The claim lingers, its mappings are removed, the holder is named, and what is in flight in a socket is said to be
# unknown.
# needs: stock stock-6.1
edu=0000:00:03.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": ["alice", "bob"] },
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
remember_fd_counts
expect_success as alice ioasidctl run "$edu" -- hold-cdev "{fd:$edu}"
keeper=$(pid_of hold-cdev)
wait_until_lingering
expect_status 4 as bob ioasidctl claim "$edu"
expect_output_contains linger
claim=$(the_claim)
expect_success ioasidctl show "$claim"
expect_output_contains "hold-cdev[$keeper]"
expect_output_contains "its mappings were removed"
kill "$keeper"
wait_until_free "$edu"

step "held where nobody can look"
start_client alice as alice speak-varlink \
	say "{\"method\":\"org.ioasid1.Claim\",\"parameters\":{\"devices\":[\"$edu\"]}}" hear \
	say '{"method":"org.ioasid1.Acknowledge","parameters":{"claim":"@CLAIM@"}}' hear hide 3 drop \
	say '{"method":"org.ioasid1.Release","parameters":{"claim":"@CLAIM@"}}' hear touch /tmp/answered wait
wait_for_mark alice /tmp/answered
wait_until_lingering
expect_success ioasidctl show "$edu"
grep -q "could not be found" "$RIG/alice.log" || fail "the answer to the release does not say that the holder is unknown"
end_client alice
wait_until_free "$edu"
expect_success as bob ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
