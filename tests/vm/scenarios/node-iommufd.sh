# Mode node where the kernel has iommufd: an iommufd comes along, the cdev and the group can be opened by their path by
# this user alone and for as long as the claim lasts; /dev/iommu never.
# needs: demo
edu=0000:00:03.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards by node", "effect": "allow", "subject": { "group": ["alice", "bob"] },
               "device": { "id": ["1234:11e8"] }, "modes": ["node"], "limits": { "memlock": "16M" }, "reset": "try" } ] }
EOP
remember_fd_counts
start_client alice as alice ioasidctl run --mode node "$edu" -- sh -c 'touch /tmp/alice; readlink /proc/self/fd/{iommufd}; cat'
wait_for_mark alice /tmp/alice
node=$(echo /sys/bus/pci/devices/$edu/vfio-dev/*)
node=/dev/vfio/devices/${node##*/}
group=/dev/vfio/$(group_of "$edu")
expect_success as alice sh -c "exec 3<>$node"
expect_success as alice sh -c "exec 3<>$group"
expect_status 1 as bob sh -c "exec 3<>$node"
expect_status 1 as bob sh -c "exec 3<>$group"
expect_status 1 as alice sh -c "exec 3<>/dev/iommu"

step "who keeps the node open keeps the device, and is named; the right to open it is gone all the same"
start_client keeper as alice open-nodes "$node" --touch /tmp/keeper
wait_for_mark keeper /tmp/keeper
end_client alice
grep -q /dev/iommu "$RIG/alice.log" || fail "alice got no iommufd"
wait_until_lingering
expect_status 1 as alice sh -c "exec 3<>$node"
expect_status 1 as alice sh -c "exec 3<>$group"
expect_status 4 as bob ioasidctl claim --mode node "$edu"
claim=$(the_claim)
expect_success ioasidctl show "$claim"
expect_output_contains "open-nodes[$(pid_of open-nodes)]"
end_client keeper
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
