#!/usr/bin/env python3
"""Snapshots of the host, from the daemon to the simulator and back: snapshot_test.py IOASIDD SIMULATOR IOASIDCTL"""
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema

from harness import Daemon, needs_root, run
from hosts import ALONE, BRIDGE, DISK, EDU, FLR_NIC, NIC, device, policy, rule, small_host

IOASIDCTL = os.path.abspath(sys.argv.pop(3))
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def used_host():
    host = small_host()
    host["uses"] = [
        {"device": NIC, "kind": "network-address", "severity": "fatal", "text": "eth0 has 192.0.2.7, default route"},
        {"device": DISK, "kind": "mount", "severity": "fatal", "text": "nvme0n1 > mounted on /home/carol"},
        {"device": FLR_NIC, "kind": "network-link", "severity": "disruptive", "text": "eth1 is up"},
        {"device": DISK, "kind": "open", "severity": "disruptive", "text": "/dev/nvme0 open in 4711 (smartd)"},
    ]
    host["devices"].append(device("0000:03:00.0", "8086:10fb", "020000", 8, "ixgbe", virtual_functions=1,
                                  virtual_functions_max=4, numa_node=1))
    host["devices"].append(device("0000:03:10.0", "8086:10ed", "020000", 9, "ixgbevf",
                                  physical_function="0000:03:00.0"))
    return host


def ioasidctl(*arguments):
    return subprocess.run([IOASIDCTL, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})


def everything(daemon, peer):
    """All that tells one host from another: devices, groups, and a plan of each device."""
    devices = peer.ask("ListDevices")["devices"]
    plans = [peer.ask("Plan", {"devices": [entry["name"]]}) for entry in devices]
    # Each daemon has its policy in a folder of its own.
    return devices, peer.ask("ListGroups"), json.dumps(plans).replace(daemon.policy_folder, "policy.d")


@test
def round_trip():
    """what boots from a snapshot has the same devices and plans, and the same snapshot is made of it"""
    text = policy(rule(), rule("others", device={"class": ["*"]}, lockout="unused"))
    with Daemon(used_host(), text) as daemon, daemon.connect() as peer:
        first = peer.ask("Snapshot", {"details": True})["snapshot"]
        before = everything(daemon, peer)
    schema = Path(__file__).parents[2] / "policy" / "snapshot.schema.json"
    jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(first)
    with Daemon(first, text) as daemon, daemon.connect() as peer:
        after = everything(daemon, peer)
        for i in range(3):
            assert after[i] == before[i], (after[i], before[i])
        assert peer.ask("Snapshot", {"details": True})["snapshot"] == first


@test
def details_are_left_out():
    """without details nothing in it tells of people, processes, addresses or this boot"""
    with Daemon(used_host(), policy()) as daemon, daemon.connect() as peer:
        snapshot = peer.ask("Snapshot")["snapshot"]
        text = json.dumps(snapshot)
        for word in ("carol", "4711", "smartd", "192.0.2.7"):
            assert word not in text, text
        assert snapshot["version"] == 2 and snapshot["boot_id"] is None, snapshot
        assert {(use["device"], use["kind"], use["severity"]) for use in snapshot["uses"]} == {
            (use["device"], use["kind"], use["severity"]) for use in used_host()["uses"]}, snapshot["uses"]
        assert "eth1 is up" in text
        assert "carol" in json.dumps(peer.ask("Snapshot", {"details": True}))
        assert peer.fail("Snapshot", {"details": 1})[1] == {"parameter": "details"}
        assert peer.fail("Snapshot", {"detail": True})[1] == {"parameter": "detail"}


@test
def operators_only():
    """who is no operator gets no snapshot"""
    needs_root()
    with Daemon(used_host(), policy(operators={"user": [1001]})) as daemon:
        with daemon.connect_as(1000) as peer:
            error, _ = peer.fail("Snapshot")
            assert error == "org.ioasid1.OperatorsOnly", error
        with daemon.connect_as(1001) as peer:
            assert len(peer.ask("Snapshot")["snapshot"]["devices"]) == len(used_host()["devices"])


@test
def large_host():
    """a host of 2,000 devices is surveyed in batches, while others are answered; who leaves leaves nothing behind"""
    host = small_host()
    for i in range(2000):
        address = f"0000:{0x10 + i // 256:02x}:{i // 8 % 32:02x}.{i % 8}"
        host["devices"].append(device(address, "8086:10ed", "020000", 100 + i, "ixgbevf"))
        host["uses"].append({"device": address, "kind": "network-link", "severity": "disruptive", "text": f"eth{i} up"})
    with Daemon(host, policy()) as daemon, daemon.connect() as peer, daemon.connect() as other:
        with daemon.connect() as leaver:
            leaver.send_call("org.ioasid1.Snapshot")
        peer.send_call("org.ioasid1.Snapshot")
        assert other.ask("GetStatus")["devices"] == len(host["devices"])
        reply = peer.receive()
        while "error" in reply:  # the leaver's may be under way still
            assert "another snapshot" in reply["parameters"]["message"], reply
            reply = peer.call("Snapshot")
        snapshot = reply["parameters"]["snapshot"]
        assert len(snapshot["devices"]) == len(host["devices"]) and len(snapshot["uses"]) == 2000
        assert len({use["device"] for use in snapshot["uses"]}) == 2000


@test
def claimed_devices():
    """a device that is claimed is in it as it is, with the driver that it goes back to"""
    with Daemon(used_host(), policy(rule("nic", device={"address": [FLR_NIC]}, in_use="take"))) as daemon, \
            daemon.connect() as peer:
        claim = peer.ask("Claim", {"devices": [FLR_NIC]})
        peer.ask("Acknowledge", {"claim": claim["claim"]})
        snapshot = peer.ask("Snapshot")["snapshot"]
        entry = [entry for entry in snapshot["devices"] if entry["name"] == FLR_NIC][0]
        assert entry["driver"] == "vfio-pci" and entry["vfio_node"] and entry["drivers"] == ["e1000e"], entry
    with Daemon(snapshot, policy()) as daemon, daemon.connect() as peer:
        assert len(peer.ask("ListDevices")["devices"]) == len(used_host()["devices"])


@test
def by_the_command():
    """ioasidctl snapshot writes a file that --snapshot reads: list, plan and graph are the daemon's own"""
    with Daemon(used_host(), policy()) as daemon:
        path = os.path.join(daemon.folder, "snapshot.json")
        result = ioasidctl("--socket", daemon.path, "snapshot", "--with-details", path)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), result
        assert os.listdir(daemon.folder).count("snapshot.json") == 1
        assert not [name for name in os.listdir(daemon.folder) if name.startswith("snapshot.json.")]
        there = ["--socket", daemon.path]
        here = ["--snapshot", path]
        for arguments, decides in ((["list"], False), (["list", "--json"], False), (["show", EDU], False),
                                   (["show", "1"], False), (["graph"], False), (["plan", EDU], True),
                                   (["plan", EDU, ALONE, "--json"], True), (["plan", BRIDGE, "--json"], True),
                                   (["plan", DISK], True), (["plan", "0000:7f:00.0", "--json"], True),
                                   (["graph", EDU], True), (["plan", "pool:none"], True)):
            live = ioasidctl(*there, *arguments)
            file = ioasidctl(*here, *arguments, *(["--policy", daemon.policy_folder] if decides else []))
            assert (live.returncode, live.stderr) == (file.returncode, file.stderr), (live, file)
            assert live.stdout == file.stdout or arguments[0] == "graph", (live.stdout, file.stdout)
        result = ioasidctl("--socket", daemon.path, "snapshot", "/nonexistent/file")
        assert result.returncode == 1 and "cannot write" in result.stderr, result
        assert json.loads(ioasidctl("--socket", daemon.path, "snapshot").stdout)["version"] == 2


if __name__ == "__main__":
    run(TESTS)
