# The service is stopped while claims are held, and started again; and the host is isolated to another target. Claims
# and drivers stay, DMA goes on. systemd before 257 discards the leases of a service that is stopped: then the claims
# linger until their client resumes them.
# needs: systemd
# with --all: systemd-stock systemd-backports
# timeout: 420
install_policy <<EOP
{ "rules": [ { "name": "alice drives edu", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "limits": { "memlock": "64M" }, "reset": "try" } ] }
EOP
enable_product
lost=0
[ "$(property_of ioasidd.service FileDescriptorStorePreserve)" = yes ] || lost=2
start_endure alice 0000:00:08.0 0000:00:09.0
claim_ids >"$RIG/ids.before"

expect_success systemctl isolate rig.target
expect_answer rounds 'rounds * leases-over 0'
expect_equal "the service after an isolate" active "$(state_of ioasidd.service)"

expect_success systemctl stop ioasidd.socket ioasidd.service
expect_equal "the driver after a stop" vfio-pci "$(driver_of 0000:00:08.0)"
expect_answer rounds "rounds * leases-over $lost"
expect_success systemctl start ioasidd.socket
expect_answer resume 'resumed 2 of 2'
expect_answer rounds 'rounds * leases-over 0'
claim_ids >"$RIG/ids.now"
cmp "$RIG/ids.before" "$RIG/ids.now" || fail "other claims after a stop"
expect_success systemctl restart ioasidd.service
expect_answer rounds 'rounds * leases-over 0'
end_endure 2
expect_equal "the claims at the end" "" "$(claim_ids)"

# A client that ended while nobody looked is noticed at the next start.
start_client alice as alice ioasidctl run 0000:00:08.0 -- edu-dma $(dma_words 0000:00:08.0) --hold --touch /tmp/alice
wait_for_mark alice /tmp/alice
expect_success systemctl stop ioasidd.socket ioasidd.service
end_client alice
expect_equal "the driver while nobody looks" vfio-pci "$(driver_of 0000:00:08.0)"
expect_success systemctl start ioasidd.socket ioasidd.service
wait_until_free 0000:00:08.0
disable_product
