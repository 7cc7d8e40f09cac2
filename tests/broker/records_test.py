#!/usr/bin/env python3
"""What the broker writes into the journal: records_test.py IOASIDD SIMULATOR [TEST]…"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile

from claims import add, claim, close_all, close_all_but_lease, wait_free
from harness import Daemon, Skip, needs_root, run
from hosts import ALONE, DISK, EDU, FLR_NIC, NIC, SECOND_EDU, policy, rule, small_host
from journald import MESSAGES, Journal

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
CATALOGUE = os.path.join(SOURCE, "units/ioasidd.catalog")
ALICE = 60001
TESTS = []


def test(function):
    TESTS.append(function)
    return function


@contextlib.contextmanager
def recorded(host=None, text=None, *arguments, **more):
    """A daemon that writes to a journal of ours; the policy's load was read from that already."""
    daemon = Daemon(host or small_host(), text or policy(), *arguments, **more)
    journal = Journal(daemon.folder)
    daemon.arguments += ["--journal", journal.path]
    try:
        with daemon:
            assert journal.next().kind == "loaded"
            yield daemon, journal
    finally:
        journal.close()


@test
def a_claim_from_begin_to_end():
    """a claim leaves three entries with all that is known of it, and no line on standard error"""
    with recorded() as (daemon, journal), daemon.connect() as peer:
        reply = claim(peer, EDU, SECOND_EDU)
        entry = journal.next()
        assert entry.kind == "granted" and entry.one("PRIORITY") == "5", entry
        assert entry.one("IOASID_CLAIM") == reply["claim"] and entry.one("SYSLOG_IDENTIFIER") == "ioasidd"
        assert entry["IOASID_DEVICE"] == [EDU, SECOND_EDU] and entry["IOASID_MEMBER"] == [NIC], entry
        assert entry["IOASID_GROUP"] == ["1"] and entry.one("IOASID_RULE") == "cards", entry
        assert entry.number("IOASID_UID") == os.getuid() and entry.number("IOASID_PID") == os.getpid(), entry
        assert (entry.one("IOASID_MODE"), entry.one("IOASID_INTERFACE"), entry.one("IOASID_VERDICT")) == (
            "attached", "iommufd", "allowed"), entry
        for part in (reply["claim"], EDU, NIC, "cards", f"uid {os.getuid()}"):
            assert part in entry.one("MESSAGE"), entry
        close_all_but_lease(reply)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        entry = journal.next()
        assert entry.kind == "ending" and entry.number("IOASID_ACTOR") == os.getuid(), entry
        assert "its release was requested" in entry.one("MESSAGE"), entry
        entry = journal.next()
        assert entry.kind == "free" and entry["IOASID_DEVICE"] == [EDU, SECOND_EDU], entry
        os.close(reply["lease"])
        reply = claim(peer, ALONE)
        assert journal.next().kind == "granted"
        close_all(reply)
        entry = journal.next()
        assert entry.kind == "ending" and "its lease ended" in entry.one("MESSAGE") and "IOASID_ACTOR" not in entry
        assert journal.next().kind == "free"
        assert reply["claim"] not in daemon.log_text(), daemon.log_text()


@test
def growth():
    """what is added to a claim and given back is written with what it locks out"""
    with recorded() as (daemon, journal), daemon.connect() as peer:
        reply = claim(peer, ALONE)
        assert journal.next()["IOASID_DEVICE"] == [ALONE]
        added = add(peer, reply["claim"], EDU)
        entry = journal.next()
        assert entry.kind == "grew" and entry["IOASID_DEVICE"] == [EDU], entry
        assert sorted(entry["IOASID_MEMBER"]) == [NIC, SECOND_EDU] and entry["IOASID_GROUP"] == ["1"], entry
        for entry in added["devices"]:
            os.close(entry["fd"])
        peer.ask("RemoveDevice", {"claim": reply["claim"], "device": EDU})
        entry = journal.next()
        assert entry.kind == "shrank" and entry["IOASID_DEVICE"] == [EDU], entry
        close_all(reply)


@test
def refusals():
    """a refusal says who, what, why and by which rule; a plan leaves none"""
    rules = policy({"name": "no cards on the bridge", "effect": "deny", "device": {"address": [EDU]}}, rule())
    host = small_host()
    host["uses"] = [{"device": NIC, "kind": "network-link", "severity": "fatal", "text": "eth0 > default route"}]
    with recorded(host, rules) as (daemon, journal), daemon.connect() as peer:
        assert not peer.ask("Plan", {"devices": [EDU]})["plan"]["allowed"]
        assert peer.fail("Claim", {"devices": [EDU]})[1]["status"] == 3
        entry = journal.next()
        assert (entry.kind, entry.one("IOASID_VERDICT"), entry.one("IOASID_STATUS"), entry.one("IOASID_RULE")) == (
            "refused", "denied", "3", "no cards on the bridge"), entry
        assert entry["IOASID_DEVICE"] == [EDU] and entry.number("IOASID_UID") == os.getuid(), entry
        assert peer.fail("Claim", {"devices": [DISK]})[1]["status"] == 3
        entry = journal.next()
        assert entry.one("IOASID_VERDICT") == "no-rule" and "IOASID_RULE" not in entry, entry
        assert peer.fail("Claim", {"devices": [SECOND_EDU]})[1]["status"] == 4
        entry = journal.next()
        assert entry.one("IOASID_VERDICT") == "member-in-use" and NIC in entry["IOASID_MEMBER"], entry
        reply = claim(peer, ALONE)
        assert journal.next().kind == "granted"
        assert peer.fail("AddDevice", {"claim": reply["claim"], "device": DISK})[1]["status"] == 3
        entry = journal.next()
        assert entry.kind == "refused" and entry.one("IOASID_CLAIM") == reply["claim"], entry
        close_all(reply)


@test
def one_user_does_not_flood_the_journal():
    """of a thousand refusals of one user some are written, and a number says how many were not; others' are"""
    needs_root()
    with recorded() as (daemon, journal), daemon.connect_as(ALICE) as alice, daemon.connect() as peer:
        for _ in range(300):
            alice.fail("Claim", {"devices": [DISK]})
        peer.fail("Claim", {"devices": [DISK]})
        journal.wait_for_uid(os.getuid(), entries := [])
        assert entries[-1].number("IOASID_UID") == os.getuid(), entries[-1]
        # Of a burst the journal's queue may have lost some.
        assert 5 <= len(entries) <= 40, len(entries)
        while not (entries := journal.rest()):
            alice.fail("Claim", {"devices": [DISK]})
        assert 200 < entries[0].number("IOASID_LEFT_OUT") < 100000, entries[0]


@test
def what_fails_on_the_host():
    """a plan that fails names its step and errno; a claim that is never acknowledged says so and ends"""
    with recorded() as (daemon, journal):
        with daemon.connect() as peer:
            daemon.control({"fail": {"step": "unbind", "device": NIC, "errno": 5, "times": 1}})
            peer.fail("Claim", {"devices": [EDU]})
            entry = journal.next()
            assert (entry.kind, entry.one("IOASID_STEP"), entry.one("IOASID_ERRNO")) == ("failed", "unbind", "5"), entry
            assert "everything was restored" in entry.one("MESSAGE") and entry["IOASID_DEVICE"] == [EDU], entry
            peer.ask("Claim", {"devices": [EDU]})
            lease, *others = peer.take_fds()
            for fd in others:
                os.close(fd)
            assert journal.next().kind == "granted"
        entry = journal.next()
        assert entry.kind == "ending" and "acknowledge" in entry.one("MESSAGE"), entry
        assert journal.next().kind == "free"
        os.close(lease)


@test
def lingering_is_said_once():
    """a holder is named when it is found, and not again with each try; quarantine names what could not be put back"""
    with recorded() as (daemon, journal), daemon.connect() as peer:
        reply = claim(peer, ALONE)
        kept = os.dup(reply["devices"][0]["fd"])
        close_all(reply)
        journal.wait_for("ending")
        entry = journal.next()
        assert entry.kind == "lingering" and entry.one("PRIORITY") == "4" and ALONE in entry.one("IOASID_NOTE"), entry
        entry = journal.next()
        assert entry.kind == "step" and "its mappings were removed" in entry.one("MESSAGE"), entry
        for _ in range(3):
            assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "lingering"
        # The first try after the mappings were removed says so once more; those after it find what was known.
        assert [entry.kind for entry in journal.rest()] in ([], ["lingering"])
        os.close(kept)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        assert journal.next().kind == "free"
        reply = claim(peer, EDU)
        journal.wait_for("granted")
        daemon.control({"fail": {"step": "restore", "device": NIC, "errno": 5, "times": 1}})
        close_all(reply)
        entry = journal.wait_for("quarantined")
        assert entry.one("PRIORITY") == "3" and NIC in entry.one("IOASID_NOTE"), entry
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        entry = journal.wait_for("ending")
        assert "quarantine was released" in entry.one("MESSAGE") and entry.number("IOASID_ACTOR") == os.getuid(), entry


@test
def stuck_and_unplugged():
    """a plan that hangs and a device that is pulled are written as such"""
    with recorded(small_host(), policy(), "--plan-deadline", "1") as (daemon, journal), daemon.connect() as peer:
        daemon.control({"hang": {"step": "bind", "device": EDU}})
        peer.fail("Claim", {"devices": [EDU]})
        entry = journal.next()
        assert entry.kind == "stuck" and entry.one("PRIORITY") == "3" and entry["IOASID_DEVICE"] == [EDU], entry
        daemon.control({"unhang": True})
        journal.wait_for("free")
        reply = claim(peer, ALONE)
        assert journal.next().kind == "granted"
        daemon.control({"remove": ALONE})
        # The kernel lets it go when nobody has it open any more.
        close_all_but_lease(reply)
        entry = journal.next()
        assert entry.kind == "unplugged" and entry["IOASID_DEVICE"] == [ALONE], entry
        assert entry.one("IOASID_CLAIM") == reply["claim"], entry
        os.close(reply["lease"])


@test
def policies():
    """loads, refused loads, claims that a new policy would not grant, and reserved devices that are not ready"""
    with recorded() as (daemon, journal), daemon.connect() as peer:
        reply = claim(peer, ALONE)
        assert journal.next().kind == "granted"
        daemon.write_policy('{ "rules": 7 }')
        assert peer.fail("ReloadPolicy")[0] == "org.ioasid1.PolicyInvalid"
        entry = journal.next()
        assert entry.kind == "not loaded" and entry.one("PRIORITY") == "3" and entry.one("IOASID_RULES") == "1", entry
        assert entry.number("IOASID_ACTOR") == os.getuid(), entry
        before = entry.one("IOASID_POLICY_DIGEST")
        daemon.write_policy(policy(rule("others", device={"address": [DISK]}), reserve=[{"address": [FLR_NIC]}]))
        daemon.process.send_signal(signal.SIGHUP)
        entry = journal.next()
        assert entry.kind == "loaded" and "IOASID_ACTOR" not in entry, entry
        assert entry.one("IOASID_POLICY_DIGEST") == peer.ask("GetStatus")["policy"]["digest"] != before, entry
        assert entry.one("IOASID_FILE").endswith("/50-test.json"), entry
        entry = journal.next()
        assert entry.kind == "not granted" and entry["IOASID_DEVICE"] == [ALONE], entry
        assert entry.one("IOASID_CLAIM") == reply["claim"], entry
        close_all(reply)
    with recorded(None, policy(reserve=[{"address": [FLR_NIC]}])) as (daemon, journal):
        entry = journal.next()
        assert entry.kind == "not ready" and entry["IOASID_DEVICE"] == [FLR_NIC], entry
        assert FLR_NIC in entry.one("MESSAGE"), entry


@test
def a_claim_that_an_earlier_run_left():
    """the next start writes what becomes of it, to whom it belongs and which devices it has"""
    daemon = Daemon(small_host(), policy())
    journal = Journal(daemon.folder)
    daemon.arguments += ["--journal", journal.path]
    daemon.keep_host()
    with daemon:
        with daemon.connect() as peer:
            reply = claim(peer, EDU)
            journal.wait_for("granted")
            daemon.kill()
        close_all(reply)
        assert daemon.start() is None, daemon.log_text()
        entry = journal.wait_for("adopted")
        assert "left by an earlier run" in entry.one("MESSAGE") and entry["IOASID_DEVICE"] == [EDU], entry
        assert entry.one("IOASID_CLAIM") == reply["claim"], entry
        assert journal.next().kind == "free"
    journal.close()


@test
def a_journal_that_hangs():
    """claims go on while the journal takes nothing; afterwards a number says how many entries it lost"""
    with recorded() as (daemon, journal), daemon.connect() as peer:
        # Its queue holds a few (net.unix.max_dgram_qlen), and nobody reads it.
        journal.hang()
        for _ in range(400):
            reply = claim(peer, ALONE)
            close_all(reply)
            wait_free(peer, reply["claim"])
        kept = journal.go_on()
        assert len(kept) < 1200 and kept[0].kind == "granted", len(kept)
        reply = claim(peer, ALONE)
        entry = journal.next()
        assert entry.kind == "granted" and entry.one("IOASID_CLAIM") == reply["claim"], entry
        assert entry.number("IOASID_LOST") == 1200 - len(kept), (entry, len(kept))
        os.unlink(journal.path)
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert peer.ask("ListClaims")["claims"] == []


@test
def without_a_journal():
    """the same sentences stand on standard error, once; JOURNAL_STREAM of another file changes nothing"""
    os.environ["JOURNAL_STREAM"] = "1:1"
    try:
        with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
            reply = claim(peer, EDU)
            close_all_but_lease(reply)
            wait_free(peer, reply["claim"])
            os.close(reply["lease"])
            lines = [line for line in daemon.log_text().splitlines() if reply["claim"] in line]
            assert len(lines) == 3 and lines[0].startswith("<5>ioasidd: claim "), lines
            assert EDU in lines[0] and "its release was requested" in lines[1] and "free" in lines[2], lines
    finally:
        del os.environ["JOURNAL_STREAM"]


def catalogue_ids():
    with open(CATALOGUE, encoding="utf-8") as file:
        return re.findall(r"^-- ([0-9a-f]{32})$", file.read(), re.M)


@test
def every_message_is_explained():
    """each MESSAGE_ID in the source has its entry in the catalogue, and each entry there its message"""
    with open(os.path.join(SOURCE, "daemon/broker/observers/journal_entry.c"), encoding="utf-8") as file:
        source = re.findall(r'"([0-9a-f]{32})"', file.read())
    entries = catalogue_ids()
    assert len(source) == len(set(source)) == 18 and sorted(source) == sorted(entries), set(source) ^ set(entries)
    assert sorted(source) == sorted(MESSAGES.values())


@test
def journalctl_reads_the_catalogue():
    """journalctl takes every entry, each with a subject, what it means and what to do"""
    if not shutil.which("journalctl"):
        raise Skip("there is no journalctl")
    with tempfile.TemporaryDirectory() as root:
        folder = os.path.join(root, "usr/lib/systemd/catalog")
        os.makedirs(folder)
        shutil.copy(CATALOGUE, folder)
        update = subprocess.run(["journalctl", "--root", root, "--update-catalog"], capture_output=True, text=True)
        assert update.returncode == 0 and not update.stderr, update
        text = subprocess.run(["journalctl", "--root", root, "--dump-catalog"], capture_output=True, text=True).stdout
    for number in catalogue_ids():
        entry = text.split(f"-- {number}\n")[1].split("\n-- ")[0]
        head, body = entry.split("\n\n", 1)
        assert "Subject: " in head and "Defined-By: ioasidd" in head, entry
        assert body.count("\n\n") >= 1 and len(body) > 100, entry
        assert all(len(line) <= 84 for line in body.splitlines()), entry


if __name__ == "__main__":
    run(TESTS)
