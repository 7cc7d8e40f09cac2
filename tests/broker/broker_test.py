#!/usr/bin/env python3
"""The broker through its front door, over a simulated host: broker_test.py IOASIDD SIMULATOR [TEST]…"""
import json
import os
import resource
import select
import signal
import socket
import stat

from claims import claim, close_all, host_drivers, product_fds, states, wait_free
from harness import Daemon, needs_root, run
from hosts import ALONE, BRIDGE, DISK, EDU, FLR_NIC, NIC, SECOND_EDU, device, large_host, policy, rule, small_host

ALICE, BOB = 60001, 60002
INTERFACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../include/org.ioasid1.varlink")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


@test
def service_calls():
    """org.varlink.service answers, and GetInterfaceDescription returns the published interface"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        info = peer.ask("org.varlink.service.GetInfo")
        assert info["interfaces"] == ["org.ioasid1", "org.varlink.service"], info
        with open(INTERFACE, encoding="utf-8") as file:
            published = file.read()
        assert peer.ask("org.varlink.service.GetInterfaceDescription",
                        {"interface": "org.ioasid1"})["description"] == published
        assert peer.fail("org.varlink.service.GetInterfaceDescription", {"interface": "org.other"}) == (
            "org.varlink.service.InterfaceNotFound", {"interface": "org.other"})
        assert peer.fail("org.ioasid1.Nothing")[0] == "org.varlink.service.MethodNotFound"
        assert peer.fail("org.other.Nothing")[0] == "org.varlink.service.InterfaceNotFound"


@test
def every_published_method_exists():
    """SR-08: every method of the interface file is served, and none refuses valid words as unknown"""
    with open(INTERFACE, encoding="utf-8") as file:
        methods = [line.split()[1].split("(")[0] for line in file if line.startswith("method ")]
    assert {"GetStatus", "Claim", "Release"} <= set(methods), methods
    with Daemon(small_host(), policy()) as daemon:
        for method in methods:
            with daemon.connect() as peer:
                reply = peer.call(method, {})
                assert reply.get("error") != "org.varlink.service.MethodNotFound", method


@test
def invalid_parameters():
    """every wrong, missing or unknown parameter is named, and the connection goes on"""
    wrong = [
        ("Plan", None, "devices"), ("Plan", {"devices": []}, "devices"), ("Plan", {"devices": EDU}, "devices"),
        ("Plan", {"devices": [1]}, "devices"), ("Plan", {"devices": ["../../etc/passwd"]}, "devices"),
        ("Plan", {"devices": [EDU + "\u0000"]}, "devices"), ("Plan", {"devices": [EDU] * 65}, "devices"),
        ("Plan", {"devices": [EDU], "mode": "sideways"}, "mode"), ("Plan", {"devices": [EDU], "mode": 1}, "mode"),
        ("Plan", {"devices": [EDU], "as": "root"}, "as"), ("GetStatus", {"x": 1}, "x"),
        ("Acknowledge", {}, "claim"), ("Acknowledge", {"claim": 7}, "claim"), ("Release", {"claim": "x" * 41}, "claim"),
        ("AddDevice", {"claim": "x"}, "device"), ("AddDevice", {"claim": "x", "device": "nvme0"}, "device"),
        ("Claim", {"devices": [EDU], "uid": 0}, "uid"),
    ]
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        for method, parameters, name in wrong:
            assert peer.fail(method, parameters) == ("org.varlink.service.InvalidParameter", {"parameter": name}), (
                method, parameters)
        assert peer.ask("GetStatus")["devices"] == 7
        assert peer.ask("Plan", {"devices": ["01:01.0"], "mode": None})["plan"]["devices"][0]["name"] == EDU


@test
def broken_frames():
    """what is no Varlink message is answered with a named error and ends that connection, no other"""
    frames = [b"\0", b"no json\0", b"[]\0", b"{}\0", b'{"method":1}\0', b'{"method":"x","parameters":[]}\0',
              b'{"method":"x"} trailing\0', b"{'method':'x'}\0", b'{"method":"\xff"}\0',
              b'{"method":"x","parameters":' + b'{"a":' * 20 + b"1" + b"}" * 20 + b"}\0",
              b'{"method":"x","upgrade":true}\0', b"x" * 65536]
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as bystander:
        before = product_fds(daemon)
        for frame in frames:
            with daemon.connect() as peer:
                peer.send(frame)
                reply = peer.receive()
                assert reply["error"] == "org.ioasid1.ProtocolError", (frame[:40], reply)
                assert reply["parameters"]["message"]
                assert peer.receive() is None, frame[:40]
        with daemon.connect() as peer:
            peer.send(b'{"method":"org.ioasid1.GetStatus"}\0', [0, 1, 2])
            assert peer.receive()["error"] == "org.ioasid1.UnexpectedDescriptors"
            assert peer.receive() is None
        assert bystander.ask("GetStatus")["claims"] == 0
        assert product_fds(daemon) == before


@test
def frames_in_pieces():
    """frames that come byte by byte, many at once, or with the sending side closed, are all answered in order"""
    with Daemon(small_host(), policy()) as daemon:
        with daemon.connect() as peer:
            for byte in b'{"method":"org.ioasid1.GetStatus"}\0':
                peer.send(bytes([byte]))
            assert "parameters" in peer.receive()
        with daemon.connect() as peer:
            for number in range(200):
                peer.send_call("org.varlink.service.GetInterfaceDescription", {"interface": f"number.{number}"})
            peer.sock.shutdown(socket.SHUT_WR)
            for number in range(200):
                assert peer.receive()["parameters"]["interface"] == f"number.{number}"
            assert peer.receive() is None
        with daemon.connect() as peer:
            peer.send_call("org.ioasid1.GetStatus", oneway=True)
            assert peer.ask("org.varlink.service.GetInfo")["product"] == "ioasidd"


@test
def seeing():
    """devices and groups are listed with what the executor saw; hotplug shows without asking for it"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        devices = {entry["name"]: entry for entry in peer.ask("ListDevices")["devices"]}
        assert list(devices) == sorted(devices) and len(devices) == 7
        assert devices[NIC]["driver"] == "e1000" and devices[NIC]["parent"] == BRIDGE and not devices[NIC]["bridge"]
        assert devices[FLR_NIC]["reset_methods"] == ["flr"] and devices[BRIDGE]["bridge"]
        assert devices[EDU]["class"] == "00ff00" and devices[EDU]["state"] == "free"
        groups = {entry["number"]: entry["members"] for entry in peer.ask("ListGroups")["groups"]}
        assert groups == {1: [BRIDGE, EDU, NIC, SECOND_EDU], 2: [ALONE], 3: [FLR_NIC], 4: [DISK]}, groups
        daemon.control({"add": device("0000:07:00.0", "1234:11e8", "00ff00", 9)})
        daemon.control({"remove": ALONE})
        # A survey comes behind the events on the same wire, so its answer proves that they were taken in.
        assert peer.ask("Plan", {"devices": [ALONE]})["plan"]["status"] == 5
        assert peer.ask("Plan", {"devices": ["0000:07:00.0"]})["plan"]["status"] == 0
        assert ALONE not in states(peer)
        assert peer.ask("GetStatus")["groups"] == 4


def many_devices():
    """Ten thousand in all."""
    return large_host(10000 - len(small_host()["devices"]))


@test
def long_listings():
    """ten thousand devices are listed in order and whole, and others are answered meanwhile"""
    host = many_devices()
    with Daemon(host, policy()) as daemon, daemon.connect() as peer, daemon.connect() as other:
        work = []
        peer.send_call("org.ioasid1.ListDevices")
        while b"\0" not in peer.buffer:
            before = daemon.processor_time()
            other.ask("ListClaims")
            work.append(daemon.processor_time() - before)
            if select.select([peer.sock], [], [], 0)[0]:
                peer.buffer += peer.sock.recv(65536)
        # A sanitizer takes its time.
        assert len(work) > 10 and (max(work) < 0.05 or daemon.resident() == 0), sorted(work)[-5:]
        found = peer.receive()["parameters"]["devices"]
        assert [entry["name"] for entry in found] == sorted(entry["name"] for entry in host["devices"])
        assert peer.ask("GetStatus")["devices"] == 10000


@test
def listings_that_nobody_reads():
    """who asks for long lists and reads none costs little memory, and keeps nobody waiting; he may leave at any time"""
    with Daemon(many_devices(), policy()) as daemon, daemon.connect() as other:
        whole = len(other.ask("ListDevices")["devices"])
        before = daemon.resident()
        idle = [daemon.connect() for _ in range(32)]
        for peer in idle:
            peer.send_call("org.ioasid1.ListDevices")
        for peer in idle:
            assert select.select([peer.sock], [], [], 30)[0]
        other.ask("ListClaims")
        assert daemon.resident() - before < 32 << 20
        for peer in idle[:31]:
            peer.close()
        assert len(other.ask("ListDevices")["devices"]) == len(idle[31].receive()["parameters"]["devices"]) == whole
        idle[31].close()


@test
def planning_changes_nothing():
    """a plan names rule, lockouts and steps, and leaves host and ledger alone"""
    with Daemon(small_host(), policy(rule(user="root"))) as daemon, daemon.connect() as peer:
        before = daemon.control({"state": True})["host"]
        plan = peer.ask("Plan", {"devices": [EDU]})["plan"]
        assert plan["allowed"] and plan["status"] == 0 and plan["blockers"] == []
        assert [entry["device"] for entry in plan["lockouts"]] == [NIC, SECOND_EDU]
        assert plan["lockouts"][0]["driver"] == "e1000" and plan["lockouts"][0]["for"] == EDU
        assert plan["devices"][0]["rule"] == "cards" and plan["devices"][0]["rule_file"].endswith("50-test.json")
        kinds = [step["kind"] for step in plan["steps"]]
        assert kinds.index("unbind") < kinds.index("probe") < kinds.index("bind") < kinds.index("attach"), kinds
        assert daemon.control({"state": True})["host"] == before
        assert peer.ask("ListClaims")["claims"] == []


@test
def refusals():
    """each refusal has its own error, status, and blockers that name member, use, rule and remedy"""
    host = small_host()
    host["uses"] = [{"device": NIC, "kind": "network-link", "severity": "disruptive", "text": "eth1 is up"},
                    {"device": DISK, "kind": "mount", "severity": "fatal", "text": "nvme0n1 > mounted on /"}]
    text = policy(rule("no sibling", device={"address": [EDU]}, lockout="none"),
                  rule("unused sibling", device={"address": [SECOND_EDU]}),
                  rule("disks", device={"class": ["0108"]}),
                  rule("reset wanted", device={"address": [ALONE]}, reset="require"),
                  never=[{"address": [FLR_NIC], "why": "it is the way in"}])
    with Daemon(host, text) as daemon, daemon.connect() as peer:
        cases = [(EDU, "RefusedByPolicy", 3, "lockout-not-covered", [NIC, "no sibling"]),
                 (SECOND_EDU, "Busy", 4, "member-in-use", [NIC, "eth1 is up", "unused sibling"]),
                 (DISK, "Busy", 4, "in-use", ["disks"]),
                 (FLR_NIC, "RefusedByPolicy", 3, "never", ["it is the way in"]),
                 (ALONE, "Unsupported", 6, "no-reset", ["reset wanted"]),
                 (BRIDGE, "Unsupported", 6, "bridge", []),
                 (NIC, "RefusedByPolicy", 3, "no-rule", []),
                 ("0000:99:00.0", "NotFound", 5, "unknown-device", [])]
        before, drivers = product_fds(daemon), host_drivers(daemon)
        for address, name, status, kind, named in cases:
            error, parameters = peer.fail("Claim", {"devices": [address]})
            assert error == "org.ioasid1." + name and parameters["status"] == status, (address, error, parameters)
            found = [entry for entry in parameters["blockers"] if entry["kind"] == kind]
            assert found, (kind, parameters)
            words = " ".join(json.dumps(entry) for entry in found)
            for word in [address, *named]:
                assert word in words, (word, words)
            assert all(entry["remedy"] for entry in parameters["blockers"])
            assert peer.ask("Plan", {"devices": [address]})["plan"]["status"] == status
        assert product_fds(daemon) == before and host_drivers(daemon) == drivers
        assert peer.ask("ListClaims")["claims"] == []


@test
def whole_life():
    """plan, claim, acknowledge, release: FDs that work, the host changed and put back, no FD left"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        reply = claim(peer, EDU)
        assert reply["mode"] == "attached" and reply["ioas_id"] >= 1 and reply["lockouts"] == [NIC, SECOND_EDU]
        assert [entry["name"] for entry in reply["devices"]] == [EDU]
        assert stat.S_ISSOCK(os.fstat(reply["lease"]).st_mode)
        now = states(peer)
        assert now[EDU][0] == "vfio-pci" and now[EDU][2:] == ("held", False), now[EDU]
        assert now[NIC] == (None, "ioasidd-locked-out", "held", True), now[NIC]
        claims = peer.ask("ListClaims")["claims"]
        assert claims[0]["id"] == reply["claim"] and claims[0]["state"] == "held" and claims[0]["rule"] == "cards"
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers
        assert product_fds(daemon) == before, [os.readlink(f"/proc/{daemon.process.pid}/fd/{fd}") for fd in
                                               os.listdir(f"/proc/{daemon.process.pid}/fd")]
        assert os.listdir(os.path.join(daemon.runtime, "claims")) == []


@test
def open_mode():
    """mode open gives an iommufd and devices that nobody has bound"""
    with Daemon(small_host(), policy(rule(modes=["attached", "open"]))) as daemon, daemon.connect() as peer:
        reply = claim(peer, ALONE, mode="open")
        assert reply["mode"] == "open" and reply["ioas_id"] is None and reply["iommufd"] is not None
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert peer.fail("Claim", {"devices": [ALONE], "mode": "node"})[1]["status"] in (3, 6)


@test
def lease():
    """whoever holds the last copy of the lease keeps the claim; connections may come and go"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as watcher:
        peer = daemon.connect()
        reply = claim(peer, ALONE)
        peer.close()
        assert watcher.ask("ListClaims")["claims"][0]["state"] == "held"
        copy = os.dup(reply["lease"])
        close_all(reply)
        assert watcher.ask("ListClaims")["claims"][0]["state"] == "held"
        os.close(copy)
        wait_free(watcher, reply["claim"])
        assert watcher.ask("ListClaims")["claims"] == []


@test
def never_acknowledged():
    """a client that leaves without acknowledging owns nothing, and what was prepared is put back"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as watcher:
        drivers = host_drivers(daemon)
        peer = daemon.connect()
        reply = peer.ask("Claim", {"devices": [EDU]})
        error, parameters = peer.fail("Claim", {"devices": [ALONE]})
        assert error == "org.ioasid1.UnacknowledgedDescriptors" and parameters["claim"] == reply["claim"]
        assert watcher.fail("Acknowledge", {"claim": reply["claim"]})[0] == "org.ioasid1.WrongState"
        peer.close()
        wait_free(watcher, reply["claim"])
        assert host_drivers(daemon) == drivers


@test
def no_room_for_descriptors():
    """SR-29: a client at its limit of open FDs gets a cut message, and owns nothing afterwards"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as watcher:
        peer = daemon.connect()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        first = os.open("/dev/null", os.O_RDONLY)
        os.close(first)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first + 1, hard))
        try:
            reply = peer.ask("Claim", {"devices": [EDU]})
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert peer.truncated
        peer.close()
        wait_free(watcher, reply["claim"])
        assert states(watcher)[EDU][2] == "free"


@test
def several_users():
    """SR-17: two users: what one has is busy for the other, and a foreign claim can't be told from no claim"""
    needs_root()
    with Daemon(small_host(), policy(rule(user=[str(ALICE), str(BOB)]),
                                     operators={"group": ["60100"]})) as daemon:
        alice, bob = daemon.connect_as(ALICE), daemon.connect_as(BOB)
        reply = claim(alice, EDU)
        error, parameters = bob.fail("Claim", {"devices": [EDU]})
        assert error == "org.ioasid1.Busy" and parameters["blockers"][0]["kind"] == "claimed", parameters
        assert str(ALICE) not in json.dumps(parameters) and reply["claim"] not in json.dumps(parameters)
        error, parameters = bob.fail("Claim", {"devices": [SECOND_EDU]})
        assert parameters["blockers"][0]["kind"] == "other-context", parameters
        error, parameters = alice.fail("Claim", {"devices": [SECOND_EDU]})
        assert parameters["blockers"][0]["kind"] == "other-context" and parameters["blockers"][0]["claim"] \
            == reply["claim"]
        for method in ("Release", "Acknowledge"):
            foreign = bob.fail(method, {"claim": reply["claim"]})
            assert foreign == bob.fail(method, {"claim": "0" * 32}), foreign
        for method in ("AddDevice", "RemoveDevice"):
            foreign = bob.fail(method, {"claim": reply["claim"], "device": ALONE})
            assert foreign == bob.fail(method, {"claim": "0" * 32, "device": ALONE}), foreign
        assert bob.ask("ListClaims")["claims"] == []
        seen = {entry["name"]: entry for entry in bob.ask("ListDevices")["devices"]}
        assert seen[EDU]["state"] == "held" and seen[EDU]["claim"] is None
        operator = daemon.connect_as(60003, groups=[60100])
        assert operator.ask("ListClaims")["claims"][0]["uid"] == ALICE
        close_all(reply)
        wait_free(operator, reply["claim"])
        for peer in (alice, bob, operator):
            peer.close()


@test
def large_uids():
    """SR-04: a uid above INT_MAX is denied by the rule that denies it, and allowed by the one that allows it"""
    needs_root()
    big = 4000000000
    denied = {"name": "denied", "effect": "deny", "subject": {"user": str(big + 1)}, "device": {"address": ["*"]}}
    with Daemon(small_host(), policy(denied, rule(user=[str(big)]))) as daemon:
        with daemon.connect_as(big) as peer:
            assert peer.ask("Plan", {"devices": [ALONE]})["plan"]["allowed"]
        with daemon.connect_as(big + 1) as peer:
            plan = peer.ask("Plan", {"devices": [ALONE]})["plan"]
            assert plan["blockers"][0]["kind"] == "denied" and plan["blockers"][0]["rule"] == "denied"


@test
def grow_and_shrink():
    """AddDevice and RemoveDevice: the sibling joins the context, leaves it and stays locked out; the last one can't"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        drivers = host_drivers(daemon)
        reply = claim(peer, EDU)
        name = reply["claim"]
        added = peer.ask("AddDevice", {"claim": name, "device": SECOND_EDU})
        assert [entry["name"] for entry in added["devices"]] == [SECOND_EDU], added
        sibling = peer.take_fds()
        assert len(sibling) == 1
        assert peer.fail("AddDevice", {"claim": name, "device": ALONE})[0] == "org.ioasid1.UnacknowledgedDescriptors"
        peer.ask("Acknowledge", {"claim": name})
        assert states(peer)[SECOND_EDU][0] == "vfio-pci"
        assert peer.fail("AddDevice", {"claim": name, "device": SECOND_EDU})[0] == "org.ioasid1.WrongState"
        error, parameters = peer.fail("RemoveDevice", {"claim": name, "device": SECOND_EDU})
        assert error == "org.ioasid1.WrongState" and SECOND_EDU in parameters["message"], parameters
        os.close(sibling[0])
        peer.ask("RemoveDevice", {"claim": name, "device": SECOND_EDU})
        assert states(peer)[SECOND_EDU] == (None, "ioasidd-locked-out", "held", True), states(peer)[SECOND_EDU]
        assert peer.fail("RemoveDevice", {"claim": name, "device": EDU})[0] == "org.ioasid1.WrongState"
        assert peer.fail("RemoveDevice", {"claim": name, "device": NIC})[0] == "org.ioasid1.WrongState"
        assert peer.fail("AddDevice", {"claim": name, "device": NIC})[0] == "org.ioasid1.RefusedByPolicy"
        other = peer.ask("AddDevice", {"claim": name, "device": ALONE})
        peer.ask("Acknowledge", {"claim": name})
        assert other["claim"] == name
        for fd in peer.take_fds():
            os.close(fd)
        peer.ask("RemoveDevice", {"claim": name, "device": ALONE})
        assert states(peer)[ALONE][2] == "free"
        close_all(reply)
        wait_free(peer, name)
        assert host_drivers(daemon) == drivers


@test
def addition_never_acknowledged():
    """an addition that is not acknowledged is taken back, and the rest of the claim stays held"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as watcher:
        peer = daemon.connect()
        reply = claim(peer, EDU)
        peer.ask("AddDevice", {"claim": reply["claim"], "device": ALONE})
        peer.close()
        # The taking back is answered for by the device's next claim, which is refused until it is over.
        while "error" in watcher.call("Claim", {"devices": [ALONE]}):
            assert watcher.ask("ListClaims")["claims"][0]["state"] == "held"
        assert watcher.ask("ListClaims")["claims"][0]["devices"] == [EDU]
        close_all(reply)


@test
def failing_steps():
    """SR-32: whichever step fails, everything is undone, the error names step, device and errno, and a retry works"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        drivers, before = host_drivers(daemon), product_fds(daemon)
        for step, name in (("override", EDU), ("override", NIC), ("unbind", NIC), ("probe", EDU), ("open", EDU),
                           ("bind", EDU), ("ioas", None), ("attach", EDU), ("context", None)):
            daemon.control({"fail": {"step": step, **({"device": name} if name else {}), "errno": 5, "times": 1}})
            error, parameters = peer.fail("Claim", {"devices": [EDU]})
            assert error == "org.ioasid1.Failed" and parameters["errno"] == 5, (step, parameters)
            assert parameters["step"] == step and parameters["device"] == name, (step, parameters)
            assert host_drivers(daemon) == drivers, step
            assert peer.ask("ListClaims")["claims"] == [], step
        assert product_fds(daemon) == before
        reply = claim(peer, EDU)
        close_all(reply)
        wait_free(peer, reply["claim"])


@test
def failing_release():
    """a device that can't be put back is quarantined: nobody gets it until an operator's release succeeds"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        drivers = host_drivers(daemon)
        reply = claim(peer, EDU)
        daemon.control({"fail": {"step": "restore", "device": NIC, "errno": 5, "times": 1}})
        # Not the lease: its end would begin a release of its own.
        for fd in (reply["iommufd"], reply["devices"][0]["fd"]):
            os.close(fd)
        state = peer.ask("Release", {"claim": reply["claim"]})
        assert state["state"] == "quarantined" and NIC in state["note"], state
        os.close(reply["lease"])
        assert peer.fail("Claim", {"devices": [EDU]})[1]["status"] == 4
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        assert host_drivers(daemon) == drivers


@test
def lingering():
    """H-01: a claim whose device is still open somewhere lingers, is free for nobody, and is freed when that ends"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        reply = claim(peer, ALONE)
        kept = os.dup(reply["devices"][0]["fd"])
        close_all(reply)
        state = peer.ask("Release", {"claim": reply["claim"]})
        assert state["state"] == "lingering" and ALONE in state["note"], state
        error, parameters = peer.fail("Claim", {"devices": [ALONE]})
        assert error == "org.ioasid1.Busy" and "linger" in json.dumps(parameters), parameters
        os.close(kept)
        assert peer.ask("Release", {"claim": reply["claim"]}) == {"state": "free", "note": None}
        claim(peer, ALONE)


@test
def deadline():
    """a plan that hangs is answered at its deadline, others go on, and what finishes late is undone"""
    with Daemon(small_host(), policy(), "--plan-deadline", "1") as daemon:
        stuck, other = daemon.connect(), daemon.connect()
        drivers = host_drivers(daemon)
        daemon.control({"hang": {"step": "bind", "device": EDU}})
        stuck.send_call("org.ioasid1.Claim", {"devices": [EDU]})
        reply = claim(other, ALONE)
        answer = stuck.receive()
        assert answer["error"] == "org.ioasid1.Failed" and "deadline" in answer["parameters"]["message"], answer
        claims = {tuple(entry["devices"]): entry for entry in other.ask("ListClaims")["claims"]}
        assert claims[(EDU,)]["state"] == "stuck" and claims[(ALONE,)]["state"] == "held"
        assert other.fail("Claim", {"devices": [EDU]})[1]["status"] == 4
        daemon.control({"unhang": True})
        while "error" in (again := other.call("Claim", {"devices": [EDU]})):
            assert again["error"] == "org.ioasid1.Busy", again
        close_all(reply)
        other.close()
        with daemon.connect() as watcher:
            wait_free(watcher, again["parameters"]["claim"])
            assert host_drivers(daemon)[NIC] == drivers[NIC]
        stuck.close()


@test
def unplugged():
    """a device that is unplugged between plan and claim is unknown"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        assert peer.ask("Plan", {"devices": [ALONE]})["plan"]["allowed"]
        daemon.control({"remove": ALONE})
        error, parameters = peer.fail("Claim", {"devices": [ALONE]})
        assert error == "org.ioasid1.NotFound" and parameters["status"] == 5


@test
def quota():
    """SR-24: one user can't take all connections, and others are served meanwhile"""
    needs_root()
    with Daemon(small_host(), policy()) as daemon:
        peers = [daemon.connect_as(ALICE) for _ in range(64)]
        # Accepted in order: when the last is answered, all are counted.
        assert peers[-1].ask("GetStatus")["devices"] == 7
        with daemon.connect_as(ALICE) as one_more:
            assert one_more.receive()["error"] == "org.ioasid1.QuotaExceeded"
            assert one_more.receive() is None
        with daemon.connect_as(BOB) as bob:
            assert bob.ask("GetStatus")["devices"] == 7
        for peer in peers:
            peer.close()


@test
def reload():
    """SIGHUP takes a new policy in both programs, or leaves the old one in force and says why"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        before = peer.ask("GetStatus")["policy"]
        daemon.write_policy('{ "rules": [ { "name": ')
        daemon.process.send_signal(signal.SIGHUP)
        while "the one in force stays" not in daemon.log_text():
            assert peer.ask("GetStatus")["policy"] == before
        assert peer.ask("GetStatus")["policy"] == before
        daemon.write_policy(policy(rule(), rule("second")))
        daemon.process.send_signal(signal.SIGHUP)
        while peer.ask("GetStatus")["policy"]["rules"] != 2:
            assert daemon.process.poll() is None
        reply = claim(peer, ALONE)
        close_all(reply)


@test
def bad_start():
    """a policy with an error is no reason not to start, but gives nobody anything; a running daemon on the socket is"""
    with Daemon(small_host(), '{ "rules": 7 }') as daemon, daemon.connect() as peer:
        assert "50-test.json" in daemon.log_text() and "every claim is refused" in daemon.log_text()
        assert peer.ask("GetStatus")["policy"]["rules"] == 0
        assert peer.ask("Plan", {"devices": [ALONE]})["plan"]["allowed"] is False
        daemon.write_policy(policy())
        peer.ask("ReloadPolicy")
        close_all(claim(peer, ALONE))
    with Daemon(small_host(), policy()) as first, first.connect() as peer:
        held, offered = claim(peer, ALONE), peer.ask("Claim", {"devices": [EDU]})
        def journal():
            folder, found = os.path.join(first.runtime, "claims"), {}
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), "rb") as file:
                    found[name] = file.read()
            return found
        before = journal()
        assert sorted(before) == sorted(f"{reply['claim']}.json" for reply in (held, offered)), before
        for socket_there in (True, False):
            # Where a service manager made the socket, it says nothing of who is there.
            second = Daemon(small_host(), policy())
            second.runtime, second.path = first.runtime, first.path
            if not socket_there:
                os.rename(first.path, first.path + ".away")
            try:
                assert second.start() == 1
                assert "another ioasidd" in second.log_text()
            finally:
                second.__exit__()
            # It has recovered nothing from under the first.
            assert journal() == before
        os.rename(first.path + ".away", first.path)
        with first.connect() as another:
            assert another.ask("GetStatus")["devices"] == 7
        close_all(held)


@test
def without_its_executor():
    """an executor that is gone ends the broker with status 75, at which its unit starts it anew and is not failed"""
    with Daemon(small_host(), policy()) as daemon:
        daemon.control({"stop": True})
        assert daemon.process.wait(30) == 75, daemon.log_text()
        assert "lost the executor" in daemon.log_text()


if __name__ == "__main__":
    run(TESTS)
