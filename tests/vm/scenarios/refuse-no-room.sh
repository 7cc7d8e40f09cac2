# SR-29: a client without room for the FDs gets a message without them, and owns nothing afterwards.
# needs: demo stock
edu=0000:00:03.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
remember_fd_counts
claim='{"method":"org.ioasid1.Claim","parameters":{"devices":["0000:00:03.0"]}}'
step "a client that leaves without an acknowledgement"
expect_success as alice speak-varlink leave-room 1 say "$claim" hear
expect_output_contains " cut"
wait_until_free "$edu"
expect_success as alice ioasidctl plan "$edu"
step "a client that stays, and is offered nothing more before it acknowledges"
expect_success as alice speak-varlink say "$claim" hear say "$claim" hear drop \
	say '{"method":"org.ioasid1.Release","parameters":{"claim":"@CLAIM@"}}' hear
expect_output_contains UnacknowledgedDescriptors
expect_output_contains '"state":"free"'
step "ioasidctl says what is the matter"
expect_status 1 as alice sh -c "ulimit -n 6; exec ioasidctl claim $edu"
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
