# Further words for scenarios in a guest with systemd as process 1; lib.sh reads this there.

# kernel_kind: "iommufd" where all is built in, "stock" on Debian's kernel.
kernel_kind() {
	[ -d "/lib/modules/$(uname -r)" ] && echo stock || echo iommufd
}

# --- units ----------------------------------------------------------------------------------------------------------

# wait_for_unit UNIT STATE [SECONDS]: until its ActiveState or SubState is STATE; fails after SECONDS (20).
wait_for_unit() {
	wait-for-unit "${3:-20}" "$1" "$2" >/dev/null || fail "$1 does not get $2"
}

# state_of UNIT: its ActiveState.
state_of() {
	systemctl show --property ActiveState --value "$1"
}

# property_of UNIT PROPERTY: as systemctl show has it.
property_of() {
	systemctl show --property "$2" --value "$1"
}

# install_policy [NAME]: what is on stdin becomes the policy file NAME (50-scenario); the session takes it away again.
install_policy() {
	mkdir -p /etc/ioasidd/policy.d
	cat >"/etc/ioasidd/policy.d/${1:-50-scenario}.json"
}

# enable_product: as README.md says it. From then on the first client starts the rest.
enable_product() {
	systemctl --quiet enable --now ioasidd.socket || fail "the socket can't be enabled"
}

# disable_product: stops all of it in order, and fails if anything is left running.
disable_product() {
	local units
	units=$(product_units)
	# shellcheck disable=SC2086
	systemctl --quiet disable --now $units 2>"$RIG/stderr" || { cat "$RIG/stderr"; fail "the units can't be stopped"; }
	[ -z "$(product_processes)" ] || fail "a program of the product outlives its units"
}

# product_units: the names of all units that are loaded or enabled and belong to the product; instances among them.
product_units() {
	systemctl list-units --all --plain --no-legend --full 'ioasid*' | cut -d ' ' -f 1
	systemctl list-unit-files --state enabled --plain --no-legend --full 'ioasid*' | cut -d ' ' -f 1
}

# snapshot_units: what a scenario has to leave as it was: the product's units and transient ones that run or have
# failed, and what was put into /etc and /run for systemd, the bus, polkit and AppArmor: enabled units, drop-ins, rules.
snapshot_units() {
	{
		systemctl list-units --state active,activating,reloading,deactivating,failed --plain --no-legend --full \
			'ioasid*' 'run-*' 'machine-*' 'scenario-*'
		systemctl list-units --state failed --plain --no-legend --full
	} | while read -r unit load active rest; do echo "$unit $active"; done | sort -u
	find /etc/systemd/system /run/systemd/system /etc/dbus-1 /etc/polkit-1 /etc/apparmor.d ! -type d 2>/dev/null | sort
}

# end_units: stops, takes away and forgets what the scenario left; false if there was anything.
end_units() {
	local unit state
	snapshot_units >"$RIG/units.after"
	! cmp -s "$RIG/units.before" "$RIG/units.after" || return 0
	diff -U 0 "$RIG/units.before" "$RIG/units.after" | grep '^[-+][^-+]'
	while read -r unit state; do
		grep -qxF "$unit${state:+ $state}" "$RIG/units.before" || case $unit in
		/*) rm -f "$unit" ;;
		*) echo "$unit" ;;
		esac
	done <"$RIG/units.after" >"$RIG/units.left"
	[ ! -s "$RIG/units.left" ] || /usr/bin/timeout 100 xargs systemctl --quiet stop <"$RIG/units.left"
	systemctl daemon-reload
	systemctl reset-failed
	return 1
}

# restore_product: installs it again if the scenario took away or changed a file of it; false if it had to.
restore_product() {
	(cd /rig/product && find . -type f -exec md5sum {} +) >"$RIG/product"
	! (cd / && md5sum -c "$RIG/product" 2>&1) >"$RIG/product.compared" || return 0
	grep -v ': OK$' "$RIG/product.compared" | head -n 3
	/rig/install
	apparmor_parser -r /etc/apparmor.d/ioasidd /etc/apparmor.d/ioasid-executor
	systemctl reload dbus
	udevadm trigger --settle --subsystem-match=misc
	return 1
}

# --- a client that endures ------------------------------------------------------------------------------------------

# start_endure USER ADDRESS…: claims each device, and has all of them do DMA until it is told to stop:
# programs/endure.c.
start_endure() {
	local user="$1"
	shift
	rm -f "$RIG/endure.orders" "$RIG/endure.answers"
	mkfifo "$RIG/endure.orders" "$RIG/endure.answers"
	as "$user" endure "$@" <"$RIG/endure.orders" >"$RIG/endure.answers" 2>"$RIG/endure.log" &
	endure=$!
	exec 3>"$RIG/endure.orders" 4<"$RIG/endure.answers"
	expect_answer '' "holding $#"
}

# expect_answer ORDER PATTERN: what it answers to an order, or says by itself where that is empty.
expect_answer() {
	local answer=
	[ -z "$1" ] || echo "$1" >&3
	read -r answer <&4 || { cat "$RIG/endure.log"; fail "the client has ended"; }
	echo "endure: $answer"
	# shellcheck disable=SC2254
	case $answer in
	$2) ;;
	*) cat "$RIG/endure.log"; fail "the client answers '$answer', not '$2'" ;;
	esac
}

# end_endure N: releases its N claims, and it ends.
end_endure() {
	expect_answer release "released $1"
	wait "$endure" || fail "the client has failed"
	exec 3>&- 4<&-
}

# claim_ids: of all claims that root sees, each once.
claim_ids() {
	ioasidctl list --json | sed 's/"claim": *"/\
CLAIM /g' | sed -n 's/^CLAIM \([0-9a-f]*\)".*/\1/p' | sort -u
}

# varlink USER JSON…: each is sent as a call, and its answer printed; FDs that come are closed when it ends. @CLAIM@ is
# the id in the last answer.
varlink() {
	local user="$1" call words=
	shift
	set -- "$@" --
	while [ "$1" != -- ]; do
		call="$1"
		shift
		set -- "$@" say "$call" hear
	done
	shift
	as "$user" speak-varlink "$@"
}

# unload_vfio: as on a host where nobody has used VFIO since it was booted; the session does it after each scenario. On
# the rig's own kernel all is built in.
unload_vfio() {
	[ "$(kernel_kind)" = iommufd ] || modprobe -r -q vhost_vdpa vfio_pci vfio_iommu_type1 vfio
}

# --- the journal ----------------------------------------------------------------------------------------------------

# journal [OPTION OR MATCH]…: what came since the scenario began (after a reboot: since then), as journalctl prints it.
journal() {
	journalctl --sync
	journalctl --quiet --no-pager --since "@$(cat "$RIG/began")" "$@"
}

# journal_has TEXT [MATCH]…: there is such a message since the scenario began.
journal_has() {
	local text="$1"
	shift
	journal --output cat "$@" | grep -q -F -e "$text" || fail "the journal has no '$text'${1:+ with $*}"
}

journal_lacks() {
	local text="$1"
	shift
	! journal --output cat "$@" | grep -F -e "$text" || fail "the journal has '$text'${1:+ with $*}"
}

# wait_for_journal SECONDS TEXT [MATCH]…: until there is such a message; those since the scenario began count.
wait_for_journal() {
	local seconds="$1" text="$2" reader status=0
	shift 2
	rm -f "$RIG/journal.pipe"
	mkfifo "$RIG/journal.pipe"
	/usr/bin/timeout "$seconds" journalctl --quiet --follow --no-tail --output cat --since "@$(cat "$RIG/began")" "$@" \
		>"$RIG/journal.pipe" &
	reader=$!
	grep -q -m 1 -F -e "$text" <"$RIG/journal.pipe" || status=$?
	kill "$reader" 2>/dev/null || :
	wait "$reader" 2>/dev/null || :
	[ $status -eq 0 ] || fail "the journal has no '$text'${1:+ with $*} within $seconds s"
}

# violations: what a sandbox has refused and said so since the scenario began: a line each.
violations() {
	journal --output short-monotonic _AUDIT_TYPE=1326 + _AUDIT_TYPE=1400 | violations_in
}

# --- versions -------------------------------------------------------------------------------------------------------

# newer_product: makes a build with another version in /rig/newer, of the same length: 0.1.0 becomes 0.1.9. Prints its
# version. /rig/install /rig/newer installs it over the one that is there, /rig/install puts the first one back.
newer_product() {
	local old new file
	old=$(ioasidctl --version | sed -n 's/^[^0-9]*\([0-9.]*\).*/\1/p' | head -n 1)
	new=${old%?}9
	rm -rf /rig/newer
	cp -a /rig/product /rig/newer
	find /rig/newer -type f \( -name 'ioasid*' -o -name 'libioasid*' \) | while read -r file; do
		LC_ALL=C /bin/sed -i "s/$old/$new/g" "$file"
	done
	echo "$new"
}

# --- reboots --------------------------------------------------------------------------------------------------------

# reboot_guest: ends this part of the scenario and starts the guest anew; then the scenario is run again with $boot one
# higher (1 at first). Files in $KEEP outlive it. Processes are left to the shutdown, nothing but the kernel's log is
# judged.
reboot_guest() {
	: >"$RIG/reboot"
	exit 0
}
