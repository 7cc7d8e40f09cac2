# The link of the default route is the host's lifeline: a claim that would lock it out says so.
# needs: demo stock
edu=0000:01:01.0
nic=0000:01:02.0
interface=$(interface_of "$nic")
start_daemon - <<'EOP'
{ "rules": [ { "name": "named sibling", "effect": "allow", "subject": { "user": "alice" },
               "device": { "id": ["1234:11e8"] }, "lockout": { "named": ["0000:01:02.0"] }, "reset": "try" } ] }
EOP
ip link set "$interface" up
ip addr add 10.0.2.15/24 dev "$interface"
ip route add default via 10.0.2.2
expect_status 4 as alice ioasidctl plan "$edu"
expect_output_contains "default route"
expect_output_contains fatal
ip route del default
ip addr flush dev "$interface"
ip link set "$interface" down
expect_success as alice ioasidctl plan "$edu"
stop_daemon
