#!/usr/bin/env python3
"""The broker is killed at every step of every plan: crash_test.py IOASIDD SIMULATOR [TEST]…

The simulated host outlives it. A step hangs, the broker is killed, the step goes on, and a new broker starts on the
same
runtime folder: it must come to a host that is as it was, with nothing lost and nothing given out twice.
"""
import json
import os

from claims import claim, close_all, host_drivers
from harness import Daemon, needs_root, run
from hosts import ALONE, EDU, NIC, SECOND_EDU, group_host, policy, rule, small_host

ALICE = 60001
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Kind:
    """One way in which claims are delivered, with the steps of its plans as (step, device)."""

    def __init__(self, name, host, claim_steps, release_steps, mode="attached"):
        self.name, self.host, self.mode = name, host, mode
        self.claim_steps = MOVES + claim_steps
        self.release_steps = release_steps + RETURNS

    def connect(self, daemon):
        return daemon.connect_as(ALICE) if self.mode == "node" else daemon.connect()

    def claim(self, peer, device):
        return claim(peer, device, mode=self.mode)

    def send_claim(self, peer):
        peer.send_call("org.ioasid1.Claim", {"devices": [EDU], "mode": self.mode})


MOVES = [("override", EDU), ("override", NIC), ("override", SECOND_EDU), ("unbind", NIC), ("probe", EDU)]
RETURNS = [("bus-master-off", EDU), ("reset", EDU), ("unbind-vfio", EDU), ("restore", EDU), ("restore", NIC),
           ("restore", SECOND_EDU), ("result", None)]
REVOCATION = [("revoke", EDU), ("revoke", None), ("result", None)]
BY_IOMMUFD = [("prove-no-holder", EDU), ("prove-unbound", EDU)]
BY_GROUP = [("prove-no-holder", EDU), ("prove-group-free", EDU)]
IOMMUFD = Kind("iommufd", small_host, [("context", None), ("open", EDU), ("bind", EDU), ("ioas", None), ("attach", EDU),
                                       ("result", None)], BY_IOMMUFD)
GROUP = Kind("group", group_host, [("container", None), ("group", EDU), ("group-device", EDU), ("result", None)],
             BY_GROUP)
GROUP_NODE = Kind("node without iommufd", group_host, [("grant", None), ("grant", EDU), ("result", None)],
                  REVOCATION + BY_GROUP, "node")
IOMMUFD_NODE = Kind("node with iommufd", small_host,
                    [("context", None), ("grant", None), ("grant", EDU), ("result", None)],
                    REVOCATION + BY_IOMMUFD, "node")
ALL = (IOMMUFD, GROUP, GROUP_NODE, IOMMUFD_NODE)


class Host:
    """A kept host and the brokers that come and go on it."""

    def __init__(self, kind=IOMMUFD):
        if kind.mode == "node":
            needs_root()
        subject = [str(ALICE)] if kind.mode == "node" else None
        self.daemon = Daemon(kind.host(), policy(rule(user=subject, modes=["attached", "open", "node"])))

    def __enter__(self):
        self.daemon.keep_host()
        assert self.daemon.start() is None, self.daemon.log_text()
        return self.daemon

    def __exit__(self, *raised):
        self.daemon.__exit__(*raised)


def recover(daemon, drivers, kind=IOMMUFD):
    """Starts the next broker and waits until it has put everything right; then everything can be claimed again."""
    assert daemon.start() is None, daemon.log_text()
    daemon.control({"await": {"plans": 0}})
    with daemon.connect() as operator, kind.connect(daemon) as peer:
        for entry in operator.ask("ListClaims")["claims"]:
            assert entry["mode"] == kind.mode, entry
            reply = operator.call("Release", {"claim": entry["id"]})
            assert reply.get("parameters", {}).get("state") == "free" or "error" in reply, reply
        assert operator.ask("ListClaims")["claims"] == [], operator.ask("ListClaims")
        state = daemon.control({"state": True})
        assert state["acls"] == {} and state["open"] == {} and state["groups"] == {}, state
        assert host_drivers(daemon) == drivers, (host_drivers(daemon), drivers)
        reply = kind.claim(peer, EDU)
        close_all(reply)
        assert operator.call("Release", {"claim": reply["claim"]}) is not None
    assert os.listdir(os.path.join(daemon.runtime, "claims")) in ([], [reply["claim"] + ".json"])
    daemon.control({"await": {"plans": 0}})


def kill_while_hung(daemon):
    daemon.control({"await": {"hung": 1}})
    daemon.kill()
    daemon.control({"unhang": True})
    daemon.control({"await": {"plans": 0}})


def fault(step, device):
    return {"step": step, "times": 1, **({"device": device} if device else {})}


def kill_in_a_claim(kind):
    for step, device in kind.claim_steps:
        with Host(kind) as daemon:
            drivers = host_drivers(daemon)
            peer = kind.connect(daemon)
            # ("grant", None) is the container's, which comes first: a fault without a device strikes any.
            daemon.control({"hang": fault(step, device)})
            kind.send_claim(peer)
            kill_while_hung(daemon)
            peer.close()
            recover(daemon, drivers, kind)


def kill_in_an_undo(kind):
    failing = kind.claim_steps[-2]
    for step, device in kind.claim_steps[:-2]:
        if step in ("bind", "ioas"):
            continue  # they end with the close of what was opened
        with Host(kind) as daemon:
            drivers = host_drivers(daemon)
            peer = kind.connect(daemon)
            daemon.control({"fail": fault(*failing)}, {"hang": {**fault(step, device), "undo": True}})
            kind.send_claim(peer)
            kill_while_hung(daemon)
            peer.close()
            recover(daemon, drivers, kind)


def kill_in_a_release(kind):
    for number, (step, device) in enumerate(kind.release_steps):
        with Host(kind) as daemon:
            drivers = host_drivers(daemon)
            peer = kind.connect(daemon)
            reply = kind.claim(peer, EDU)
            # What strikes any device lets those through that come before: of revoke the device's, of result the
            # revocation's own.
            before = [known for known, _ in kind.release_steps[:number]].count(step) if not device else 0
            daemon.control({"hang": {**fault(step, device), "after": before}})
            close_all(reply)
            kill_while_hung(daemon)
            peer.close()
            recover(daemon, drivers, kind)


def kill_in_a_change(kind):
    alone = [(step, ALONE if device else None) for step, device in kind.claim_steps
             if device in (None, EDU) and (step, device) != ("grant", None)]
    gone = [(step, ALONE if device else None) for step, device in kind.release_steps
            if device == EDU and (step, device) != ("result", None)]
    for method, steps in (("AddDevice", alone), ("RemoveDevice", gone + [("result", None)])):
        for step, device in steps:
            with Host(kind) as daemon:
                drivers = host_drivers(daemon)
                peer = kind.connect(daemon)
                reply = claim(peer, EDU, *([ALONE] if method == "RemoveDevice" else []), mode=kind.mode)
                for entry in reply["devices"][1:] + reply["groups"][1:]:
                    if entry["fd"] is not None:
                        os.close(entry.pop("fd"))
                reply["devices"], reply["groups"] = reply["devices"][:1], reply["groups"][:1]
                daemon.control({"hang": fault(step, device)})
                peer.send_call("org.ioasid1." + method, {"claim": reply["claim"], "device": ALONE})
                kill_while_hung(daemon)
                peer.close()
                close_all(reply)
                recover(daemon, drivers, kind)


for each in ALL:
    for act, said in ((kill_in_a_claim, "every step of a claim, the next start puts the host back as it was"),
                      (kill_in_an_undo, "every step of an undo, the next start puts the host back as it was"),
                      (kill_in_a_release, "every step of a release, the next start completes it"),
                      (kill_in_a_change, "every step of growth and shrinking, the next start gives all of it back")):
        def run_it(kind=each, kill=act):
            kill(kind)
        run_it.__name__ = f"{act.__name__}_{each.name}".replace(" ", "_")
        run_it.__doc__ = f"F1: killed at {said} ({each.name})"
        test(run_it)


@test
def killed_while_unmapping():
    """killed while a lingering claim is being unmapped: it lingers on, and is free when the last FD is closed"""
    for kind in (IOMMUFD, GROUP):
        with Host(kind) as daemon:
            drivers = host_drivers(daemon)
            peer = daemon.connect()
            reply = kind.claim(peer, EDU)
            kept = os.dup(reply["devices"][0]["fd"])
            daemon.control({"hang": fault("unmap", None)})
            close_all(reply)
            kill_while_hung(daemon)
            peer.close()
            assert daemon.start() is None, daemon.log_text()
            with daemon.connect() as peer:
                assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "lingering"
                os.close(kept)
                assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
            assert host_drivers(daemon) == drivers


@test
def killed_while_held():
    """killed while a claim is held: its client keeps its FDs, and the claim lingers until they are closed"""
    for kind in (IOMMUFD, GROUP):
        with Host(kind) as daemon:
            drivers = host_drivers(daemon)
            peer = daemon.connect()
            reply = kind.claim(peer, EDU)
            daemon.kill()
            peer.close()
            assert daemon.start() is None, daemon.log_text()
            with daemon.connect() as peer:
                daemon.control({"await": {"plans": 0}})
                entry = peer.ask("ListClaims")["claims"][0]
                assert entry["id"] == reply["claim"] and entry["state"] in ("lingering", "releasing"), entry
                assert entry["interface"] == reply["interface"], entry
                assert peer.fail("Claim", {"devices": [EDU]})[1]["status"] == 4
                assert peer.fail("Claim", {"devices": [SECOND_EDU]})[1]["status"] == 4
                close_all(reply)
                assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
                assert host_drivers(daemon) == drivers


@test
def killed_with_node_claims():
    """killed while two node claims are held: the next start closes every node, the container among them"""
    for kind in (GROUP_NODE, IOMMUFD_NODE):
        with Host(kind) as daemon:
            drivers = host_drivers(daemon)
            peer = kind.connect(daemon)
            replies = [kind.claim(peer, EDU), kind.claim(peer, ALONE)]
            assert daemon.control({"state": True})["acls"] == {"": [ALICE], EDU: [ALICE], ALONE: [ALICE]}
            daemon.kill()
            peer.close()
            for reply in replies:
                close_all(reply)
            recover(daemon, drivers, kind)


@test
def journal_of_an_unknown_interface():
    """a journal without an interface, or with one that is none, is set aside and never acted on"""
    with Host(GROUP) as daemon:
        peer = daemon.connect()
        reply = claim(peer, ALONE)
        path = os.path.join(daemon.runtime, "claims", reply["claim"] + ".json")
        with open(path, encoding="utf-8") as file:
            entry = json.load(file)["claim"]
        assert entry["interface"] == "group", entry
        daemon.kill()
        peer.close()
        close_all(reply)
        os.unlink(path)
        wrong = [None, 1, "", "groups", "GROUP", "iommufd ", "x" * 100, ["group"]]
        for number in range(len(wrong) + 1):
            changed = {**entry, "id": f"{number:032x}"}
            if number < len(wrong):
                changed["interface"] = wrong[number]
            else:
                del changed["interface"]
            write_journal(os.path.join(daemon.runtime, "claims", changed["id"] + ".json"), changed)
        assert daemon.start() is None, daemon.log_text()
        with daemon.connect() as peer:
            assert peer.ask("ListClaims")["claims"] == []
        left = os.listdir(os.path.join(daemon.runtime, "claims"))
        assert all(name.endswith(".corrupt") for name in left) and len(left) == len(wrong) + 1, left
        # The same with the right one is read: it is nothing else that was wrong.
        write_journal(path, entry)
        daemon.kill()
        assert daemon.start() is None, daemon.log_text()
        with daemon.connect() as peer:
            assert f"claim {reply['claim']}: left by an earlier run" in daemon.log_text()
            peer.call("Release", {"claim": reply["claim"]})
            assert peer.ask("ListClaims")["claims"] == []


def write_journal(path, entry):
    """Writes a claim's file as the broker does. entry: an object, or any text."""
    body = entry if isinstance(entry, str) else json.dumps(entry, separators=(",", ":"))
    value = 0xcbf29ce484222325
    for byte in body.encode():
        value = ((value ^ byte) * 0x100000001b3) % 2**64
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"checksum":"%016x","claim":%s}' % (value, body))


@test
def killed_while_offered():
    """killed between the offer and its acknowledgement: the same"""
    with Host() as daemon:
        drivers = host_drivers(daemon)
        peer = daemon.connect()
        peer.ask("Claim", {"devices": [EDU]})
        daemon.kill()
        peer.close()
        recover(daemon, drivers)


@test
def damaged_journal():
    """F12: a journal that was cut at any byte, or has any byte changed, is set aside and never acted on"""
    with Host() as daemon:
        peer = daemon.connect()
        reply = claim(peer, ALONE)
        path = os.path.join(daemon.runtime, "claims", reply["claim"] + ".json")
        with open(path, "rb") as file:
            whole = file.read()
        daemon.kill()
        peer.close()
        close_all(reply)
        damaged = [whole[:length] for length in range(0, len(whole), 16)]
        damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:] for at in range(0, len(whole), 16)]
        os.unlink(path)
        # With the checksum that belongs to it.
        for text in ("", "{", "nothing", "[]", '{"a": 1}', '{"a":1,"a":2}', '{"a":"\x7f\ufffd/"}', "7", "null"):
            write_journal(path, text)
            with open(path, "rb") as file:
                damaged.append(file.read())
        os.unlink(path)
        # One start for all of them: each under a name of its own, so that none hides another.
        for number, text in enumerate(damaged):
            with open(os.path.join(daemon.runtime, "claims", f"{number:032x}.json"), "wb") as file:
                file.write(text)
        assert daemon.start() is None, daemon.log_text()
        with daemon.connect() as peer:
            assert peer.ask("ListClaims")["claims"] == []
        left = os.listdir(os.path.join(daemon.runtime, "claims"))
        assert all(name.endswith(".corrupt") for name in left) and len(left) == len(damaged), left[:5]


@test
def journal_of_another_boot():
    """a journal of another boot is thrown away: nothing of it is true any more"""
    with Host() as daemon:
        peer = daemon.connect()
        reply = claim(peer, ALONE)
        folder = os.path.join(daemon.runtime, "claims")
        name = reply["claim"] + ".json"
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            entry = json.load(file)
        daemon.kill()
        peer.close()
        close_all(reply)
        entry["claim"]["boot_id"] = "11111111-1111-1111-1111-111111111111"
        write_journal(os.path.join(folder, name), entry["claim"])
        assert daemon.start() is None, daemon.log_text()
        assert os.listdir(folder) == [], os.listdir(folder)


if __name__ == "__main__":
    run(TESTS)
