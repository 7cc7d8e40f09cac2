#!/bin/sh
# A device for a program that opens it by its path, from a shell: asks ioasidd over the system bus, by busctl.
#
#	claim-device.sh plan DEVICE          what would a claim come to? Changes nothing
#	claim-device.sh run DEVICE COMMAND…  claims it, runs COMMAND with the paths in NODES, and gives it back
#	claim-device.sh list                 the claims
#	claim-device.sh revoke CLAIM         takes one back, giving its client five seconds
#
# A shell can't keep the descriptors that a claim comes with, nor a lease that is one. So the claim is made in mode
# "node", and lasts until it is released ("operator": that takes root, or the right org.ioasid1.claim.bind). What a
# service needs is simpler: lease s unit makes a claim last as long as the unit that asks, and nothing is to be
# released.
#
# The interface is described in /usr/share/dbus-1/interfaces/org.ioasid1.xml and org.ioasid1(5).
set -eu

name=org.ioasid1
root=/org/ioasid1

# call PATH INTERFACE METHOD [SIGNATURE ARGUMENT…]: a change of the host can take long.
call() {
	path=$1 interface=$2
	shift 2
	busctl --system --timeout=120 call "$name" "$path" "$name.$interface" "$@"
}

case ${1-} in
plan)
	busctl --system --json=pretty call "$name" "$root" "$name.Manager" Plan 'asa{sv}' 1 "$2" 1 mode s node
	;;
run)
	device=$2
	shift 2
	# Answers: oa{sv} "/org/ioasid1/claim/…" 7 "mode" s "node" … "nodes" as 1 "/dev/vfio/12" …
	reply=$(call "$root" Manager Claim 'asa{sv}' 1 "$device" 2 mode s node lease s operator)
	claim=$(printf '%s\n' "$reply" | sed -n 's/^oa{sv} "\([^"]*\)".*/\1/p')
	NODES=$(printf '%s\n' "$reply" | grep -o '"/dev/vfio/[^"]*"' | tr -d '"')
	export NODES
	trap 'call "$claim" Claim Release' EXIT
	# All that was needed is here: only then the claim is held.
	call "$claim" Claim Acknowledge
	"$@"
	;;
list)
	busctl --system --list tree "$name" | sed -n "s|^$root/claim/||p" | while read -r claim; do
		state=$(busctl --system get-property "$name" "$root/claim/$claim" "$name.Claim" State)
		printf '%s %s\n' "$claim" "${state#s }"
	done
	;;
revoke)
	call "$root/claim/$2" Claim Revoke 'a{sv}' 2 grace u 5000 reason s "the operator of this host wants it back"
	;;
*)
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
