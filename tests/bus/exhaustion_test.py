#!/usr/bin/env python3
"""The bus on a host that is out of memory: exhaustion_test.py IOASIDD SIMULATOR LIBRARY [TEST]…

Every allocation that the broker or a library makes for a call fails once. Who called gets an answer, if only that
nobody
answers; claims that are held go on, what nobody has got is free again, and the broker comes back to the bus.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "broker"))

import bus
import client
import harness
from allocations import FailingAllocations, every_allocation, library
from client import CLAIM, ROOT, MANAGER, close_all
from claims import host_drivers, wait_free_after_stuck
from hosts import ALONE, EDU, policy, rule, small_host
from wire import Variant

LIBRARY = library()


class Broker(FailingAllocations, bus.Broker):
    def __init__(self, system):
        super().__init__(system, small_host(), policy(rule(modes=["attached", "open", "node"])), managed=True)
        self.prepare(LIBRARY)


def attempt(function, *arguments, **more):
    """What it returns; None for an error."""
    try:
        return function(*arguments, **more)
    except client.Failure as failure:
        assert failure.name.startswith(("org.ioasid1.Error.", "org.freedesktop.DBus.Error.")), failure
        return None
    except TimeoutError as error:
        raise AssertionError(f"{arguments} is never answered") from error


def try_all(system, daemon, work):
    """The work, for each allocation that it takes: afterwards all is as it was."""
    drivers = host_drivers(daemon)

    def work_on_bus():
        with system.connect() as peer:
            work(peer)

    def check():
        daemon.revive()
        daemon.wait_name()
        with daemon.connect() as peer:
            for entry in peer.ask("ListClaims")["claims"]:
                wait_free_after_stuck(daemon, peer, entry["id"], "lingering")
        assert host_drivers(daemon) == drivers
        daemon.manager.wait_for_names([])

    every_allocation(daemon, work_on_bus, check)


def look(function):
    """What function(peer) finds is whole, or not found at all."""
    with bus.Bus() as system, Broker(system) as daemon:
        with system.connect() as peer:
            wanted = function(peer)

        def work(peer):
            found = attempt(function, peer)
            assert found is None or found == wanted, "something is left out"
        try_all(system, daemon, work)


def test_objects():
    """All objects: whole, or not at all"""
    look(lambda peer: peer.objects())


def test_plan():
    """A plan: whole, or not at all"""
    look(lambda peer: peer.plan(EDU))


def test_properties():
    """The daemon's properties: whole, or not at all"""
    look(lambda peer: peer.get_all(ROOT, MANAGER))


def test_claims():
    """A claim that is made, grows, and ends with its client"""
    with bus.Bus() as system, Broker(system) as daemon:
        def work(peer):
            found = attempt(peer.claim, ALONE)
            if found:
                path, details = found
                attempt(peer.acknowledge, path)
                attempt(peer.claim_call, path, "Add", "s", EDU)
                opened = attempt(peer.open_device, path, EDU)
                if opened:
                    close_all(opened)
                close_all(details)
        try_all(system, daemon, work)


def test_revocations():
    """A claim that is taken back, with somebody who listens"""
    with bus.Bus() as system, Broker(system) as daemon:
        def work(peer):
            peer.watch()
            found = attempt(peer.claim, ALONE)
            if found:
                path, details = found
                attempt(peer.acknowledge, path)
                attempt(peer.get_all, path, CLAIM)
                attempt(peer.claim_call, path, "Revoke", "a{sv}", {"grace": Variant("u", 30000)})
                close_all(details)
        try_all(system, daemon, work)


if __name__ == "__main__":
    harness.run([value for name, value in list(globals().items()) if name.startswith("test_")], 240)
