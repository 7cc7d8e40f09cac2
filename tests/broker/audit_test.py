#!/usr/bin/env python3
"""Who holds nodes past ioasidd: audit_test.py IOASIDD SIMULATOR [TEST]…"""
import os

from claims import claim, close_all, product_fds, wait_free
from harness import Daemon, needs_root, run
from hosts import ALONE, EDU, group_host, policy, rule, small_host

ALICE, BOB, CAROL = 60001, 60002, 60003
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def of_kind(report, kind):
    return [hold for hold in report["holds"] if hold["kind"] == kind]


@test
def claims_are_no_findings():
    """what came from a claim is told with it, ioasidd's own copy too, and is nothing to be done about"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        assert peer.ask("Audit") == {"holds": [], "nodes": [], "compared": True, "incomplete": None, "findings": 0}
        reply = claim(peer, EDU)
        report = peer.ask("Audit")
        assert report["findings"] == 0 and report["incomplete"] is None and report["nodes"] == [], report
        mine = {hold["kind"]: hold for hold in report["holds"] if hold["pid"] == os.getpid()}
        assert set(mine) == {"iommufd", "device"}, report
        for hold in mine.values():
            assert (hold["verdict"], hold["claim"], hold["remedy"]) == ("claim", reply["claim"], None), hold
            assert hold["uid"] == os.getuid() and hold["count"] == 1 and hold["command"].startswith("python"), hold
        assert mine["device"]["device"] == EDU and mine["device"]["group"] == 1, mine
        own = [hold for hold in report["holds"] if hold["pid"] == daemon.process.pid]
        assert [(hold["kind"], hold["verdict"], hold["claim"]) for hold in own] == [
            ("iommufd", "service", reply["claim"])], own
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert peer.ask("Audit")["holds"] == []


@test
def what_is_left_of_a_claim():
    """a descriptor that outlives its claim by a lingering is its claim's still; one that nobody knows of is foreign"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        reply = claim(peer, ALONE)
        kept = os.dup(reply["devices"][0]["fd"])
        close_all(reply)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "lingering"
        report = peer.ask("Audit")
        holds = of_kind(report, "device")
        assert len(holds) == 1 and holds[0]["claim"] == reply["claim"], report
        os.close(kept)
        wait_free(peer, reply["claim"])


@test
def who_went_round():
    """SR-08: a process that has a device without a claim is named with what to do; only operators are told"""
    needs_root()
    rules = policy(rule(user=[str(ALICE)], modes=["attached", "node"]), operators={"user": [str(CAROL)]})
    with Daemon(small_host(), rules) as daemon:
        alice, carol = daemon.connect_as(ALICE), daemon.connect_as(CAROL)
        assert alice.fail("Audit")[0] == "org.ioasid1.OperatorsOnly"
        reply = claim(alice, EDU, mode="node")
        report = carol.ask("Audit")
        nodes = {node["node"]: node for node in report["nodes"]}
        assert nodes and all(node["granted"] and node["users"] == [ALICE] and node["remedy"] is None
                             for node in nodes.values()), report
        assert report["findings"] == 0, report
        # Somebody opens the node whom the kernel shows as another user than alice.
        other = daemon.control({"open_node": {"device": EDU, "uid": ALICE}})["pid"]
        # A program of root's takes another card without asking.
        daemon.control({"override": {"device": ALONE, "driver": "vfio-pci"}},
                       {"bind": {"device": ALONE, "driver": "vfio-pci"}})
        stranger = daemon.control({"open_node": {"device": ALONE, "uid": 0}})["pid"]
        daemon.control({"unit": {"pid": stranger, "unit": "qemu-by-hand.service"}})
        report = carol.ask("Audit")
        found = [hold for hold in report["holds"] if hold["pid"] == other]
        assert [(hold["verdict"], hold["claim"]) for hold in found] == [("unknown", reply["claim"])], report
        assert reply["claim"] in found[0]["remedy"], found
        found = [hold for hold in report["holds"] if hold["pid"] == stranger]
        device = next(hold for hold in found if hold["kind"] == "device")
        assert (device["device"], device["uid"], device["unit"], device["verdict"], device["claim"]) == (
            ALONE, 0, "qemu-by-hand.service", "foreign", None), found
        assert "systemctl stop qemu-by-hand.service" in device["remedy"], device
        assert report["findings"] == len(found) + 1, report
        for pid in (other, stranger):
            os.kill(pid, 9)
        close_all(reply)
        for peer in (alice, carol):
            peer.close()


@test
def one_at_a_time():
    """a second audit is told to wait; one whose asker leaves makes room; a thousand leave nothing behind"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        before = product_fds(daemon)
        for _ in range(100):
            other = daemon.connect()
            other.send_call("org.ioasid1.Audit")
            other.close()
        while "error" in (answer := peer.call("Audit")):
            assert "another audit" in answer["parameters"]["message"], answer
        while product_fds(daemon) != before:
            assert daemon.process.poll() is None


@test
def by_groups():
    """the same where the kernel has groups and containers only"""
    with Daemon(group_host(), policy()) as daemon, daemon.connect() as peer:
        reply = claim(peer, EDU)
        report = peer.ask("Audit")
        mine = sorted((hold["kind"], hold["verdict"]) for hold in report["holds"] if hold["pid"] == os.getpid())
        assert mine == [("container", "claim"), ("device", "claim"), ("group", "claim")], report
        assert report["findings"] == 0, report
        close_all(reply)


if __name__ == "__main__":
    run(TESTS)
