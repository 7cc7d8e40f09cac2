# The host side can take the link of a NIC down and up. Of QEMU's NICs only the e1000 notices, and within 2 s.
# needs: demo
interface=$(interface_of "$(find_device 8086:100e)")
ip link set "$interface" up
wait_for_carrier "$interface" 1
host set_link nic1 off
wait_for_carrier "$interface" 0
host set_link nic1 on
wait_for_carrier "$interface" 1
ip link set "$interface" down
