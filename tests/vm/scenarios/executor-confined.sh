# SR-33, S2: what each process of the product may do, and which FDs it has: nothing is inherited, and no worker keeps a
# device FD that it handed out.
# needs: demo
edu=0000:01:01.0
start_daemon - <<'EOP'
{ "rules": [ { "name": "cards", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": "unused", "reset": "try" } ] }
EOP
# expect_field PID FIELD VALUE: of /proc/PID/status.
expect_field() {
	expect_equal "$2 of $(cat "/proc/$1/comm")" "$3" "$(sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status")"
}
expect_capabilities() {
	for field in CapPrm CapBnd; do
		expect_field "$1" "$field" "$2"
	done
	for field in CapInh CapAmb; do
		expect_field "$1" "$field" 0000000000000000
	done
	expect_field "$1" CapEff "$3"
	expect_field "$1" NoNewPrivs 1
	# A sanitizer makes calls of its own: with one there are no filters.
	grep -q __asan_init "/proc/$1/exe" || expect_field "$1" Seccomp 2
}

step "each process has the capabilities of its trade and no others, and a filter of system calls"
binders=0
for pid in $(product_processes); do
	case $(cat "/proc/$pid/comm") in
	ioasid-executor) expect_capabilities "$pid" 0000000021280124 0000000000000000 ;;
	ioasid-binder) expect_capabilities "$pid" 0000000001000000 0000000001000000; binders=$((binders + 1)) ;;
	ioasid-surveyor) expect_capabilities "$pid" 0000000000080004 0000000000080004; surveyor=$pid ;;
	ioasid-recorder) expect_capabilities "$pid" 0000000020000000 0000000020000000 ;;
	ioasid-watcher) expect_capabilities "$pid" 0000000000000000 0000000000000000 ;;
	esac
done
[ "$binders" -ge 1 ] || fail "no binder is warm"
step "the surveyor sees a read-only file system, and keeps no mount from being unmounted"
if awk '$6 !~ /^ro(,|$)/' "/proc/$surveyor/mountinfo" | grep .; then
	fail "the surveyor could write to the mounts above"
fi
if awk '$5 !~ /^\/(sys|proc|dev)?(\/|$)/' "/proc/$surveyor/mountinfo" | grep .; then
	fail "the surveyor keeps the mounts above"
fi
step "while a claim is held nobody but the client has the device"
start_client alice as alice ioasidctl run "$edu" -- \
	edu-dma $(dma_words "$edu") --hold --touch /tmp/held
wait_for_mark alice /tmp/held
for pid in $(product_processes); do
	for fd in "/proc/$pid/fd"/*; do
		target=$(readlink "$fd") || continue
		case "$(cat "/proc/$pid/comm") $target" in
		# The broker unmaps what lingers, and the executor knows its own again.
		"ioasidd /dev/iommu" | "ioasid-executor /dev/iommu") ;;
		*/dev/vfio/* | */dev/iommu*) fail "$(cat "/proc/$pid/comm") has $target" ;;
		esac
		case "$(cat "/proc/$pid/comm") $target" in
		ioasid-binder*"socket:"* | ioasid-binder*" /sys" | ioasid-binder*" /proc" | ioasid-binder*" /dev") ;;
		ioasid-binder*" /dev/null" | ioasid-binder*.log) ;;
		ioasid-binder*) fail "an idle binder has $target" ;;
		esac
	done
done
end_client alice
wait_until_free "$edu"
stop_daemon
