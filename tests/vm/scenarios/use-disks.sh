# Disks, each to the end of the chain: volumes, arrays, files, other namespaces; as plan says it, and the executor.
# needs: uses
# timeout: 120
edu=0000:00:03.0
first=0000:00:03.1
second=0000:00:04.0
disk_of() {
	local path
	for path in "/sys/bus/pci/devices/$1/nvme"/nvme*/nvme*n*; do
		echo "${path##*/}"
	done
}
one=$(disk_of "$first")
two=$(disk_of "$second")
mkdir -p /tmp/a /tmp/b
cat >/tmp/policy <<'EOP'
{ "rules": [ { "name": "all", "effect": "allow", "subject": { "user": ["alice", "carol"] },
               "device": { "address": "*" }, "lockout": "unused", "reset": "try" } ],
  "operators": { "group": ["vmadmin"] } }
EOP
start_daemon /tmp/policy

# plan_says STATUS DEVICE TEXT: to an operator, who is told everything.
plan_says() {
	expect_status "$1" as carol ioasidctl plan "$2" --json
	expect_output_contains "$3"
}

step "on a volume, behind the same bridge as the wanted card"
volume=$(stack-block linear vg-data LVM-0815 "/dev/$one")
wait-for-path 10 "/dev/$volume"
mke2fs "/dev/$volume" >/dev/null
mount "/dev/$volume" /tmp/a
plan_says 4 "$edu" "$one > $volume (vg-data, LVM) > mounted on /tmp/a"
expect_status 4 as carol ioasidctl plan "$edu"
expect_output_contains "mounted on /tmp/a"
expect_status 4 as alice ioasidctl plan "$edu" --json
expect_output_contains "a file system on it is mounted"
expect_output_lacks /tmp/a
expect_output_lacks vg-data

step "in a loop over a file on that, and a swap file beside it"
dd if=/dev/zero of=/tmp/a/image bs=1M count=8 2>/dev/null
losetup /dev/loop1 /tmp/a/image
mke2fs /dev/loop1 >/dev/null
mount /dev/loop1 /tmp/b
dd if=/dev/zero of=/tmp/a/swap bs=1M count=4 2>/dev/null
mkswap /tmp/a/swap >/dev/null
swapon /tmp/a/swap
plan_says 4 "$edu" "$one > $volume (vg-data, LVM) > loop1 (/tmp/a/image) > mounted on /tmp/b"
expect_output_contains "$one > $volume (vg-data, LVM) > swap file /tmp/a/swap"
expect_status 4 as alice ioasidctl claim "$edu"
swapoff /tmp/a/swap
umount /tmp/b
losetup -d /dev/loop1
umount /tmp/a
stack-block unlinear vg-data

step "in an array of two disks: each of them leads to it"
echo md0 >/sys/module/md_mod/parameters/new_array
wait-for-path 10 /dev/md0
stack-block raid1 /dev/md0 "/dev/$one" "/dev/$two"
mke2fs /dev/md0 >/dev/null
mount /dev/md0 /tmp/a
plan_says 4 "$edu" "$one > md0 (raid1) > mounted on /tmp/a"
plan_says 4 "$second" "$two > md0 (raid1) > mounted on /tmp/a"
step "an array that nobody has mounted holds its disks all the same"
umount /tmp/a
plan_says 4 "$second" "$two > held open exclusively"
stack-block unraid /dev/md0

step "mounted for a program in a mount namespace of its own, and for nobody else"
mke2fs "/dev/$two" >/dev/null
unshare -m sh -c "mount /dev/$two /tmp/b; touch /tmp/mounted; exec sleep 100000" &
elsewhere=$!
wait-for-path --pid "$elsewhere" 10 /tmp/mounted
plan_says 4 "$second" "$two > mounted on /tmp/b for sleep[$elsewhere]"
kill "$elsewhere"
wait "$elsewhere" 2>/dev/null || :

step "where the host hibernates to"
cat /sys/power/resume
echo "$(cat "/sys/class/block/$two/dev")" >/sys/power/resume || :
if [ "$(cat /sys/power/resume)" != 0:0 ]; then
	plan_says 4 "$second" "$two > hibernation"
	echo 0:0 >/sys/power/resume || :
fi
expect_status 0 as carol ioasidctl plan "$edu"
stop_daemon
