"""ioasidctl plan: an answer to "what will I lose?", its verdict as the exit status, and its JSON."""

import os
import pwd

import host
import tap
from fake_daemon import FakeDaemon, Reply
from program import ioasidctl, output_json

USER = pwd.getpwuid(os.geteuid()).pw_name
CARD = "0000:01:00.0"
DISK = "0000:01:01.0"
FILE = "/etc/ioasidd/policy.d/50-alice.json"

ALLOWED = {
    "allowed": True, "status": 0, "mode": "attached",
    "devices": [{"address": CARD, "group": 7, "rule": "alice drives the test card", "rule_file": FILE, "rule_line": 3}],
    "lockouts": [{"device": DISK, "for": CARD, "driver": "nvme", "severity": "idle", "use": None, "covered": True}],
    "blockers": [],
    "uses": [{"device": CARD, "kind": "driver", "severity": "idle", "text": "driver vfio-pci"}],
    "steps": [{"kind": "override", "device": DISK, "text": "pin 0000:01:01.0 so that no driver binds"},
              {"kind": "unbind", "device": DISK, "text": "unbind nvme from 0000:01:01.0"}],
}
REFUSED = {
    "allowed": False, "status": 4, "mode": "attached",
    "devices": ALLOWED["devices"],
    "lockouts": [dict(ALLOWED["lockouts"][0], severity="fatal", covered=False,
                      use="nvme0n1 > nvme0n1p2 > mounted on /")],
    "blockers": [{"kind": "member-in-use", "status": 4, "device": CARD, "member": DISK, "use": "nvme0n1", "claim": None,
                  "rule": None, "message": "the host uses 0000:01:01.0: nvme0n1 > nvme0n1p2 > mounted on /",
                  "remedy": "unmount it, or claim a device in another group"},
                 {"kind": "no-reset", "status": 6, "device": CARD, "member": None, "use": None, "claim": None,
                  "rule": "alice drives the test card", "message": "0000:01:00.0 can't be reset",
                  "remedy": "a rule with \"reset\": \"try\""}],
    "uses": [{"device": DISK, "kind": "mount", "severity": "fatal", "text": "nvme0n1 > nvme0n1p2 > mounted on /"},
             {"device": DISK, "kind": "driver", "severity": "idle", "text": "driver nvme"}],
    "steps": [],
}


def planning(plan):
    daemon = host.daemon()
    daemon.methods["Plan"] = Reply({"plan": plan})
    return daemon


def test_a_claim_that_would_be_allowed():
    with planning(ALLOWED) as daemon:
        result = ioasidctl(daemon, "plan", "01:00.0")
        tap.equal([result.returncode, result.stderr], [0, ""])
        tap.equal(result.stdout, f"""\
Yes: {USER} may claim 0000:01:00.0 (rule "alice drives the test card", {FILE}:3).

The host loses:
  0000:01:00.0, unclassified device, driver vfio-pci: asked for
  0000:01:01.0, NVM Express controller, driver nvme, idle: locked out because 0000:01:00.0 is in its IOMMU group

What would be done:
   1. pin 0000:01:01.0 so that no driver binds
   2. unbind nvme from 0000:01:01.0

Nothing was changed.
""")
        tap.equal(daemon.called("Plan"), [{"devices": [CARD]}])
        tap.equal(daemon.called(), ["Plan", "ListDevices"], "nothing else was asked")


def test_a_claim_that_would_be_refused():
    with planning(REFUSED) as daemon:
        result = ioasidctl(daemon, "plan", CARD)
        tap.equal([result.returncode, result.stderr], [4, ""])
        tap.equal(result.stdout, f"""\
No: {USER} can't claim 0000:01:00.0 (rule "alice drives the test card", {FILE}:3): what it needs is in use or claimed.

The host loses:
  0000:01:00.0, unclassified device, driver vfio-pci: asked for
  0000:01:01.0, NVM Express controller, driver nvme, fatal: locked out because 0000:01:00.0 is in its IOMMU group; that is not allowed
    used: nvme0n1 > nvme0n1p2 > mounted on / (fatal)

What stands in the way:
  the host uses 0000:01:01.0: nvme0n1 > nvme0n1p2 > mounted on /
    To resolve: unmount it, or claim a device in another group
  0000:01:00.0 can't be reset
    To resolve: a rule with "reset": "try"

Nothing was changed.
""")


def test_a_claim_that_locks_nothing_out():
    with planning(dict(ALLOWED, lockouts=[])) as daemon:
        tap.contains(ioasidctl(daemon, "plan", CARD).stdout, "  nothing else\n")


def test_each_verdict_is_the_exit_status():
    words = {3: "policy refuses it", 4: "in use or claimed", 5: "no such device", 6: "this kernel or hardware"}
    for status, part in words.items():
        plan = {"allowed": False, "status": status, "mode": "attached", "devices": [], "lockouts": [], "blockers": [],
                "uses": [], "steps": []}
        with planning(plan) as daemon:
            result = ioasidctl(daemon, "plan", CARD)
            tap.equal(result.returncode, status)
            tap.contains(result.stdout, f"No: {USER} can't claim {CARD}: ")
            tap.contains(result.stdout, part)
            tap.contains(result.stdout, "\nNothing was changed.\n")
            result = ioasidctl(daemon, "plan", CARD, "--json")
            tap.equal([result.returncode, output_json(result)["plan"]["status"]], [status, status])


def test_a_device_that_is_not_there_is_not_lost():
    plan = {"allowed": False, "status": 5, "mode": "attached", "lockouts": [], "uses": [], "steps": [],
            "devices": [{"address": "0000:09:00.0", "group": None, "rule": None}],
            "blockers": [{"message": "there is no 0000:09:00.0", "remedy": "look at the list"}]}
    with planning(plan) as daemon:
        tap.contains(ioasidctl(daemon, "plan", "09:00.0").stdout, "The host loses:\n  nothing\n")


def test_several_devices_and_a_mode():
    with planning(ALLOWED) as daemon:
        result = ioasidctl(daemon, "plan", "--mode=open", "01:00.0", "02:00.0", "0000:01:00.0", "03:00.0")
        tap.contains(result.stdout, "may claim 0000:01:00.0, 0000:02:00.0 and 0000:03:00.0 (rule")
        tap.equal(daemon.called("Plan"), [{"devices": [CARD, "0000:02:00.0", "0000:03:00.0"], "mode": "open"}])


def test_the_answer_does_not_need_the_list_of_devices():
    with FakeDaemon({"Plan": Reply({"plan": ALLOWED})}) as daemon:
        result = ioasidctl(daemon, "plan", CARD)
        tap.equal(result.returncode, 0)
        tap.contains(result.stdout, "  0000:01:00.0: asked for\n    used: driver vfio-pci (idle)\n")


def test_json_is_the_daemons_reply():
    for plan in (ALLOWED, REFUSED):
        with planning(plan) as daemon:
            result = ioasidctl(daemon, "plan", CARD, "--json")
            tap.equal([result.returncode, result.stderr], [plan["status"], ""])
            tap.equal(output_json(result), {"plan": plan})
            tap.equal(daemon.called(), ["Plan"])


def test_S9_strings_of_devices_can_not_steer_the_terminal():
    nasty = "\x1b]0;owned\x07\nYes: you may claim everything\r\x9b2J"
    plan = dict(REFUSED, uses=[{"device": DISK, "severity": nasty, "text": nasty}],
                blockers=[{"message": nasty, "remedy": nasty}],
                devices=[{"address": nasty, "rule": nasty, "rule_file": nasty, "rule_line": 1}])
    with planning(plan) as daemon:
        text = ioasidctl(daemon, "plan", CARD).stdout
        for character in "\x1b\x07\r\x9b":
            tap.lacks(text, character)
        tap.lacks(text, "\nYes")
        tap.contains(text, "\\x1b]0;owned\\x07\\nYes: you may claim everything")


if __name__ == "__main__":
    tap.run(dict(globals()))
