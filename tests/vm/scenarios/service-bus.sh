# org.ioasid1 on the real system bus: a call starts the service; claims with DMA over D-Bus, which outlive the bus;
# polkit decides what operators do; the examples for authors of VM managers work as an ordinary user.
# needs: systemd
# with --all: systemd-stock
# timeout: 420
edu=0000:00:08.0
other=0000:00:09.0
examples=/usr/share/doc/ioasidd/examples
install_policy <<'EOP'
{ "rules": [ { "name": "alice drives the cards", "effect": "allow", "subject": { "user": ["alice", "root"] },
               "device": { "id": ["1234:11e8"] }, "modes": ["attached", "node"], "limits": { "memlock": "64M" },
               "reset": "try" } ] }
EOP

# call USER PATH INTERFACE METHOD …: over the bus, by busctl.
call() {
	local user="$1" path="$2"
	shift 2
	as "$user" busctl --timeout=60 call org.ioasid1 "$path" "org.ioasid1.$@"
}

# claims_on_bus: the ids of all claims, as the bus has them.
claims_on_bus() {
	busctl --list tree org.ioasid1 | sed -n 's|^/org/ioasid1/claim/||p'
}

step "a call over the bus starts the service"
enable_product
expect_equal "the state of the service" inactive "$(state_of ioasidd.service)"
expect_success call nobody /org/ioasid1 Manager GetDevice s "$edu"
expect_output_contains _30000_3a00_3a08_2e0
wait_for_unit ioasidd.service active
expect_success busctl introspect org.ioasid1 /org/ioasid1
expect_output_contains .Claim
expect_success call alice /org/ioasid1 Manager Plan 'asa{sv}' 1 "$edu" 0
expect_output_contains '"allowed" b true'

step "who is nobody's friend"
expect_status 1 call bob /org/ioasid1 Manager Claim 'asa{sv}' 1 "$edu" 0
expect_output_contains "$edu"
expect_status 1 call bob /org/ioasid1 Manager Reload
expect_output_contains "org.ioasid1.policy.reload"
expect_status 1 call nobody /org/ioasid1 Manager Snapshot b false
expect_success call root /org/ioasid1 Manager Reload

step "a claim over the bus, with DMA"
cat >/run/scenario-claim.py <<'EOS'
import os, sys, dbus
device, mark = sys.argv[1:]
bus = dbus.SystemBus()
manager = dbus.Interface(bus.get_object("org.ioasid1", "/org/ioasid1"), "org.ioasid1.Manager")
path, details = manager.Claim([device], {"mode": "attached"}, timeout=120)
claim = dbus.Interface(bus.get_object("org.ioasid1", path), "org.ioasid1.Claim")
opened = claim.OpenDevice(device)
claim.Acknowledge()
fds = {name: value.take() for name, value in [*details.items(), *opened.items()] if isinstance(value, dbus.types.UnixFd)}
for fd in fds.values():
    os.set_inheritable(fd, True)
words = [str(fds["iommufd"]), str(details["ioas_id"])] if "iommufd" in fds else [f"--container={fds['container']}"]
os.execvp("edu-dma", ["edu-dma", str(fds["fd"]), *words, "--hold", "--touch", mark])
EOS
rm -f /tmp/verified
start_client alice as alice python3 /run/scenario-claim.py "$edu" /tmp/verified
wait_for_mark alice /tmp/verified
claim=$(claims_on_bus)
expect_status 1 call nobody "/org/ioasid1/claim/$claim" Claim Describe
expect_success call alice "/org/ioasid1/claim/$claim" Claim Describe
expect_output_contains "alice drives the cards"
expect_success busctl get-property org.ioasid1 "/org/ioasid1/claim/$claim" org.ioasid1.Claim State
expect_output_contains held

step "the bus is started anew, and then killed: the claim goes on"
daemon=$(property_of ioasidd.service MainPID)
systemctl restart dbus.service
wait_for_journal 20 "the bus is gone" _SYSTEMD_UNIT=ioasidd.service
expect_success ioasidctl show "$edu"
expect_output_contains held
systemctl kill --signal=KILL dbus.service
wait_for_unit dbus.service active
left=100
until [ "$(claims_on_bus 2>/dev/null)" = "$claim" ]; do
	left=$((left - 1))
	[ "$left" -gt 0 ] || fail "the claim is not on the bus again"
	usleep 100000
done
expect_equal "the service's process" "$daemon" "$(property_of ioasidd.service MainPID)"

step "polkit lets bob end claims of this card, and of no other"
cat >/etc/polkit-1/rules.d/50-scenario.rules <<'EOS'
polkit.addRule(function(action, subject) {
    if (action.id == "org.ioasid1.claim.revoke" && subject.user == "bob" && action.lookup("device") == "0000:00:08.0" &&
        action.lookup("rule") == "alice drives the cards")
        return polkit.Result.YES;
});
EOS
systemctl restart polkit.service
expect_success call root /org/ioasid1 Manager Claim 'asa{sv}' 1 "$other" 2 mode s node lease s operator
second=$(claims_on_bus | grep -v "$claim")
expect_success call root "/org/ioasid1/claim/$second" Claim Acknowledge
expect_status 1 call bob "/org/ioasid1/claim/$second" Claim Revoke 'a{sv}' 1 grace u 0
expect_output_contains "org.ioasid1.claim.revoke"
expect_success call bob "/org/ioasid1/claim/$claim" Claim Revoke 'a{sv}' 1 grace u 0
end_client alice
expect_success call root "/org/ioasid1/claim/$second" Claim Release
expect_output_contains '"free"'
wait_until_free "$edu"
rm -f /etc/polkit-1/rules.d/50-scenario.rules

step "the examples, as an ordinary user"
start_client example as alice python3 "$examples/claim-device.py" "$edu"
wait_for_line example 60 "device is descriptor"
expect_equal "the driver of $edu" vfio-pci "$(driver_of "$edu")"
end_client example
wait_until_free "$edu"
expect_success "$examples/claim-device.sh" run "$edu" sh -c 'ls $NODES'
expect_output_contains /dev/vfio/
wait_until_free "$edu"

step "a service's claim ends with it: a lease by a unit over the bus"
systemd-run --quiet --scope --unit=machine-vm1.scope sleep 100000 &
machine=$!
wait_for_unit machine-vm1.scope active
expect_success call root /org/ioasid1 Manager Claim 'asa{sv}' 1 "$edu" 3 mode s node lease s unit unit s machine-vm1.scope
claim=$(claims_on_bus)
expect_success call root "/org/ioasid1/claim/$claim" Claim Acknowledge
systemctl stop machine-vm1.scope
wait "$machine" || :
wait_until_free "$edu"
rm -f /run/scenario-claim.py /tmp/verified
disable_product
