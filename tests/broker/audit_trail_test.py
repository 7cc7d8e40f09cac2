#!/usr/bin/env python3
"""What the broker has the kernel's audit log told: audit_trail_test.py IOASIDD SIMULATOR [TEST]…"""
import os
import signal
import socket

from claims import add, claim, close_all, close_all_but_lease, wait_free
from harness import Daemon, needs_root, run
from hosts import ALONE, DISK, EDU, NIC, SECOND_EDU, policy, rule, small_host

ALICE, CAROL = 60001, 60003
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Log:
    """The simulated host's audit log, read a record at a time."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.read = 0

    def rest(self):
        records = self.daemon.control({"audit_log": True})["records"]
        new, self.read = records[self.read:], len(records)
        return new

    def next(self, kind, **fields):
        """The one new record, once it is there."""
        while not (records := self.rest()):
            assert self.daemon.process.poll() is None
        assert len(records) == 1 and records[0]["kind"] == kind, records
        for name, value in fields.items():
            assert records[0][name] == value, (name, records[0])
        return records[0]


def short(records):
    return [(record["kind"], record["success"]) for record in records]


@test
def grant_and_release():
    """a claim leaves a grant and a release, both successes, with all that they are about; reading leaves nothing"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        log, me = Log(daemon), os.getuid()
        log.next("policy-load", success=True, uid=0, devices=[], text=None, policy=True)
        reply = claim(peer, EDU)
        log.next("grant", success=True, uid=me, actor=me, pid=os.getpid(), devices=[EDU], lockouts=[NIC, SECOND_EDU],
                 claim=reply["claim"], rule="cards", left_out=0, text=None, policy=True)
        peer.ask("Plan", {"devices": [ALONE]})
        peer.ask("GetPolicy")
        close_all_but_lease(reply)
        peer.ask("Release", {"claim": reply["claim"]})
        log.next("release", success=True, uid=me, actor=me, devices=[EDU], lockouts=[NIC, SECOND_EDU],
                 claim=reply["claim"], rule="cards", text=None)
        os.close(reply["lease"])
        reply = claim(peer, ALONE)
        log.next("grant", devices=[ALONE], lockouts=[])
        added = add(peer, reply["claim"], EDU)
        log.next("grant", success=True, devices=[EDU], lockouts=[NIC, SECOND_EDU], claim=reply["claim"])
        for entry in added["devices"]:
            os.close(entry["fd"])
        peer.ask("RemoveDevice", {"claim": reply["claim"], "device": EDU})
        log.next("release", success=True, devices=[EDU], claim=reply["claim"])
        close_all(reply)
        wait_free(peer, reply["claim"])
        log.next("release", success=True, devices=[ALONE])


@test
def refusals():
    """a refusal is a failure, with the rule and the reason; of a flood some are written and the rest is counted"""
    rules = policy({"name": "not these", "effect": "deny", "device": {"address": [ALONE]}}, rule())
    with Daemon(small_host(), rules) as daemon, daemon.connect() as peer:
        log = Log(daemon)
        log.next("policy-load")
        peer.fail("Claim", {"devices": [ALONE]})
        record = log.next("refusal", success=False, uid=os.getuid(), devices=[ALONE], rule="not these", claim=None)
        assert "not these" in record["text"], record
        peer.fail("Claim", {"devices": [DISK]})
        log.next("refusal", success=False, rule=None, devices=[DISK])
        for _ in range(200):
            peer.fail("Claim", {"devices": [DISK]})
        # A claim's record comes after those of what was refused before it.
        reply = claim(peer, EDU)
        records = log.rest()
        while records[-1]["kind"] != "grant":
            records += log.rest()
        assert 15 <= len(records) <= 40, short(records)
        close_all(reply)


@test
def what_was_begun_and_not_done():
    """whatever a claim or a release ends in is a failure unless it was done: each way leaves one record"""
    with Daemon(small_host(), policy(), "--plan-deadline", "1") as daemon, daemon.connect() as peer:
        log = Log(daemon)
        log.next("policy-load")
        # The host does not let it be.
        daemon.control({"fail": {"step": "unbind", "device": NIC, "errno": 5, "times": 1}})
        peer.fail("Claim", {"devices": [EDU]})
        record = log.next("grant", success=False, devices=[EDU], lockouts=[NIC, SECOND_EDU], rule="cards")
        assert "everything was restored" in record["text"] and record["claim"], record
        # An addition.
        reply = claim(peer, ALONE)
        log.next("grant", success=True)
        daemon.control({"fail": {"step": "unbind", "device": NIC, "errno": 5, "times": 1}})
        peer.fail("AddDevice", {"claim": reply["claim"], "device": EDU})
        record = log.next("grant", success=False, devices=[EDU], claim=reply["claim"])
        assert record["text"], record
        # Somebody holds it.
        kept = os.dup(reply["devices"][0]["fd"])
        close_all(reply)
        record = log.next("release", success=False, devices=[ALONE])
        assert "still held" in record["text"], record
        for _ in range(3):
            peer.ask("Release", {"claim": reply["claim"]})
        assert len(log.rest()) <= 1
        os.close(kept)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        log.next("release", success=True, devices=[ALONE], text=None)
        # It can't be put back; the operator opens it.
        reply = claim(peer, EDU)
        log.next("grant", success=True)
        daemon.control({"fail": {"step": "restore", "device": NIC, "errno": 5, "times": 1}})
        close_all(reply)
        log.next("release", success=False)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        log.next("release", success=True)
        # It hangs, and is undone when the kernel lets go.
        daemon.control({"hang": {"step": "bind", "device": EDU}})
        peer.fail("Claim", {"devices": [EDU]})
        record = log.next("grant", success=False)
        assert "deadline" in record["text"], record
        daemon.control({"unhang": True})
        log.next("release", success=True)


@test
def nobody_is_there_any_more():
    """a client that leaves before it has its claim: the grant failed, and the release was done"""
    with Daemon(small_host(), policy(), "--plan-deadline", "30") as daemon, daemon.connect() as watcher:
        log = Log(daemon)
        log.next("policy-load")
        peer = daemon.connect()
        daemon.control({"hang": {"step": "bind", "device": EDU}})
        peer.send_call("org.ioasid1.Claim", {"devices": [EDU]})
        while not watcher.ask("ListClaims")["claims"]:
            pass
        peer.close()
        # It has been noticed when the next connection is served.
        with daemon.connect() as other:
            other.ask("GetStatus")
        daemon.control({"unhang": True})
        records = []
        while len(records) < 2:
            records += log.rest()
        assert short(records) == [("grant", False), ("release", True)], records


@test
def operators():
    """what an operator does to another's claim names both"""
    needs_root()
    rules = policy(rule(user=[str(ALICE)]), operators={"user": [str(CAROL)]})
    with Daemon(small_host(), rules) as daemon, daemon.connect_as(ALICE) as alice, daemon.connect_as(CAROL) as carol:
        log = Log(daemon)
        log.next("policy-load")
        reply = claim(alice, ALONE)
        log.next("grant", uid=ALICE, actor=ALICE)
        close_all_but_lease(reply)
        assert carol.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        log.next("release", success=True, uid=ALICE, actor=CAROL)
        os.close(reply["lease"])
        reply = claim(alice, ALONE)
        log.next("grant")
        close_all_but_lease(reply)
        carol.ask("Revoke", {"claim": reply["claim"], "grace": 0, "reason": "maintenance = \"now\""})
        records = []
        while len(records) < 2:
            records += log.rest()
        assert short(records) == [("revocation", True), ("release", True)], records
        assert [(record["uid"], record["actor"]) for record in records] == [(ALICE, CAROL)] * 2, records
        assert records[0]["text"] == "maintenance = \"now\"", records
        os.close(reply["lease"])
        carol.ask("ReloadPolicy")
        log.next("policy-load", success=True, uid=CAROL)
        daemon.write_policy("{")
        carol.fail("ReloadPolicy")
        record = log.next("policy-load", success=False, uid=CAROL)
        assert record["text"] == "the policy files have errors", record
        daemon.process.send_signal(signal.SIGHUP)
        log.next("policy-load", success=False, uid=0)


@test
def stopped():
    """a process that is stopped, because it held what was revoked, is named with the operator's revocation"""
    needs_root()
    rules = policy(rule(user=[str(ALICE)], revoke={"grace": "1ms", "stop": "process"}))
    with Daemon(small_host(), rules) as daemon, daemon.connect() as peer:
        log = Log(daemon)
        log.next("policy-load")
        ours, theirs = socket.socketpair()
        holder = os.fork()
        if holder == 0:
            try:
                os.setresgid(ALICE, ALICE, ALICE)
                os.setresuid(ALICE, ALICE, ALICE)
                theirs.sendall(claim(daemon.connect(), ALONE)["claim"].encode())
                signal.pause()
            finally:
                os._exit(1)
        name = ours.recv(100).decode()
        log.next("grant", uid=ALICE, pid=holder)
        peer.ask("Revoke", {"claim": name})
        records = []
        while not records or not records[-1]["success"] or records[-1]["kind"] != "release":
            records += log.rest()
        assert short(records) == [("revocation", True), ("release", False), ("stop", True), ("release", True)], records
        assert records[2]["pid"] == holder and records[2]["devices"] == [ALONE] and records[2]["uid"] == ALICE, records
        assert os.waitstatus_to_exitcode(os.waitpid(holder, 0)[1]) < 0
        ours.close()
        theirs.close()


@test
def a_log_that_does_not_take_records():
    """claims go on, the failure is said once, and once more after it was mended"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        log = Log(daemon)
        log.next("policy-load")
        for number in (28, 28, 0, 28, 93):  # ENOSPC, EPROTONOSUPPORT: no audit in this kernel, which is no failure
            daemon.control({"audit_log": {"errno": number}})
            reply = claim(peer, ALONE)
            close_all(reply)
            wait_free(peer, reply["claim"])
        assert short(log.rest()) == [("grant", True), ("release", True)]
        text = daemon.log_text()
        assert text.count("rejects records") == 2 and "No space left" in text, text


@test
def killed_in_the_middle():
    """a claim that was being made when the broker was killed: the next one says that it failed, and frees it"""
    daemon = Daemon(small_host(), policy())
    daemon.keep_host()
    with daemon:
        daemon.control({"hang": {"step": "bind", "device": EDU}})
        peer = daemon.connect()
        peer.send_call("org.ioasid1.Claim", {"devices": [EDU]})
        with daemon.connect() as watcher:
            while not watcher.ask("ListClaims")["claims"]:
                pass
        daemon.kill()
        peer.close()
        daemon.control({"unhang": True})
        assert daemon.start() is None, daemon.log_text()
        records = []
        log = Log(daemon)
        while not records or records[-1]["kind"] != "release":
            records += log.rest()
        assert ("grant", False) in short(records) and short(records)[-1] == ("release", True), records


if __name__ == "__main__":
    run(TESTS)
