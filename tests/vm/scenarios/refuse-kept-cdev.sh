# A client that keeps an unbound copy of the cdev after its release: the claim lingers, the holder is named, nobody else
# gets the device; when the holder is gone it is freed without anybody asking.
# needs: demo
edu=0000:00:03.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": ["alice", "bob"] },
               "device": { "id": ["1234:11e8"] }, "modes": ["attached", "open"], "reset": "try" } ],
  "operators": { "group": ["vmadmin"] } }
EOP
remember_fd_counts
expect_success as alice ioasidctl run --mode open "$edu" -- hold-cdev "{fd:$edu}"
keeper=$(pid_of hold-cdev)
step "bob is refused, the operator reads who has it"
wait_until_lingering
expect_status 4 as bob ioasidctl claim "$edu"
expect_output_contains "$edu"
expect_output_contains linger
claim=$(the_claim)
expect_success as carol ioasidctl show "$claim"
expect_output_contains "hold-cdev[$keeper]"
expect_equal "the driver of $edu" vfio-pci "$(driver_of "$edu")"
kill "$keeper"
wait_until_free "$edu"
expect_success as bob ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
