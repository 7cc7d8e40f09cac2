#!/usr/bin/env python3
"""What keeps claims alive, how operators take them back, and how clients take them up again:
lease_test.py IOASIDD SIMULATOR [TEST]…
"""
import json
import os
import select
import socket
import struct

from claims import (ask_for_fds, claim, close_all, close_all_but_lease, fds_of, host_drivers, wait_free,
                    wait_free_after_stuck)
from harness import Daemon, Skip, needs_root, run
from hosts import ALONE, EDU, group_host, policy, rule, small_host

ALICE, BOB, CAROL = 60001, 60002, 60003
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def cards(**more):
    """Everybody may have cards; carol is an operator."""
    return policy(rule(modes=["attached", "open", "node"], **more), operators={"user": [str(CAROL)]})


class Managed(Daemon):
    def __init__(self, host=small_host, **more):
        super().__init__(host(), cards(**more), managed=True)
        self.keep_host()

    def restart(self, discard=False):
        self.kill()
        if discard:
            self.manager.discard()
        assert self.start() is None, self.log_text()


def entry_of(peer, claim_id):
    found = [entry for entry in peer.ask("ListClaims")["claims"] if entry["id"] == claim_id]
    assert len(found) <= 1, found
    return found[0] if found else None


def hears(lease, seconds=30):
    """The next line on a lease, as JSON; None where the lease has ended."""
    with socket.socket(fileno=os.dup(lease)) as sock:
        sock.settimeout(seconds)
        line = b""
        while not line.endswith(b"\n"):
            data = sock.recv(1)
            if not data:
                return None
            line += data
        return json.loads(line)


def has_peer_pidfd():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        try:
            os.close(struct.unpack("i", ours.getsockopt(socket.SOL_SOCKET, 77, 4))[0])
            return True
        except OSError:
            return False


class Claimant:
    """A process of its own that claims by a lease of its process, and ends when told to."""

    def __init__(self, daemon, device):
        self.control, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                self.control.close()
                reply = ask_for_fds(daemon.connect(), "Claim", {"devices": [device], "lease": "process"})
                theirs.sendall(json.dumps({"claim": reply["claim"], "lease": reply["lease"]}).encode() + b"\n")
                for fd in fds_of(reply):
                    os.close(fd)
                theirs.recv(1)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        with self.control.makefile() as file:
            line = file.readline()
        assert line, "the claimant failed"
        self.reply = json.loads(line)

    def end(self):
        self.control.close()
        os.waitpid(self.pid, 0)


@test
def lease_of_a_process():
    """lease=process: no lease comes with the claim, connections do not matter, and it ends with the process"""
    if not has_peer_pidfd():
        raise Skip("this kernel has no SO_PEERPIDFD (Linux 6.5)")
    with Managed() as daemon:
        drivers = host_drivers(daemon)
        claimant = Claimant(daemon, EDU)
        assert claimant.reply["lease"] is None
        peer = daemon.connect()
        assert entry_of(peer, claimant.reply["claim"])["lease"] == "process"
        for _ in range(2):
            daemon.restart()
            peer = daemon.connect()
            assert entry_of(peer, claimant.reply["claim"])["state"] == "held"
        claimant.end()
        wait_free(peer, claimant.reply["claim"])
        assert host_drivers(daemon) == drivers
        # One that ends while nobody looks.
        claimant = Claimant(daemon, EDU)
        daemon.kill()
        claimant.end()
        assert daemon.start() is None, daemon.log_text()
        wait_free(daemon.connect(), claimant.reply["claim"])
        assert host_drivers(daemon) == drivers


@test
def lease_of_the_operator():
    """lease=operator: for operators only; it lasts until it is released, over restarts and the end of its process"""
    needs_root()
    with Managed() as daemon:
        drivers = host_drivers(daemon)
        with daemon.connect_as(ALICE) as peer:
            assert peer.fail("Claim", {"devices": [EDU], "lease": "operator"})[0] == "org.ioasid1.OperatorsOnly"
        peer = daemon.connect_as(CAROL)
        reply = ask_for_fds(peer, "Claim", {"devices": [EDU], "lease": "operator"})
        assert reply["lease"] is None
        close_all(reply)
        peer.close()
        daemon.restart()
        peer = daemon.connect_as(CAROL)
        assert entry_of(peer, reply["claim"])["state"] == "held"
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        assert host_drivers(daemon) == drivers and daemon.manager.names() == []


@test
def leases_that_are_refused():
    """leases that can't be: of another's unit, of a unit without a bus, of a unit that has no unit's name"""
    needs_root()
    with Managed() as daemon:
        with daemon.connect_as(ALICE) as peer:
            error, more = peer.fail("Claim", {"devices": [EDU], "lease": "unit", "unit": "other.service"})
            assert error == "org.ioasid1.OperatorsOnly", (error, more)
            for wrong in ("", "x", "../x.service", "x y.service", "x.service\n", ".service", "x.conf",
                          "y" * 300 + ".service"):
                error, more = peer.fail("Claim", {"devices": [EDU], "lease": "unit", "unit": wrong})
                assert (error, more) == ("org.varlink.service.InvalidParameter", {"parameter": "unit"}), (wrong, error)
            for wrong in ("", "fd", "DESCRIPTOR", 1, ["unit"]):
                error, more = peer.fail("Claim", {"devices": [EDU], "lease": wrong})
                assert (error, more) == ("org.varlink.service.InvalidParameter", {"parameter": "lease"}), (wrong, error)
            assert peer.ask("ListClaims")["claims"] == []


@test
def a_unit_without_a_bus():
    """lease=unit: refused with the reason while the system bus can't be reached"""
    daemon = Daemon(small_host(), cards(), "--no-bus")
    with daemon:
        peer = daemon.connect()
        error, more = peer.fail("Claim", {"devices": [EDU], "lease": "unit", "unit": "machine-x.scope"})
        if os.geteuid() == 0:
            assert error == "org.ioasid1.Unsupported" and more["status"] == 6 and "bus" in more["message"], (error,
                                                                                                             more)
        assert claim(peer, EDU)["claim"]


@test
def revoked_with_grace():
    """Revoke: the client is asked on its lease, and one that lets go in time is never forced"""
    needs_root()
    with Managed() as daemon:
        drivers = host_drivers(daemon)
        with daemon.connect_as(ALICE) as alice, daemon.connect_as(CAROL) as carol, daemon.connect_as(BOB) as bob:
            reply = claim(alice, EDU)
            for other in (alice, bob):
                error, _ = other.fail("Revoke", {"claim": reply["claim"]})
                assert error == "org.ioasid1.OperatorsOnly", error
            assert carol.fail("Revoke", {"claim": "0" * 32})[0] == "org.ioasid1.NotFound"
            assert carol.ask("Revoke", {"claim": reply["claim"], "grace": 60000, "reason": "maintenance"}) == {}
            assert hears(reply["lease"]) == {"event": "revoke", "grace_usec": 60000000, "reason": "maintenance"}
            entry = entry_of(alice, reply["claim"])
            assert entry["state"] == "held" and entry["revoked"] and "maintenance" in entry["note"], entry
            close_all(reply)
            wait_free(carol, reply["claim"])
            assert host_drivers(daemon) == drivers


@test
def revoked_at_once():
    """Revoke with no time: the lease ends, mappings go, and it lingers until its holder lets go"""
    for host in (small_host, group_host):
        with Managed(host) as daemon:
            drivers = host_drivers(daemon)
            peer = daemon.connect()
            reply = claim(peer, EDU)
            peer.ask("Revoke", {"claim": reply["claim"], "grace": 0})
            assert hears(reply["lease"])["grace_usec"] == 0
            assert hears(reply["lease"]) is None
            daemon.control({"await": {"plans": 0}})
            state = peer.ask("Release", {"claim": reply["claim"]})
            assert state["state"] == "lingering" and "mappings were removed" in state["note"], state
            assert peer.fail("Resume", {"claim": reply["claim"]})[0] == "org.ioasid1.WrongState"
            close_all(reply)
            wait_free_after_stuck(daemon, peer, reply["claim"], "lingering")
            assert host_drivers(daemon) == drivers


@test
def revoked_after_its_time():
    """Revoke: the time of the rule counts where none is given, and a claim that is not let go of is taken"""
    with Managed(revoke={"grace": "100ms"}) as daemon:
        peer = daemon.connect()
        reply = claim(peer, EDU)
        peer.ask("Revoke", {"claim": reply["claim"]})
        assert hears(reply["lease"])["grace_usec"] == 100000
        assert hears(reply["lease"]) is None
        close_all(reply)
        wait_free_after_stuck(daemon, peer, reply["claim"], "lingering")


@test
def revoked_over_a_restart():
    """a revocation that is under way is gone on with after a restart"""
    with Managed(revoke={"grace": "200ms"}) as daemon:
        peer = daemon.connect()
        reply = claim(peer, EDU)
        peer.ask("Revoke", {"claim": reply["claim"], "grace": 3600000})
        hears(reply["lease"])
        daemon.restart()
        assert hears(reply["lease"])["grace_usec"] == 200000
        assert hears(reply["lease"]) is None
        close_all(reply)
        wait_free_after_stuck(daemon, daemon.connect(), reply["claim"], "lingering")


@test
def resumed_where_nothing_was_lost():
    """Resume after a restart that kept the lease: nothing new, and the claim as it is"""
    needs_root()
    with Managed() as daemon:
        with daemon.connect_as(ALICE) as peer:
            reply = claim(peer, EDU)
        daemon.restart()
        with daemon.connect_as(BOB) as peer:
            assert peer.fail("Resume", {"claim": reply["claim"]})[0] == "org.ioasid1.NotFound"
        with daemon.connect_as(ALICE) as peer:
            resumed = peer.ask("Resume", {"claim": reply["claim"]})
            assert resumed["lease"] is None and resumed["claim"]["state"] == "held", resumed
            close_all(reply)
            wait_free(peer, reply["claim"])


@test
def resumed_after_a_stop():
    """Resume after a stop that discarded the lease: held again, with a new one, and the old one does not matter"""
    for host in (small_host, group_host):
        with Managed(host) as daemon:
            drivers = host_drivers(daemon)
            reply = claim(daemon.connect(), EDU)
            daemon.restart(discard=True)
            peer = daemon.connect()
            resumed = peer.ask("Resume", {"claim": reply["claim"]})
            assert resumed["claim"]["state"] == "held", resumed
            lease = peer.take_fds()[resumed["lease"]]
            os.close(reply["lease"])
            assert entry_of(peer, reply["claim"])["state"] == "held"
            # Kept as any other is.
            daemon.restart()
            peer = daemon.connect()
            assert entry_of(peer, reply["claim"])["state"] == "held"
            close_all_but_lease(reply)
            os.close(lease)
            wait_free_after_stuck(daemon, peer, reply["claim"], "lingering")
            assert host_drivers(daemon) == drivers


@test
def nothing_to_resume():
    """Resume of a claim that nobody held any more: it was given back"""
    with Managed() as daemon:
        drivers = host_drivers(daemon)
        reply = claim(daemon.connect(), EDU)
        close_all_but_lease(reply)
        daemon.control({"hang": {"step": "restore", "device": EDU}})
        daemon.kill()
        daemon.manager.discard()
        assert daemon.start() is None, daemon.log_text()
        peer = daemon.connect()
        peer.send_call("org.ioasid1.Resume", {"claim": reply["claim"]})
        daemon.control({"unhang": True})
        answer = peer.receive()
        assert answer.get("error") in ("org.ioasid1.WrongState", "org.ioasid1.NotFound"), answer
        os.close(reply["lease"])
        wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers


def strange_descriptors():
    """By name, what a service manager could hand back in the place of something else; made anew each time."""
    listener, path = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), f"/tmp/ioasidd-test-strange-{os.getpid()}"
    listener.bind(path)
    listener.listen()
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(path)
    accepted, _ = listener.accept()
    os.unlink(path)
    reading, writing = os.pipe()
    os.close(writing)
    datagrams = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams[1].close()
    return {"a process": os.pidfd_open(os.getpid()), "a listener": listener.detach(), "a client": client.detach(),
            "a connection": accepted.detach(), "datagrams": datagrams[0].detach(), "a pipe": reading,
            "a device": os.open("/dev/null", os.O_RDWR), "a folder of /proc": os.open("/proc/self", os.O_RDONLY),
            "a file": os.open(__file__, os.O_RDONLY), "a socket of its own": socket.socket(socket.AF_UNIX).detach(),
            "an end of a pair": socket.socketpair()[0].detach()}


def put_in_place_of(daemon, name, strange):
    """The manager keeps this in the place of what it has under that name."""
    with daemon.manager.lock:
        for _, fd in [entry for entry in daemon.manager.stored if entry[0] == name]:
            os.close(fd)
        daemon.manager.stored = [entry for entry in daemon.manager.stored if entry[0] != name] + [(name, strange)]


@test
def what_is_no_lease():
    """a lease that comes back as something else is lost: it is closed and told, and the client can resume the claim"""
    with Managed() as daemon:
        with daemon.connect() as peer:
            reply = claim(peer, ALONE)
        kept = [f"context-{reply['claim']}", f"lease-{reply['claim']}"]
        for what in strange_descriptors():
            if what == "an end of a pair":
                continue
            daemon.manager.wait_for_names(kept)
            strange = strange_descriptors()
            put_in_place_of(daemon, kept[1], strange.pop(what))
            for fd in strange.values():
                os.close(fd)
            daemon.restart()
            assert f'as "{kept[1]}": closed it' in daemon.log_text(), what
            daemon.control({"await": {"plans": 0}})
            with daemon.connect() as peer:
                while (entry := entry_of(peer, reply["claim"]))["state"] != "lingering":
                    assert entry["state"] == "releasing", (what, entry)
                index = peer.ask("Resume", {"claim": reply["claim"]})["lease"]
                os.close(reply["lease"])
                reply["lease"] = peer.take_fds()[index]
                assert entry_of(peer, reply["claim"])["state"] == "held", what
        close_all(reply)
        with daemon.connect() as peer:
            wait_free(peer, reply["claim"])
        daemon.manager.wait_for_names([])


@test
def what_is_no_process():
    """the same for a claim that lives by a process; where the right one comes, too, it is found"""
    if not has_peer_pidfd():
        raise Skip("this kernel does not tell a peer's pidfd")

    def strange_one(what):
        if what == "another process":
            return os.pidfd_open(os.getppid())
        every = strange_descriptors()
        wanted = every.pop(what)
        for fd in every.values():
            os.close(fd)
        return wanted

    with Managed() as daemon:
        for what in ("an end of a pair", "a listener", "a folder of /proc", "a file", "a device", "another process"):
            with daemon.connect() as peer:
                reply = ask_for_fds(peer, "Claim", {"devices": [ALONE], "lease": "process"})
            name = f"lease-{reply['claim']}"
            kept = [f"context-{reply['claim']}", name]
            daemon.manager.wait_for_names(kept)
            with daemon.manager.lock:
                daemon.manager.stored.insert(0, (name, strange_one(what)))
            daemon.restart()
            # The strange one is out of the manager's hands as well, the right one is there still.
            daemon.manager.wait_for_names(kept)
            with daemon.connect() as peer:
                assert entry_of(peer, reply["claim"])["state"] == "held", what
            put_in_place_of(daemon, name, strange_one(what))
            daemon.restart()
            with daemon.connect() as peer:
                assert entry_of(peer, reply["claim"])["state"] != "held", what
                close_all(reply)
                wait_free_after_stuck(daemon, peer, reply["claim"], "lingering")


@test
def what_is_no_context():
    """a context that comes back as something else is closed and told; the claim goes on without it"""
    with Managed() as daemon:
        for what in strange_descriptors():
            with daemon.connect() as peer:
                reply = claim(peer, ALONE)
            kept = [f"context-{reply['claim']}", f"lease-{reply['claim']}"]
            daemon.manager.wait_for_names(kept)
            strange = strange_descriptors()
            put_in_place_of(daemon, kept[0], strange.pop(what))
            for fd in strange.values():
                os.close(fd)
            daemon.restart()
            assert f'as "{kept[0]}": closed it' in daemon.log_text(), what
            daemon.manager.wait_for_names(kept[1:])
            with daemon.connect() as peer:
                assert entry_of(peer, reply["claim"])["state"] == "held", what
                close_all(reply)
                wait_free(peer, reply["claim"])


if __name__ == "__main__":
    run(TESTS)
