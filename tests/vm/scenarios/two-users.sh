# Two users at once, each with a device and DMA of their own; neither gets the other's, and the end of one claim leaves
# the other alone.
# needs: two-edus two-edus-stock
hers=0000:01:01.0
her_sibling=0000:01:02.0
his=0000:02:01.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": ["alice", "bob"] },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "limits": { "memlock": "16M" }, "reset": "try" } ] }
EOP
remember_fd_counts
start_client alice as alice ioasidctl run "$hers" -- edu-dma $(dma_words "$hers") --hold --touch /tmp/alice
start_client bob as bob ioasidctl run "$his" -- edu-dma $(dma_words "$his") --hold --touch /tmp/bob
wait_for_mark alice /tmp/alice
wait_for_mark bob /tmp/bob
expect_status 4 as bob ioasidctl claim "$hers"
expect_status 4 as bob ioasidctl claim "$her_sibling"
expect_status 4 as alice ioasidctl claim "$his"
end_client bob
wait_until_released "$his"
expect_equal "the driver of $hers" vfio-pci "$(driver_of "$hers")"
start_client again as bob ioasidctl run "$his" -- edu-dma $(dma_words "$his") --hold --touch /tmp/again
wait_for_mark again /tmp/again
end_client alice
end_client again
wait_until_free "$hers"
expect_same_fd_counts
stop_daemon
