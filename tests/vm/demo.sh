# The demonstration that tests/demo shows: a story in seven steps, each of which has to do what it says.
# RIG_COLOUR=yes for a terminal; RIG_PAUSE=SECONDS to read between the steps.
# On a kernel without iommufd Alice gets a container of legacy VFIO; nothing else differs.
# needs: demo stock
# timeout: 180
edu=0000:01:01.0
nic=0000:01:02.0

if [ "${RIG_COLOUR-}" = yes ]; then
	bold=$(printf '\033[1m') green=$(printf '\033[32m') plain=$(printf '\033[0m')
else
	bold='' green='' plain=''
fi

chapter() {
	sleep "${RIG_PAUSE:-0}"
	printf '\n%s--- %s%s\n' "$bold" "$1" "$plain"
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@"
	echo
}

# shows STATUS USER COMMAND…: as that person would see it; the story is wrong if it ends with another status.
shows() {
	local expected="$1" user="$2" sign='$' got=0
	shift 2
	[ "$user" != root ] || sign='#'
	if [ "$1" = sh ]; then
		printf '%s%s%s%s %s\n' "$green" "$user" "$sign" "$plain" "$3"
	else
		printf '%s%s%s%s %s\n' "$green" "$user" "$sign" "$plain" "$*"
	fi
	as "$user" "$@" 2>&1 || got=$?
	[ "$got" -eq "$expected" ] || fail "that should have ended with status $expected and ended with $got"
	[ "$got" -eq 0 ] || echo "(exit status $got)"
}

chapter "1. A host with an IOMMU, and ioasidd on it" \
	"A test card (edu) and a network card sit behind one old bridge. The IOMMU can't" \
	"tell them apart: they are one group. Whoever gets the test card takes the network" \
	"card from the host, wanted or not. The operator has decided who may do that:"
cat >/tmp/policy.json <<'EOP'
{
  "rules": [
    { "name": "alice drives the test card",
      "effect": "allow",
      "subject": { "user": ["alice"] },
      "device": { "id": ["1234:11e8"] },
      "lockout": { "named": ["0000:01:02.0"] },
      "limits": { "memlock": "64M" },
      "reset": "try" }
  ]
}
EOP
cat /tmp/policy.json
snapshot_sysfs >/tmp/sysfs.before
start_daemon /tmp/policy.json
echo
shows 0 alice ioasidctl list

chapter "2. What would I lose? A plan touches nothing."
shows 0 alice ioasidctl plan "$edu"

chapter "3. Bob asks for the same card. No rule covers him."
shows 3 bob ioasidctl plan "$edu"
shows 3 bob ioasidctl run "$edu" -- echo "I have it"

chapter "4. Alice runs her driver: no root, no group, no capability." \
	"It gets the device bound and attached, maps its own memory, and the device does" \
	"DMA there."
set -- '{iommufd}' '{ioasid}'
[ -e /dev/iommu ] || set -- '--container={container}'
printf '%salice$%s ioasidctl run %s -- edu-dma {fd:%s} %s --hold &\n' "$green" "$plain" "$edu" "$edu" "$*"
rm -f /tmp/verified
start_client alice as alice ioasidctl run "$edu" -- \
	edu-dma "{fd:$edu}" "$@" --hold --touch /tmp/verified >/dev/null
wait_for_mark alice /tmp/verified
cat "$RIG/alice.log"

chapter "5. While she holds it, even root can't give the network card back to its driver." \
	"ioasidd has pinned it, so that no driver binds by accident. And with the pin taken" \
	"off, the kernel refuses: the card's DMA and hers would mix."
shows 0 alice ioasidctl list
shows 0 root ioasidctl show "$edu"
echo
shows 1 root sh -c "echo $nic >/sys/bus/pci/drivers/e1000/bind"
pin=$(override_of "$nic")
shows 0 root sh -c "echo e1000 >/sys/bus/pci/devices/$nic/driver_override"
shows 1 root sh -c "echo $nic >/sys/bus/pci/drivers/e1000/bind"
shows 0 root sh -c "echo $pin >/sys/bus/pci/devices/$nic/driver_override"

chapter "6. Alice is done. Her driver ends, and nothing else is needed."
end_client alice >/tmp/end.log
tail -n 1 /tmp/end.log
wait_until_free "$edu"
shows 0 alice ioasidctl list

chapter "7. Everything is as it was: all drivers and driver_overrides, before and after."
snapshot_sysfs >/tmp/sysfs.after
shows 0 root diff /tmp/sysfs.before /tmp/sysfs.after
echo "(no difference)"
stop_daemon
