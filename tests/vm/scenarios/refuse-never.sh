# A device in never: refused, for everybody, as what is asked for and as what would be locked out.
# needs: nvme-use
start_daemon - <<'EOP'
{ "rules": [ { "name": "everything", "effect": "allow", "subject": { "user": ["alice", "root"] },
               "device": { "address": ["*"] }, "lockout": "unused", "reset": "skip" } ],
  "never": [ { "class": ["0108"], "why": "the boot disks hang here" } ] }
EOP
remember_fd_counts
for user in alice root; do
	expect_status 3 as "$user" ioasidctl claim 0000:00:03.0
	expect_output_contains "the boot disks hang here"
	expect_status 3 as "$user" ioasidctl claim 0000:00:02.0
	expect_output_contains 0000:00:02.1
	expect_output_contains "the boot disks hang here"
done
expect_equal "the driver of the disk" nvme "$(driver_of 0000:00:02.1)"
expect_same_fd_counts
stop_daemon
