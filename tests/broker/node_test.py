#!/usr/bin/env python3
"""Mode node: nodes that the claim's user may open, on hosts with and without iommufd. node_test.py IOASIDD SIMULATOR"""
import os
import select
import signal

from claims import (add, claim, close_all, close_all_but_lease, host_drivers, product_fds, states, wait_free,
                    wait_free_after_stuck)
from harness import Daemon, needs_root, run
from hosts import ALONE, EDU, FLR_NIC, NIC, SECOND_EDU, group_host, policy, rule, small_host

ALICE, BOB = 60001, 60002
GROUP, IOMMUFD = "group", "iommufd"
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def node_daemon(interface, *rules, arguments=()):
    rules = rules or [rule(user=[str(ALICE), str(BOB)], modes=["attached", "node"],
                           device={"address": [EDU, SECOND_EDU, ALONE, FLR_NIC]})]
    return Daemon(group_host() if interface == GROUP else small_host(), policy(*rules), *arguments)


def acls(daemon):
    return daemon.control({"state": True})["acls"]


def may_open(daemon, device, uid):
    """Has the user open the device by its path; the process's pid, or None: no ACL lets him, or it has no node."""
    try:
        return daemon.control({"open_node": {"device": device, "uid": uid}})["pid"]
    except AssertionError as refused:
        assert "Permission denied" in str(refused) or "No such file" in str(refused), refused
        return None


def end(pid):
    """Ends such a process, and waits until it has."""
    pidfd = os.pidfd_open(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    select.select([pidfd], [], [])
    os.close(pidfd)


@test
def whole_life():
    """nodes are listed and open to their user alone; an iommufd comes along where there is one; all is taken back"""
    needs_root()
    for interface in (GROUP, IOMMUFD):
        with node_daemon(interface) as daemon, daemon.connect_as(ALICE) as peer:
            before, drivers = product_fds(daemon), host_drivers(daemon)
            reply = claim(peer, ALONE, EDU, mode="node")
            assert reply["mode"] == "node" and reply["interface"] == interface, reply
            assert reply["container"] is None and reply["groups"] == [] and reply["ioas_id"] is None, reply
            assert (reply["iommufd"] is not None) == (interface == IOMMUFD)
            assert [entry["fd"] for entry in reply["devices"]] == [None, None]
            nodes = [entry["nodes"] for entry in reply["devices"]]
            assert [names[-1] for names in nodes] == ["/dev/vfio/2", "/dev/vfio/1"], nodes
            assert all(len(names) == (2 if interface == IOMMUFD else 1) for names in nodes), nodes
            assert all(names[0].startswith("/dev/vfio/devices/vfio") for names in nodes if len(names) == 2), nodes
            assert acls(daemon) == {"": [ALICE], ALONE: [ALICE], EDU: [ALICE]}, acls(daemon)
            assert may_open(daemon, EDU, BOB) is None and may_open(daemon, SECOND_EDU, ALICE) is None
            entry = peer.ask("ListClaims")["claims"][0]
            assert entry["mode"] == "node" and entry["interface"] == interface, entry
            close_all(reply)
            wait_free(peer, reply["claim"])
            assert acls(daemon) == {} and host_drivers(daemon) == drivers and product_fds(daemon) == before
            assert may_open(daemon, EDU, ALICE) is None


@test
def root_needs_no_acl():
    """root's claims work, and leave no ACL"""
    needs_root()
    with node_daemon(GROUP, rule(modes=["node"])) as daemon, daemon.connect() as peer:
        reply = claim(peer, ALONE, mode="node")
        assert acls(daemon) == {} and reply["devices"][0]["nodes"] == ["/dev/vfio/2"]
        close_all(reply)
        wait_free(peer, reply["claim"])


@test
def opened_by_path():
    """a program that opened by path makes it linger, named, with no ACL left; with its end all is free"""
    needs_root()
    for interface in (GROUP, IOMMUFD):
        with node_daemon(interface) as daemon, daemon.connect_as(ALICE) as peer:
            before = product_fds(daemon)
            reply = claim(peer, EDU, mode="node")
            pid = may_open(daemon, EDU, ALICE)
            assert pid, interface
            close_all_but_lease(reply)
            state = peer.ask("Release", {"claim": reply["claim"]})
            assert state["state"] == "lingering" and f"node-opener[{pid}]" in state["note"], state
            # Its mappings are in a context that the broker has no copy of, where there is no iommufd.
            assert ("mappings were removed" in state["note"]) == (interface == IOMMUFD), state
            assert acls(daemon) == {} and may_open(daemon, EDU, ALICE) is None
            assert peer.fail("Claim", {"devices": [EDU], "mode": "node"})[0] == "org.ioasid1.Busy"
            end(pid)
            wait_free(peer, reply["claim"])
            os.close(reply["lease"])
            assert product_fds(daemon) == before, interface


@test
def revoked_before_the_search():
    """while holders are looked for nobody can open a node any more"""
    needs_root()
    for interface in (GROUP, IOMMUFD):
        with node_daemon(interface) as daemon, daemon.connect_as(ALICE) as peer:
            reply = claim(peer, EDU, mode="node")
            assert may_open(daemon, EDU, BOB) is None
            daemon.control({"hang": {"step": "prove-no-holder", "times": 1}})
            close_all(reply)
            daemon.control({"await": {"hung": 1}})
            assert acls(daemon) == {} and may_open(daemon, EDU, ALICE) is None
            daemon.control({"unhang": True})
            wait_free(peer, reply["claim"])


@test
def failing_claim():
    """SR-32: whichever step of a node claim fails, no node stays open to anybody, and a retry works"""
    needs_root()
    steps = [("override", EDU), ("unbind", NIC), ("probe", EDU), ("grant", EDU), ("grant", ALONE), ("grant", None)]
    for interface in (GROUP, IOMMUFD):
        with node_daemon(interface) as daemon, daemon.connect_as(ALICE) as peer:
            drivers, before = host_drivers(daemon), product_fds(daemon)
            for step, device in steps + ([("context", None)] if interface == IOMMUFD else []):
                daemon.control({"fail": {"step": step, **({"device": device} if device else {}), "times": 1}})
                error, parameters = peer.fail("Claim", {"devices": [EDU, ALONE], "mode": "node"})
                assert error == "org.ioasid1.Failed" and parameters["step"] == step, (step, parameters)
                left = acls(daemon)
                left.pop("", None)  # alone it opens nothing, and another claim may need it
                assert left == {} and host_drivers(daemon) == drivers, (step, device, left)
                assert peer.ask("ListClaims")["claims"] == []
            reply = claim(peer, EDU, ALONE, mode="node")
            close_all(reply)
            wait_free(peer, reply["claim"])
            assert acls(daemon) == {} and product_fds(daemon) == before


@test
def failing_revocation():
    """a node that can't be closed again quarantines the claim: nobody is looked for, nothing is given out"""
    needs_root()
    with node_daemon(GROUP) as daemon, daemon.connect_as(ALICE) as peer, daemon.connect() as operator:
        reply = claim(peer, EDU, mode="node")
        daemon.control({"fail": {"step": "revoke", "device": EDU, "times": 1}})
        state = peer.ask("Release", {"claim": reply["claim"]})
        assert state["state"] == "quarantined" and EDU in state["note"], state
        assert peer.fail("Claim", {"devices": [EDU], "mode": "node"})[0] == "org.ioasid1.Busy"
        assert operator.ask("Release", {"claim": reply["claim"]}) == {"state": "free", "note": None}
        assert acls(daemon) == {}
        close_all(reply)


@test
def container_of_two_claims():
    """the container stays open to a user who has another node claim, and is closed with his last"""
    needs_root()
    for interface in (GROUP, IOMMUFD):
        with node_daemon(interface) as daemon, daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
            first, second = claim(alice, ALONE, mode="node"), claim(alice, EDU, mode="node")
            close_all(first)
            wait_free(alice, first["claim"])
            assert acls(daemon) == {"": [ALICE], EDU: [ALICE]}, acls(daemon)
            foreign = claim(bob, ALONE, mode="node")
            close_all(second)
            wait_free(alice, second["claim"])
            assert acls(daemon) == {"": [BOB], ALONE: [BOB]}, acls(daemon)
            close_all(foreign)
            wait_free(bob, foreign["claim"])
            assert acls(daemon) == {}


@test
def container_of_two_releases():
    """two node claims of one user that are released at the same time leave the container open to nobody"""
    needs_root()
    with node_daemon(GROUP) as daemon, daemon.connect_as(ALICE) as alice:
        first, second = claim(alice, ALONE, mode="node"), claim(alice, EDU, mode="node")
        daemon.control({"hang": {"step": "prove-no-holder", "times": 2}})
        close_all(first)
        close_all(second)
        daemon.control({"await": {"hung": 2}})
        assert acls(daemon) == {}, acls(daemon)
        daemon.control({"unhang": True})
        for reply in (first, second):
            wait_free(alice, reply["claim"])
        # The first lingers, its nodes are closed: the second is the last one.
        first, second = claim(alice, ALONE, mode="node"), claim(alice, EDU, mode="node")
        pid = may_open(daemon, ALONE, ALICE)
        close_all(first)
        assert alice.ask("Release", {"claim": first["claim"]})["state"] == "lingering"
        assert acls(daemon) == {"": [ALICE], EDU: [ALICE]}
        close_all(second)
        wait_free(alice, second["claim"])
        assert acls(daemon) == {}, acls(daemon)
        end(pid)
        wait_free(alice, first["claim"])


@test
def container_opened_while_it_is_closed():
    """a node claim that comes while the user's last one is being revoked waits, and can then be opened"""
    needs_root()
    with node_daemon(GROUP) as daemon, daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
        first = claim(alice, ALONE, mode="node")
        daemon.control({"hang": {"step": "revoke", "times": 1}})
        close_all(first)
        daemon.control({"await": {"hung": 1}})
        alice.send_call("org.ioasid1.Claim", {"devices": [EDU], "mode": "node"})
        # Another user need not wait.
        other = claim(bob, FLR_NIC, mode="node")
        assert [entry["state"] for entry in alice_claims(daemon)] == ["releasing"]
        daemon.control({"unhang": True})
        reply = alice.receive()["parameters"]
        assert acls(daemon)[""] == [BOB, ALICE] and acls(daemon)[EDU] == [ALICE], acls(daemon)
        alice.ask("Acknowledge", {"claim": reply["claim"]})
        pid = may_open(daemon, EDU, ALICE)
        assert pid
        end(pid)
        close_all(other)


def alice_claims(daemon):
    with daemon.connect_as(ALICE) as peer:
        return peer.ask("ListClaims")["claims"]


@test
def grow_and_shrink():
    """nodes come and go with their devices; what two devices of a group share stays for the sibling"""
    needs_root()
    for interface in (GROUP, IOMMUFD):
        with node_daemon(interface) as daemon, daemon.connect_as(ALICE) as peer:
            before, drivers = product_fds(daemon), host_drivers(daemon)
            reply = claim(peer, EDU, mode="node")
            name = reply["claim"]
            sibling = add(peer, name, SECOND_EDU)
            assert sibling["groups"] == [] and sibling["devices"][0]["fd"] is None, sibling
            assert sibling["devices"][0]["nodes"][-1] == "/dev/vfio/1", sibling
            other = add(peer, name, ALONE)
            assert other["devices"][0]["nodes"][-1] == "/dev/vfio/2", other
            assert acls(daemon) == {"": [ALICE], ALONE: [ALICE], EDU: [ALICE], SECOND_EDU: [ALICE]}
            peer.ask("RemoveDevice", {"claim": name, "device": ALONE})
            assert ALONE not in acls(daemon) and states(peer)[ALONE][2] == "free"
            peer.ask("RemoveDevice", {"claim": name, "device": SECOND_EDU})
            assert states(peer)[SECOND_EDU] == (None, "ioasidd-locked-out", "held", True), states(peer)[SECOND_EDU]
            assert acls(daemon)[EDU] == [ALICE] and acls(daemon)[""] == [ALICE], acls(daemon)
            assert may_open(daemon, SECOND_EDU, ALICE) is None
            pid = may_open(daemon, EDU, ALICE)
            assert pid
            end(pid)
            for step in ("grant", *(["context"] if interface == IOMMUFD else [])):
                daemon.control({"fail": {"step": step, "times": 1}})
                assert peer.fail("AddDevice", {"claim": name, "device": ALONE})[1]["step"] == step
                assert ALONE not in acls(daemon) and states(peer)[ALONE][2] == "free"
            close_all(reply)
            wait_free(peer, name)
            assert acls(daemon) == {} and host_drivers(daemon) == drivers and product_fds(daemon) == before


@test
def removal_of_what_is_open():
    """a device that is open by its path is not given back, and its claim goes on; after its end it is"""
    needs_root()
    for interface in (GROUP, IOMMUFD):
        with node_daemon(interface) as daemon, daemon.connect_as(ALICE) as peer:
            reply = claim(peer, EDU, ALONE, mode="node")
            pid = may_open(daemon, ALONE, ALICE)
            error, parameters = peer.fail("RemoveDevice", {"claim": reply["claim"], "device": ALONE})
            assert error == "org.ioasid1.WrongState" and f"[{pid}]" in parameters["message"], parameters
            assert sorted(peer.ask("ListClaims")["claims"][0]["devices"]) == sorted([EDU, ALONE])
            end(pid)
            peer.ask("RemoveDevice", {"claim": reply["claim"], "device": ALONE})
            assert states(peer)[ALONE][2] == "free" and acls(daemon) == {"": [ALICE], EDU: [ALICE]}
            close_all(reply)
            wait_free(peer, reply["claim"])


@test
def revocation_overdue():
    """a revocation that hangs is stuck at its deadline; let go, the release goes on, is stuck in its turn, and ends"""
    needs_root()
    with node_daemon(GROUP, arguments=("--plan-deadline", "1")) as daemon, daemon.connect_as(ALICE) as peer:
        before = product_fds(daemon)
        reply = claim(peer, EDU, mode="node")
        close_all_but_lease(reply)
        daemon.control({"hang": {"step": "revoke", "times": 1}})
        state = peer.ask("Release", {"claim": reply["claim"]})
        assert state["state"] == "stuck" and "deadline" in state["note"], state
        assert peer.ask("Release", {"claim": reply["claim"]}) == state
        daemon.control({"unhang": True}, {"hang": {"step": "bus-master-off", "times": 1}})
        daemon.control({"await": {"hung": 1}})
        # Its revocation is through, so it is releasing again: this waits for the second deadline.
        assert peer.ask("ListClaims")["claims"][0]["state"] == "releasing"
        assert peer.ask("Release", {"claim": reply["claim"]}) == state
        daemon.control({"unhang": True})
        wait_free_after_stuck(daemon, peer, reply["claim"])
        os.close(reply["lease"])
        assert acls(daemon) == {} and product_fds(daemon) == before


if __name__ == "__main__":
    run(TESTS)
