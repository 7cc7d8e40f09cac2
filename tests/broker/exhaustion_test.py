#!/usr/bin/env python3
"""A host that is out of memory: exhaustion_test.py IOASIDD SIMULATOR LIBRARY [TEST]…

Every allocation that the broker or a library makes for a call fails once, the others do not. It says so to the one who
called and goes on; nothing is lost, and nothing is left behind. json-c and the C library's name service are not made
for
that, and may take the broker with them: then the service manager starts it anew.
"""
import os
import select

from allocations import FailingAllocations, every_allocation, library
from claims import close_all, host_drivers, take_indices, wait_free_after_stuck
from harness import Daemon, run
from hosts import ALONE, EDU, group_host, policy, rule, small_host

LIBRARY = library()
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Host(FailingAllocations, Daemon):
    def __init__(self, host=small_host):
        super().__init__(host(), policy(rule(modes=["attached", "open", "node"])), managed=True)
        self.prepare(LIBRARY)


class Client:
    """Whoever is disconnected connects again, as libioasid does."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.peer = None

    def call(self, method, parameters=None):
        """The parameters of the reply; None for an error, which has to say what it is, or a connection that is gone."""
        self.daemon.revive()
        try:
            if not self.peer:
                self.peer = self.daemon.connect()
            self.peer.send_call(f"org.ioasid1.{method}", parameters)
            ready, _, _ = select.select([self.peer.sock, self.daemon.pidfd], [], [], 20)
            assert ready, f"{method} is never answered"
            reply = self.peer.receive() if self.peer.sock in ready else None
        except (BrokenPipeError, ConnectionResetError):
            reply = None
        if reply is None:
            self.close()
            return None
        if "error" in reply:
            assert reply["error"].startswith(("org.ioasid1.", "org.varlink.service.")), reply
            return None
        return reply["parameters"]

    def close(self):
        if self.peer:
            self.peer.close()
            self.peer = None


def try_all(daemon, work):
    """The work, for each allocation that it takes: afterwards all is as it was."""
    client = Client(daemon)
    drivers = host_drivers(daemon)

    def check():
        # One that is about to end takes a call with it.
        left = client.call("ListClaims") or client.call("ListClaims")
        for entry in left["claims"]:
            # It may have been given back while its client still had it, unacknowledged.
            wait_free_after_stuck(daemon, client.peer, entry["id"], "lingering")
        client.close()
        assert host_drivers(daemon) == drivers
        daemon.manager.wait_for_names([])

    def work_and_leave():
        work(client)
        client.close()

    every_allocation(daemon, work_and_leave, check)


def hold(client, devices, **more):
    """Claims and acknowledges; the reply with its FDs, or None."""
    reply = client.call("Claim", {"devices": devices, **more})
    if reply is None:
        return None
    fds = client.peer.take_fds()
    assert len(fds) == take_indices(reply, fds), (reply, fds)
    client.call("Acknowledge", {"claim": reply["claim"]})
    return reply


def look(method, parameters=None, constant=True):
    with Host() as daemon:
        wanted = daemon.connect().ask(method, parameters)

        def work(client):
            found = client.call(method, parameters)
            assert found is None or found == wanted or not constant, f"{method} leaves something out"
        try_all(daemon, work)


@test
def listings():
    """lists of devices and groups: whole, or not at all"""
    look("ListDevices")
    look("ListGroups")


@test
def plans():
    """a plan: whole, or not at all"""
    look("Plan", {"devices": [EDU]})


@test
def other_reads():
    """what else only looks"""
    for method in ("GetStatus", "GetPolicy", "Snapshot", "Audit"):
        look(method)
    look("GetMetrics", constant=False)


@test
def claims():
    """a claim that is made, and ends with its client"""
    for host in (small_host, group_host):
        with Host(host) as daemon:
            def work(client):
                reply = hold(client, [EDU])
                if reply:
                    close_all(reply)
            try_all(daemon, work)


@test
def changes():
    """a claim that grows, shrinks, and is released"""
    with Host() as daemon:
        def work(client):
            reply = hold(client, [ALONE])
            if reply:
                added = client.call("AddDevice", {"claim": reply["claim"], "device": EDU})
                if added:
                    fds = client.peer.take_fds()
                    client.call("Acknowledge", {"claim": reply["claim"]})
                    for fd in fds:
                        os.close(fd)
                    client.call("RemoveDevice", {"claim": reply["claim"], "device": EDU})
                close_all(reply)
                client.call("Release", {"claim": reply["claim"]})
        try_all(daemon, work)


@test
def revocations():
    """a claim that is taken back"""
    with Host() as daemon:
        def work(client):
            reply = hold(client, [ALONE])
            if reply:
                client.call("Revoke", {"claim": reply["claim"], "grace": 60000000, "reason": "a test"})
                close_all(reply)
        try_all(daemon, work)


@test
def reloads():
    """a policy that is loaded anew"""
    with Host() as daemon:
        try_all(daemon, lambda client: client.call("ReloadPolicy"))


@test
def starts():
    """a start that fails loses no claim that an earlier run has left: the next one takes it over"""
    with Host() as daemon:
        drivers = host_drivers(daemon)
        client = Client(daemon)
        reply = hold(client, [EDU])
        client.close()
        number = 0
        while number == 0 or daemon.has_failed():
            number += 1
            daemon.kill()
            daemon.fail(number)
            if daemon.start() not in (None, 1, 75):
                daemon.revive()
            daemon.choose_none()
            if daemon.process.poll() is not None:
                assert daemon.start() is None, (number, daemon.log_text())
            left = client.call("ListClaims") or client.call("ListClaims")
            entry, = left["claims"]
            assert (entry["id"], entry["state"]) == (reply["claim"], "held"), (number, entry)
            client.close()
        print(f"# {number - 1} allocations", flush=True)
        close_all(reply)
        client.call("ListClaims")
        wait_free_after_stuck(daemon, client.peer, reply["claim"], "lingering")
        assert host_drivers(daemon) == drivers


if __name__ == "__main__":
    run(TESTS, 240)
