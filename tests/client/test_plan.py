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

LOSS = "The host would lose its NVMe disk 0000:01:01.0 (driver nvme): nothing uses it now; nobody asked for it"
NOTES = [{"kind": "loss", "severity": "idle", "device": DISK, "text": LOSS},
         {"kind": "not-undone", "severity": "idle", "device": CARD, "text": "what is inside is lost"},
         {"kind": "reset", "severity": "idle", "device": CARD, "text": "it can be reset between owners (flr)"},
         {"kind": "peers", "severity": "idle", "device": CARD, "text": "they can reach each other"},
         {"kind": "slot", "severity": "idle", "device": CARD, "text": "it is on one card with another"},
         {"kind": "interrupts", "severity": "disruptive", "device": None, "text": "any interrupt can be raised"}]
ALLOWED = {
    "allowed": True, "status": 0, "uid": os.geteuid(), "unit": None, "mode": "attached",
    "devices": [{"name": CARD, "group": 7, "rule": "alice drives the test card", "rule_file": FILE, "rule_line": 3}],
    "chosen": [],
    "lockouts": [{"device": DISK, "for": CARD, "driver": "nvme", "severity": "idle", "use": None, "covered": True}],
    "blockers": [],
    "notes": NOTES,
    "uses": [{"device": CARD, "kind": "driver", "severity": "idle", "text": "driver vfio-pci"}],
    "steps": [{"kind": "override", "device": DISK, "text": "pin 0000:01:01.0 so that no driver binds"},
              {"kind": "unbind", "device": DISK, "text": "unbind nvme from 0000:01:01.0"}],
}
REFUSED = {
    "allowed": False, "status": 4, "uid": os.geteuid(), "unit": None, "mode": "attached",
    "devices": ALLOWED["devices"],
    "chosen": [],
    "lockouts": [dict(ALLOWED["lockouts"][0], severity="fatal", covered=False,
                      use="nvme0n1 > nvme0n1p2 > mounted on /")],
    "blockers": [{"kind": "member-in-use", "status": 4, "device": CARD, "member": DISK, "use": "nvme0n1", "claim": None,
                  "rule": None, "message": "the host uses 0000:01:01.0: nvme0n1 > nvme0n1p2 > mounted on /",
                  "remedy": "unmount it, or claim a device in another group"},
                 {"kind": "no-reset", "status": 6, "device": CARD, "member": None, "use": None, "claim": None,
                  "rule": "alice drives the test card", "message": "0000:01:00.0 can't be reset",
                  "remedy": "a rule with \"reset\": \"try\""}],
    "notes": [{"kind": "loss", "severity": "fatal", "device": DISK, "text": "The host would lose its disk"}],
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

{LOSS}.

What the host uses these devices for:
  0000:01:00.0, requested:
    driver vfio-pci (idle)
  0000:01:01.0, locked out with 0000:01:00.0, driver nvme, idle: nothing found

Steps:
   1. pin 0000:01:01.0 so that no driver binds
   2. unbind nvme from 0000:01:01.0

What cannot be undone:
  what is inside is lost

Reset:
  it can be reset between owners (flr)

Isolation:
  any interrupt can be raised
  they can reach each other
  it is on one card with another

Nothing was changed.
""")
        tap.equal(daemon.called("Plan"), [{"devices": [CARD]}])
        tap.equal(daemon.called(), ["Plan"], "nothing else was asked")


def test_a_claim_that_would_be_refused():
    with planning(REFUSED) as daemon:
        result = ioasidctl(daemon, "plan", CARD)
        tap.equal([result.returncode, result.stderr], [4, ""])
        tap.equal(result.stdout, f"""\
No: {USER} cannot claim 0000:01:00.0 (rule "alice drives the test card", {FILE}:3): devices are in use or claimed.

FATAL: The host would lose its disk.

What blocks the claim:
  the host uses 0000:01:01.0: nvme0n1 > nvme0n1p2 > mounted on /
    To resolve: unmount it, or claim a device in another group
  0000:01:00.0 can't be reset
    To resolve: a rule with "reset": "try"

What the host uses these devices for:
  0000:01:00.0, requested: nothing
  0000:01:01.0, locked out with 0000:01:00.0 (which is not allowed), driver nvme, fatal:
    nvme0n1 > nvme0n1p2 > mounted on / (fatal)
    driver nvme (idle)

Nothing was changed.
""")


def test_a_claim_that_costs_nothing():
    with planning(dict(ALLOWED, lockouts=[], uses=[], notes=[])) as daemon:
        text = ioasidctl(daemon, "plan", CARD).stdout
        tap.contains(text, "\nThe host would lose nothing.\n")
        tap.lacks(text, "uses these devices")


def test_many_idle_losses_do_not_hide_the_worst():
    def loss(number, severity):
        return {"kind": "loss", "severity": severity, "device": DISK, "text": f"The host would lose {number}"}
    notes = [loss(1, "fatal"), loss(2, "disruptive")] + [loss(number, "idle") for number in range(3, 43)]
    with planning(dict(ALLOWED, notes=notes)) as daemon:
        text = ioasidctl(daemon, "plan", CARD).stdout
        tap.contains(text,
                     "\n\nFATAL: The host would lose 1.\nDisruptive: The host would lose 2.\nThe host would lose 3.\n")
        tap.contains(text, "\nThe host would lose 10.\nIt would also lose 32 more devices that nothing uses now.\n")


def test_devices_under_different_rules():
    devices = ALLOWED["devices"] + [{"name": DISK, "group": 7, "rule": "disks", "rule_file": FILE, "rule_line": 9},
                                    {"name": "0000:09:00.0", "group": 8, "rule": None}]
    with planning(dict(REFUSED, devices=devices)) as daemon:
        text = ioasidctl(daemon, "plan", CARD, DISK, "09:00.0").stdout
        tap.contains(text, "and 0000:09:00.0: devices are in use or claimed.\n")
        tap.contains(text, f"""
  0000:01:00.0: rule "alice drives the test card", {FILE}:3
  0000:01:01.0: rule "disks", {FILE}:9
  0000:09:00.0: no rule
""")


def test_nothing_is_told_of_a_device_that_is_not_there():
    plan = dict(REFUSED, status=5, devices=ALLOWED["devices"] + [{"name": "0000:09:00.0", "group": None, "rule": None}],
                blockers=[{"kind": "unknown-device", "status": 5, "device": "0000:09:00.0", "message": "there is none",
                           "remedy": "look at the list"}])
    with planning(plan) as daemon:
        text = ioasidctl(daemon, "plan", CARD, "09:00.0").stdout
        tap.contains(text, "\n  0000:01:00.0, requested: nothing\n")
        tap.lacks(text, "0000:09:00.0, requested")


def test_what_was_chosen_from_a_pool():
    chosen = [{"pool": "cards", "device": CARD, "why": "it locks out nothing"}]
    with planning(dict(ALLOWED, chosen=chosen)) as daemon:
        text = ioasidctl(daemon, "plan", "pool:cards", "pool:cards").stdout
        tap.contains(text, "\n  any one of cards is 0000:01:00.0: it locks out nothing\n")
        tap.equal(daemon.called("Plan"), [{"devices": ["pool:cards", "pool:cards"]}])


def test_an_operator_plans_for_somebody():
    with planning(dict(ALLOWED, uid=4000000000, unit="vm.service")) as daemon:
        result = ioasidctl(daemon, "plan", "--as", "4000000000", "--unit=vm.service", CARD)
        tap.contains(result.stdout, f"Yes: the user 4000000000 in vm.service may claim {CARD}")
        tap.equal(daemon.called("Plan"), [{"devices": [CARD], "user": "4000000000", "unit": "vm.service"}])
    for arguments in (["plan", "--as=", CARD], ["plan", "--unit", "", CARD], ["claim", "--as", "bob", CARD],
                      ["plan", CARD, "--as"]):
        with planning(ALLOWED) as daemon:
            result = ioasidctl(daemon, *arguments)
            tap.equal([result.returncode, daemon.called()], [2, []], str(arguments))


def test_lines_fit_80_columns_on_a_terminal():
    import pty
    import subprocess
    from program import IOASIDCTL
    with planning(ALLOWED) as daemon:
        ours, theirs = pty.openpty()
        process = subprocess.Popen([IOASIDCTL, "--socket", daemon.path, "plan", CARD], stdout=theirs,
                                   env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"})
        os.close(theirs)
        text = b""
        try:
            while data := os.read(ours, 65536):
                text += data
        except OSError:
            pass
        tap.equal(process.wait(), 0)
        os.close(ours)
        tap.equal([line for line in text.decode().splitlines() if len(line) > 80], [])
        tap.contains(text.decode(), "Nothing was changed.")


def test_each_verdict_is_the_exit_status():
    words = {3: "permission denied by policy", 4: "in use or claimed", 5: "no such device",
             6: "this kernel or hardware"}
    for status, part in words.items():
        plan = {"allowed": False, "status": status, "mode": "attached", "devices": [], "lockouts": [], "blockers": [],
                "uses": [], "steps": []}
        with planning(plan) as daemon:
            result = ioasidctl(daemon, "plan", CARD)
            tap.equal(result.returncode, status)
            tap.contains(result.stdout, f"No: {USER} cannot claim {CARD}: ")
            tap.contains(result.stdout, part)
            tap.contains(result.stdout, "\nNothing was changed.\n")
            result = ioasidctl(daemon, "plan", CARD, "--json")
            tap.equal([result.returncode, output_json(result)["plan"]["status"]], [status, status])


def test_several_devices_and_a_mode():
    with planning(ALLOWED) as daemon:
        result = ioasidctl(daemon, "plan", "--mode=open", "01:00.0", "02:00.0", "0000:01:00.0", "03:00.0")
        tap.contains(result.stdout, "may claim 0000:01:00.0, 0000:02:00.0 and 0000:03:00.0 (rule")
        tap.equal(daemon.called("Plan"), [{"devices": [CARD, "0000:02:00.0", "0000:03:00.0"], "mode": "open"}])


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
                devices=[{"name": nasty, "rule": nasty, "rule_file": nasty, "rule_line": 1}])
    with planning(plan) as daemon:
        text = ioasidctl(daemon, "plan", CARD).stdout
        for character in "\x1b\x07\r\x9b":
            tap.lacks(text, character)
        tap.lacks(text, "\nYes")
        tap.contains(text, "\\x1b]0;owned\\x07\\nYes: you may claim everything")


if __name__ == "__main__":
    tap.run(dict(globals()))
