#!/usr/bin/env python3
"""Watching the broker over its socket: monitor_test.py IOASIDD SIMULATOR [TEST]…"""
import json
import os
import time

from claims import add, claim, close_all, close_all_but_lease, product_fds, wait_free
from harness import Daemon, needs_root, run
from hosts import ALONE, DISK, EDU, NIC, SECOND_EDU, policy, rule, small_host

ALICE, BOB, CAROL = 60001, 60002, 60003
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def watch(peer, claim_id=None):
    """Begins to watch over this connection."""
    peer.send_call("org.ioasid1.Monitor", {} if claim_id is None else {"claim": claim_id}, more=True)
    event = next_event(peer)
    assert event["kind"] == "ready", event
    return peer


def next_event(peer):
    reply = peer.receive()
    assert reply is not None and "error" not in reply, reply
    assert reply["continues"] is True, reply
    return reply["parameters"]["event"]


def wait_for(peer, kind, **fields):
    """The next event of that kind with these fields."""
    while True:
        event = next_event(peer)
        if event["kind"] == kind and all(event[name] == value for name, value in fields.items()):
            return event


def events_until(peer, kind):
    """All events up to the next of that kind."""
    events = [next_event(peer)]
    while events[-1]["kind"] != kind:
        events.append(next_event(peer))
    return events


FIELDS = {"kind", "time", "claim", "before", "device", "name", "devices", "uid", "status", "grace", "success", "policy",
          "message"}


@test
def a_claim_from_begin_to_end():
    """every state of a claim is told, its devices with it, and nothing twice"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer, daemon.connect() as watcher:
        watch(watcher)
        reply = claim(peer, ALONE)
        close_all_but_lease(reply)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        events = events_until(watcher, "claim-gone")
        assert all(set(event) == FIELDS for event in events), events
        states = [(event["before"], event["claim"]["state"]) for event in events if event["kind"] == "claim"]
        assert states == [("planned", "preparing"), ("preparing", "offered"), ("offered", "held"),
                          ("held", "releasing"),
                          ("releasing", "free")], states
        assert {event["claim"]["id"] for event in events if event["claim"]} == {reply["claim"]}
        devices = [event["device"] for event in events if event["kind"] == "device"]
        assert {device["name"] for device in devices} == {ALONE}, devices
        assert devices[0]["state"] == "preparing" and devices[-1]["state"] == "unclaimed" \
            and devices[-1]["claim"] is None
        assert "held" in [device["state"] for device in devices]
        assert [event["kind"] for event in events if event["kind"] in ("offered", "ending")] == ["offered", "ending"]
        assert abs(events[0]["time"] / 1e6 - time.time()) < 60
        os.close(reply["lease"])


@test
def growth_and_shrinking():
    """what a claim gets and gives back is told, and what becomes of the group's other members"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer, daemon.connect() as watcher:
        reply = claim(peer, ALONE)
        watch(watcher)
        added = add(peer, reply["claim"], EDU)
        event = wait_for(watcher, "offered", name=EDU)
        assert event["claim"]["devices"] == [ALONE, EDU] and event["claim"]["lockouts"] == [NIC, SECOND_EDU], event
        for entry in added["devices"]:
            os.close(entry["fd"])
        peer.ask("RemoveDevice", {"claim": reply["claim"], "device": EDU})
        assert wait_for(watcher, "removed", name=EDU)["claim"]["devices"] == [ALONE]
        free = set()
        while free != {EDU, NIC, SECOND_EDU}:
            device = wait_for(watcher, "device")["device"]
            if device["state"] == "unclaimed":
                free.add(device["name"])
        close_all(reply)


@test
def devices_and_policies():
    """devices that come, change and go are told, and policies that are loaded or refused"""
    host = small_host()
    with Daemon(host, policy()) as daemon, daemon.connect() as peer, daemon.connect() as watcher:
        watch(watcher)
        new = dict(host["devices"][4], name="0000:00:09.0", group=9)
        daemon.control({"add": new})
        event = wait_for(watcher, "device", name="0000:00:09.0")
        assert event["device"]["group"] == 9 and event["device"]["state"] == "unclaimed" and event["claim"] is None, \
            event
        daemon.control({"remove": "0000:00:09.0"})
        event = wait_for(watcher, "device-gone", name="0000:00:09.0")
        assert event["device"] is None, event
        peer.ask("ReloadPolicy")
        event = wait_for(watcher, "policy")
        assert event["success"] is True and event["policy"] == peer.ask("GetStatus")["policy"], event
        daemon.write_policy("{")
        peer.fail("ReloadPolicy")
        event = wait_for(watcher, "policy")
        assert event["success"] is False and event["message"] == "the policy files have errors", event
        daemon.write_policy(policy(rule(device={"address": [DISK]})))
        reply = claim(peer, ALONE)
        peer.ask("ReloadPolicy")
        event = wait_for(watcher, "not-granted")
        assert event["claim"]["id"] == reply["claim"] and event["name"] == ALONE and event["message"], event
        close_all(reply)


@test
def who_may_see_what():
    """a user sees his own claims and refusals, an operator all, and everybody whether a device is free"""
    needs_root()
    rules = policy(rule(user=[str(ALICE), str(BOB)]), operators={"group": ["60100"]})
    with Daemon(small_host(), rules) as daemon:
        alice, operator = daemon.connect_as(ALICE), daemon.connect_as(CAROL, groups=[60100])
        watchers = {"alice": watch(daemon.connect_as(ALICE)), "bob": watch(daemon.connect_as(BOB)),
                    "carol": watch(daemon.connect_as(CAROL, groups=[60100])), "root": watch(daemon.connect())}
        reply = claim(alice, EDU)
        alice.fail("Claim", {"devices": [DISK]})
        close_all_but_lease(reply)
        alice.ask("Release", {"claim": reply["claim"]})
        operator.ask("ReloadPolicy")
        told = {name: events_until(watcher, "policy") for name, watcher in watchers.items()}
        for name in ("alice", "carol", "root"):
            kinds = [event["kind"] for event in told[name]]
            assert kinds == [event["kind"] for event in told["alice"]], (name, kinds)
            assert {"claim", "offered", "ending", "claim-gone", "refused", "device"} < set(kinds), (name, kinds)
            refused = next(event for event in told[name] if event["kind"] == "refused")
            assert refused["uid"] == ALICE and refused["devices"] == [DISK] and refused["status"] == 3, refused
        text = json.dumps(told["bob"])
        assert {event["kind"] for event in told["bob"]} == {"device", "policy"}, told["bob"]
        assert reply["claim"] not in text and str(ALICE) not in text, text
        states = [event["device"]["state"] for event in told["bob"] if event["name"] == EDU]
        assert "held" in states and states[-1] == "unclaimed", states
        os.close(reply["lease"])
        for peer in (alice, operator, *watchers.values()):
            peer.close()


@test
def one_claim():
    """of one claim only its own events are told, claim-gone is the last reply, and the connection goes on"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer, daemon.connect() as watcher:
        first, second = claim(peer, ALONE), claim(peer, EDU)
        watch(watcher, second["claim"])
        close_all_but_lease(first)
        peer.ask("Release", {"claim": first["claim"]})
        close_all_but_lease(second)
        peer.ask("Release", {"claim": second["claim"]})
        seen = set()
        while (reply := watcher.receive()).get("continues"):
            event = reply["parameters"]["event"]
            assert event["claim"] is None or event["claim"]["id"] == second["claim"], event
            seen.add(event["name"])
        assert ALONE not in seen and EDU in seen and NIC in seen, seen
        assert reply["parameters"]["event"]["kind"] == "claim-gone", reply
        assert watcher.ask("ListClaims")["claims"] == []
        for reply in (first, second):
            os.close(reply["lease"])


@test
def claims_that_are_not_ones_own():
    """a claim that is another's can be watched as little as one that there is not"""
    needs_root()
    with Daemon(small_host(), policy()) as daemon, daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
        reply = claim(alice, ALONE)
        answers = []
        for name in (reply["claim"], "0" * 32):
            bob.send_call("org.ioasid1.Monitor", {"claim": name}, more=True)
            answers.append(bob.receive())
        assert answers[0] == answers[1] and answers[0]["error"] == "org.ioasid1.NotFound", answers
        watch(alice, reply["claim"])
        close_all(reply)


@test
def how_it_is_called():
    """without "more" it is an error; a second message on the same connection ends it; oneway does nothing"""
    with Daemon(small_host(), policy()) as daemon:
        before = product_fds(daemon)
        with daemon.connect() as peer:
            assert peer.fail("Monitor") == ("org.varlink.service.ExpectedMore", {})
            assert peer.fail("Monitor", {"claim": 7})[0] == "org.varlink.service.InvalidParameter"
            peer.send_call("org.ioasid1.Monitor", {}, more=True, oneway=True)
            peer.send_call("org.ioasid1.GetStatus", {}, more=True)
            reply = peer.receive()
            assert reply["parameters"]["devices"] == 7 and "continues" not in reply, reply
            watch(peer)
            peer.send_call("org.ioasid1.GetStatus")
            assert peer.receive()["error"] == "org.ioasid1.ProtocolError"
            assert peer.receive() is None
        with daemon.connect() as peer:
            # Both in one packet.
            peer.send(b'{"method":"org.ioasid1.Monitor","more":true}\0{"method":"org.ioasid1.GetStatus"}\0')
            assert peer.receive()["parameters"]["event"]["kind"] == "ready"
            assert peer.receive()["error"] == "org.ioasid1.ProtocolError"
            assert peer.receive() is None
        assert product_fds(daemon) == before


@test
def a_socket_in_itself():
    """SR-22: a watcher that sends its own socket to the daemon and leaves is gone"""
    with Daemon(small_host(), policy()) as daemon:
        before = product_fds(daemon)
        peer = watch(daemon.connect())
        peer.send(b"x", [peer.sock.fileno()])
        peer.close()
        while product_fds(daemon) != before:
            assert daemon.process.poll() is None


@test
def who_does_not_read():
    """a watcher that does not read is cut off, others miss nothing, claims are as quick as before, and memory is
    bounded"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer, daemon.connect() as reader:
        before = product_fds(daemon)
        lazy = [watch(daemon.connect()) for _ in range(8)]
        watch(reader)
        memory = daemon.resident()
        rounds = 0
        while product_fds(daemon) > before:
            reply = claim(peer, EDU)
            close_all_but_lease(reply)
            peer.ask("Release", {"claim": reply["claim"]})
            os.close(reply["lease"])
            assert wait_for(reader, "claim-gone")["claim"]["id"] == reply["claim"]
            rounds += 1
            assert rounds < 2000, "they are never cut off"
        assert rounds > 10, rounds
        # Each had at most 256 KiB waiting.
        assert daemon.resident() - memory < 8 * 300 * 1024 + 1024 * 1024, (memory, daemon.resident())
        for peer in lazy:
            received = 0
            while (reply := peer.receive()) is not None:
                assert reply["continues"], reply
                received += 1
            assert received > 100, received
            peer.close()


@test
def a_flood_of_refusals():
    """of a user's refusals some are told, and others' events are among them"""
    needs_root()
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer, daemon.connect() as watcher:
        with daemon.connect_as(BOB) as bob:
            watch(watcher)
            for _ in range(300):
                bob.fail("Claim", {"devices": [DISK]})
            peer.fail("Claim", {"devices": [DISK]})
            events = [wait_for(watcher, "refused")]
            while events[-1]["uid"] == BOB:
                events.append(wait_for(watcher, "refused"))
            assert 20 <= len(events) - 1 <= 30, len(events)


@test
def quota():
    """SR-07: a user has a number of watchers and no more; one that ends makes room; others are not concerned"""
    needs_root()
    with Daemon(small_host(), policy()) as daemon:
        watchers = [watch(daemon.connect_as(ALICE)) for _ in range(16)]
        with daemon.connect_as(ALICE) as one_more:
            one_more.send_call("org.ioasid1.Monitor", {}, more=True)
            assert one_more.receive()["error"] == "org.ioasid1.QuotaExceeded"
            assert one_more.ask("GetStatus")["devices"] == 7
            watchers.pop().close()
            while True:
                one_more.send_call("org.ioasid1.Monitor", {}, more=True)
                if "error" not in one_more.receive():
                    break
        with daemon.connect_as(BOB) as bob:
            watch(bob)
        for peer in watchers:
            peer.close()


@test
def watchers_that_come_and_go():
    """SR-27: a thousand of them leave nothing behind"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        before = product_fds(daemon)
        for number in range(1000):
            watcher = daemon.connect()
            watcher.send_call("org.ioasid1.Monitor", {}, more=True)
            if number % 2:
                next_event(watcher)
            watcher.close()
            if number % 100 == 0:
                reply = claim(peer, ALONE)
                close_all(reply)
                wait_free(peer, reply["claim"])
        while product_fds(daemon) != before:
            assert daemon.process.poll() is None


if __name__ == "__main__":
    run(TESTS)
