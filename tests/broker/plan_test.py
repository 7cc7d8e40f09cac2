#!/usr/bin/env python3
"""What a plan tells, and whom, through the front door: plan_test.py IOASIDD SIMULATOR SCHEMA [TEST]…"""
import json
import sys

import jsonschema

import harness
from broker_test import ALICE, BOB, claim, close_all, wait_free
from harness import Daemon, needs_root, run
from hosts import ALONE, DISK, EDU, FLR_NIC, NIC, SECOND_EDU, device, policy, rule, small_host

TESTS = []
SECRETS = {"mount": ("nvme0n1 > mounted on /srv/hidden", "hidden"), "holder": ("vfio0 > qemu (pid 4711)", "4711"),
           "open": ("nvme0 > open in smartd (pid 4712)", "4712"),
           "network-address": ("eth0 > address 192.0.2.77/24", "192.0.2.77"),
           "swap": ("nvme0n1 > swap file /home/carol/swap", "carol"),
           "network-namespace": ("eth0 > in the network namespace of pod7", "pod7"),
           "block": ("nvme0n1 > vg_payroll-lv0", "payroll"), "usb-device": ("USB 1-1 > device (Carol's key)", "Carol"),
           "sound": ("card0 > sound card Carols", "Carols"), "input": ("USB 1-2 (Carol's keyboard)", "Carol"),
           "console": ("ttyS7 > console of the host", "ttyS7"), "memory": ("pmem7 > persistent memory", "pmem7"),
           "display": ("card7 > Xorg (pid 4713)", "4713")}


def test(function):
    TESTS.append(function)
    return function


def operators(*rules, **more):
    """A policy with bob as an operator."""
    return policy(*rules, operators={"user": [BOB]}, **more)


def disk_rule(**more):
    return rule("disks", device={"class": ["0108", "02"]}, **more)


@test
def a_group_of_no_iommu_mode():
    """a device whose group VFIO's no-IOMMU mode made is refused as hardware that can't, though that mode is off by now"""
    host = small_host()
    host["devices"] = [dict(device, no_iommu=True, driver="vfio-pci") if device["address"] == ALONE else device
                       for device in host["devices"]]
    with Daemon(host, policy()) as daemon, daemon.connect() as peer:
        plan = peer.ask("Plan", {"devices": [ALONE]})["plan"]
        assert not plan["allowed"] and plan["status"] == 6, plan
        assert [entry["kind"] for entry in plan["blockers"]] == ["no-iommu-group"], plan
        assert "no-IOMMU mode" in plan["blockers"][0]["message"] and "unbind" in plan["blockers"][0]["remedy"], plan
        assert peer.fail("Claim", {"devices": [ALONE]})[0] == "org.ioasid1.Unsupported"
        assert peer.ask("Plan", {"devices": [EDU]})["plan"]["allowed"]


def notes_of(plan, kind, address=None):
    return [note["text"] for note in plan["notes"] if note["kind"] == kind and address in (None, note["device"])]


@test
def real_plans_match_the_schema():
    """plans of every kind are what plan.schema.json says, and what is no plan is refused by it"""
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    host = small_host()
    host["uses"] = [{"device": NIC, "kind": "network-link", "severity": "fatal", "text": "eth0 > default route"}]
    text = operators(rule("cards"), disk_rule(reset="require"), never=[{"address": [DISK], "why": "boot"}],
                     pools={"cards": [{"id": ["1234:11e8"]}]})
    seen = set()
    with Daemon(host, text) as daemon, daemon.connect() as peer:
        for devices in ([ALONE], [EDU], [EDU, SECOND_EDU], [DISK], [FLR_NIC], [FLR_NIC, ALONE], ["0000:77:00.0"],
                        ["pool:cards"], ["pool:cards", "pool:cards"], ["pool:none"], ["0000:00:02.0"]):
            for mode in ("attached", "open", "node", "brokered"):
                reply = peer.ask("Plan", {"devices": devices, "mode": mode})
                problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(reply)]
                assert not problems, (devices, mode, problems)
                seen.add(reply["plan"]["status"])
        assert seen == {0, 3, 4, 5, 6}, seen
        for wrong in ({"allowed": False}, {"status": 1}, {"blockers": None}, {"notes": [{"kind": "gossip"}]}):
            reply = peer.ask("Plan", {"devices": [ALONE]})
            assert not validator.is_valid({"plan": dict(reply["plan"], **wrong)}), wrong


@test
def losses_in_plain_words():
    """the first note says what the worst loss is, and what it does to the host"""
    host = small_host()
    host["uses"] = [{"device": NIC, "kind": "network-link", "severity": "fatal", "text": "eth0 > br0 > default route"},
                    {"device": NIC, "kind": "network-address", "severity": "disruptive",
                     "text": "eth0 > br0 > address 10.0.2.15/24"}]
    with Daemon(host, operators()) as daemon, daemon.connect() as peer:
        plan = peer.ask("Plan", {"devices": [EDU]})["plan"]
        first = plan["notes"][0]
        assert (first["kind"], first["severity"], first["device"]) == ("loss", "fatal", NIC), first
        for part in ("would lose its network card eth0", "default route", "10.0.2.15", "cut off from the network",
                     "it was not requested", EDU):
            assert part in first["text"], (part, first)
        assert [note["severity"] for note in plan["notes"] if note["kind"] == "loss"] == ["fatal", "idle", "idle"]
        assert "set by hand" in notes_of(plan, "not-undone", NIC)[0], plan["notes"]
        assert "cannot be reset at all" in notes_of(plan, "reset", EDU)[0], plan["notes"]
        assert "peer-to-peer" in notes_of(plan, "peers")[0], plan["notes"]
        assert notes_of(peer.ask("Plan", {"devices": [ALONE]})["plan"], "peers") == []


@test
def details_for_operators_only():
    """no field of a plan or refusal tells others' mount points, processes, addresses or names to a user"""
    needs_root()
    for kind, (text, secret) in SECRETS.items():
        host = small_host()
        host["uses"] = [{"device": DISK, "kind": kind, "severity": "disruptive", "text": text},
                        {"device": NIC, "kind": kind, "severity": "disruptive", "text": text}]
        if kind == "holder":
            for use in host["uses"]:
                use["pid"] = 4711
        with Daemon(host, operators(rule("cards"), disk_rule())) as daemon, daemon.connect_as(ALICE) as alice, \
                daemon.connect_as(BOB) as bob:
            for devices in ([DISK], [EDU]):
                told = json.dumps([alice.ask("Plan", {"devices": devices}), alice.fail("Claim", {"devices": devices})])
                assert secret not in told, (kind, told)
                told = json.dumps(bob.ask("Plan", {"devices": devices}))
                assert secret in told, (kind, told)


@test
def others_claims_for_operators_only():
    """who has a device, and by which claim, is told to him and to operators; to others only that somebody has"""
    needs_root()
    with Daemon(small_host(), operators()) as daemon, daemon.connect_as(ALICE) as alice, \
            daemon.connect_as(BOB) as bob, daemon.connect_as(65533) as carol:
        held = claim(alice, ALONE)
        for peer, tells in ((bob, True), (carol, False)):
            plan = peer.ask("Plan", {"devices": [ALONE]})["plan"]
            told = json.dumps(plan["blockers"] + plan["notes"])
            assert plan["status"] == 4 and plan["blockers"][0]["claim"] == (held["claim"] if tells else None), plan
            assert (held["claim"] in told) == tells and (str(ALICE) in told) == tells, told
            assert notes_of(plan, "loss") == [], plan
        close_all(held)
        wait_free(alice, held["claim"])


@test
def an_operator_plans_for_somebody():
    """user and unit decide as that user's claim would be decided, in an operator's words, and for operators only"""
    needs_root()
    host = small_host()
    host["uses"] = [{"device": DISK, "kind": "mount", "severity": "fatal", "text": "nvme0n1 > mounted on /hidden"}]
    rules = [rule("alices", user=[ALICE], device={"address": [ALONE]}),
             rule("guests", device={"address": [EDU]}, subject={"unit": ["vm-*.service"]}),
             rule("tests", device={"address": [SECOND_EDU]}, subject={"user": [ALICE], "unit": ["test.service"]}),
             disk_rule(subject={"user": [ALICE]})]
    with Daemon(host, operators(*rules)) as daemon, daemon.connect_as(ALICE) as alice, \
            daemon.connect_as(BOB) as bob, daemon.connect() as root:
        def status(peer, address, **subject):
            return peer.ask("Plan", {"devices": [address], **subject})["plan"]["status"]

        assert [status(bob, ALONE), status(bob, ALONE, user=str(ALICE)), status(alice, ALONE)] == [3, 0, 0]
        assert [status(root, EDU), status(root, EDU, unit="vm-3.service"), status(root, EDU, unit="vm3")] == [3, 0, 3]
        assert status(bob, SECOND_EDU, user=str(ALICE)) == 3
        assert status(bob, SECOND_EDU, user=str(ALICE), unit="test.service") == 0
        assert status(bob, SECOND_EDU, user="4000000123", unit="test.service") == 3
        plan = bob.ask("Plan", {"devices": [DISK], "user": str(ALICE)})["plan"]
        assert plan["uid"] == ALICE and plan["unit"] is None and plan["devices"][0]["rule"] == "disks", plan
        assert "/hidden" in json.dumps(plan), plan
        assert root.ask("Plan", {"devices": [EDU], "user": "root"})["plan"]["uid"] == 0
        for subject in ({"user": str(ALICE)}, {"unit": "vm-3.service"}, {"user": str(BOB), "unit": "x"}):
            assert alice.fail("Plan", {"devices": [ALONE], **subject})[0] == "org.ioasid1.OperatorsOnly", subject
        error, why = root.fail("Plan", {"devices": [ALONE], "user": "nobody-has-this-name"})
        assert error == "org.ioasid1.Failed" and "unknown user nobody-has-this-name" in why["message"], why
        for name, value in (("user", ""), ("user", 5), ("user", "a\nb"), ("unit", ""), ("unit", "x" * 256)):
            assert root.fail("Plan", {"devices": [ALONE], name: value})[1] == {"parameter": name}, (name, value)
        assert root.fail("Claim", {"devices": [ALONE], "user": "root"})[1] == {"parameter": "user"}


@test
def devices_under_different_rules():
    """each device of a plan has its rule and where that stands, and a claim under two rules is refused with both"""
    with Daemon(small_host(), operators(rule("cards"), disk_rule())) as daemon, daemon.connect() as peer:
        plan = peer.ask("Plan", {"devices": [ALONE, FLR_NIC, "0000:00:02.0"]})["plan"]
        assert [entry["rule"] for entry in plan["devices"]] == ["cards", "disks", None], plan
        lines = [entry["rule_line"] for entry in plan["devices"]]
        assert lines[0] < lines[1] and lines[2] is None, lines
        (blocker,) = [entry for entry in plan["blockers"] if entry["kind"] == "different-rules"]
        assert "\"cards\"" in blocker["message"] and "\"disks\"" in blocker["message"], blocker


@test
def functions_that_depend_on_each_other():
    """a virtual function whose physical function somebody else has, and the other way round, are told"""
    needs_root()
    virtual = "0000:02:00.1"
    host = small_host()
    for entry in host["devices"]:
        if entry["address"] == FLR_NIC:
            entry.update(virtual_functions=1, virtual_functions_max=4)
    host["devices"].append(device(virtual, "8086:10ed", "020000", 9, physical_function=FLR_NIC, reset_methods=["flr"]))
    text = operators(rule("nics", device={"class": ["02"]}))
    with Daemon(host, text) as daemon, daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob, \
            daemon.connect_as(65533) as carol:
        held = claim(alice, virtual)
        for peer, tells in ((bob, True), (carol, False)):
            (note,) = notes_of(peer.ask("Plan", {"devices": [FLR_NIC]})["plan"], "functions", FLR_NIC)
            assert "1 virtual functions" in note and virtual in note, note
            assert (held["claim"] in note) == tells, note
        close_all(held)
        wait_free(alice, held["claim"])


@test
def rules_in_force():
    """GetPolicy tells operators every rule, and a user those that could be his from any unit"""
    needs_root()
    rules = [rule("alices", user=[ALICE], limits={"devices": 2, "memlock": "64M"}, modes=["attached", "open"]),
             rule("carols", user=[65533]), rule("guests", subject={"unit": ["vm-*.service"]}, revoke={"grace": "2m", "stop": "unit"}),
             {"name": "nobody", "effect": "deny", "device": {"kind": ["pci"]}}]
    with Daemon(small_host(), operators(*rules, never=[{"class": ["0108"], "why": "boot"}])) as daemon, \
            daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
        told = bob.ask("GetPolicy")
        assert [entry["name"] for entry in told["rules"]] == ["alices", "carols", "guests", "nobody"], told
        assert told["hidden"] == 0 and told["never"][0]["why"] == "boot", told
        first = told["rules"][0]
        assert first["users"] == [ALICE] and not first["everybody"] and first["line"] > 0, first
        assert first["what"] == "id 1234:11e8", first
        assert first["how"] == ("attached, open; locks out unused members; reset try; at most 2 a user; "
                                "memlock 64 MiB"), first
        assert told["rules"][2]["how"].endswith("; 120 s to release when revoked; then the unit is stopped"), told
        assert told["rules"][2]["units"] == ["vm-*.service"] and told["rules"][3]["everybody"], told
        told = alice.ask("GetPolicy")
        assert [entry["name"] for entry in told["rules"]] == ["alices", "guests", "nobody"], told
        assert told["hidden"] == 1 and "carols" not in json.dumps(told), told
        assert alice.fail("GetPolicy", {"all": True})[1] == {"parameter": "all"}


if __name__ == "__main__":
    harness.IOASIDD, harness.SIMULATOR, SCHEMA = sys.argv[1:4]
    del sys.argv[3]
    run(TESTS)
