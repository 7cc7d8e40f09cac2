# S2: the units as they are installed, on a host where no module of VFIO's was loaded: each process has what the table
# says and no more, and claims of every kind go through with both AppArmor profiles in force and nothing refused by any
# sandbox.
# needs: systemd systemd-stock
# with --all: systemd-backports
# timeout: 300
edu=0000:00:08.0
shared=0000:01:01.0
disk=0000:00:05.0
nic=0000:02:00.0
module=$(grep -c '^vfio' /proc/modules || :)
[ ! -e /lib/modules/"$(uname -r)"/kernel/drivers/vfio ] || expect_equal "VFIO's modules that are loaded" 0 "$module"
install_policy <<'EOP'
{ "rules": [ { "name": "all of it", "effect": "allow", "subject": { "user": "alice" }, "lockout": "unused",
               "device": { "id": ["1234:11e8", "1b36:0010", "8086:10d3"] }, "modes": ["attached", "node"],
               "limits": { "memlock": "64M" }, "reset": "try", "revoke": { "grace": "1s", "stop": "process" } } ] }
EOP
enable_product
expect_success ioasidctl status

step "what each process may do is what the table says"
# comm  uid  permitted  effective  bounding
cat >"$RIG/table" <<'EOT'
ioasidd         ioasidd 0000000000000000 0000000000000000 0000000000000000
ioasid-executor root    0000000021080024 0000000000000000 0000000021080024
ioasid-binder   root    0000000001000000 0000000001000000 0000000021080024
ioasid-surveyor root    0000000000080004 0000000000080004 0000000021080024
ioasid-watcher  root    0000000000000000 0000000000000000 0000000021080024
ioasid-recorder root    0000000020000000 0000000020000000 0000000021080024
ioasid-stopper  root    0000000000000020 0000000000000020 0000000021080024
EOT
# field PID NAME: of /proc/PID/status, the first word.
field() {
	sed -n "s/^$2:[[:space:]]*\([^[:space:]]*\).*/\1/p" "/proc/$1/status"
}
# check_processes: every process of the product stands in the table, and is like that.
check_processes() {
	local pid name user permitted effective bounding profile
	for pid in $(product_processes); do
		name=$(cat "/proc/$pid/comm")
		read -r name user permitted effective bounding <<-EOR
			$(grep "^$name " "$RIG/table" || echo "$name is not in the table")
		EOR
		expect_equal "the user of $name" "$(id -u "$user")" "$(field "$pid" Uid)"
		expect_equal "what $name is permitted" "$permitted" "$(field "$pid" CapPrm)"
		expect_equal "what is in force for $name" "$effective" "$(field "$pid" CapEff)"
		expect_equal "the bounding set of $name" "$bounding" "$(field "$pid" CapBnd)"
		expect_equal "what $name inherits" 0000000000000000 "$(field "$pid" CapInh)"
		expect_equal "what $name hands on" 0000000000000000 "$(field "$pid" CapAmb)"
		expect_equal "NoNewPrivs of $name" 1 "$(field "$pid" NoNewPrivs)"
		expect_equal "the seccomp mode of $name" 2 "$(field "$pid" Seccomp)"
		case $name in ioasidd) profile=ioasidd ;; *) profile=ioasid-executor ;; esac
		expect_equal "the AppArmor profile of $name" "$profile (enforce)" "$(cat "/proc/$pid/attr/current")"
	done
}
check_processes
for name in ioasidd ioasid-executor ioasid-binder ioasid-surveyor ioasid-watcher; do
	pgrep -x "$name" >/dev/null || fail "there is no $name"
done

step "the broker sees no device, no /sys and no network"
broker=$(property_of ioasidd.service MainPID)
in_broker="nsenter --target $broker --mount"
$in_broker /bin/ls /dev >"$RIG/dev"
grep -xE 'iommu|vfio|sd.*|vd.*|nvme.*|mem' "$RIG/dev" && fail "the broker sees the nodes above"
expect_equal "what the broker sees in /sys" "" "$($in_broker /bin/ls /sys 2>/dev/null || :)"
[ "$(readlink "/proc/$broker/ns/net")" != "$(readlink /proc/1/ns/net)" ] || fail "the broker is in the host's network"

step "the executor can write to drivers and devices, to its own ledger, and to nothing else"
executor=$(pgrep -x ioasid-executor)
cut -d ' ' -f 5 "/proc/$executor/mountinfo" | sort -u >"$RIG/mounts"
# shellcheck disable=SC2016
nsenter --target "$executor" --mount /bin/sh -c 'while read -r path; do [ ! -w "$path" ] || echo "$path"; done' \
	<"$RIG/mounts" >"$RIG/writable"
cat "$RIG/writable"
grep -vxE '/sys/bus/pci|/sys/devices|/run/ioasidd-executor|/dev|/dev/pts|/dev/kmsg|/proc|/tmp|/var/tmp' "$RIG/writable" &&
	fail "it can write to the above"

step "claims: a card alone, one with a NIC beside it, a disk, a NIC that can be reset"
for address in "$edu" "$shared"; do
	# shellcheck disable=SC2046
	expect_success as alice ioasidctl run "$address" -- edu-dma $(dma_words "$address")
	wait_until_free "$address"
done
for address in "$disk" "$nic"; do
	expect_success as alice ioasidctl run "$address" -- true
	wait_until_free "$address"
done

step "a node that only alice can open"
start_client node as alice ioasidctl run --mode node "$edu" -- sh -c 'exec open-nodes /dev/vfio/'"$(group_of "$edu")"' --touch /tmp/opened'
wait_for_mark node /tmp/opened
expect_status 1 as bob test -w "/dev/vfio/$(group_of "$edu")"
end_client node
wait_until_free "$edu"

step "a reload that fails says so, and one that does not"
echo '{' >/etc/ioasidd/policy.d/60-broken.json
expect_status 1 systemctl reload ioasidd.service
journal_has "60-broken.json:" -u ioasidd.service
# The reserved devices' unit has read it, too.
wait_for_unit ioasidd-reserve.service failed
rm /etc/ioasidd/policy.d/60-broken.json
expect_success systemctl reload ioasidd.service
wait_for_unit ioasidd-reserve.service inactive
expect_equal "the service after the reload" active "$(state_of ioasidd.service)"

step "a restart while a claim is held; then it is revoked, and who keeps the device is stopped"
# shellcheck disable=SC2046
start_client alice as alice ioasidctl run "$edu" -- edu-dma $(dma_words "$edu") --hold --touch /tmp/held
wait_for_mark alice /tmp/held
claim=$(the_claim)
expect_success systemctl restart ioasidd.service
expect_equal "the claim after the restart" "$claim" "$(the_claim)"
check_processes
speak-varlink say '{"method":"org.ioasid1.Revoke","parameters":{"claim":"'"$claim"'","reason":"the scenario wants it"}}' hear
wait-for-exit 60 "$(cat "$RIG/alice.pid")" || fail "who has the revoked device is still there"
end_holder alice
wait "$client" 2>/dev/null || :
wait_until_free "$edu"
check_processes

step "what other namespaces have, and who holds what, is seen from inside: plans, a snapshot, an audit"
interface=$(interface_of "$nic")
unshare -n -m sh -c 'mount -t sysfs sys /sys; touch /tmp/ready; exec sleep 100000' &
there=$!
wait-for-path --pid "$there" 20 /tmp/ready
ip link set "$interface" netns "$there"
nsenter -t "$there" -n ip link set "$interface" up
nsenter -t "$there" -n ip addr add 10.9.0.1/24 dev "$interface"
expect_status 4 ioasidctl plan --as alice "$nic"
expect_output_contains "$interface > address 10.9.0.1/24 in the network namespace of sleep[$there]"
kill "$there"
wait "$there" 2>/dev/null || :
udevadm wait --timeout=30 "/sys/class/net/$interface"
expect_success as alice ioasidctl plan "$shared"
expect_success ioasidctl snapshot /tmp/host.json
expect_success ioasidctl audit
sleep 100000 3<>/dev/vfio/vfio &
foreign=$!
expect_status 1 ioasidctl audit
expect_output_contains "$foreign"
kill "$foreign"
expect_equal "what the sandboxes refused" "" "$(violations)"
disable_product
