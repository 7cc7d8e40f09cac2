#!/usr/bin/env python3
"""The broker is killed at every step of every plan: crash_test.py IOASIDD SIMULATOR [TEST]…

The simulated host outlives it. A step hangs, the broker is killed, the step goes on, and a new broker starts on the same
runtime folder: it must come to a host that is as it was, with nothing lost and nothing given out twice.
"""
import json
import os

from claims import claim, close_all, host_drivers
from harness import Daemon, run
from hosts import ALONE, EDU, NIC, SECOND_EDU, policy, rule, small_host

TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Host:
    """A kept host and the brokers that come and go on it."""

    def __init__(self):
        self.daemon = Daemon(small_host(), policy(rule(modes=["attached", "open"])))

    def __enter__(self):
        self.daemon.keep_host()
        assert self.daemon.start() is None, self.daemon.log_text()
        return self.daemon

    def __exit__(self, *raised):
        self.daemon.__exit__(*raised)


def recover(daemon, drivers):
    """Starts the next broker and waits until it has put everything right; then everything can be claimed again."""
    assert daemon.start() is None, daemon.log_text()
    daemon.control({"await": {"plans": 0}})
    with daemon.connect() as peer:
        for entry in peer.ask("ListClaims")["claims"]:
            reply = peer.call("Release", {"claim": entry["id"]})
            assert reply.get("parameters", {}).get("state") == "free" or "error" in reply, reply
        assert peer.ask("ListClaims")["claims"] == [], peer.ask("ListClaims")
        assert host_drivers(daemon) == drivers, (host_drivers(daemon), drivers)
        reply = claim(peer, EDU)
        close_all(reply)
        assert peer.call("Release", {"claim": reply["claim"]}) is not None
    assert os.listdir(os.path.join(daemon.runtime, "claims")) in ([], [reply["claim"] + ".json"])
    daemon.control({"await": {"plans": 0}})


def kill_while_hung(daemon):
    daemon.control({"await": {"hung": 1}})
    daemon.kill()
    daemon.control({"unhang": True})
    daemon.control({"await": {"plans": 0}})


CLAIM_STEPS = [("override", EDU), ("override", NIC), ("override", SECOND_EDU), ("unbind", NIC), ("probe", EDU),
               ("context", None), ("open", EDU), ("bind", EDU), ("ioas", None), ("attach", EDU), ("result", None)]
RELEASE_STEPS = [("prove-no-holder", EDU), ("prove-unbound", EDU), ("bus-master-off", EDU), ("reset", EDU),
                 ("unbind-vfio", EDU), ("restore", EDU), ("restore", NIC), ("restore", SECOND_EDU), ("result", None)]


def fault(step, device):
    return {"step": step, "times": 1, **({"device": device} if device else {})}


@test
def killed_in_a_claim():
    """F1: killed at every step of a claim, the next start puts the host back as it was"""
    for step, device in CLAIM_STEPS:
        with Host() as daemon:
            drivers = host_drivers(daemon)
            peer = daemon.connect()
            daemon.control({"hang": fault(step, device)})
            peer.send_call("org.ioasid1.Claim", {"devices": [EDU]})
            kill_while_hung(daemon)
            peer.close()
            recover(daemon, drivers)


@test
def killed_in_an_undo():
    """F1: killed while a failed claim is being undone, the next start puts the host back as it was"""
    for step, device in CLAIM_STEPS[:5]:
        with Host() as daemon:
            drivers = host_drivers(daemon)
            peer = daemon.connect()
            daemon.control({"fail": fault("attach", EDU)})
            daemon.control({"hang": {**fault(step, device), "undo": True}})
            peer.send_call("org.ioasid1.Claim", {"devices": [EDU]})
            kill_while_hung(daemon)
            peer.close()
            recover(daemon, drivers)


@test
def killed_in_a_release():
    """F1: killed at every step of a release, the next start completes it"""
    for step, device in RELEASE_STEPS:
        with Host() as daemon:
            drivers = host_drivers(daemon)
            peer = daemon.connect()
            reply = claim(peer, EDU)
            daemon.control({"hang": fault(step, device)})
            close_all(reply)
            kill_while_hung(daemon)
            peer.close()
            recover(daemon, drivers)


@test
def killed_while_held():
    """killed while a claim is held: its client keeps its FDs, and the claim lingers until they are closed"""
    with Host() as daemon:
        drivers = host_drivers(daemon)
        peer = daemon.connect()
        reply = claim(peer, EDU)
        daemon.kill()
        peer.close()
        assert daemon.start() is None, daemon.log_text()
        with daemon.connect() as peer:
            daemon.control({"await": {"plans": 0}})
            entry = peer.ask("ListClaims")["claims"][0]
            assert entry["id"] == reply["claim"] and entry["state"] in ("lingering", "releasing"), entry
            assert peer.fail("Claim", {"devices": [EDU]})[1]["status"] == 4
            assert peer.fail("Claim", {"devices": [SECOND_EDU]})[1]["status"] == 4
            close_all(reply)
            assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
            assert host_drivers(daemon) == drivers


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
        body = json.dumps(entry["claim"], separators=(",", ":"))
        value = 0xcbf29ce484222325
        for byte in body.encode():
            value = ((value ^ byte) * 0x100000001b3) % 2**64
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write('{"checksum":"%016x","claim":%s}' % (value, body))
        assert daemon.start() is None, daemon.log_text()
        assert os.listdir(folder) == [], os.listdir(folder)


if __name__ == "__main__":
    run(TESTS)
