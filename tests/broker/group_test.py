#!/usr/bin/env python3
"""Hosts without iommufd: containers, groups, and devices opened by them. group_test.py IOASIDD SIMULATOR [TEST]…"""
import json
import os

from claims import (add, claim, close_all, close_all_but_lease, host_drivers, product_fds, states, wait_free)
from harness import Daemon, run
from hosts import ALONE, EDU, NIC, SECOND_EDU, device, group_host, policy, rule, small_host

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def groups(daemon):
    """The groups that are open, as the simulated kernel has it: how many devices were opened by each."""
    return daemon.control({"state": True})["groups"]


@test
def whole_life():
    """container, groups and devices of two groups: FDs that work, one to each name; all put back, no FD left"""
    with Daemon(group_host(), policy()) as daemon, daemon.connect() as peer:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        assert peer.ask("GetStatus")["interface"] == "group"
        reply = claim(peer, EDU, ALONE, SECOND_EDU)
        assert reply["mode"] == "attached" and reply["interface"] == "group", reply
        assert reply["iommufd"] is None and reply["ioas_id"] is None and reply["container"] is not None
        assert [entry["group"] for entry in reply["groups"]] == [1, 2], reply["groups"]
        assert [(entry["name"], entry["group"], entry["nodes"]) for entry in reply["devices"]] == [
            (EDU, 1, []), (ALONE, 2, []), (SECOND_EDU, 1, [])], reply["devices"]
        assert reply["lockouts"] == [NIC] and reply["memlock"] is None
        assert groups(daemon) == {"1": 2, "2": 1}
        entry = peer.ask("ListClaims")["claims"][0]
        assert entry["interface"] == "group" and entry["state"] == "held", entry
        # The broker keeps the container's copy and the lease's peer end, never a group or a device.
        assert product_fds(daemon) == before + 2
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert groups(daemon) == {} and host_drivers(daemon) == drivers
        assert daemon.control({"state": True})["contexts"] == 0
        assert product_fds(daemon) == before
        assert os.listdir(os.path.join(daemon.runtime, "claims")) == []


@test
def plans_name_the_interface():
    """GetStatus, Plan and ListClaims say which interface delivers; the plan's steps are those of that interface"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        assert peer.ask("GetStatus")["interface"] == "iommufd"
        assert peer.ask("Plan", {"devices": [ALONE]})["plan"]["interface"] == "iommufd"
        reply = claim(peer, ALONE)
        assert reply["interface"] == "iommufd" and reply["groups"] == [] and reply["container"] is None
        assert peer.ask("ListClaims")["claims"][0]["interface"] == "iommufd"
        close_all(reply)
    with Daemon(group_host(), policy()) as daemon, daemon.connect() as peer:
        plan = peer.ask("Plan", {"devices": [ALONE]})["plan"]
        assert plan["interface"] == "group", plan
        assert [step["kind"] for step in plan["steps"]] == ["override", "probe", "container", "group", "group-device"]
    host = group_host()
    host["kernel"]["vfio_group"] = False
    with Daemon(host, policy()) as daemon, daemon.connect() as peer:
        assert peer.ask("GetStatus")["interface"] is None
        plan = peer.ask("Plan", {"devices": [ALONE]})["plan"]
        assert plan["interface"] is None and plan["status"] == 6 and plan["blockers"][0]["kind"] == "kernel", plan


@test
def grow_and_shrink():
    """a sibling comes without an FD, by the group that the client has; a device of another group with both"""
    with Daemon(group_host(), policy()) as daemon, daemon.connect() as peer:
        before, drivers = product_fds(daemon), host_drivers(daemon)
        reply = claim(peer, EDU)
        name = reply["claim"]
        sibling = add(peer, name, SECOND_EDU)
        assert sibling["groups"] == [] and len(sibling["devices"]) == 1, sibling
        assert sibling["devices"][0] == {"name": SECOND_EDU, "group": 1, "fd": None, "nodes": []}, sibling
        assert states(peer)[SECOND_EDU][0] == "vfio-pci"
        other = add(peer, name, ALONE)
        assert [entry["group"] for entry in other["groups"]] == [2] and other["devices"][0]["fd"] is not None, other
        assert groups(daemon) == {"1": 1, "2": 1}
        # The other group is still open: its device is not given back.
        error, parameters = peer.fail("RemoveDevice", {"claim": name, "device": ALONE})
        assert error == "org.ioasid1.WrongState" and ALONE in parameters["message"], parameters
        os.close(other["devices"][0]["fd"])
        assert peer.fail("RemoveDevice", {"claim": name, "device": ALONE})[0] == "org.ioasid1.WrongState"
        os.close(other["groups"][0]["fd"])
        peer.ask("RemoveDevice", {"claim": name, "device": ALONE})
        assert states(peer)[ALONE] == (None, None, "free", False), states(peer)[ALONE]
        # The group stays the claim's: the sibling ends pinned.
        peer.ask("RemoveDevice", {"claim": name, "device": SECOND_EDU})
        assert states(peer)[SECOND_EDU] == (None, "ioasidd-locked-out", "held", True), states(peer)[SECOND_EDU]
        assert groups(daemon) == {"1": 1}
        close_all(reply)
        wait_free(peer, name)
        assert host_drivers(daemon) == drivers and product_fds(daemon) == before


@test
def first_of_two_removed():
    """the device that the group was opened with can go before its sibling, and come back without an FD"""
    with Daemon(group_host(), policy()) as daemon, daemon.connect() as peer:
        drivers = host_drivers(daemon)
        reply = claim(peer, EDU, SECOND_EDU)
        os.close(reply["devices"].pop(0)["fd"])
        peer.ask("RemoveDevice", {"claim": reply["claim"], "device": EDU})
        assert states(peer)[EDU] == (None, "ioasidd-locked-out", "held", True), states(peer)[EDU]
        again = add(peer, reply["claim"], EDU)
        assert again["groups"] == [] and again["devices"][0]["fd"] is None, again
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers


@test
def held_descriptors():
    """a kept FD of device, group or container: lingering, unmapped once, named and busy; free when it is closed"""
    for kept, still_held in (("device", True), ("group", True), ("container", False)):
        with Daemon(group_host(), policy()) as daemon, daemon.connect() as peer:
            before = product_fds(daemon)
            reply = claim(peer, EDU)
            entry = {"device": reply["devices"][0], "group": reply["groups"][0]}.get(kept)
            copy = os.dup(entry["fd"] if entry else reply["container"])
            close_all_but_lease(reply)
            state = peer.ask("Release", {"claim": reply["claim"]})
            if not still_held:
                # A container without a group is nobody's: it holds no device.
                assert state == {"state": "free", "note": None}, (kept, state)
                os.close(copy)
                os.close(reply["lease"])
                continue
            assert state["state"] == "lingering", (kept, state)
            assert EDU in state["note"] and state["note"].endswith("; its mappings were removed"), (kept, state)
            assert daemon.control({"state": True})["unmapped"] == 1
            assert peer.ask("ListClaims")["claims"][0]["note"] == state["note"]
            for device in (EDU, SECOND_EDU):
                assert peer.fail("Claim", {"devices": [device]})[0] == "org.ioasid1.Busy"
            again = peer.ask("Release", {"claim": reply["claim"]})
            assert again == state, (again, state)
            assert daemon.control({"state": True})["unmapped"] == 1
            os.close(copy)
            assert peer.ask("Release", {"claim": reply["claim"]}) == {"state": "free", "note": None}
            os.close(reply["lease"])
            assert product_fds(daemon) == before, kept


@test
def second_claim():
    """what is claimed by groups is busy for a second claim, and so are its siblings"""
    with Daemon(group_host(), policy()) as daemon, daemon.connect() as peer:
        reply = claim(peer, EDU)
        error, parameters = peer.fail("Claim", {"devices": [EDU]})
        assert error == "org.ioasid1.Busy" and parameters["blockers"][0]["kind"] == "claimed", parameters
        error, parameters = peer.fail("Claim", {"devices": [SECOND_EDU]})
        assert error == "org.ioasid1.Busy" and parameters["blockers"][0]["kind"] == "other-context", parameters
        close_all(reply)


@test
def open_needs_iommufd():
    """mode open can't be had without iommufd: status 6, in Plan and Claim, and nothing is touched"""
    with Daemon(group_host(), policy(rule(modes=["attached", "open"]))) as daemon, daemon.connect() as peer:
        drivers = host_drivers(daemon)
        assert peer.ask("Plan", {"devices": [ALONE], "mode": "open"})["plan"]["status"] == 6
        error, parameters = peer.fail("Claim", {"devices": [ALONE], "mode": "open"})
        assert error == "org.ioasid1.Unsupported" and parameters["status"] == 6, parameters
        assert parameters["blockers"][0]["kind"] == "kernel" and "iommufd" in parameters["message"], parameters
        assert host_drivers(daemon) == drivers


@test
def failing_steps():
    """SR-32: whichever step fails, everything is undone, the error names step, device and errno, and a retry works"""
    with Daemon(group_host(), policy()) as daemon, daemon.connect() as peer:
        drivers, before = host_drivers(daemon), product_fds(daemon)
        for step, name in (("override", EDU), ("override", NIC), ("unbind", NIC), ("probe", EDU), ("container", None),
                           ("group", EDU), ("group", ALONE), ("group-device", EDU), ("group-device", ALONE),
                           ("group-device", SECOND_EDU)):
            daemon.control({"fail": {"step": step, **({"device": name} if name else {}), "errno": 5, "times": 1}})
            error, parameters = peer.fail("Claim", {"devices": [EDU, ALONE, SECOND_EDU]})
            assert error == "org.ioasid1.Failed" and parameters["errno"] == 5, (step, parameters)
            assert parameters["step"] == step and parameters["device"] == name, (step, parameters)
            assert host_drivers(daemon) == drivers and groups(daemon) == {}, step
            assert peer.ask("ListClaims")["claims"] == [], step
        assert product_fds(daemon) == before
        reply = claim(peer, EDU)
        for step, device in (("group", ALONE), ("group-device", ALONE), ("container", None)):
            daemon.control({"fail": {"step": step, "errno": 5, "times": 1}})
            error, parameters = peer.fail("AddDevice", {"claim": reply["claim"], "device": ALONE})
            assert error == "org.ioasid1.Failed" and parameters["step"] == step, parameters
            assert parameters["device"] == device and groups(daemon) == {"1": 1}, parameters
            assert states(peer)[ALONE] == (None, None, "free", False), states(peer)[ALONE]
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert product_fds(daemon) == before


@test
def unsafe_interrupts():
    """a kernel that allows unsafe interrupts is refused unless the rule accepts it, on both interfaces"""
    for host in (group_host(), small_host()):
        host["kernel"]["unsafe_interrupts"] = True
        accepting = rule("accepting", device={"address": [ALONE]}, unsafe_interrupts="accept")
        with Daemon(host, policy(accepting, rule("plain"))) as daemon, daemon.connect() as peer:
            assert peer.ask("GetStatus")["kernel"]["unsafe_interrupts"] is True
            error, parameters = peer.fail("Claim", {"devices": [EDU]})
            assert error == "org.ioasid1.Unsupported" and parameters["status"] == 6, parameters
            assert "plain" in json.dumps(parameters["blockers"]), parameters
            reply = claim(peer, ALONE)
            close_all(reply)
            wait_free(peer, reply["claim"])


@test
def noiommu():
    """a kernel with noiommu mode on is refused whatever the rule says, on both interfaces"""
    for host in (group_host(noiommu=True), small_host()):
        host["kernel"]["noiommu"] = True
        with Daemon(host, policy(rule(unsafe_interrupts="accept"))) as daemon, daemon.connect() as peer:
            drivers = host_drivers(daemon)
            error, parameters = peer.fail("Claim", {"devices": [ALONE]})
            assert error == "org.ioasid1.Unsupported" and parameters["status"] == 6, parameters
            assert "noiommu" in parameters["message"], parameters
            assert peer.ask("Plan", {"devices": [ALONE]})["plan"]["status"] == 6
            assert host_drivers(daemon) == drivers


@test
def many_groups():
    """a claim of 64 devices, each in a group of its own: 130 FDs in one message, and none is left"""
    host = group_host()
    wanted = [f"0000:40:{slot:02x}.{function}" for slot in range(8) for function in range(8)]
    host["devices"] += [device(name, "1234:11e8", "00ff00", 100 + number) for number, name in enumerate(wanted)]
    with Daemon(host, policy()) as daemon, daemon.connect() as peer:
        before = product_fds(daemon)
        reply = claim(peer, *wanted)
        assert [entry["group"] for entry in reply["groups"]] == list(range(100, 164))
        assert all(entry["fd"] is not None for entry in reply["devices"])
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert product_fds(daemon) == before


if __name__ == "__main__":
    run(TESTS)
