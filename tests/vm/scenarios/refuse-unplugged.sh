# A device that is unplugged between plan and claim: no such device, and another one in its place is another device.
# needs: hotplug
edu=0000:01:00.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "reset": "try" } ] }
EOP
remember_fd_counts
expect_success as alice ioasidctl plan "$edu"
unplug edu1 "$edu"
expect_status 5 as alice ioasidctl claim "$edu"
expect_output_contains "$edu"
expect_success ioasidctl list
expect_output_lacks "$edu"
step "plugged in again it is there again, and can be claimed"
host device_add edu,id=edu1,bus=port1,dma_mask=0xffffffffff
wait_for_device "$edu"
expect_success ioasidctl show "$edu"
expect_success as alice ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
