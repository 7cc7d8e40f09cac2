# The kernel's side without ioasidd: root gives a user the node of a NIC's group, and DPDK's testpmd answers pings that
# come from the kernel's NIC on the same network. If this fails, blame the rig before the product.
# needs: dpdk
# timeout: 120
# only with --all
nic=0000:01:00.0
peer=$(interface_of 0000:02:00.0)
to_vfio "$nic"
# The product is installed, and leaves the container open to everybody, as kernel and udev do.
chown alice "/dev/vfio/$(group_of "$nic")"
ip link set "$peer" up
ip addr add 10.7.7.1/24 dev "$peer"
export XDG_RUNTIME_DIR=/tmp

# answers_pings EAL_OPTION…: testpmd as alice; it ends with its stdin. Without --no-mlockall it locks all that it has
# and loads, and the memlock of a usual user does not last until its end.
answers_pings() {
	start_client testpmd as alice dpdk-testpmd "$@" --iova-mode=va -l 0,1 -a "$nic" --no-telemetry -- \
		--no-mlockall --forward-mode=icmpecho --auto-start --total-num-mbufs=2048
	wait_for_line testpmd 60 "Press enter to exit"
	expect_success ping -c 5 -I "$peer" 10.7.7.2
	expect_output_contains " 5 packets received"
	end_client testpmd
}

step "with pages of the usual size; no memlock beyond what it maps"
ulimit -l 131072
answers_pings --no-huge -m 64

step "with huge pages"
echo 64 >/proc/sys/vm/nr_hugepages
answers_pings --in-memory
echo 0 >/proc/sys/vm/nr_hugepages

step "without memlock"
ulimit -l 1024
expect_status 1 as alice dpdk-testpmd --no-huge -m 64 --iova-mode=va -l 0,1 -a "$nic" --no-telemetry -- --no-mlockall --auto-start
expect_output_contains "Cannot set up DMA remapping, error 12 (Cannot allocate memory)"
ip addr flush dev "$peer"
ip link set "$peer" down
to_host "$nic"
