#!/usr/bin/env python3
"""Claims that linger for somebody who can't be found, and the operator's way out: lingering_test.py IOASIDD SIMULATOR
[TEST]…"""
import array
import os
import socket

from broker_test import ALICE, BOB, claim, wait_free
from claims import host_drivers
from harness import Daemon, needs_root, run
from hosts import ALONE, FLR_NIC, group_host, policy, rule, small_host

TESTS = []
CARDS = rule("cards", device={"id": ["1234:11e8", "8086:10d3"]})
# What the kernel says to our own BIND, or to our own open of the group.
REFUSALS = [(small_host, "prove-unbound", "EINVAL"), (small_host, "prove-unbound", "EBUSY"),
            (small_host, "prove-unbound", "EPERM"), (group_host, "prove-group-free", "EBUSY")]


def test(function):
    TESTS.append(function)
    return function


def operators(*rules):
    return policy(*rules or [CARDS], operators={"user": [BOB]})


def put_into_flight(reply):
    """The device's FD goes into a socket that nobody reads, all else is closed. Returns what keeps it there."""
    ours, theirs = socket.socketpair()
    fd = reply["devices"][0]["fd"]
    if fd is None:
        fd = reply["groups"][0]["fd"]
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    close_all(reply)
    return ours, theirs


def state_of(peer, claim_id):
    found = [entry for entry in peer.ask("ListClaims")["claims"] if entry["id"] == claim_id]
    return (found[0]["state"], found[0]["note"]) if found else ("free", None)


@test
def a_refusal_that_no_holder_is_behind():
    """where the kernel refuses the proof though nobody has the device, an operator has it unbound, and it is free"""
    needs_root()
    for host, step, error in REFUSALS:
        with Daemon(host(), operators()) as daemon, daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
            drivers = host_drivers(daemon)
            for device in (ALONE, FLR_NIC):
                reply = claim(alice, device)
                daemon.control({"fail": {"step": step, "errno": error}})
                close_all(reply, "lease")
                # Its owner's release is but one more try, and says what is known.
                for _ in range(2):
                    answer = alice.ask("Release", {"claim": reply["claim"]})
                    assert answer["state"] == "lingering", (step, error, answer)
                    assert "could not be found" in answer["note"] and error in answer["note"], answer
                    assert "operator" in answer["note"] and "revoke --unbind" in answer["note"], answer
                assert state_of(bob, reply["claim"])[0] == "lingering"
                warnings = bob.ask("GetStatus")["warnings"]
                assert len(warnings) == 1 and reply["claim"] in warnings[0], warnings
                # Nor does it help to ask as an operator, who is not told to wait for something that hangs.
                assert bob.ask("Release", {"claim": reply["claim"]})["state"] == "lingering"
                assert alice.fail("Revoke", {"claim": reply["claim"], "unbind": True})[0] == "org.ioasid1.OperatorsOnly"
                assert bob.ask("Revoke", {"claim": reply["claim"]}) == {}
                bob.ask("Revoke", {"claim": reply["claim"], "unbind": True})
                wait_free(bob, reply["claim"])
                assert bob.ask("GetStatus")["warnings"] == []
                daemon.control({"clear_faults": True})
                assert host_drivers(daemon) == drivers, (step, error)
                close_all(claim(alice, device))


def close_all(reply, *apart):
    """Closes what a reply gave, of several forms; with "lease" the lease alone stays."""
    fds = [entry["fd"] for entry in reply["devices"] + reply["groups"]]
    fds += [reply[name] for name in ("iommufd", "container", "lease") if name not in apart]
    for fd in fds:
        if fd is not None:
            os.close(fd)


@test
def a_revocation_from_the_begin():
    """whoever says so when he revokes a claim that is held need not come again when it lingers"""
    with Daemon(small_host(), operators()) as daemon, daemon.connect() as peer:
        reply = claim(peer, ALONE)
        daemon.control({"fail": {"step": "prove-unbound", "errno": "EINVAL"}})
        for wrong in ("yes", 1, []):
            assert peer.fail("Revoke", {"claim": reply["claim"], "unbind": wrong})[1] == {"parameter": "unbind"}
        close_all(reply, "lease")
        peer.ask("Revoke", {"claim": reply["claim"], "grace": 0, "unbind": True})
        while state_of(peer, reply["claim"])[0] != "free":
            assert daemon.process.poll() is None
        os.close(reply["lease"])


@test
def an_fd_in_flight():
    """an FD in a socket is waited for by the unbind: the claim is stuck, not free, until it is closed, and then free"""
    for host in (small_host, group_host):
        # Longer than the second for which a last close is waited for.
        with Daemon(host(), operators(), "--plan-deadline", "3") as daemon, daemon.connect() as peer:
            drivers = host_drivers(daemon)
            reply = claim(peer, ALONE)
            flight = put_into_flight(reply)
            while state_of(peer, reply["claim"])[0] != "lingering":
                assert daemon.process.poll() is None
            assert "could not be found" in state_of(peer, reply["claim"])[1]
            # To ask again changes nothing, and is answered at once.
            assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "lingering"
            peer.ask("Revoke", {"claim": reply["claim"], "unbind": True})
            while state_of(peer, reply["claim"])[0] != "stuck":
                assert daemon.process.poll() is None
            assert peer.fail("Claim", {"devices": [ALONE]})[0] == "org.ioasid1.Busy"
            for end in flight:
                end.close()
            while state_of(peer, reply["claim"])[0] != "free":
                assert daemon.process.poll() is None
            assert host_drivers(daemon) == drivers
            close_all(claim(peer, ALONE))


@test
def a_holder_who_is_known():
    """nothing is unbound under a process that is seen to hold the device, whoever asks"""
    with Daemon(small_host(), operators()) as daemon, daemon.connect() as peer:
        reply = claim(peer, ALONE)
        os.close(reply["lease"])
        for _ in range(3):
            peer.ask("Revoke", {"claim": reply["claim"], "grace": 0, "unbind": True})
            answer = peer.ask("Release", {"claim": reply["claim"]})
            assert answer["state"] == "lingering" and f"[{os.getpid()}]" in answer["note"], answer
        assert peer.ask("GetStatus")["warnings"] == []
        for fd in [entry["fd"] for entry in reply["devices"]] + [reply["iommufd"]]:
            os.close(fd)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"


@test
def a_reset_that_is_required():
    """the reset comes after the unbind, and a claim whose rule requires it is not free without"""
    needs_reset = rule("cards", device={"id": ["8086:10d3"]}, reset="require")
    with Daemon(small_host(), operators(needs_reset)) as daemon, daemon.connect() as peer:
        reply = claim(peer, FLR_NIC)
        daemon.control({"fail": {"step": "prove-unbound", "errno": "EINVAL"}},
                       {"fail": {"step": "reset", "errno": "EIO", "times": 1}})
        close_all(reply, "lease")
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "lingering"
        peer.ask("Revoke", {"claim": reply["claim"], "unbind": True})
        while state_of(peer, reply["claim"])[0] != "quarantined":
            assert daemon.process.poll() is None and state_of(peer, reply["claim"])[0] != "free"
        os.close(reply["lease"])


@test
def others_do_not_learn_of_it():
    """who is no operator is told that a claim lingers, and not which"""
    needs_root()
    with Daemon(small_host(),
                operators()) as daemon, daemon.connect_as(ALICE) as alice, daemon.connect_as(4711) as other:
        reply = claim(alice, ALONE)
        daemon.control({"fail": {"step": "prove-unbound", "errno": "EINVAL"}})
        close_all(reply, "lease")
        assert alice.ask("Release", {"claim": reply["claim"]})["state"] == "lingering"
        warning, = other.ask("GetStatus")["warnings"]
        assert "1 claim lingers" in warning and reply["claim"] not in warning, warning
        assert other.fail("Release", {"claim": reply["claim"]})[0] == "org.ioasid1.NotFound"
        os.close(reply["lease"])


if __name__ == "__main__":
    run(TESTS)
