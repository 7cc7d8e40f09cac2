#!/usr/bin/env python3
"""Restarts that lose no claim: restart_test.py IOASIDD SIMULATOR [TEST]…

A service manager keeps leases and contexts, the simulated host outlives the broker. Whatever ends the broker, claims
that were held go on: with the same lease, the same context and the same devices.
"""
import os
import socket

from claims import add, claim, close_all, close_all_but_lease, host_drivers, states, wait_free, wait_free_after_stuck
from harness import Daemon, run
from hosts import ALONE, EDU, SECOND_EDU, group_host, policy, rule, small_host

TESTS = []
BOTH = (("iommufd", small_host), ("group", group_host))


def test(function):
    TESTS.append(function)
    return function


class Host(Daemon):
    """A managed broker on a kept host."""

    def __init__(self, host=small_host):
        super().__init__(host(), policy(rule(modes=["attached", "open", "node"])), managed=True)
        self.keep_host()

    def restart(self, how="kill"):
        if how == "kill":
            self.kill()
        else:
            self.process.terminate()
            assert self.process.wait(30) == 0, self.log_text()
        assert self.start() is None, self.log_text()


def entry_of(peer, claim_id):
    found = [entry for entry in peer.ask("ListClaims")["claims"] if entry["id"] == claim_id]
    assert len(found) <= 1, found
    return found[0] if found else None


def kept(reply):
    return [f"context-{reply['claim']}", f"lease-{reply['claim']}"]


def lease_is_over(lease):
    """Whether the other end of a lease is gone; waits for nothing."""
    sock = socket.socket(fileno=os.dup(lease))
    try:
        sock.setblocking(False)
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    finally:
        sock.close()


@test
def restarts_keep_claims():
    """kill -9 and restart: a held claim goes on, its lease too, and ends as it would have"""
    for _, host in BOTH:
        for how in ("kill", "terminate"):
            with Host(host) as daemon:
                drivers = host_drivers(daemon)
                peer = daemon.connect()
                reply = claim(peer, EDU)
                daemon.manager.wait_for_names(kept(reply))
                before, entry = states(peer), entry_of(peer, reply["claim"])
                for _ in range(3):
                    daemon.restart(how)
                    assert not lease_is_over(reply["lease"])
                    peer = daemon.connect()
                    assert entry_of(peer, reply["claim"]) == entry
                    assert states(peer) == before
                    assert daemon.manager.names() == kept(reply)
                    assert peer.fail("Claim", {"devices": [SECOND_EDU]})[1]["status"] == 4
                close_all(reply)
                wait_free(peer, reply["claim"])
                daemon.manager.wait_for_names([])
                assert host_drivers(daemon) == drivers


@test
def eight_claims_are_kept():
    """several claims over several restarts: none is lost, none is there twice"""
    with Host() as daemon:
        drivers = host_drivers(daemon)
        peer = daemon.connect()
        replies = [claim(peer, EDU), claim(peer, ALONE)]
        daemon.manager.wait_for_names([name for reply in replies for name in kept(reply)])
        for _ in range(8):
            daemon.restart()
        peer = daemon.connect()
        assert sorted(entry["id"] for entry in peer.ask("ListClaims")["claims"]) == \
            sorted(reply["claim"] for reply in replies)
        for reply in replies:
            close_all(reply)
            wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers


@test
def a_lease_that_ends_meanwhile():
    """a client that ends while no broker runs: the next one notices, and gives everything back"""
    for _, host in BOTH:
        with Host(host) as daemon:
            drivers = host_drivers(daemon)
            peer = daemon.connect()
            reply = claim(peer, EDU)
            daemon.manager.wait_for_names(kept(reply))
            daemon.kill()
            close_all(reply)
            assert daemon.start() is None, daemon.log_text()
            wait_free(daemon.connect(), reply["claim"])
            assert host_drivers(daemon) == drivers and daemon.manager.names() == []


@test
def a_claim_that_goes_on_grows_and_shrinks():
    """after a restart a claim takes devices and gives them back, in the same context and IOAS"""
    with Host() as daemon:
        drivers = host_drivers(daemon)
        reply = claim(daemon.connect(), EDU)
        daemon.manager.wait_for_names(kept(reply))
        daemon.restart()
        peer = daemon.connect()
        added = add(peer, reply["claim"], ALONE)
        assert added["devices"][0]["fd"] is not None
        daemon.restart()
        peer = daemon.connect()
        assert sorted(entry_of(peer, reply["claim"])["devices"]) == sorted([EDU, ALONE])
        close_all({**added, "lease": None})
        assert peer.ask("RemoveDevice", {"claim": reply["claim"], "device": ALONE}) == {}
        assert entry_of(peer, reply["claim"])["devices"] == [EDU]
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers


@test
def killed_before_the_addition_was_acknowledged():
    """killed between the offer of a further device and its acknowledgement: it is taken back, the rest goes on"""
    with Host() as daemon:
        drivers = host_drivers(daemon)
        peer = daemon.connect()
        reply = claim(peer, EDU)
        daemon.manager.wait_for_names(kept(reply))
        peer.ask("AddDevice", {"claim": reply["claim"], "device": ALONE})
        for fd in peer.take_fds():
            os.close(fd)
        daemon.restart()
        daemon.control({"await": {"plans": 0}})
        peer = daemon.connect()
        assert peer.ask("AddDevice", {"claim": reply["claim"], "device": ALONE})["devices"]
        for fd in peer.take_fds():
            os.close(fd)
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers


@test
def killed_while_offered():
    """killed before the acknowledgement of a claim: nobody has it, and its lease is over"""
    with Host() as daemon:
        drivers = host_drivers(daemon)
        peer = daemon.connect()
        reply = peer.ask("Claim", {"devices": [EDU]})
        fds = peer.take_fds()
        daemon.restart()
        assert lease_is_over(fds[reply["lease"]])
        for fd in fds:
            os.close(fd)
        wait_free_after_stuck(daemon, daemon.connect(), reply["claim"], "lingering")
        assert host_drivers(daemon) == drivers and daemon.manager.names() == []


@test
def unplugged_meanwhile():
    """a device that is unplugged while no broker runs: its claim is lost, and ends with its lease"""
    with Host() as daemon:
        reply = claim(daemon.connect(), ALONE)
        daemon.manager.wait_for_names(kept(reply))
        daemon.kill()
        # The kernel keeps a device until its last descriptor is closed.
        close_all_but_lease(reply)
        daemon.control({"remove": ALONE})
        assert daemon.start() is None, daemon.log_text()
        peer = daemon.connect()
        entry = entry_of(peer, reply["claim"])
        assert entry["state"] == "lost" and ALONE in entry["note"], entry
        os.close(reply["lease"])
        wait_free(peer, reply["claim"])


@test
def store_and_journal_disagree():
    """F13: descriptors of claims that nobody knows are closed; a claim without its lease is given back"""
    with Host() as daemon:
        drivers = host_drivers(daemon)
        peer = daemon.connect()
        replies = [claim(peer, EDU), claim(peer, ALONE)]
        daemon.manager.wait_for_names([name for reply in replies for name in kept(reply)])
        daemon.kill()
        ours, theirs = socket.socketpair()
        with daemon.manager.lock:
            # The first claim's lease is lost; strangers are there, and the second claim's lease twice.
            daemon.manager.stored = [entry for entry in daemon.manager.stored
                                     if entry[0] != f"lease-{replies[0]['claim']}"]
            daemon.manager.stored += [("lease-" + "0" * 32, theirs.detach()), ("stored", os.open("/dev/null", 0)),
                                      (f"lease-{replies[1]['claim']}", os.open("/dev/null", 0))]
        assert daemon.start() is None, daemon.log_text()
        assert lease_is_over(ours.fileno())
        ours.close()
        peer = daemon.connect()
        daemon.control({"await": {"plans": 0}})
        assert entry_of(peer, replies[0]["claim"])["state"] in ("lingering", "releasing")
        assert entry_of(peer, replies[1]["claim"])["state"] == "held"
        daemon.manager.wait_for_names(kept(replies[1]))
        for reply in replies:
            close_all(reply)
            wait_free_after_stuck(daemon, peer, reply["claim"], "lingering")
        assert host_drivers(daemon) == drivers


@test
def unfinished_files():
    """what a kill in the middle of writing leaves is gone with the next start; what has another name stays"""
    with Host() as daemon:
        reply = claim(daemon.connect(), EDU)
        daemon.manager.wait_for_names(kept(reply))
        folder = os.path.join(daemon.runtime, "claims")
        left = [f".{reply['claim']}.json.new", f".{'0' * 32}.json.new"]
        foreign = [f".{'0' * 31}.json.new", f".{'A' * 32}.json.new", f"{'0' * 32}.json.new", ".json.new", ".new",
                   f".{'0' * 32}.json.old", f".{'0' * 32}.new", f".{'0' * 32}.json.new.new", f"..{'0' * 32}.json.new"]
        for name in left + foreign:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("half")
        os.mkdir(os.path.join(folder, f".{'1' * 32}.json.new"))
        daemon.restart()
        assert sorted(os.listdir(folder)) == sorted(foreign + [f"{reply['claim']}.json", f".{'1' * 32}.json.new"])
        assert entry_of(daemon.connect(), reply["claim"])["state"] == "held"
        close_all(reply)


if __name__ == "__main__":
    run(TESTS)
