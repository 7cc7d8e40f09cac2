# What else goes with a card that shares its group: a keyboard, a disk and an adapter behind USB, the display, sound, a
# SCSI disk. And by themselves a SATA disk, the management controller, a serial line, virtual functions.
# needs: uses
# timeout: 120
edu=0000:01:01.0
usb=0000:01:03.0
display=0000:01:04.0
sound=0000:01:05.0
scsi=0000:01:06.0
sata=0000:00:06.0
ipmi=0000:00:07.0
serial=0000:00:08.0
port=0000:02:00.0
cat >/tmp/policy <<'EOP'
{ "rules": [ { "name": "all", "effect": "allow", "subject": { "user": ["alice", "carol"] },
               "device": { "address": "*" }, "lockout": "unused", "reset": "try" } ],
  "operators": { "group": ["vmadmin"] } }
EOP
start_daemon /tmp/policy
# disk_behind ADDRESS: the SCSI disk that hangs on it.
disk_behind() {
	local path
	for path in /sys/class/block/sd?; do
		case $(readlink "$path") in *"/$1/"*) echo "${path##*/}" ;; esac
	done
}
stick=$(disk_behind "$usb")
mkdir -p /tmp/stick /tmp/scsi /tmp/sata
for pair in "$stick stick" "$(disk_behind "$scsi") scsi" "$(disk_behind "$sata") sata"; do
	mke2fs "/dev/${pair% *}" >/dev/null
	mount "/dev/${pair% *}" "/tmp/${pair#* }"
done
sleep 100000 </dev/snd/controlC0 &
player=$!
line=$(ls "/sys/bus/pci/devices/$serial/$serial:0/$serial:0.0/tty")
sleep 100000 <"/dev/$line" &
terminal=$!
ip link set usb0 up

step "one plan says all that the host would lose"
expect_status 4 as carol ioasidctl plan "$edu"
expect_status 4 as carol ioasidctl plan "$edu" --json
expect_output_contains "> keyboard (QEMU QEMU USB Keyboard)"
expect_output_contains " > $stick > mounted on /tmp/stick"
expect_output_contains " > usb0 is up"
expect_output_contains "fb0 > console of the host"
expect_output_contains "controlC0 > open in sleep[$player]"
expect_output_contains "$(disk_behind "$scsi") > mounted on /tmp/scsi"
expect_output_contains "$display"
expect_output_contains "$sound"
expect_status 4 as alice ioasidctl plan "$edu" --json
expect_output_contains "a host keyboard or mouse is on it"
expect_output_contains "it is a host display"
expect_output_lacks "sleep["
expect_output_lacks /tmp/

step "by themselves"
expect_status 4 as carol ioasidctl plan "$sata" --json
expect_output_contains "$(disk_behind "$sata") > mounted on /tmp/sata"
expect_status 4 as carol ioasidctl plan "$ipmi" --json
expect_output_contains "ipmi0 > management controller of the host (IPMI)"
expect_status 4 as carol ioasidctl plan "$serial" --json
expect_output_contains "> open in sleep[$terminal]"

step "a physical function, for what becomes of its virtual ones"
expect_status 0 as carol ioasidctl plan "$port" --json
echo 0 >"/sys/bus/pci/devices/$port/sriov_drivers_autoprobe"
echo 1 >"/sys/bus/pci/devices/$port/sriov_numvfs"
expect_status 4 as carol ioasidctl plan "$port" --json
expect_output_contains "1 virtual function is enabled"
virtual=$(basename "$(readlink "/sys/bus/pci/devices/$port/virtfn0")")
echo vfio-pci >"/sys/bus/pci/devices/$virtual/driver_override"
echo "$virtual" >/sys/bus/pci/drivers_probe
node=$(ls "/sys/bus/pci/devices/$virtual/vfio-dev")
wait-for-path 10 "/dev/vfio/devices/$node"
sleep 100000 <"/dev/vfio/devices/$node" &
holder=$!
expect_status 4 as carol ioasidctl plan "$port" --json
expect_output_contains "virtual function $virtual > vfio-pci is bound"
expect_output_contains "virtual function $virtual > $node > sleep[$holder]"
kill "$holder"
wait "$holder" 2>/dev/null || :
echo "$virtual" >/sys/bus/pci/drivers/vfio-pci/unbind
echo 0 >"/sys/bus/pci/devices/$port/sriov_numvfs"
echo 1 >"/sys/bus/pci/devices/$port/sriov_drivers_autoprobe"
kill "$player" "$terminal"
wait "$player" 2>/dev/null || :
wait "$terminal" 2>/dev/null || :
ip link set usb0 down
umount /tmp/stick /tmp/scsi /tmp/sata
stop_daemon

step "the executor looks again by itself, whatever the broker has decided"
mkdir -p /tmp/policies
printf '%s\n' '{ "rules": [ { "name": "all", "effect": "allow", "device": { "address": "*" }, "reset": "try" } ] }' \
	>/tmp/policies/all.json
printf '%s\n' "claim a attached $ipmi" >"$RIG/lines"
expect_success drive "$(executor)" --policy-dir /tmp/policies <"$RIG/lines"
expect_output_contains "a: refused: $ipmi is in use: ipmi0 > management controller of the host (IPMI)"
sed -i 's/"reset"/"lockout": "unused", "reset"/' /tmp/policies/all.json
printf '%s\n' "claim a attached $edu / 0000:01:02.0 $usb $display $sound $scsi" >"$RIG/lines"
expect_success drive "$(executor)" --policy-dir /tmp/policies <"$RIG/lines"
expect_output_contains "a: refused: "
expect_output_contains " is in use: "
