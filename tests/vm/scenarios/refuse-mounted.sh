# A disk in the group of the wanted device: refused while it is mounted or swapped to, whatever the rule covers, unless
# the rule names that very device and takes it in use; and everything is said with the chain up to the mount.
# needs: nvme-use
edu=0000:00:02.0
disk=0000:00:02.1
block=$(cd "/sys/bus/pci/devices/$disk/nvme"/*/ && ls -d nvme*n1)
cat >/tmp/policy <<'EOP'
{ "rules": [ { "name": "the card and its disk", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": { "named": ["0000:00:02.1"] }, "reset": "try" } ],
  "operators": { "group": ["vmadmin"] } }
EOP
start_daemon /tmp/policy
remember_fd_counts
expect_success mke2fs "/dev/$block"
mkdir -p /mnt/data
expect_success mount -t ext4 "/dev/$block" /mnt/data
expect_status 4 as alice ioasidctl claim "$edu"
expect_output_contains "$disk"
expect_output_contains "mounted"
expect_output_lacks /mnt/data
step "an operator is told where it is mounted"
expect_status 3 as carol ioasidctl plan "$edu" --json
expect_output_contains "$block > mounted on /mnt/data"
umount /mnt/data
step "swap is as good a reason"
expect_success mkswap "/dev/$block"
expect_success swapon "/dev/$block"
expect_status 4 as alice ioasidctl claim "$edu"
expect_output_contains "swap"
swapoff "/dev/$block"
expect_equal "the driver of $disk" nvme "$(driver_of "$disk")"
step "unused it may be locked out, and comes back with its driver"
expect_success as alice ioasidctl run "$edu" -- edu-dma $(dma_words "$edu")
wait_until_free "$edu"
expect_same_fd_counts
stop_daemon
