# What a survey finds of disks: mounts here and in other namespaces, swap, loop devices, partitions, and whoever has the
# disk open. Each is in the way of a claim, by the executor's own word.
# needs: nvme-use
# timeout: 60
first=0000:00:02.1
second=0000:00:03.0
mkdir -p /tmp/policy /tmp/mnt
cat >/tmp/policy/all.json <<'EOP'
{ "rules": [ { "name": "all", "effect": "allow", "device": { "address": "*" }, "lockout": "unused", "reset": "try" } ] }
EOP
# ask LINE…: what the executor says to these lines.
ask() {
	echo "> $*"
	printf '%s\n' "$@" >"$RIG/lines"
	drive "$(executor)" --policy-dir /tmp/policy \
		<"$RIG/lines" >"$RIG/stdout" 2>"$RIG/stderr" || fail "drive ended with status $?"
	cat "$RIG/stdout" "$RIG/stderr"
}
# disk_of ADDRESS: the name of its disk.
disk_of() {
	local path
	for path in "/sys/bus/pci/devices/$1/nvme"/nvme*/nvme*n*; do
		echo "${path##*/}"
	done
}
one=$(disk_of "$first")
two=$(disk_of "$second")

step "nothing is used"
ask "survey $first $second"
expect_output_contains "use: $first driver idle: nvme is bound"
expect_output_lacks disruptive

step "mounted, by the host and then by another mount namespace only"
mke2fs -q "/dev/$one" >/dev/null
mount "/dev/$one" /tmp/mnt
ask "survey $first" "claim a attached $first"
expect_output_contains "use: $first mount disruptive: $one > mounted on /tmp/mnt"
expect_output_contains "a: refused: $first is in use: $one > mounted on /tmp/mnt"
umount /tmp/mnt
unshare -m sh -c "mount /dev/$one /tmp/mnt; touch /tmp/mounted; exec sleep 100000" &
elsewhere=$!
wait-for-path --pid "$elsewhere" 10 /tmp/mounted
ask "survey $first" "claim a attached $first"
expect_output_contains "use: $first mount disruptive: $one > mounted on /tmp/mnt for sleep[$elsewhere]"
expect_output_contains "a: refused: $first is in use: $one > held open exclusively"
kill "$elsewhere"
wait "$elsewhere" 2>/dev/null || :

step "swapped to"
mkswap "/dev/$two" >/dev/null
swapon "/dev/$two"
ask "survey $second" "claim a attached $second"
expect_output_contains "use: $second swap fatal: $two > swap"
expect_output_contains "a: refused: $second is in use: $two > swap"
swapoff "/dev/$two"

step "open: in any process, and for one alone"
sleep 100000 <"/dev/$two" &
reader=$!
ask "survey $second"
expect_output_contains "use: $second block disruptive: $two > open in sleep[$reader]"
kill "$reader"
wait "$reader" 2>/dev/null || :
ask "grab /dev/$two" "survey $second" "claim a attached $second"
expect_output_contains "use: $second block disruptive: $two > held open exclusively"
expect_output_contains "a: refused: $second is in use: $two > held open exclusively"

step "under a loop device, and as a partition with a swap file on it"
losetup /dev/loop0 "/dev/$two"
mke2fs -q /dev/loop0 >/dev/null
mount /dev/loop0 /tmp/mnt
ask "survey $second"
expect_output_contains "use: $second mount disruptive: $two > loop0 > mounted on /tmp/mnt"
umount /tmp/mnt
losetup -d /dev/loop0
printf 'o\nn\np\n1\n\n\nw\n' | fdisk "/dev/$two" >/dev/null
wait-for-path 10 "/dev/${two}p1"
mke2fs -q "/dev/${two}p1" >/dev/null
mkdir -p /boot
mount "/dev/${two}p1" /boot
dd if=/dev/zero of=/boot/swapfile bs=1M count=4 2>/dev/null
mkswap /boot/swapfile >/dev/null
swapon /boot/swapfile
ask "survey $second" "claim a attached $second"
expect_output_contains "use: $second mount fatal: $two > ${two}p1 > mounted on /boot"
expect_output_contains "use: $second swap fatal: $two > ${two}p1 > swap file /boot/swapfile"
expect_output_contains "a: refused: $second is in use: $two > ${two}p1 > mounted on /boot"
swapoff /boot/swapfile
umount /boot

step "unused again, it is given, and given back"
ask "survey $second" "claim a attached $second" "survey $second" "close a" "release a" "survey $second"
expect_output_contains "a: done"
expect_output_contains "use: $second holder disruptive: vfio0 > drive["
expect_equal "the driver of $second" nvme "$(driver_of "$second")"
