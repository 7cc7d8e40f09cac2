# The words that scenarios are written in. A scenario runs as root under `set -eu` in a subshell of its own: it fails
# when a command fails that nobody asked about, or by fail. What it prints is its log.

RIG=/run/rig/scenario

# has_systemd: process 1 is systemd; then there are the words of systemd.sh, too.
has_systemd() {
	[ -d /run/systemd/system ]
}

# --- saying and judging ---------------------------------------------------------------------------------------------

# step TEXT: names what comes now, for the reader of the log.
step() {
	echo "## $*"
}

# fail MESSAGE: also where it ends a subshell alone, in a pipeline or so, the scenario has failed.
fail() {
	echo "FAIL: $*"
	: >"$RIG/failed"
	exit 1
}

# skip REASON: this scenario can't be had here, for the reason that the report will name.
skip() {
	echo "SKIP: $*"
	exit 77
}

# expect_status N COMMAND…: runs it, shows what it printed, fails unless it ends with status N. What it printed stays in
# $RIG/stdout and $RIG/stderr until the next call.
expect_status() {
	local expected="$1" got=0
	shift
	echo "\$ $*"
	"$@" >"$RIG/stdout" 2>"$RIG/stderr" || got=$?
	cat "$RIG/stdout" "$RIG/stderr"
	[ "$got" -eq "$expected" ] || fail "status $got instead of $expected: $*"
}

expect_success() {
	expect_status 0 "$@"
}

# expect_output_contains TEXT: what the last expect_status printed, on stdout or stderr, has TEXT in one of its lines.
expect_output_contains() {
	cat "$RIG/stdout" "$RIG/stderr" | grep -qF -e "$1" || fail "the output does not contain '$1'"
}

expect_output_lacks() {
	! cat "$RIG/stdout" "$RIG/stderr" | grep -qF -e "$1" || fail "the output contains '$1'"
}

# expect_equal WHAT EXPECTED GOT
expect_equal() {
	[ "$2" = "$3" ] || fail "$1 is '$3' instead of '$2'"
}

# allow_dma_faults: DMA without a mapping is what this scenario is about, and no failure.
allow_dma_faults() {
	: >"$RIG/dma-faults-allowed"
}

# allow_kernel_complaints: a warning in the kernel's log is what this scenario has to live with, and no failure.
allow_kernel_complaints() {
	: >"$RIG/kernel-complaints-allowed"
}

# allow_violations TEXT: what a sandbox refuses is what this scenario is about, where the record of it has TEXT in it, and
# no failure. Can be said again.
allow_violations() {
	echo "$1" >>"$RIG/violations-allowed"
}

# violations_in: of the records on stdin, those of what a sandbox has refused: a filter of system calls that says so,
# AppArmor.
violations_in() {
	grep -E 'SECCOMP|type=1326|apparmor="DENIED"' || :
}

# --- users and the host side ----------------------------------------------------------------------------------------

# as USER COMMAND…: with that user's groups and no others.
as() {
	as-user "$@"
}

# host MONITOR COMMAND: has the host give it to QEMU's monitor and prints the answer; fails if QEMU refuses.
# For example: host device_add edu,id=edu1,bus=port1        host set_link nic1 off
# One of the rig's own: host wait_for_unplug ID, until the guest has let go of a device after its device_del.
host() {
	local verdict text
	rm -f /run/rig/answer
	printf '@host %s\n' "$*" >/dev/control
	wait-for-path 30 /run/rig/answer
	read -r verdict text </run/rig/answer
	[ -z "$text" ] || echo "$text"
	[ "$verdict" = ok ]
}

# --- devices --------------------------------------------------------------------------------------------------------

# driver_of ADDRESS: the driver's name, or "none".
driver_of() {
	(cd -P "/sys/bus/pci/devices/$1/driver" 2>/dev/null && echo "${PWD##*/}" || echo none)
}

# override_of ADDRESS: "(null)" if there is none.
override_of() {
	local value
	read -r value <"/sys/bus/pci/devices/$1/driver_override"
	echo "$value"
}

group_of() {
	(cd -P "/sys/bus/pci/devices/$1/iommu_group" && echo "${PWD##*/}")
}

# members_of ADDRESS: the addresses of all devices in its group, itself among them.
members_of() {
	local path
	for path in "/sys/bus/pci/devices/$1/iommu_group/devices"/*; do
		echo "${path##*/}"
	done
}

# find_device VENDOR:DEVICE [INDEX]: the address of the INDEXth (from 0) such device, in order of address.
find_device() {
	local path vendor device left="${2:-0}"
	for path in /sys/bus/pci/devices/*; do
		read -r vendor <"$path/vendor"
		read -r device <"$path/device"
		[ "${vendor#0x}:${device#0x}" = "$1" ] || continue
		if [ "$left" -eq 0 ]; then
			echo "${path##*/}"
			return
		fi
		left=$((left - 1))
	done
	fail "no device $1 with index ${2:-0}" >&2
}

# interface_of ADDRESS: the network interface of a NIC.
interface_of() {
	local path
	for path in "/sys/bus/pci/devices/$1/net"/*; do
		echo "${path##*/}"
	done
}

# unplug ID ADDRESS: has the host take a device away and waits until guest and host both are done with it. For devices
# that nobody holds: it spares the 5 s in which a person could press the slot's button again.
unplug() {
	local slot address
	host device_del "$1"
	for slot in /sys/bus/pci/slots/*; do
		read -r address <"$slot/address"
		[ "$address" != "${2%.*}" ] || echo 0 >"$slot/power"
	done
	wait_for_removal "$2"
	host wait_for_unplug "$1"
}

# wait_for_carrier INTERFACE 0|1: until its link is down or up. The kernel tells it over netlink only: this reads again.
wait_for_carrier() {
	local left=100 carrier=
	while [ "$left" -gt 0 ]; do
		read -r carrier <"/sys/class/net/$1/carrier" || :
		[ "$carrier" != "$2" ] || return 0
		usleep 50000
		left=$((left - 1))
	done
	fail "the carrier of $1 is still not $2"
}

# wait_for_device ADDRESS / wait_for_removal ADDRESS: until udev has dealt with it.
wait_for_device() {
	udevadm wait --timeout=20 "/sys/bus/pci/devices/$1" || fail "$1 has not appeared"
}

wait_for_removal() {
	udevadm wait --timeout=20 --removed "/sys/bus/pci/devices/$1" || fail "$1 has not gone"
}

# to_vfio ADDRESS… / to_host ADDRESS…: what root does by hand without ioasidd; for the scenarios that show that kernel
# and rig work. All members of a group have to be named.
to_vfio() {
	local address
	for address in "$@"; do
		echo vfio-pci >"/sys/bus/pci/devices/$address/driver_override"
		[ "$(driver_of "$address")" = none ] || echo "$address" >"/sys/bus/pci/devices/$address/driver/unbind"
		echo "$address" >/sys/bus/pci/drivers_probe
		expect_equal "the driver of $address" vfio-pci "$(driver_of "$address")"
	done
	udevadm settle --timeout=30
}

to_host() {
	local address
	for address in "$@"; do
		echo "$address" >"/sys/bus/pci/devices/$address/driver/unbind"
		echo >"/sys/bus/pci/devices/$address/driver_override"
		echo "$address" >/sys/bus/pci/drivers_probe 2>/dev/null || :
	done
}

# snapshot_sysfs: what a claim may change and a release has to restore, a line for each device. By the shell's own means
# in one process, because others wait for a change with it.
snapshot_sysfs() (
	for path in /sys/bus/pci/devices/*; do
		driver=/none override=
		cd -P "$path/driver" 2>/dev/null && driver=$PWD
		{ read -r override <"$path/driver_override"; } 2>/dev/null
		echo "${path##*/} driver=${driver##*/} override=$override"
	done
)

# restore_sysfs SNAPSHOT: so that a scenario that failed does not make the next ones fail.
restore_sysfs() {
	local address driver override
	while read -r address driver override; do
		driver=${driver#driver=} override=${override#override=}
		[ -e "/sys/bus/pci/devices/$address" ] || continue
		[ "$(override_of "$address")" = "$override" ] ||
			echo "${override#(null)}" >"/sys/bus/pci/devices/$address/driver_override"
		[ "$(driver_of "$address")" != "$driver" ] || continue
		[ "$(driver_of "$address")" = none ] ||
			timeout 5 sh -c "echo $address >/sys/bus/pci/devices/$address/driver/unbind"
		[ "$driver" = none ] || echo "$address" >/sys/bus/pci/drivers_probe
	done <"$1"
}

# --- processes ------------------------------------------------------------------------------------------------------

# processes: the pids of all programs but the agent, udev, and whoever asks.
processes() {
	list-processes all
}

# product_processes: the pids of ioasidd, its executor and their workers.
product_processes() {
	list-processes product
}

# program_of PID: the file's name of what it runs.
program_of() {
	local path
	path=$(readlink "/proc/$1/exe") || return 0
	echo "${path##*/}"
}

fd_count() {
	set -- "/proc/$1/fd"/*
	echo $#
}

# product_fd_counts: a line "PROGRAM FDS" for each process of the product, sorted: equal before and after, or a leak.
product_fd_counts() {
	list-processes fds | sort
}

# end_leftovers: ends what the scenario left behind; false if there was anything.
end_leftovers() {
	local pid left=
	for pid in $(processes); do
		grep -qx "$pid" "$RIG/processes.before" || left="$left $pid"
	done
	[ -n "$left" ] || return 0
	for pid in $left; do
		echo "left behind: $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline"))"
	done
	# The product gets the chance to put the drivers back, once those who hold devices are gone.
	for pid in $left; do
		case $(program_of "$pid") in ioasidd | ioasid-*) ;; *) kill -KILL "$pid" ;; esac
	done
	for pid in $left; do
		[ "$(program_of "$pid")" != ioasidd ] || kill -TERM "$pid"
	done
	# shellcheck disable=SC2086
	wait-for-exit 10 $left || { kill -KILL $left; wait-for-exit 5 $left; }
	return 1
} 2>/dev/null

# --- the product ----------------------------------------------------------------------------------------------------

# executor: the path of the executor, wherever it was installed.
executor() {
	find /usr/libexec /usr/local/libexec -name ioasid-executor 2>/dev/null | head -n 1
}

# start_daemon POLICY_FILE [ARGUMENT…]: installs the policy ("-": from stdin) as the only one and starts ioasidd with
# the arguments; returns when it can be reached. Its messages are in $RIG/ioasidd.log.
start_daemon() {
	local policy="$1" socket=/run/ioasidd/org.ioasid1 old=0
	shift
	# A daemon that was killed leaves its socket behind.
	[ ! -e "$socket" ] || old=$(stat -c %i "$socket")
	mkdir -p /etc/ioasidd/policy.d
	rm -f /etc/ioasidd/policy.d/*
	cat "$policy" >/etc/ioasidd/policy.d/50-scenario.json
	ioasidd "$@" </dev/null >>"$RIG/ioasidd.log" 2>&1 &
	daemon=$!
	wait-for-path --pid "$daemon" --not-inode "$old" 20 "$socket" || fail "ioasidd does not start"
}

# stop_daemon: orderly; fails if it does not end well, or leaves an executor or a worker behind.
stop_daemon() {
	local all status=0
	all=$(product_processes)
	kill -TERM "$daemon"
	# shellcheck disable=SC2086
	wait-for-exit 20 $all || fail "ioasidd, its executor or a worker has not ended after SIGTERM"
	wait "$daemon" || status=$?
	[ "$status" -eq 0 ] || fail "ioasidd ended with status $status after SIGTERM"
}

# is_unclaimed ADDRESS: nobody has it by a claim, whatever the host does with it.
is_unclaimed() {
	ioasidctl show "$1" | grep -q '^state  *\(free\|in use\|group in use\|use unknown\|never\)'
}

# wait_until_free ADDRESS: until all drivers and overrides are what they were when the scenario began, and ioasidd says
# so, too: a release goes on after its client has ended. The kernel announces no change of a driver_override, so this
# looks again until it is so.
wait_until_free() {
	local left=200
	while [ "$left" -gt 0 ]; do
		snapshot_sysfs >"$RIG/sysfs.now"
		! cmp -s "$RIG/sysfs.before" "$RIG/sysfs.now" || ! is_unclaimed "$1" || return 0
		usleep 50000
		left=$((left - 1))
	done
	diff -U 0 "$RIG/sysfs.before" "$RIG/sysfs.now" | grep '^[-+][^-+]' || :
	fail "$1 has not been given back"
}

# wait_until_released ADDRESS: until nobody has it, whoever has others still.
wait_until_released() {
	local left=200
	until is_unclaimed "$1"; do
		[ "$left" -gt 0 ] || fail "$1 has not been released"
		usleep 50000
		left=$((left - 1))
	done
}

# dma_words ADDRESS: what edu-dma needs of a claim in mode attached, as ioasidctl run fills it in: by iommufd where the
# kernel has it, else by a container. Not to be quoted.
dma_words() {
	if [ -e /dev/iommu ]; then
		echo "{fd:$1} {iommufd} {ioasid}"
	else
		echo "{fd:$1} --container={container}"
	fi
}

# wait_until_lingering: until a claim's lease is over, and somebody holds it still.
wait_until_lingering() {
	local left=100
	until ioasidctl list | grep -q lingering; do
		[ "$left" -gt 0 ] || fail "the claim does not linger"
		left=$((left - 1))
		usleep 50000
	done
}

# the_claim: the id of the only claim that there is.
the_claim() {
	speak-varlink say '{"method":"org.ioasid1.ListClaims"}' hear | sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p'
}

# pid_of PROGRAM: of the one process that runs it.
pid_of() {
	local pid
	for pid in $(processes); do
		[ "$(program_of "$pid")" != "$1" ] || { echo "$pid"; return; }
	done
	fail "nobody runs $1"
}

# remember_fd_counts, and later expect_same_fd_counts: that no process of the product has more or fewer FDs than then.
# What it closes after it has answered gets two seconds. The recorder has the audit log open as soon as it has answered
# the first record, which is that of the policy.
remember_fd_counts() {
	local left=100
	until ioasidctl metrics | grep -q '^ioasid_audit_records_total{result="\(written\|failed\|unsupported\)"} [1-9]'; do
		[ "$left" -gt 0 ] || fail "nobody has recorded that the policy was loaded"
		usleep 50000
		left=$((left - 1))
	done
	product_fd_counts >"$RIG/fds.before"
}

expect_same_fd_counts() {
	local left=40
	while [ "$left" -gt 0 ]; do
		product_fd_counts >"$RIG/fds.now"
		! cmp -s "$RIG/fds.before" "$RIG/fds.now" || return 0
		usleep 50000
		left=$((left - 1))
	done
	diff -U 0 "$RIG/fds.before" "$RIG/fds.now" | grep '^[-+][^-+]' || :
	fail "the FD counts of the product are not what they were before (-) but (+)"
}

# start_client NAME COMMAND…: in the background, with a stdin that stays open; its pid is then in $client, what it
# prints in $RIG/NAME.log.
start_client() {
	local name="$1"
	shift
	echo "\$ $* &"
	rm -f "$RIG/$name.stdin"
	mkfifo "$RIG/$name.stdin"
	# Here, not when the client begins: nobody may find what an earlier one of that name printed.
	: >"$RIG/$name.log"
	"$@" <"$RIG/$name.stdin" >>"$RIG/$name.log" 2>&1 &
	client=$!
	echo "$client" >"$RIG/$name.pid"
	sleep 100000 >"$RIG/$name.stdin" &
	echo $! >"$RIG/$name.holder"
}

# wait_for_mark NAME FILE: until client NAME has made FILE (edu-dma --touch), or is gone, which fails.
wait_for_mark() {
	wait-for-path --pid "$(cat "$RIG/$1.pid")" 20 "$2" || { cat "$RIG/$1.log"; fail "client $1 does not get there"; }
}

# wait_for_line NAME SECONDS TEXT: until client NAME has printed a line with TEXT, or is gone, which fails. Files
# announce no line: this reads again.
wait_for_line() {
	local left=$(($2 * 10))
	while ! grep -q -F -e "$3" "$RIG/$1.log"; do
		[ "$left" -gt 0 ] && [ -d "/proc/$(cat "$RIG/$1.pid")/fd" ] || break
		usleep 100000
		left=$((left - 1))
	done
	# It may have printed that with its last breath.
	grep -q -F -e "$3" "$RIG/$1.log" || { cat "$RIG/$1.log"; fail "client $1 has not printed '$3' within $2 s"; }
}

# end_holder NAME: what keeps the stdin of client NAME open.
end_holder() {
	kill "$(cat "$RIG/$1.holder")"
	wait "$(cat "$RIG/$1.holder")" 2>/dev/null || :
}

# end_client NAME [STATUS]: closes its stdin and waits; fails unless it ends with STATUS (0).
end_client() {
	local status=0
	end_holder "$1"
	wait "$(cat "$RIG/$1.pid")" || status=$?
	cat "$RIG/$1.log"
	[ "$status" -eq "${2:-0}" ] || fail "client $1 ended with status $status instead of ${2:-0}"
}

# kill_client NAME: by SIGKILL.
kill_client() {
	kill -KILL "$(cat "$RIG/$1.pid")"
	wait "$(cat "$RIG/$1.pid")" 2>/dev/null || :
	end_holder "$1"
}

! has_systemd || . /rig/systemd.sh
