# From the start of QEMU's command to its guest's first DMA with a passed-through disk: by a user through ioasidd, over
# root's own hand-made setup (driver, iommufd, cdev, limits), turn and turn about on one kernel. An emulated machine in
# an emulated one boots in one minute or in two: with --set ONLY=by_hand or ONLY=by_ioasidd each way has a boot of its
# own.
# needs: qemu
# timeout: 1500
disk=0000:01:00.0
rounds=${ROUNDS:-3}
start_daemon - <<'EOP'
{ "rules": [ { "name": "disks for guests", "effect": "allow", "subject": { "user": ["alice"] },
               "device": { "id": ["1b36:0010"] }, "modes": ["open"], "limits": { "memlock": "1G" } } ] }
EOP

# by_hand FD-WORDS…: what a root user's script does.
by_hand() {
	to_vfio "$disk"
	ulimit -l 1048576
	open-for-qemu "$disk" -- as-user alice /rig/nested/qemu \
		-object iommufd,id=i,fd=3 -device vfio-pci,iommufd=i,fd=4,id=dev0
	to_host "$disk"
}

by_ioasidd() {
	as alice ioasidctl run --mode open "$disk" -- /rig/nested/qemu \
		-object "iommufd,id=i,fd={iommufd}" -device "vfio-pci,iommufd=i,fd={fd:$disk},id=dev0"
}

# seconds_of WAY: until the first line with NESTED-DMA; the rest is waited for.
seconds_of() {
	local begin line now=
	read -r begin _ </proc/uptime
	"$1" 2>/dev/null | while read -r line; do
		case $line in
		NESTED-DMA*)
			read -r now _ </proc/uptime
			awk -v a="$begin" -v b="$now" 'BEGIN { printf "%.2f\n", b - a }'
			;;
		esac
	done
	wait_until_free "$disk"
}

: >/tmp/by_hand
: >/tmp/by_ioasidd
round=0
while [ $round -lt $rounds ]; do
	for way in ${ONLY:-by_hand by_ioasidd}; do
		seconds_of $way >>/tmp/$way
	done
	round=$((round + 1))
done
echo "by hand:    $(tr '\n' ' ' </tmp/by_hand)"
echo "by ioasidd: $(tr '\n' ' ' </tmp/by_ioasidd)"
median() {
	sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"
}
[ -z "${ONLY-}" ] || { stop_daemon; exit; }
echo "BENCHMARK qemu-start: ioasidd $(median /tmp/by_ioasidd) s, by hand $(median /tmp/by_hand) s, ratio" \
	"$(awk -v a="$(median /tmp/by_ioasidd)" -v b="$(median /tmp/by_hand)" 'BEGIN { printf "%.2f", a / b }')"
stop_daemon
