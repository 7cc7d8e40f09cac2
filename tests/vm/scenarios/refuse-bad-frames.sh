# Frames that are no JSON, too long, or carry FDs nobody asked for: a named error, the end of that connection, and no
# trace in the daemon. The other clients notice nothing.
# needs: demo stock
start_daemon - <<'EOP'
{ "rules": [] }
EOP
start_client other as bob speak-varlink say '{"method":"org.ioasid1.GetStatus"}' hear touch /tmp/other wait \
	say '{"method":"org.ioasid1.GetStatus"}' hear
wait_for_mark other /tmp/other
remember_fd_counts
expect_success as alice speak-varlink say 'no JSON' hear hear
expect_output_contains ProtocolError
expect_output_contains closed
expect_success as alice speak-varlink babble 70000 hear hear
expect_output_contains 65536
expect_output_contains closed
expect_success as alice speak-varlink say-fd '{"method":"org.ioasid1.GetStatus"}' hear hear
expect_output_contains UnexpectedDescriptors
expect_output_contains closed
expect_success as alice speak-varlink say '{"method":"org.ioasid1.Plan","parameters":{"devices":["../../etc"]}}' hear
expect_output_contains InvalidParameter
expect_success as alice speak-varlink say '{"method":"org.ioasid1.NoSuchThing"}' hear
expect_output_contains MethodNotFound
expect_same_fd_counts
end_client other
stop_daemon
