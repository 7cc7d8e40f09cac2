#!/usr/bin/env python3
"""org.ioasid1 on the bus: objects, claims, descriptors, signals."""
import os
import re
import time
import xml.etree.ElementTree

import bus
import client
import harness
import wire
from client import CLAIM, DEVICE, GROUP, MANAGER, NAME, ROOT, close_all, fails
from hosts import ALONE, EDU, FLR_NIC, NIC, SECOND_EDU, group_host, policy, rule, small_host
from wire import Variant

EVERY_MODE = {"modes": ["attached", "open", "node"]}


def device_path(address):
    """As sd_bus_path_encode() does it."""
    label = "".join(c if c.isalnum() and not (i == 0 and c.isdigit()) else f"_{ord(c):02x}"
                    for i, c in enumerate(address))
    return f"{ROOT}/device/{label}"


def running(host=None, text=None, *arguments, **more):
    return bus.Broker(more.pop("on"), host or small_host(), text or policy(rule(**EVERY_MODE)), *arguments, **more)


def test_objects():
    """All devices and groups are objects, with what the socket tells of them as properties"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer, daemon.connect() as socket:
        objects = peer.objects()
        devices = {device["name"]: device for device in socket.ask("ListDevices")["devices"]}
        assert {path for path in objects if "/device/" in path} == {device_path(name) for name in devices}
        for name, device in devices.items():
            mine = objects[device_path(name)][DEVICE]
            assert (mine["Name"], mine["VendorId"], mine["Class"], mine["State"], mine["NumaNode"]) == \
                (name, device["vendor_id"], device["class"], "bridge" if device["bridge"] else "unclaimed", -1), mine
            assert mine["Driver"] == (device["driver"] or "")
            assert mine["Group"] == f"{ROOT}/group/{device['group']}"
            assert peer.manager("GetDevice", "s", name) == [device_path(name)]
            assert peer.get_all(device_path(name), DEVICE) == mine == peer.get_all(device_path(name), "")
        for group in socket.ask("ListGroups")["groups"]:
            path, = peer.manager("GetGroup", "i", group["number"])
            assert objects[path][GROUP] == {"Number": group["number"], "State": "unclaimed",
                                            "Members": [device_path(name) for name in group["members"]]}
        status = peer.get_all(ROOT, MANAGER)
        assert status["DeviceCount"] == len(devices) and status["ClaimCount"] == 0 and status["Interface"] == "iommufd"
        assert status["Policy"]["rules"] == 1 and status["Kernel"]["iommufd"] is True
        assert peer.get(ROOT, MANAGER, "Version") == socket.ask("GetStatus")["version"]
        assert fails("NotFound", peer.manager, "GetDevice", "s", "0000:99:00.0")
        assert fails("NotFound", peer.manager, "GetGroup", "i", -1) and fails("NotFound", peer.manager, "GetClaim", "s",
                                                                              "")


def test_plan():
    """A plan over the bus is the plan over the socket"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer, daemon.connect() as socket:
        def without_null(value):
            if isinstance(value, dict):
                return {key: without_null(item) for key, item in value.items() if item is not None}
            return [without_null(item) for item in value] if isinstance(value, list) else value

        for devices, options in (([EDU], {}), ([EDU, SECOND_EDU], {"mode": "open"}), ([NIC], {}), (["01:03.0"], {}),
                                 (["pool:none"], {}), ([ALONE], {"mode": "node", "numa_node": 0})):
            theirs = socket.ask("Plan", {"devices": devices, **options})["plan"]
            mine = peer.plan(*devices, **options)
            assert mine == without_null(theirs), (mine, theirs)
        assert peer.plan(EDU)["allowed"] and not peer.plan(NIC)["allowed"] and peer.plan(NIC)["blockers"][0]["remedy"]
        for number in (Variant("i", 3), Variant("y", 3), Variant("t", 3), Variant("q", 3), Variant("x", 3)):
            assert peer.plan(EDU, numa_node=number)["allowed"]


def test_claim():
    """A claim: context and lease with the answer, a descriptor for each device, held once acknowledged; free at the
    end"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer, daemon.connect() as socket:
        before = daemon.open_files()
        path, details = peer.claim(EDU, SECOND_EDU)
        assert re.fullmatch(ROOT + "/claim/[0-9a-f]{32}", path) and path.endswith(details["id"])
        assert (details["mode"], details["interface"], details["lockouts"]) == ("attached", "iommufd", [NIC])
        assert details["ioas_id"] > 0 and "container" not in details
        assert [device["name"] for device in details["devices"]] == [EDU, SECOND_EDU]
        assert peer.get(path, CLAIM, "State") == "offered"
        devices = [peer.open_device(path, name) for name in (EDU, "01:03.0", EDU)]
        assert [device["name"] for device in devices] == [EDU, SECOND_EDU, EDU]
        assert all("fd" in device and device["group"] == 1 for device in devices)
        assert fails("NotFound", peer.open_device, path, NIC) and fails("NotFound", peer.open_device, path, "x")
        assert peer.acknowledge(path) == []
        assert peer.get(path, CLAIM, "State") == "held"
        assert "no descriptors to take" in fails("WrongState", peer.open_device, path, EDU)
        assert "nothing to acknowledge" in fails("WrongState", peer.acknowledge, path)
        mine = peer.get_all(path, CLAIM)
        theirs, = socket.ask("ListClaims")["claims"]
        assert mine["Owner"] == theirs["uid"] == os.geteuid() and mine["Rule"] == "cards" and mine["Lease"] \
            == "descriptor"
        assert mine["Devices"] == [device_path(EDU), device_path(SECOND_EDU)] and mine["Lockouts"] == [device_path(NIC)]
        assert mine["Since"] == theirs["since"] and mine["Pid"] == theirs["pid"] == os.getpid()
        described = wire.plain(peer.claim_call(path, "Describe")[0])
        assert described == {key: value for key, value in theirs.items() if value is not None}
        assert peer.get(device_path(EDU), DEVICE, "Claim") == path
        assert peer.get(device_path(NIC), DEVICE, "LockedOut") is True
        assert peer.manager("GetClaim", "s", details["id"]) == [path]
        for device in devices:
            close_all(device)
        close_all(details, "lease")
        peer.watch()
        os.close(details["lease"])
        removed = peer.wait_signal("InterfacesRemoved", lambda signal: signal.body[0] == path)
        assert CLAIM in removed.body[1] and peer.get(device_path(EDU), DEVICE, "State") == "unclaimed"
        assert daemon.open_files() == before


def test_claim_lives_by_its_lease():
    """A claim that is held outlives its connection to the bus; it ends with the last copy of its lease"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as other, daemon.connect() as socket:
        with system.connect() as peer:
            path, details = peer.claim(ALONE)
            close_all(peer.open_device(path, ALONE))
            peer.acknowledge(path)
        close_all(details, "lease")
        assert other.get(path, CLAIM, "State") == "held"
        other.watch()
        os.close(details["lease"])
        other.wait_signal("InterfacesRemoved", lambda signal: signal.body[0] == path)
        assert socket.ask("ListClaims")["claims"] == []


def test_release_answers_what_became_of_it():
    """Release says free, or lingering and who holds what"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer:
        path, details = peer.claim(ALONE)
        device = peer.open_device(path, ALONE)
        peer.acknowledge(path)
        close_all(details, "lease")
        peer.watch()
        state, note = peer.claim_call(path, "Release")
        assert state == "lingering" and ALONE in note, (state, note)
        assert peer.get(path, CLAIM, "Note").startswith(note)
        assert peer.get(device_path(ALONE), DEVICE, "State") == "lingering"
        close_all(device)
        peer.wait_signal("InterfacesRemoved", lambda signal: signal.body[0] == path)
        os.close(details["lease"])


def test_never_acknowledged():
    """What is not acknowledged is rolled back: at once when its client is gone, else after ten seconds"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as watcher:
        watcher.watch()
        peer = system.connect()
        path, details = peer.claim(ALONE)
        kept, = [details["lease"]]
        begin = time.monotonic()
        peer.close()
        watcher.wait_signal("InterfacesRemoved", lambda signal: signal.body[0] == path)
        assert time.monotonic() - begin < 5
        os.close(kept)
        close_all(details, "lease")
        with system.connect() as peer:
            before = daemon.open_files()
            path, details = peer.claim(ALONE)
            begin = time.monotonic()
            watcher.wait_signal("InterfacesRemoved", lambda signal: signal.body[0] == path, 30)
            assert 9 < time.monotonic() - begin < 15
            fails("NotFound", peer.acknowledge, path)
            close_all(details)
        assert daemon.open_files() == before


def test_growing():
    """Add and Remove: the descriptor of a device that was added is opened and acknowledged like that of a claim"""
    text = policy(rule(**EVERY_MODE))
    with bus.Bus() as system, running(text=text, on=system) as daemon, system.connect() as peer:
        path, details = peer.claim(EDU)
        close_all(peer.open_device(path, EDU))
        fails("UnacknowledgedDescriptors", peer.claim_call, path, "Add", "s", ALONE)
        peer.acknowledge(path)
        added = wire.plain(peer.claim_call(path, "Add", "s", ALONE)[0])
        assert added["lockouts"] == details["lockouts"] and [d["name"] for d in added["devices"]] == [ALONE], added
        fails("WrongState", peer.open_device, path, EDU)
        fails("UnacknowledgedDescriptors", peer.claim_call, path, "Add", "s", SECOND_EDU)
        device = peer.open_device(path, ALONE)
        peer.acknowledge(path)
        assert peer.get(path, CLAIM, "Devices") == [device_path(EDU), device_path(ALONE)]
        peer.watch()
        close_all(device)
        assert peer.claim_call(path, "Remove", "s", ALONE) == []
        peer.wait_signal("PropertiesChanged", lambda signal: signal.path == device_path(ALONE) and
                         wire.plain(signal.body[1])["State"] == "unclaimed")
        assert "last" in fails("WrongState", peer.claim_call, path, "Remove", "s", EDU)
        assert "address" in fails("DBus.InvalidArgs", peer.claim_call, path, "Add", "s", "nonsense")
        fails("RefusedByPolicy", peer.claim_call, path, "Add", "s", FLR_NIC)
        close_all(details, "lease")
        assert peer.claim_call(path, "Release") == ["free", ""]
        os.close(details["lease"])


def test_groups():
    """Without iommufd: a container with the claim, device and group with OpenDevice"""
    with bus.Bus() as system, running(host=group_host(), on=system) as daemon, system.connect() as peer:
        before = daemon.open_files()
        path, details = peer.claim(EDU, SECOND_EDU)
        assert details["interface"] == "group" and "container" in details and "iommufd" not in details
        for name in (EDU, SECOND_EDU):
            device = peer.open_device(path, name)
            assert "fd" in device and "group_fd" in device, device
            close_all(device)
        peer.acknowledge(path)
        close_all(details)
        peer.watch()
        fails("NotFound", wait_gone, peer, path)
        assert daemon.open_files() == before


def wait_gone(peer, path):
    """Asks until the claim is gone."""
    while True:
        peer.claim_call(path, "Release")


def test_nodes():
    """Mode node: the paths that the user may open, no descriptor of a device"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer:
        path, details = peer.claim(ALONE, mode="node")
        device, = details["devices"]
        assert len(device["nodes"]) == 2 and "iommufd" in details
        opened = peer.open_device(path, ALONE)
        assert opened["nodes"] == device["nodes"] and "fd" not in opened
        peer.acknowledge(path)
        close_all(details)
        fails("NotFound", wait_gone, peer, path)


def test_memlock():
    """A rule that lets the client lock memory does so for a client on the bus, too"""
    text = policy(rule(limits={"memlock": "64M"}))
    with bus.Bus() as system, running(text=text, on=system), system.connect() as peer:
        path, details = peer.claim(ALONE)
        assert details["memlock"] == 64 << 20
        peer.acknowledge(path)
        close_all(details)


def test_pools():
    """The policy's pools are told by name and by device, and any one of them can be claimed"""
    text = policy(rule(**EVERY_MODE), pools={"cards": [{"id": ["1234:11e8"]}], "nics": [{"class": ["02"]}]})
    with bus.Bus() as system, running(text=text, on=system) as daemon, system.connect() as peer:
        assert peer.manager("ListPools") == [["cards", "nics"]]
        assert peer.manager("GetPool", "s", "nics") == [[NIC, FLR_NIC]]
        fails("NotFound", peer.manager, "GetPool", "s", "x")
        path, details = peer.claim("pool:cards")
        assert details["devices"][0]["name"] == ALONE
        close_all(details)
        fails("RefusedByPolicy", peer.claim, "pool:nics")
        fails("NotFound", peer.claim, "pool:none")


def test_refusals():
    """A refusal is an error with its name, and the sentence that the socket gives"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer, daemon.connect() as socket:
        for devices, name in (([NIC], "RefusedByPolicy"), (["0000:99:00.0"], "NotFound")):
            _, parameters = socket.fail("Claim", {"devices": devices})
            assert fails(name, peer.claim, *devices) == parameters["message"]
        path, details = peer.claim(ALONE)
        peer.acknowledge(path)
        assert details["id"] in fails("Busy", peer.claim, ALONE)
        close_all(details)


def test_wrong_arguments():
    """Wrong arguments and unknown options are refused by name, and nothing is changed"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer:
        for options, words in (({"colour": "blue"}, "'colour'"), ({"mode": "fast"}, "'mode'"), ({"mode": 7}, "'mode'"),
                               ({"numa_node": Variant("i", -1)}, "'numa_node'"),
                               ({"numa_node": Variant("u", 65536)}, "'numa_node'"),
                               ({"numa_node": Variant("as", [])}, "'numa_node'"),
                               ({"numa_node": Variant("t", 2 ** 64 - 1)}, "'numa_node'"),
                               ({"unit": ""}, "'unit'"), ({"unit": "a\nb"}, "'unit'"), ({"a\n\u202eb": "c"}, "\\x0a"),
                               ({"user": Variant("v", Variant("s", "root"))}, "'user'")):
            assert words in fails("DBus.InvalidArgs", peer.plan, ALONE, **options), options
        for devices, words in (([], "name at least one"), ([ALONE] * 65, "64"), (["sda"], "'sda'"),
                               (["pool:"], "'pool:'"),
                               ([ALONE, "../../x"], "'../../x'"), (["\x1b[2J"], "\\x1b")):
            assert words in fails("DBus.InvalidArgs", peer.claim, *devices), devices
        assert "'user'" in fails("DBus.InvalidArgs", peer.claim, ALONE, user="root")
        assert "'lease'" in fails("DBus.InvalidArgs", peer.claim, ALONE, lease="for ever")
        assert "needs 'lease' 'unit'" in fails("DBus.InvalidArgs", peer.claim, ALONE, unit="a.service")
        assert "'asa{sv}'" in fails("DBus.InvalidArgs", peer.manager, "Claim", "as", [ALONE])
        fails("DBus.UnknownMethod", peer.manager, "Destroy")
        fails("DBus.UnknownInterface", peer.call, NAME, ROOT, CLAIM, "Release")
        fails("DBus.UnknownObject", peer.call, NAME, ROOT + "/nothing", client.INTROSPECTABLE, "Introspect")
        fails("DBus.UnknownObject", peer.get_all, device_path("0000:99:00.0"), DEVICE)
        fails("DBus.UnknownObject", peer.get_all, f"{ROOT}/device/_300000_3a00_3a03_2e0", DEVICE)
        fails("DBus.UnknownObject", peer.get_all, f"{ROOT}/group/01", GROUP)
        fails("DBus.UnknownProperty", peer.get, ROOT, MANAGER, "Colour")
        fails("DBus.UnknownInterface", peer.get, ROOT, DEVICE, "Name")
        fails("NotFound", peer.claim_call, ROOT + "/claim/0123", "Release")
        assert peer.objects().keys() == peer.objects().keys() and peer.get(ROOT, MANAGER, "ClaimCount") == 0


def test_introspection():
    """What the objects say of themselves is what the interface file says, and what they have"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer:
        path, details = peer.claim(ALONE)
        published = {node.get("name"): node for node in xml.etree.ElementTree.fromstring(bus.xml_text())}
        places = {MANAGER: ROOT, DEVICE: device_path(ALONE), GROUP: f"{ROOT}/group/2", CLAIM: path}
        assert published.keys() == places.keys()
        for interface, place in places.items():
            text, = peer.call(NAME, place, client.INTROSPECTABLE, "Introspect")
            told = {node.get("name"): node for node in xml.etree.ElementTree.fromstring(text)
                    if node.tag == "interface"}
            assert [name for name in told if name.startswith(NAME)] == [interface]
            assert canonical(told[interface]) == canonical(published[interface])
            values = peer.call(NAME, place, client.PROPERTIES, "GetAll", "s", [interface])[0]
            assert {name: variant.signature for name, variant in values.items()} == \
                {node.get("name"): node.get("type") for node in published[interface] if node.tag == "property"}
            for method in published[interface].findall("method"):
                wrong = "".join(arg.get("type") for arg in method if arg.get("direction") == "in") + "d"
                values = example(wrong)
                assert "signature" in fails("DBus.InvalidArgs", peer.call, NAME, place, interface, method.get("name"),
                                            wrong, values)
        close_all(details)


def canonical(node):
    return (node.tag, sorted(node.attrib.items()), [canonical(child) for child in node])


def example(signature):
    values = {"s": "x", "i": 1, "b": True, "d": 1.0, "o": "/"}
    return [values.get(kind, {} if kind.startswith("a{") else []) for kind in wire.split(signature)]


def test_signals():
    """Changes are signalled, gathered, and without what is private; another device under the same address is another
    object"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer:
        peer.watch()
        path, details = peer.claim(EDU)
        added = peer.wait_signal("InterfacesAdded", lambda signal: signal.body[0] == path)
        values = wire.plain(added.body[1][CLAIM])
        assert (values["Owner"], values["Rule"], values["Pid"], values["Lease"]) == (2 ** 32 - 1, "", 0, "")
        changed = peer.wait_signal("PropertiesChanged", lambda signal: signal.path == device_path(EDU) and
                                   wire.plain(signal.body[1])["State"] == "offered")
        assert changed.body[0] == DEVICE and changed.body[2] == ["Claim"] and "Claim" not in changed.body[1]
        peer.wait_signal("PropertiesChanged", lambda signal: signal.path == ROOT + "/group/1" and
                         wire.plain(signal.body[1])["State"] == "offered")
        peer.acknowledge(path)
        changed = peer.wait_signal("PropertiesChanged", lambda signal: signal.path == path and
                                   wire.plain(signal.body[1])["State"] == "held")
        assert set(changed.body[1]) == {"State", "Devices", "Lockouts", "Revoked"} and changed.body[2] == ["Note"]
        close_all(details)
        peer.wait_signal("InterfacesRemoved", lambda signal: signal.body[0] == path)
        device = {"name": "0000:03:00.0", "vendor_id": "1234", "device_id": "11e8", "class": "00ff00", "group": 9}
        daemon.control({"add": device})
        added = peer.wait_signal("InterfacesAdded", lambda signal: signal.body[0] == device_path("0000:03:00.0"))
        assert wire.plain(added.body[1][DEVICE])["VendorId"] == "1234"
        peer.wait_signal("InterfacesAdded", lambda signal: signal.body[0] == ROOT + "/group/9")
        daemon.control({"remove": "0000:03:00.0"}, {"add": {**device, "vendor_id": "8086"}})
        peer.wait_signal("InterfacesRemoved", lambda signal: signal.body[0] == device_path("0000:03:00.0"))
        added = peer.wait_signal("InterfacesAdded", lambda signal: signal.body[0] == device_path("0000:03:00.0"))
        assert wire.plain(added.body[1][DEVICE])["VendorId"] == "8086"
        daemon.control({"remove": "0000:03:00.0"})
        peer.wait_signal("InterfacesRemoved", lambda signal: signal.body[0] == ROOT + "/group/9")
        daemon.write_policy(policy(rule(), rule("more")))
        report = wire.plain(peer.manager("Reload")[0])
        assert report["rules"] == 2 and report["no_longer_granted"] == []
        changed = peer.wait_signal("PropertiesChanged", lambda signal: signal.path == ROOT)
        assert wire.plain(changed.body[1])["Policy"]["rules"] == 2


def test_reload():
    """A policy with errors is told with file, line and column, and that in force stays"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer:
        before = wire.plain(peer.manager("GetPolicy")[0])
        assert peer.get_all(ROOT, MANAGER)["PolicyRefused"] == {}
        peer.watch()
        daemon.write_policy('{ "rules": [ { "name": "x" } ],\n "pool": {} }')
        text = fails("PolicyInvalid", peer.manager, "Reload")
        changed = peer.wait_signal("PropertiesChanged", lambda signal: signal.path == ROOT)
        assert "PolicyRefused" in changed.body[2], changed.body
        refused = peer.get_all(ROOT, MANAGER)["PolicyRefused"]
        assert refused["by"] == "broker" and refused["denies_all"] is False and refused["since"] > 0, refused
        assert [entry["line"]
                for entry in refused["errors"]] and refused["errors"][0]["file"].endswith("50-test.json"), refused
        assert re.search(r"50-test.json:2:\d+: ", text), text
        assert wire.plain(peer.manager("GetPolicy")[0]) == before and before["rules"][0]["name"] == "cards"
        assert before["rules"][0]["users"] == [] and before["never"] == [] and before["hidden"] == 0


def test_snapshot():
    """A snapshot over the bus is the file that the socket gives"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer, daemon.connect() as socket:
        import json
        text, = peer.manager("Snapshot", "b", True)
        assert json.loads(text) == socket.ask("Snapshot", {"details": True})["snapshot"]


def test_audit():
    """An audit over the bus tells what the socket tells, in lists of the right kind though they are empty"""
    harness.needs_root()
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer, daemon.connect() as socket:
        audit, = peer.manager("Audit")
        theirs = socket.ask("Audit")
        assert wire.plain(audit) == {key: value for key, value in theirs.items() if value is not None}
        assert audit["holds"].signature == audit["nodes"].signature == "aa{sv}"


def test_leases():
    """A claim by an operator's word lives without a descriptor and without a connection, until it is released"""
    harness.needs_root()
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as other:
        with system.connect() as peer:
            path, details = peer.claim(ALONE, lease="operator", mode="node")
            assert "lease" not in details
            close_all(details)
        # It may be acknowledged by another connection: that of a shell's next command.
        assert other.acknowledge(path) == []
        assert other.get(path, CLAIM, "Lease") == "operator" and other.get(path, CLAIM, "State") == "held"
        assert other.claim_call(path, "Release") == ["free", ""]
        # This bus tells no process for certain.
        assert "process" in fails("Unsupported", other.claim, ALONE, lease="process")
        assert "unit" in fails("Unsupported", other.claim, ALONE, lease="unit")


def test_revoke():
    """Revoke asks the client by a signal and by its lease, and takes the claim when its time is over"""
    with bus.Bus() as system, running(on=system) as daemon, system.connect() as peer:
        if os.geteuid() != 0:
            raise harness.Skip("needs root: who is no operator")
        peer.watch()
        path, details = peer.claim(ALONE)
        peer.acknowledge(path)
        close_all(details, "lease")
        assert peer.claim_call(path, "Revoke", "a{sv}",
                               {"grace": Variant("i", 200), "reason": Variant("s", "for a test")}) == []
        asked = peer.wait_signal("RevocationAsked")
        assert asked.path == path and asked.body == [200000]
        assert b"for a test" in os.read(details["lease"], 4096)
        assert peer.get(path, CLAIM, "Revoked") is True
        peer.wait_signal("InterfacesRemoved", lambda signal: signal.body[0] == path)
        os.close(details["lease"])
        fails("NotFound", peer.claim_call, path, "Revoke", "a{sv}", {})
        assert "'grace'" in fails("DBus.InvalidArgs", peer.claim_call, path_of_new(peer), "Revoke", "a{sv}",
                                  {"grace": Variant("i", -1)})


def path_of_new(peer):
    path, details = peer.claim(ALONE)
    peer.acknowledge(path)
    close_all(details, "lease")
    return path


if __name__ == "__main__":
    harness.run([value for name, value in list(globals().items()) if name.startswith("test_")])
