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
keeper=
for pid in $(processes); do
	[ "$(program_of "$pid")" != hold-cdev ] || keeper=$pid
done
[ -n "$keeper" ] || fail "hold-cdev keeps nothing"
step "bob is refused, the operator reads who has it"
left=100
until ioasidctl status --json >/dev/null && ioasidctl list | grep -q lingering; do
	[ "$left" -gt 0 ] || fail "the claim does not linger"
	left=$((left - 1))
	usleep 50000
done
expect_status 4 as bob ioasidctl claim "$edu"
expect_output_contains "$edu"
expect_output_contains linger
claim=$(as carol speak-varlink say '{"method":"org.ioasid1.ListClaims"}' hear | sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p')
expect_success as carol ioasidctl show "$claim"
expect_output_contains "hold-cdev[$keeper]"
expect_equal "the driver of $edu" vfio-pci "$(driver_of "$edu")"
kill "$keeper"
wait_until_free "$edu"
expect_success as bob ioasidctl run "$edu" -- edu-dma "{fd:$edu}" '{iommufd}' '{ioasid}'
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
