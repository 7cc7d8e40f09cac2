# An ordinary user's VM manager plugs devices into a running QEMU 10 with what ioasidd gives it, and gives one of them
# back while the guest runs on: QMP's getfd, object-add, device_add and device_del with Claim, AddDevice, RemoveDevice.
# needs: qemu
# timeout: 900
first=0000:01:00.0
second=0000:02:00.0

start_daemon - <<'EOP'
{ "rules": [ { "name": "disks for guests", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "id": ["1b36:0010"] }, "modes": ["open"], "limits": { "memlock": "1G" }, "reset": "try" } ] }
EOP
remember_fd_counts
# The limit has to be QEMU's, which ran before the claim was made.
ulimit -l 1048576
NESTED_WORDS=rig.stay expect_success as alice vm-manager "$first" "$second" -- /rig/nested/qemu \
	-device pcie-root-port,id=hot1,chassis=1,slot=1 -device pcie-root-port,id=hot2,chassis=2,slot=2 \
	-chardev socket,id=qmp,fd=3 -mon chardev=qmp,mode=control
expect_output_contains "the-disk-of-alice"
expect_output_contains "the-second-disk"
expect_output_contains "REMOVED $second"
wait_until_free "$first"
expect_equal "the driver of $first" nvme "$(driver_of "$first")"
expect_equal "the driver of $second" nvme "$(driver_of "$second")"
expect_same_fd_counts
stop_daemon
