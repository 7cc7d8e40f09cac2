#!/usr/bin/env python3
"""Each question gets its one answer, whatever else is done to its claim meanwhile. answers_test.py IOASIDD SIMULATOR"""
import os

from claims import (claim, close_all, close_all_but_lease, host_drivers, product_fds, wait_free,
                    wait_free_after_stuck)
from harness import Daemon, run
from hosts import ALONE, EDU, NIC, group_host, policy, small_host

SHORT = ("--plan-deadline", "1")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def hang(daemon, step, device=None):
    daemon.control({"hang": {"step": step, "times": 1, **({"device": device} if device else {})}})


def claim_in_preparation(daemon, peer, device=EDU, step="bind"):
    """Sends a claim whose plan hangs; its id."""
    hang(daemon, step)
    peer.send_call("org.ioasid1.Claim", {"devices": [device]})
    daemon.control({"await": {"hung": 1}})
    with daemon.connect() as watcher:
        entry = watcher.ask("ListClaims")["claims"][-1]
        assert entry["state"] == "preparing", entry
        return entry["id"]


def send_release(daemon, peer, claim_id):
    """Sends a release that is not answered yet; it is taken up when this returns."""
    peer.send_call("org.ioasid1.Release", {"claim": claim_id})
    with daemon.connect() as other:
        other.ask("GetStatus")


def again_and_equal(daemon, before, drivers, device=EDU):
    """The broker is at rest and whole: the device can be claimed and released, and no FD is left."""
    with daemon.connect() as peer:
        reply = claim(peer, device)
        close_all(reply)
        wait_free(peer, reply["claim"])
    assert product_fds(daemon) == before and host_drivers(daemon) == drivers


@test
def release_of_a_claim_that_fails():
    """released while it is being prepared, a claim that then fails answers both: Failed, and free"""
    with Daemon(small_host(), policy()) as daemon:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        with daemon.connect() as asker, daemon.connect() as other:
            daemon.control({"fail": {"step": "attach", "times": 1}})
            name = claim_in_preparation(daemon, asker)
            send_release(daemon, other, name)
            daemon.control({"unhang": True})
            assert asker.receive()["error"] == "org.ioasid1.Failed"
            assert other.receive()["parameters"] == {"state": "free", "note": None}
        again_and_equal(daemon, before, drivers)


@test
def release_of_a_claim_that_succeeds():
    """released while it is being prepared, a claim gives out nothing: Failed says so, the release says free"""
    for host in (small_host(), group_host()):
        with Daemon(host, policy()) as daemon:
            before, drivers = product_fds(daemon), host_drivers(daemon)
            with daemon.connect() as asker, daemon.connect() as other:
                name = claim_in_preparation(daemon, asker, step="bind" if host["kernel"]["iommufd"] else "group")
                send_release(daemon, other, name)
                daemon.control({"unhang": True})
                answer = asker.receive()
                assert answer["error"] == "org.ioasid1.Failed" and asker.fds == [], answer
                assert "released" in answer["parameters"]["message"], answer
                assert other.receive()["parameters"] == {"state": "free", "note": None}
            again_and_equal(daemon, before, drivers)


@test
def release_of_a_claim_that_breaks():
    """released while it is being prepared, a claim that can't be undone answers both: Failed, and quarantined"""
    with Daemon(small_host(), policy()) as daemon:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        with daemon.connect() as asker, daemon.connect() as other:
            daemon.control({"fail": {"step": "attach", "times": 1}},
                           {"fail": {"step": "override", "device": NIC, "undo": True, "times": 1}})
            name = claim_in_preparation(daemon, asker)
            send_release(daemon, other, name)
            daemon.control({"unhang": True})
            assert asker.receive()["error"] == "org.ioasid1.Failed"
            state = other.receive()["parameters"]
            assert state["state"] == "quarantined" and state["note"], state
            wait_free(other, name)
        again_and_equal(daemon, before, drivers)


@test
def release_of_a_claim_that_is_overdue():
    """released while it is being prepared, a claim that passes its deadline answers both: Failed, and stuck"""
    with Daemon(small_host(), policy(), *SHORT) as daemon:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        with daemon.connect() as asker, daemon.connect() as other:
            name = claim_in_preparation(daemon, asker)
            send_release(daemon, other, name)
            assert asker.receive()["error"] == "org.ioasid1.Failed"
            assert other.receive()["parameters"]["state"] == "stuck"
            daemon.control({"unhang": True})
            wait_free_after_stuck(daemon, other, name)
        again_and_equal(daemon, before, drivers)


@test
def release_during_an_addition():
    """released while it grows, a claim answers both, whether the addition succeeds, fails, or its lease ended"""
    for fails in (False, True):
        for by_lease in (False, True):
            with Daemon(small_host(), policy()) as daemon:
                before, drivers = product_fds(daemon), host_drivers(daemon)
                with daemon.connect() as asker, daemon.connect() as other:
                    reply = claim(asker, EDU)
                    hang(daemon, "open", ALONE)
                    if fails:
                        daemon.control({"fail": {"step": "bind", "device": ALONE, "times": 1}})
                    asker.send_call("org.ioasid1.AddDevice", {"claim": reply["claim"], "device": ALONE})
                    daemon.control({"await": {"hung": 1}})
                    close_all_but_lease(reply)
                    if by_lease:
                        os.close(reply["lease"])
                    send_release(daemon, other, reply["claim"])
                    daemon.control({"unhang": True})
                    answer = asker.receive()
                    assert answer["error"] == "org.ioasid1.Failed" and asker.fds == [], answer
                    assert fails or "released" in answer["parameters"]["message"], answer
                    assert other.receive()["parameters"] == {"state": "free", "note": None}
                    if not by_lease:
                        os.close(reply["lease"])
                again_and_equal(daemon, before, drivers)


@test
def release_during_an_overdue_addition():
    """released while an addition hangs, before or after its deadline, a claim is stuck, and free when it is let go"""
    for step, method in (("open", "AddDevice"), ("reset", "RemoveDevice")):
        for early in (True, False):
            with Daemon(small_host(), policy(), *SHORT) as daemon:
                before, drivers = product_fds(daemon), host_drivers(daemon)
                with daemon.connect() as asker, daemon.connect() as other:
                    reply = claim(asker, EDU, *([ALONE] if method == "RemoveDevice" else []))
                    if method == "RemoveDevice":
                        os.close(reply["devices"].pop()["fd"])
                    hang(daemon, step, ALONE)
                    asker.send_call("org.ioasid1." + method, {"claim": reply["claim"], "device": ALONE})
                    daemon.control({"await": {"hung": 1}})
                    if early:
                        send_release(daemon, other, reply["claim"])
                    answer = asker.receive()
                    assert answer["error"] == "org.ioasid1.Failed" and "deadline" in answer["parameters"]["message"]
                    if not early:
                        assert other.ask("ListClaims")["claims"][0]["state"] == "held"
                        send_release(daemon, other, reply["claim"])
                    state = other.receive()["parameters"]
                    assert state["state"] == "stuck" and "deadline" in state["note"], state
                    assert other.ask("Release", {"claim": reply["claim"]}) == state
                    close_all(reply)
                    daemon.control({"unhang": True})
                    wait_free_after_stuck(daemon, other, reply["claim"])
                again_and_equal(daemon, before, drivers)


@test
def lease_ends_during_an_overdue_removal():
    """a lease that ends while a removal hangs makes the claim stuck, and free when it is let go"""
    with Daemon(small_host(), policy(), *SHORT) as daemon:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        with daemon.connect() as asker:
            reply = claim(asker, EDU, ALONE)
            hang(daemon, "reset", ALONE)
            os.close(reply["devices"].pop()["fd"])
            asker.send_call("org.ioasid1.RemoveDevice", {"claim": reply["claim"], "device": ALONE})
            assert asker.receive()["error"] == "org.ioasid1.Failed"
            close_all(reply)
            while (entry := asker.ask("ListClaims")["claims"][0])["state"] == "held":
                assert daemon.process.poll() is None
            assert entry["state"] == "stuck" and "deadline" in entry["note"], entry
            daemon.control({"unhang": True})
            wait_free_after_stuck(daemon, asker, reply["claim"])
        again_and_equal(daemon, before, drivers)


@test
def release_while_unmapping():
    """a release that comes while a lingering claim is being unmapped is answered when that is through"""
    with Daemon(group_host(), policy()) as daemon:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        with daemon.connect() as first, daemon.connect() as second:
            reply = claim(first, EDU)
            kept = os.dup(reply["devices"][0]["fd"])
            hang(daemon, "unmap")
            close_all(reply)
            send_release(daemon, first, reply["claim"])
            daemon.control({"await": {"hung": 1}})
            send_release(daemon, second, reply["claim"])
            daemon.control({"unhang": True})
            for peer in (first, second):
                state = peer.receive()["parameters"]
                assert state["state"] == "lingering" and state["note"].endswith("its mappings were removed"), state
            assert daemon.control({"state": True})["unmapped"] == 1
            os.close(kept)
            wait_free(first, reply["claim"])
        again_and_equal(daemon, before, drivers)


@test
def unmapping_overdue():
    """an unmapping that passes its deadline is said, and keeps nobody waiting; let go, the claim goes on"""
    # Longer than the second for which a last close is waited for.
    with Daemon(group_host(), policy(), "--plan-deadline", "3") as daemon:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        with daemon.connect() as peer:
            reply = claim(peer, EDU)
            kept = os.dup(reply["devices"][0]["fd"])
            hang(daemon, "unmap")
            close_all(reply)
            for _ in range(2):
                state = peer.ask("Release", {"claim": reply["claim"]})
                assert state["state"] == "lingering" and EDU in state["note"], state
                assert "mappings" in state["note"] and "were removed" not in state["note"], state
            daemon.control({"unhang": True})
            os.close(kept)
            wait_free_after_stuck(daemon, peer, reply["claim"], "lingering")
        again_and_equal(daemon, before, drivers)


@test
def unmapping_fails():
    """an unmapping that fails is logged and not claimed to have been done; the next try makes up for it"""
    with Daemon(group_host(), policy()) as daemon, daemon.connect() as peer:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        reply = claim(peer, EDU)
        kept = os.dup(reply["devices"][0]["fd"])
        daemon.control({"fail": {"step": "unmap", "times": 1}})
        close_all(reply)
        state = peer.ask("Release", {"claim": reply["claim"]})
        assert state["state"] == "lingering" and "were removed" not in state["note"], state
        state = peer.ask("Release", {"claim": reply["claim"]})
        assert state["note"].endswith("its mappings were removed"), state
        os.close(kept)
        wait_free(peer, reply["claim"])
        again_and_equal(daemon, before, drivers)


if __name__ == "__main__":
    run(TESTS)
