#!/usr/bin/env python3
"""What lists call free, and what they tell of uses: listing_test.py IOASIDD SIMULATOR IOASIDCTL [TEST]…"""
import os
import re
import signal
import subprocess
import sys
import time

from broker_test import ALICE, BOB, claim, close_all
from harness import Daemon, needs_root, run
from hosts import ALONE, BRIDGE, DISK, EDU, FLR_NIC, NIC, SECOND_EDU, device, policy, rule, small_host

IOASIDCTL = os.path.abspath(sys.argv.pop(3))
TESTS = []
ANYTHING = rule("all", device={"address": ["*"]})
KINDS = ["network-link", "network-namespace", "mount", "swap", "block", "holder", "unknown-driver",
         "network-address", "hibernation", "display", "console", "input", "usb-device", "sound", "management", "memory",
         "open"]


def test(function):
    TESTS.append(function)
    return function


def ioasidctl(*arguments):
    return subprocess.run([IOASIDCTL, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "80"})


def devices(peer):
    return {entry["name"]: entry for entry in peer.ask("ListDevices")["devices"]}


def groups(peer):
    return {entry["number"]: entry["state"] for entry in peer.ask("ListGroups")["groups"]}


def root_disk_and_network():
    host = small_host()
    host["uses"] = [
        {"device": DISK, "kind": "mount", "severity": "fatal", "text": "nvme0n1 > nvme0n1p2 > mounted on /"},
        {"device": FLR_NIC, "kind": "network-address", "severity": "fatal", "text": "eth1 > default route"}]
    return host


@test
def what_the_host_uses_is_not_free():
    """the root disk and the card with the default route are in use, in the JSON, the table and the groups"""
    with Daemon(root_disk_and_network(), policy(ANYTHING)) as daemon, daemon.connect() as peer:
        listed = devices(peer)
        assert {name: entry["state"] for name, entry in listed.items()} == \
            {BRIDGE: "bridge", EDU: "free", NIC: "free", SECOND_EDU: "free", ALONE: "free", FLR_NIC: "in-use",
             DISK: "in-use"}, listed
        assert listed[DISK]["use"] == "nvme0n1 > nvme0n1p2 > mounted on /" and listed[EDU]["use"] is None, listed
        assert groups(peer) == {1: "free", 2: "free", 3: "in-use", 4: "in-use"}
        result = ioasidctl("--socket", daemon.path, "list")
        assert result.returncode == 0 and all(len(line) <= 80 for line in result.stdout.splitlines()), result
        for name, words in ((DISK, "in use: mounted on /"), (FLR_NIC, "in use: default route"), (ALONE, "free")):
            assert re.search(f"{name}.*  {words}$", result.stdout, re.M), (name, result.stdout)
        shown = ioasidctl("--socket", daemon.path, "show", DISK).stdout
        assert re.search("^state +in use: nvme0n1 > nvme0n1p2 > mounted on /$", shown, re.M), shown
        # It changes with the host, at once.
        daemon.control({"clear_uses": DISK},
                       {"use": {"device": ALONE, "kind": "console", "severity": "fatal", "text": "ttyS1"}})
        listed = devices(peer)
        assert (listed[DISK]["state"], listed[ALONE]["state"]) == ("free", "in-use"), listed


@test
def a_member_in_use():
    """a device is not free where another member of its group is in use, and says which"""
    host = small_host()
    host["uses"] = [{"device": NIC, "kind": "network-link", "severity": "disruptive", "text": "eth0 > up"}]
    with Daemon(host, policy(ANYTHING)) as daemon, daemon.connect() as peer:
        listed = devices(peer)
        assert [listed[name]["state"] for name in (EDU, NIC, SECOND_EDU, BRIDGE)] == \
            ["group-in-use", "in-use", "group-in-use", "bridge"], listed
        assert listed[EDU]["use"] == f"{NIC}: eth0 > up" and groups(peer)[1] == "in-use", listed


@test
def free_is_what_a_plan_does_not_call_used():
    """for every kind of use and severity: what is listed as free a plan never refuses for being in use, and the
    reverse"""
    host = small_host()
    number, wanted = 0, {}
    for kind in KINDS:
        for severity in ("idle", "disruptive", "fatal"):
            number += 1
            name = f"0000:05:{number // 8:02x}.{number % 8}"
            host["devices"].append(device(name, "1234:11e8", "00ff00", 100 + number))
            host["uses"].append({"device": name, "kind": kind, "severity": severity, "text": "what it does",
                                 **({"pid": 4711} if kind == "holder" else {})})
            wanted[name] = (kind, severity)
    with Daemon(host, policy(ANYTHING)) as daemon, daemon.connect() as peer:
        listed, by_group = devices(peer), groups(peer)
        for name, what in wanted.items():
            plan = peer.ask("Plan", {"devices": [name]})["plan"]
            used = any(entry["kind"] in ("in-use", "member-in-use") for entry in plan["blockers"])
            state = listed[name]["state"]
            assert (state == "free") is not used and state in ("free", "in-use", "unknown-use"), (what, state, plan)
            assert by_group[listed[name]["group"]] == state, what


@test
def what_nobody_gets_is_not_free():
    """what is in never, has no IOMMU group or one of no-IOMMU mode, is not called free"""
    host = small_host()
    host["devices"] += [{key: value for key,
                         value in device("0000:06:00.0", "1234:11e8", "00ff00", 0).items() if key != "group"},
                        device("0000:07:00.0", "1234:11e8", "00ff00", 20, "vfio-pci", no_iommu=True)]
    with Daemon(host, policy(ANYTHING, never=[{"address": [SECOND_EDU], "why": "spare"}])) as daemon, \
            daemon.connect() as peer:
        listed = devices(peer)
        assert (listed["0000:06:00.0"]["state"], listed["0000:07:00.0"]["state"]) == ("no-iommu", "no-iommu"), listed
        # Who takes one member locks out the other, which nobody may.
        assert [listed[name]["state"] for name in (EDU, NIC, SECOND_EDU)] == ["never"] * 3, listed
        assert groups(peer)[1] == "never" and groups(peer)[20] == "no-iommu", groups(peer)


@test
def who_is_told_what():
    """that a device is in use is told to everybody, mount points and processes to operators"""
    needs_root()
    host = small_host()
    host["uses"] = [{"device": DISK, "kind": "mount", "severity": "fatal", "text": "nvme0n1 > mounted on /srv/hidden"},
                    {"device": NIC, "kind": "open", "severity": "disruptive",
                     "text": "eth0 > open in hidden (pid 4712)"}]
    with Daemon(host, policy(ANYTHING, operators={"user": [BOB]})) as daemon:
        with daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
            for peer, told in ((alice, False), (bob, True)):
                listed = devices(peer)
                assert listed[DISK]["state"] == "in-use" and listed[DISK]["use"], listed
                assert ("hidden" in listed[DISK]["use"]) is told and ("hidden" in listed[EDU]["use"]) is told, listed


@test
def claims_come_first():
    """the state of what a claim has is the claim's, whatever else is seen; afterwards it is free again, at once"""
    with Daemon(root_disk_and_network(), policy(ANYTHING)) as daemon, daemon.connect() as peer:
        for _ in range(3):
            reply = claim(peer, ALONE)
            assert devices(peer)[ALONE]["state"] == "held" and groups(peer)[2] == "held"
            for fd in [entry["fd"] for entry in reply["devices"]] + [reply["iommufd"]]:
                os.close(fd)
            assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
            assert devices(peer)[ALONE]["state"] == "free" and groups(peer)[2] == "free"
            os.close(reply["lease"])


def surveys(peer):
    text = peer.ask("GetMetrics")["text"]
    return int(float(re.search(r"^ioasid_survey_duration_seconds_count (\S+)", text, re.M).group(1)))


@test
def lists_at_full_speed():
    """a user who lists all the time has the host looked at no more often than one who plans all the time"""
    with Daemon(small_host(), policy(ANYTHING)) as daemon, daemon.connect() as peer, daemon.connect() as other:
        begin, before = time.monotonic(), surveys(other)
        for round in range(50):
            for _ in range(8):
                peer.send_call("org.ioasid1.ListDevices" if round % 2 else "org.ioasid1.ListGroups")
            for _ in range(8):
                assert "error" not in peer.receive()
        windows = 2 + (time.monotonic() - begin) / 2
        assert surveys(other) - before <= 10 * windows, (surveys(other) - before, windows)


@test
def an_executor_that_does_not_answer():
    """a host that can't be looked at is listed after two seconds all the same, with nothing called free"""
    with Daemon(small_host(), policy(ANYTHING)) as daemon, daemon.connect() as peer, daemon.connect() as other:
        executor = daemon.executor()
        os.kill(executor, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            peer.send_call("org.ioasid1.ListDevices")
            other.ask("GetStatus")
            assert time.monotonic() - begin < 1.5
            states = {entry["state"] for entry in peer.receive()["parameters"]["devices"]}
            assert states == {"unclaimed", "bridge"} and time.monotonic() - begin < 10, states
            # Who leaves while he waits is forgotten.
            leaving = daemon.connect()
            leaving.send_call("org.ioasid1.ListDevices")
            other.ask("GetStatus")
            leaving.close()
            other.ask("GetStatus")
        finally:
            os.kill(executor, signal.SIGCONT)
        assert devices(peer)[ALONE]["state"] == "free"


if __name__ == "__main__":
    run(TESTS)
