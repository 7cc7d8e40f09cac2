#!/usr/bin/env python3
"""A host that is out of memory: exhaustion_test.py IOASIDD SIMULATOR LIBRARY [TEST]…

Every allocation that the broker or a library makes for a call fails once, the others do not. It says so to the one who
called and goes on; nothing is lost, and nothing is left behind. json-c and the C library's name service are not made for
that, and may take the broker with them: then the service manager starts it anew.
"""
import mmap
import os
import re
import select
import struct
import sys

from claims import close_all, host_drivers, take_indices, wait_free_after_stuck
from harness import Daemon, run
from hosts import ALONE, EDU, group_host, policy, rule, small_host

LIBRARY = sys.argv.pop(3)
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Host(Daemon):
    """A managed broker on a kept host, whose allocations can be made to fail."""

    def __init__(self, host=small_host):
        super().__init__(host(), policy(rule(modes=["attached", "open", "node"])), managed=True)
        self.shared_path = os.path.join(self.folder, "allocations")
        with open(self.shared_path, "w+b") as file:
            file.write(bytes(mmap.PAGESIZE))
            file.flush()
            os.chmod(self.shared_path, 0o666)
            self.shared = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.pidfd = -1
        self.keep_host()

    def environment(self):
        return {**super().environment(), "LD_PRELOAD": LIBRARY, "FAILING_ALLOCATIONS": self.shared_path,
                "FAILING_ALLOCATIONS_TRACE": "yes"}

    def fail(self, number):
        """The allocation of that number from now on."""
        count, = struct.unpack_from("=Q", self.shared)
        struct.pack_into("=QQ", self.shared, 8, count + number, 0)

    def choose_none(self):
        struct.pack_into("=Q", self.shared, 8, 0)

    def has_failed(self):
        return struct.unpack_from("=Q", self.shared, 16)[0] > 0

    def start(self):
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.pidfd = -1
        status = super().start()
        if status is None:
            self.pidfd = os.pidfd_open(self.process.pid)
        return status

    def revive(self):
        """If it has ended, which it may do only for those libraries: starts it, and returns true."""
        if self.process.poll() is None:
            return False
        traces = re.split(r"^/\S*failing_allocations\S*\(\+\S*\n", self.log_text(), flags=re.MULTILINE)
        assert re.search("libjson-c|nss_", traces[-1]), f"ended with status {self.process.returncode}:\n{traces[-1]}"
        assert self.start() is None, self.log_text()
        return True

    def stop(self):
        super().stop()
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.shared.close()


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


def every_allocation(daemon, work):
    """Does the work again and again, with the first, the second, … allocation failing, until none does."""
    number, ended = 0, 0
    drivers = host_drivers(daemon)
    while number == 0 or daemon.has_failed():
        number += 1
        pid = daemon.process.pid
        daemon.fail(number)
        client = Client(daemon)
        try:
            work(client)
            client.close()
            daemon.choose_none()
            # One that is about to end takes a call with it.
            left = client.call("ListClaims") or client.call("ListClaims")
            for entry in left["claims"]:
                # It may have been given back while its client still had it, unacknowledged.
                wait_free_after_stuck(daemon, client.peer, entry["id"], "lingering")
            client.close()
            assert host_drivers(daemon) == drivers
            daemon.manager.wait_for_names([])
        except AssertionError as error:
            raise AssertionError(f"with allocation {number} failing: {error}") from error
        ended += daemon.process.pid != pid
    print(f"# {number - 1} allocations, {ended} of them ended the broker", flush=True)
    assert number > 10


def hold(client, devices, **more):
    """Claims and acknowledges; the reply with its FDs, or None."""
    reply = client.call("Claim", {"devices": devices, **more})
    if reply is None:
        return None
    fds = client.peer.take_fds()
    assert len(fds) == take_indices(reply, fds), (reply, fds)
    client.call("Acknowledge", {"claim": reply["claim"]})
    return reply


@test
def reads():
    """what only looks: an answer is whole, or there is none"""
    with Host() as daemon:
        same = {method: daemon.connect().ask(method, parameters) for method, parameters in
                (("ListDevices", None), ("ListGroups", None), ("Plan", {"devices": [EDU]}))}

        def work(client):
            for method, parameters in (("GetStatus", None), ("ListDevices", None), ("ListGroups", None), ("ListClaims", None),
                                       ("Plan", {"devices": [EDU]}), ("GetMetrics", None), ("Audit", None)):
                reply = client.call(method, parameters)
                assert reply is None or method not in same or reply == same[method], f"{method} leaves something out"
        every_allocation(daemon, work)


@test
def claims():
    """a claim that is made, and ends with its client"""
    for host in (small_host, group_host):
        with Host(host) as daemon:
            def work(client):
                reply = hold(client, [EDU])
                if reply:
                    close_all(reply)
            every_allocation(daemon, work)


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
        every_allocation(daemon, work)


@test
def revocations():
    """a claim that is taken back"""
    with Host() as daemon:
        def work(client):
            reply = hold(client, [ALONE])
            if reply:
                client.call("Revoke", {"claim": reply["claim"], "grace": 60000000, "reason": "a test"})
                close_all(reply)
        every_allocation(daemon, work)


@test
def reloads():
    """a policy that is loaded anew"""
    with Host() as daemon:
        every_allocation(daemon, lambda client: client.call("ReloadPolicy"))


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
    if LIBRARY == "none":
        print("1..0 # SKIP a sanitizer makes the allocations")
        sys.exit(0)
    LIBRARY = os.path.abspath(LIBRARY)
    run(TESTS)
