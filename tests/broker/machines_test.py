#!/usr/bin/env python3
"""Machines that ship as snapshots, with verdicts that were worked out by hand:
machines_test.py IOASIDD SIMULATOR IOASIDCTL MACHINES

Each is asked twice: the client by itself (--snapshot), and the broker on the simulator. A machine is NAME.json, its
policies are NAME.POLICY.policy.json, and NAME.expected.json lists who asks for what, and what comes of it."""
import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

from harness import Daemon, run

MACHINES = Path(sys.argv.pop(4))
IOASIDCTL = os.path.abspath(sys.argv.pop(3))
NAMES = sorted(path.name.removesuffix(".expected.json") for path in MACHINES.glob("*.expected.json"))


def read(path):
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^//.*$", "", text, flags=re.M)


def verdict(plan):
    found = {key: plan[key] for key in ("mode", "allowed", "status", "interface")}
    found["lockouts"] = [entry["device"] for entry in plan["lockouts"]]
    found["blockers"] = sorted(([entry["kind"], entry["device"], entry["member"]] for entry in plan["blockers"]),
                               key=str)
    found["chosen"] = [entry["device"] for entry in plan["chosen"]]
    return found


def wanted(expected):
    found = {key: expected[key] for key in ("mode", "allowed", "status", "interface", "lockouts")}
    found["blockers"] = sorted(expected["blockers"], key=str)
    found["chosen"] = expected.get("chosen", [])
    return found


def offline(name, expected):
    result = subprocess.run([IOASIDCTL, "plan", "--json", "--snapshot", MACHINES / f"{name}.json", "--policy",
                             MACHINES / f"{name}.{expected['policy']}.policy.json", "--as", expected["as"], "--mode",
                             expected["mode"], *expected["devices"]], capture_output=True, text=True, timeout=60)
    assert result.returncode == expected["status"], (expected, result)
    return json.loads(result.stdout)["plan"]


def own_policy(name, expected):
    """The policy, as if whoever runs this test were the one who asks, and all others somebody else."""
    policy = json.loads(read(MACHINES / f"{name}.{expected['policy']}.policy.json"))
    own = os.geteuid()
    other = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid not in (0, own))
    for rule in policy["rules"]:
        if "subject" in rule:
            rule["subject"]["user"] = [pwd.getpwuid(own).pw_name if user == expected["as"] else other
                                       for user in rule["subject"]["user"]]
    policy["operators"] = {"user": [own]}
    return policy


def make_tests(name):
    cases = json.loads(read(MACHINES / f"{name}.expected.json"))

    def by_the_client():
        assert len(cases) >= 4, f"{name} expects nothing"
        for expected in cases:
            found = verdict(offline(name, expected))
            assert found == wanted(expected), f"{expected}\n found {found}"

    def by_the_broker():
        host = json.loads(read(MACHINES / f"{name}.json"))
        with Daemon(host, {"rules": [], "operators": {"user": [os.geteuid()]}}) as daemon, daemon.connect() as peer:
            for expected in cases:
                daemon.write_policy(own_policy(name, expected))
                peer.ask("ReloadPolicy")
                plan = peer.ask("Plan", {"devices": expected["devices"], "mode": expected["mode"]})["plan"]
                assert verdict(plan) == wanted(expected), f"{expected}\n found {verdict(plan)}"

    by_the_client.__doc__ = f"{name}: the client decides offline as was worked out by hand"
    by_the_broker.__doc__ = f"{name}: the broker on the simulator decides so, too"
    return by_the_client, by_the_broker


def every_file_belongs_to_a_machine():
    """eight machines at least, and no file that nothing asks about"""
    assert len(NAMES) >= 8, NAMES
    used = set()
    for name in NAMES:
        cases = json.loads(read(MACHINES / f"{name}.expected.json"))
        used |= {f"{name}.json", f"{name}.expected.json"}
        used |= {f"{name}.{case['policy']}.policy.json" for case in cases}
    there = {path.name for path in MACHINES.glob("*.json")}
    assert there == used, there ^ used


if __name__ == "__main__":
    run([every_file_belongs_to_a_machine, *(test for name in NAMES for test in make_tests(name))])
