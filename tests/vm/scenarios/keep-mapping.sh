# A client that closes every FD but keeps a BAR mapped keeps the device: the claim lingers with its name, and is freed
# when it unmaps, which no event tells.
# needs: demo stock
edu=0000:00:03.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
remember_fd_counts
start_client alice as alice ioasidctl run "$edu" -- keep-mapping "{fd:$edu}" --touch /tmp/mapped
wait_for_mark alice /tmp/mapped
wait_until_lingering
expect_success ioasidctl list
claim=$(the_claim)
expect_success ioasidctl show "$claim"
expect_output_contains "keep-mapping[$(pid_of keep-mapping)]"
expect_equal "the driver of $edu" vfio-pci "$(driver_of "$edu")"
end_client alice
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
