# Network links, each to the end of the chain: addresses and routes over bridges and VLANs, and interfaces in other
# network namespaces.
# needs: uses
# timeout: 120
edu=0000:01:01.0
nic=0000:01:02.0
other=0000:00:05.0
one=$(interface_of "$nic")
two=$(interface_of "$other")
cat >/tmp/policy <<'EOP'
{ "rules": [ { "name": "all", "effect": "allow", "subject": { "user": ["alice", "carol"] },
               "device": { "address": "*" }, "lockout": "unused", "reset": "try" } ],
  "operators": { "group": ["vmadmin"] } }
EOP
start_daemon /tmp/policy
plan_says() {
	expect_status "$1" as carol ioasidctl plan "$2" --json
	expect_output_contains "$3"
}

step "an address and the default route on a VLAN over a bridge"
brctl addbr br0
brctl addif br0 "$one"
vconfig add br0 7 >/dev/null
ip link set "$one" up
ip link set br0 up
ip link set br0.7 up
ip addr add 10.0.2.15/24 dev br0.7
ip route add default via 10.0.2.2
plan_says 4 "$edu" "$one > br0 > br0.7 > default route"
expect_output_contains "$one > br0 > br0.7 > address 10.0.2.15/24"
expect_status 4 as alice ioasidctl plan "$edu" --json
expect_output_contains "a network interface of it has an address"
expect_output_lacks 10.0.2.15

step "over IPv6, beside a macvlan"
ip route del default
ip addr flush dev br0.7
ip link add link "$two" name mv0 type macvlan
ip link set "$two" up
ip link set mv0 up
ip -6 addr add 2001:db8::15/64 dev mv0
ip -6 route add default via 2001:db8::2
plan_says 4 "$edu" "$one > br0 > br0.7 is up"
plan_says 4 "$other" "$two > mv0 > default route"
expect_output_contains "$two > mv0 > address 2001:db8::15/64"
ip link del mv0
ip link set br0.7 down
ip link del br0.7
ip link set br0 down
brctl delbr br0
ip link set "$one" down

step "over a bond, and over an ipvlan on top of it"
ip link set "$two" down
echo "+$two" >/sys/class/net/bond0/bonding/slaves
ip link set bond0 up
ip link add link bond0 name iv0 type ipvlan
ip link set iv0 up
ip addr add 10.3.0.1/24 dev iv0
ip route add default via 10.3.0.2
plan_says 4 "$other" "$two > bond0 > iv0 > default route"
step "the executor sees that by itself"
mkdir -p /tmp/policies
printf '%s\n' '{ "rules": [ { "name": "all", "effect": "allow", "device": { "address": "*" }, "reset": "try" } ] }' \
	>/tmp/policies/all.json
printf '%s\n' "claim a attached $other" >"$RIG/lines"
expect_success drive "$(executor)" --runtime-dir /run/drive --policy-dir /tmp/policies <"$RIG/lines"
expect_output_contains "a: refused: $other is in use: $two > bond0 > iv0 > default route"
ip link del iv0
ip link set bond0 down
echo "-$two" >/sys/class/net/bond0/bonding/slaves

step "in another network namespace, with a sysfs there"
ip link set "$two" down
unshare -n -m sh -c 'mount -t sysfs sys /sys; touch /tmp/ready; exec sleep 100000' &
there=$!
wait-for-path --pid "$there" 10 /tmp/ready
ip link set "$two" netns "$there"
nsenter -t "$there" -n ip link set "$two" up
nsenter -t "$there" -n ip addr add 10.9.0.1/24 dev "$two"
nsenter -t "$there" -n ip route add default via 10.9.0.2
plan_says 4 "$other" "$two > default route in the network namespace of sleep[$there]"
expect_output_contains "$two > address 10.9.0.1/24 in the network namespace of sleep[$there]"
expect_output_contains disruptive
expect_output_lacks fatal
expect_status 4 as alice ioasidctl plan "$other" --json
expect_output_contains "its network interface is in another network namespace"
expect_output_lacks "sleep["
expect_output_lacks 10.9.0.1
kill "$there"
wait "$there" 2>/dev/null || :
udevadm wait --timeout=20 "/sys/class/net/$two"

step "a macvlan there, on top of an interface that stays here"
ip link set "$two" up
unshare -n -m sh -c 'mount -t sysfs sys /sys; touch /tmp/ready2; exec sleep 100000' &
there=$!
wait-for-path --pid "$there" 10 /tmp/ready2
ip link add link "$two" name mv1 type macvlan
ip link set mv1 netns "$there"
nsenter -t "$there" -n ip link set mv1 up
nsenter -t "$there" -n ip addr add 10.9.0.1/24 dev mv1
plan_says 4 "$other" "$two > mv1 > address 10.9.0.1/24 in the network namespace of sleep[$there]"
expect_output_contains "$two is up"
kill "$there"
wait "$there" 2>/dev/null || :
ip link set "$two" down

step "and without a sysfs"
unshare -n sleep 100000 &
there=$!
while [ "$(readlink "/proc/$there/ns/net")" = "$(readlink /proc/self/ns/net)" ]; do usleep 20000; done
ip link set "$two" netns "$there"
plan_says 4 "$other" "its network interface is in another network namespace"
kill "$there"
wait "$there" 2>/dev/null || :
udevadm wait --timeout=20 "/sys/class/net/$two"
ip link set "$two" down
expect_status 0 as carol ioasidctl plan "$other"
stop_daemon
