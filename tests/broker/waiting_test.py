#!/usr/bin/env python3
"""Claims that wait for a release that is in their way. waiting_test.py IOASIDD SIMULATOR [TEST]…"""
import os
import time

from claims import (claim, close_all, host_drivers, product_fds, take_indices, wait_free, wait_free_after_stuck)
from harness import Daemon, needs_root, run
from hosts import ALONE, EDU, NIC, SECOND_EDU, group_host, policy, rule, small_host

ALICE, BOB = 60001, 60002
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def release_that_hangs(daemon, peer, *devices, step="reset"):
    """Claims and closes everything; the claim's id. Its release hangs."""
    reply = claim(peer, *devices)
    daemon.control({"hang": {"step": step, "times": 1}})
    close_all(reply)
    daemon.control({"await": {"hung": 1}})
    return reply["claim"]


def send_claim(daemon, peer, *devices, method="Claim", **more):
    """Sends a claim that is not answered yet: its survey came before that of a second claim, which no rule allows."""
    peer.send_call("org.ioasid1." + method, {"devices": list(devices), **more} if method == "Claim" else more)
    with daemon.connect() as other:
        assert other.fail("Claim", {"devices": [ALONE], "mode": "open"})[0] == "org.ioasid1.RefusedByPolicy"
    assert not is_answered(peer)


def is_answered(peer):
    peer.sock.setblocking(False)
    try:
        return peer.sock.recv(1, 2) != b""  # MSG_PEEK
    except BlockingIOError:
        return False
    finally:
        peer.sock.settimeout(30)


def receive_claim(peer):
    reply = peer.receive()
    assert "error" not in reply, reply
    reply = reply["parameters"]
    take_indices(reply, peer.take_fds())
    peer.ask("Acknowledge", {"claim": reply["claim"]})
    return reply


@test
def waits_for_a_release():
    """a claim that only a release is in the way of waits for it, and gets its device: the same one, or a sibling"""
    for host in (small_host(), group_host()):
        with Daemon(host, policy()) as daemon:
            before, drivers = product_fds(daemon), host_drivers(daemon)
            with daemon.connect() as peer:
                for wanted in ([EDU], [SECOND_EDU], [EDU, SECOND_EDU, ALONE]):
                    release_that_hangs(daemon, peer, EDU)
                    send_claim(daemon, peer, *wanted)
                    # Plan says how things are, at once.
                    with daemon.connect() as planner:
                        assert planner.ask("Plan", {"devices": wanted})["plan"]["status"] == 4
                    daemon.control({"unhang": True})
                    reply = receive_claim(peer)
                    assert [entry["name"] for entry in reply["devices"]] == wanted
                    close_all(reply)
                    wait_free(peer, reply["claim"])
            assert product_fds(daemon) == before and host_drivers(daemon) == drivers


@test
def one_after_the_other():
    """claims that follow each other at once, as commands do in a shell, all succeed"""
    with Daemon(small_host(), policy()) as daemon:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        for _ in range(50):
            with daemon.connect() as peer:
                reply = claim(peer, EDU)
                close_all(reply)
        with daemon.connect() as peer:
            wait_free(peer, reply["claim"])
        assert product_fds(daemon) == before and host_drivers(daemon) == drivers


@test
def addition_waits():
    """AddDevice waits, too; and is refused if its claim is not quiet any more when its turn comes"""
    with Daemon(small_host(), policy(rule())) as daemon:
        before = product_fds(daemon)
        with daemon.connect() as peer, daemon.connect() as other:
            reply = claim(peer, EDU)
            release_that_hangs(daemon, other, ALONE)
            send_claim(daemon, peer, method="AddDevice", claim=reply["claim"], device=ALONE)
            daemon.control({"unhang": True})
            added = peer.receive()["parameters"]
            take_indices(added, peer.take_fds())
            peer.ask("Acknowledge", {"claim": reply["claim"]})
            for entry in added["devices"]:
                os.close(entry["fd"])
            peer.ask("RemoveDevice", {"claim": reply["claim"], "device": ALONE})
            # While the one waits another addition is offered to somebody else: there is no second offer beside it.
            release_that_hangs(daemon, other, ALONE)
            send_claim(daemon, peer, method="AddDevice", claim=reply["claim"], device=ALONE)
            added = other.ask("AddDevice", {"claim": reply["claim"], "device": SECOND_EDU})
            daemon.control({"unhang": True})
            answer = peer.receive()
            assert answer["error"] == "org.ioasid1.WrongState", answer
            other.ask("Acknowledge", {"claim": reply["claim"]})
            assert len(other.fds) == 1
            # Or the claim is gone.
            release_that_hangs(daemon, peer, ALONE)
            send_claim(daemon, peer, method="AddDevice", claim=reply["claim"], device=ALONE)
            for fd in other.take_fds():
                os.close(fd)
            close_all(reply)
            wait_free(other, reply["claim"])
            daemon.control({"unhang": True})
            assert peer.receive()["error"] == "org.ioasid1.NotFound"
        assert product_fds(daemon) == before


@test
def release_that_does_not_succeed():
    """a release that ends otherwise is waited for no longer: lingering and quarantined are Busy at once"""
    for state in ("lingering", "quarantined"):
        with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
            before = product_fds(daemon)
            reply = claim(peer, ALONE)
            kept = os.dup(reply["devices"][0]["fd"])
            daemon.control({"hang": {"step": "prove-no-holder", "times": 1}})
            close_all(reply)
            daemon.control({"await": {"hung": 1}})
            send_claim(daemon, peer, ALONE)
            if state == "quarantined":
                os.close(kept)
                daemon.control({"unhang": True}, {"fail": {"step": "restore", "times": 1}})
            else:
                daemon.control({"unhang": True})
            answer = peer.receive()
            assert answer["error"] == "org.ioasid1.Busy", answer
            assert state.rstrip("ed") in answer["parameters"]["message"], answer
            if state == "lingering":
                os.close(kept)
            wait_free(peer, reply["claim"])
            assert product_fds(daemon) == before


@test
def release_that_gets_stuck():
    """a release that passes its deadline is waited for no longer"""
    with Daemon(small_host(), policy(), "--plan-deadline", "1") as daemon, daemon.connect() as peer:
        name = release_that_hangs(daemon, peer, ALONE)
        send_claim(daemon, peer, ALONE)
        answer = peer.receive()
        assert answer["error"] == "org.ioasid1.Busy" and "stuck" in answer["parameters"]["message"], answer
        daemon.control({"unhang": True})
        wait_free_after_stuck(daemon, peer, name)


@test
def not_for_ever():
    """after ten seconds the claim is refused as if it had not waited, and the next one waits anew"""
    with Daemon(small_host(), policy()) as daemon:
        before = product_fds(daemon)
        with daemon.connect() as peer:
            release_that_hangs(daemon, peer, ALONE)
            started = time.monotonic()
            error, parameters = peer.fail("Claim", {"devices": [ALONE]})
            assert error == "org.ioasid1.Busy" and "releas" in parameters["message"], parameters
            assert 9.9 < time.monotonic() - started < 20, time.monotonic() - started
            send_claim(daemon, peer, ALONE)
            daemon.control({"unhang": True})
            reply = receive_claim(peer)
            close_all(reply)
            wait_free(peer, reply["claim"])
        assert product_fds(daemon) == before


@test
def other_reasons():
    """who is refused for any other reason is told so at once"""
    with Daemon(small_host(), policy(rule(lockout={"named": [NIC, SECOND_EDU]}))) as daemon, daemon.connect() as peer:
        held = claim(peer, ALONE)
        release_that_hangs(daemon, peer, EDU)
        assert peer.fail("Claim", {"devices": [EDU, ALONE]})[0] == "org.ioasid1.Busy"
        assert peer.fail("Claim", {"devices": [EDU], "mode": "open"})[0] == "org.ioasid1.RefusedByPolicy"
        assert peer.fail("Claim", {"devices": [EDU, "0000:99:00.0"]})[0] == "org.ioasid1.NotFound"
        daemon.control({"unhang": True})
        close_all(held)


@test
def waits_for_a_limit():
    """a user whose rule gives him one device waits for the release of the one he had, but not beside one he holds"""
    with Daemon(small_host(), policy(rule(limits={"devices": 1}))) as daemon, daemon.connect() as peer:
        release_that_hangs(daemon, peer, ALONE)
        send_claim(daemon, peer, EDU)
        daemon.control({"unhang": True})
        reply = receive_claim(peer)
        assert peer.fail("Claim", {"devices": [ALONE]})[0] == "org.ioasid1.RefusedByPolicy"
        name = reply["claim"]
        daemon.control({"hang": {"step": "reset", "times": 1}})
        close_all(reply)
        daemon.control({"await": {"hung": 1}})
        assert peer.fail("Claim", {"devices": [ALONE, EDU]})[0] == "org.ioasid1.RefusedByPolicy"
        daemon.control({"unhang": True})
        wait_free(peer, name)


@test
def who_leaves_is_forgotten():
    """a client that disconnects while it waits gets nothing, and nothing is left of it"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as watcher:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        name = release_that_hangs(daemon, watcher, EDU)
        waiting = [daemon.connect() for _ in range(10)]
        for peer in waiting:
            send_claim(daemon, peer, EDU)
        for peer in waiting:
            peer.close()
        assert product_fds(daemon) == before
        daemon.control({"unhang": True})
        wait_free(watcher, name)
        daemon.control({"await": {"plans": 0}})
        assert watcher.ask("ListClaims")["claims"] == [] and host_drivers(daemon) == drivers
        assert product_fds(daemon) == before


@test
def many_wait():
    """of many that wait the first gets it, the others are refused, nobody is forgotten, and no FD is left"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as watcher:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        for _ in range(3):
            release_that_hangs(daemon, watcher, EDU)
            waiting = [daemon.connect() for _ in range(200)]
            for peer in waiting:
                send_claim(daemon, peer, EDU)
            # Every second one leaves.
            for peer in waiting[2::2]:
                peer.close()
            daemon.control({"unhang": True})
            reply = receive_claim(waiting[0])
            for peer in waiting[1::2]:
                assert peer.receive()["error"] == "org.ioasid1.Busy"
                peer.close()
            close_all(reply)
            waiting[0].close()
            wait_free(watcher, reply["claim"])
            assert product_fds(daemon) == before and host_drivers(daemon) == drivers


@test
def stopped_while_they_wait():
    """a daemon that is stopped while claims wait ends in order"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        release_that_hangs(daemon, peer, EDU)
        waiting = [daemon.connect() for _ in range(10)]
        for other in waiting:
            send_claim(daemon, other, EDU)
        daemon.process.terminate()
        assert daemon.process.wait(30) == 0
        for other in waiting:
            assert other.receive() is None
            other.close()


@test
def another_users_release():
    """who waits for another user's claim is served as well, and learns nothing of it"""
    needs_root()
    with Daemon(small_host(), policy(rule(user=[str(ALICE), str(BOB)]))) as daemon:
        with daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
            release_that_hangs(daemon, alice, EDU)
            send_claim(daemon, bob, EDU)
            daemon.control({"unhang": True})
            close_all(receive_claim(bob))


if __name__ == "__main__":
    run(TESTS)
