#!/usr/bin/env python3
"""Whose turn it is on the socket, and that every call is answered: turns_test.py IOASIDD SIMULATOR [TEST]…"""
import contextlib
import json
import os
import resource
import select
import signal
import socket

import varlink
from claims import product_fds
from harness import Daemon, needs_root, run
from hosts import EDU, large_host, policy, rule, small_host

ALICE, BOB, CAROL, DAVE = 4001, 4002, 4003, 4004
OPERATOR = 4100
STATUS = b'{"method":"org.ioasid1.GetStatus"}\0'
GROUPS = b'{"method":"org.ioasid1.ListGroups"}\0'
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def named(number, **more):
    """A call whose answer tells which it was."""
    return json.dumps({"method": "org.varlink.service.GetInterfaceDescription",
                       "parameters": {"interface": f"number.{number}"}, **more}).encode() + b"\0"


def connect_many(path, uid, count):
    """As many connections of one user, made by one child."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            for _ in range(count):
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.connect(path)
                socket.send_fds(theirs, [b"x"], [sock.fileno()])
                theirs.recv(1)
                sock.close()
        finally:
            os._exit(0)
    theirs.close()
    peers = []
    for _ in range(count):
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        assert fds, f"uid {uid} could not connect"
        peers.append(varlink.Peer(socket.socket(fileno=fds[0])))
        ours.send(b"k")
    os.waitpid(child, 0)
    ours.close()
    return peers


@contextlib.contextmanager
def paused(daemon):
    """The daemon sees what is done meanwhile all at once."""
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)


def answered(peers):
    """How many replies have come on these connections and were not received."""
    readable, _, _ = select.select([peer.sock for peer in peers], [], [], 0)
    return sum(sock.recv(1 << 20, socket.MSG_PEEK).count(b"\0") for sock in readable)


def receive_all(peers, calls):
    """Receives so many replies of each, whatever they are."""
    for peer in peers:
        for _ in range(calls):
            assert peer.receive() is not None
        peer.close()


@test
def one_user_against_another():
    """of 3,200 calls on a user's 64 connections some are answered when another's only call is, and half when his 10th
    is"""
    needs_root()
    with Daemon(small_host(), policy()) as daemon:
        hostile = connect_many(daemon.path, ALICE, 64)
        with daemon.connect_as(BOB) as bob:
            bob.ask("GetStatus")
            # All is there when it begins, and the single call is the last that came.
            with paused(daemon):
                for peer in hostile:
                    peer.send(STATUS * 50)
                bob.send(STATUS)
            assert bob.receive()["parameters"]["devices"] == 7
            with paused(daemon):
                # One before it, and those that were answered until this process was woken.
                assert answered(hostile) < 800, answered(hostile)
            # In the middle of it, too.
            for _ in range(10):
                bob.ask("GetStatus")
            with paused(daemon):
                assert answered(hostile) < 1600, answered(hostile)
        receive_all(hostile, 50)


@test
def four_users():
    """of four users who send as fast as they can, on 1, 4, 16 and 64 connections, each gets a quarter of the answers"""
    needs_root()
    with Daemon(small_host(), policy()) as daemon:
        users = [connect_many(daemon.path, uid, count) for uid, count in zip((ALICE, BOB, CAROL, DAVE), (1, 4, 16, 64))]
        with paused(daemon):
            for peers in users:
                for peer in peers:
                    peer.send(STATUS * (256 // len(peers)))
        while answered(users[3]) < 100:
            select.select([peer.sock for peer in users[3]], [], [], 30)
        with paused(daemon):
            counts = [answered(peers) for peers in users]
            # They have the same processor's time, of which calls on many connections take more.
            assert max(counts) < 3 * min(counts), counts
        for peers in users:
            receive_all(peers, 256 // len(peers))


@test
def plans():
    """of a user's 640 plans some are made when another gets his: surveys are made by turns, too"""
    needs_root()
    plan = {"devices": [EDU]}
    frame = json.dumps({"method": "org.ioasid1.Plan", "parameters": plan}).encode() + b"\0"
    with Daemon(small_host(), policy(rule(user=[str(ALICE), str(BOB)]))) as daemon:
        hostile = connect_many(daemon.path, ALICE, 64)
        with daemon.connect_as(BOB) as bob:
            bob.ask("GetStatus")
            with paused(daemon):
                for peer in hostile:
                    peer.send(frame * 10)
                bob.send(frame)
            assert "plan" in bob.receive()["parameters"]
            with paused(daemon):
                assert answered(hostile) < 320, answered(hostile)
        receive_all(hostile, 10)


@test
def who_comes_and_goes():
    """one who connects and leaves in a loop keeps nobody waiting, and one who comes is let in before the loop ends"""
    needs_root()
    with Daemon(small_host(), policy()) as daemon, daemon.connect_as(BOB) as bob:
        before = product_fds(daemon)
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setresuid(ALICE, ALICE, ALICE)
            while True:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                    sock.connect(daemon.path)
        try:
            for _ in range(50):
                bob.ask("GetStatus")
            for _ in range(20):
                with daemon.connect_as(CAROL) as carol:
                    carol.ask("GetStatus")
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
        while product_fds(daemon) != before:
            assert daemon.process.poll() is None


def narrow(peer):
    """As little room as a socket can have, at both ends of what it sends."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)


def send_in_background(peer, data):
    """Sends from a child: who does not read may not be able to send everything."""
    child = os.fork()
    if child == 0:
        try:
            peer.sock.settimeout(60)
            peer.sock.sendall(data)
        finally:
            os._exit(0)
    return child


@test
def a_thousand_in_one_go():
    """1,000 calls that are sent before an answer is read are all answered, in order"""
    with Daemon(small_host(), policy()) as daemon:
        with daemon.connect() as peer:
            peer.send(STATUS * 1000)
            for _ in range(1000):
                assert peer.receive()["parameters"]["devices"] == 7
        for how in (lambda peer: None, narrow):
            with daemon.connect() as peer:
                how(peer)
                child = send_in_background(peer, b"".join(named(number) for number in range(1000)))
                for number in range(1000):
                    assert peer.receive()["parameters"]["interface"] == f"number.{number}"
                os.waitpid(child, 0)
                assert peer.ask("GetStatus")


@test
def mixed_calls():
    """calls without an answer, long lists, and those of which the answer is an error, one after the other; read byte by
    byte"""
    listing = b'{"method":"org.ioasid1.ListDevices"}\0'
    with Daemon(large_host(300), policy()) as daemon:
        for bytes_at_once in (1 << 16, 700, 1):
            rounds = 1 if bytes_at_once == 1 else 10
            with daemon.connect() as peer:
                narrow(peer)
                frames = b"".join(named(number) + named("never", oneway=True) + listing +
                                  b'{"method":"org.ioasid1.Nothing"}\0'
                                  + b'{"method":"org.ioasid1.GetStatus","oneway":true}\0' +
                                  b'{"method":"org.ioasid1.Monitor"}\0' for number in range(rounds))
                child = send_in_background(peer, frames)
                pieces, ends = [], 0
                while ends < 4 * rounds:
                    pieces.append(peer.sock.recv(bytes_at_once))
                    assert pieces[-1], ends
                    ends += pieces[-1].count(b"\0")
                os.waitpid(child, 0)
                replies = [json.loads(text) for text in b"".join(pieces).split(b"\0")[:-1]]
                for number in range(rounds):
                    first, devices, unknown, monitor = replies[4 * number: 4 * number + 4]
                    assert first["parameters"]["interface"] == f"number.{number}"
                    assert len(devices["parameters"]["devices"]) == 307
                    assert unknown["error"] == "org.varlink.service.MethodNotFound"
                    assert monitor["error"] == "org.varlink.service.ExpectedMore"


@test
def split_anywhere():
    """three calls that come in two pieces, split at every byte: three answers"""
    frames = named(1) + STATUS + named(2)
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        for place in range(1, len(frames)):
            peer.send(frames[:place])
            # It has read the first piece when it has answered what another asks after it.
            if place % 8 == 0:
                with daemon.connect() as other:
                    other.ask("GetStatus")
            peer.send(frames[place:])
            assert peer.receive()["parameters"]["interface"] == "number.1"
            assert peer.receive()["parameters"]["devices"] == 7
            assert peer.receive()["parameters"]["interface"] == "number.2"


@test
def the_end_of_a_client():
    """who sends nothing more gets all his answers; what has none is done also for who has left; a watcher is told on"""
    with Daemon(small_host(), policy()) as daemon:
        before = product_fds(daemon)
        with daemon.connect() as peer:
            narrow(peer)
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            peer.send(b"".join(named(number) for number in range(500)) + b'{"method":"half')
            peer.sock.shutdown(socket.SHUT_WR)
            for number in range(500):
                assert peer.receive()["parameters"]["interface"] == f"number.{number}"
            assert peer.receive() is None
        with daemon.connect() as peer, daemon.connect() as watcher:
            watcher.send_call("org.ioasid1.Monitor", {}, more=True)
            watcher.sock.shutdown(socket.SHUT_WR)
            assert watcher.receive()["parameters"]["event"]["kind"] == "ready"
            # The last of many that were sent before he left.
            with daemon.connect() as leaver:
                leaver.send(named(0, oneway=True) * 200 + b'{"method":"org.ioasid1.ReloadPolicy","oneway":true}\0')
            while watcher.receive()["parameters"]["event"]["kind"] != "policy":
                pass
            assert peer.ask("GetStatus")
        while product_fds(daemon) != before:
            assert daemon.process.poll() is None


@test
def after_a_watcher():
    """a call behind Monitor is refused, however it comes, and the answers before it come all the same"""
    monitor = b'{"method":"org.ioasid1.Monitor","more":true}\0'
    with Daemon(small_host(), policy()) as daemon:
        for rest in (STATUS, STATUS * 100, b"x"):
            with daemon.connect() as peer:
                peer.send(named(1) + named(2) + monitor + rest)
                assert peer.receive()["parameters"]["interface"] == "number.1"
                assert peer.receive()["parameters"]["interface"] == "number.2"
                assert peer.receive()["continues"]
                assert peer.receive()["error"] == "org.ioasid1.ProtocolError"
                assert peer.receive() is None


@test
def half_messages():
    """of what is not whole a user's clients get 1 MiB of memory kept, and none is left when they are gone"""
    needs_root()
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        peer.ask("ListDevices")
        memory = daemon.resident()
        half = b'{"method":"' + b"x" * 60000
        clients, refused = [], 0
        for uid in range(5000, 5012):
            for client in connect_many(daemon.path, uid, 30):
                client.send(half)
                clients.append(client)
        peer.ask("GetStatus")
        for client in clients:
            # It takes the rest, or was refused.
            with contextlib.suppress(BrokenPipeError):
                client.send(b'"}\0')
        for client in clients:
            reply = client.receive()
            refused += reply is None or reply["error"] == "org.ioasid1.QuotaExceeded"
        assert refused >= len(clients) // 3, refused
        grown = daemon.resident() - memory
        assert grown < 14 << 20, grown
        for client in clients:
            client.close()
        while daemon.resident() - memory > 3 << 20:
            peer.ask("GetStatus")


def ask_until_too_much_waits(peer):
    """Asks until as much waits for the peer's user as may; all his other connections have had a turn since."""
    while "error" not in (reply := peer.call("GetStatus")):
        pass
    assert reply["error"] == "org.ioasid1.QuotaExceeded" and "read" in reply["parameters"]["message"], reply
    peer.fail("GetStatus")


@test
def replies_that_nobody_reads():
    """replies wait in 16 MiB for a user's connections; what is asked beyond that is refused until they are read or
    closed"""
    needs_root()
    with Daemon(large_host(6000), policy()) as daemon, daemon.connect() as peer:
        peer.ask("ListGroups")
        memory = daemon.resident()
        hostile = connect_many(daemon.path, ALICE, 62)
        for client in hostile:
            client.send(GROUPS)
        with daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
            ask_until_too_much_waits(alice)
            assert bob.ask("GetStatus")["devices"] == 6007
            assert daemon.resident() - memory < 24 << 20, daemon.resident() - memory
            # Each is answered: with the list, or that it is too much.
            kinds = {"error" if "error" in client.receive() else "list" for client in hostile}
            assert kinds == {"error", "list"}, kinds
            assert alice.ask("GetStatus")["devices"] == 6007
            for client in hostile:
                client.close()
        while daemon.resident() - memory > 4 << 20:
            peer.ask("GetStatus")


@test
def lists_that_are_ready_at_once():
    """lists that all waited for one look at the host wait in 16 MiB, too, and nobody else waits for their writing"""
    needs_root()
    with Daemon(large_host(6000), policy()) as daemon, daemon.connect() as peer:
        hostile = connect_many(daemon.path, ALICE, 62)
        executor = daemon.executor()
        os.kill(executor, signal.SIGSTOP)
        try:
            for client in hostile:
                client.send(GROUPS)
            with daemon.connect_as(ALICE) as alice:
                alice.ask("GetStatus")
                os.kill(executor, signal.SIGCONT)
                ask_until_too_much_waits(alice)
        finally:
            os.kill(executor, signal.SIGCONT)
        kinds = {"error" if "error" in client.receive() else "list" for client in hostile}
        assert kinds == {"error", "list"}, kinds
        for client in hostile:
            client.close()


@test
def nobody_takes_all_places():
    """16 users at their limits leave places to others; when all are taken, operators and root still connect"""
    needs_root()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    rules = policy(rule(), operators={"user": [str(OPERATOR)]})
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limits[1]))  # which gives it 256 places
    try:
        daemon = Daemon(small_host(), rules)
        with daemon:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[1], 4096), limits[1]))
            peers, most = [], []

            def fill(uid):
                count = 0
                while True:
                    peer = daemon.connect_as(uid)
                    with contextlib.suppress(BrokenPipeError):
                        peer.send(STATUS)
                    reply = peer.receive()
                    if "error" in reply:
                        assert reply["error"] == "org.ioasid1.QuotaExceeded" and peer.receive() is None
                        peer.close()
                        return count
                    peers.append(peer)
                    count += 1

            for uid in range(5000, 5016):
                most.append(fill(uid))
            assert most[0] == 64 and min(most) >= 1, most

            assert fill(5016) >= 1
            uid = 5017
            while fill(uid):
                uid += 1
            assert uid > 5020, uid
            assert fill(OPERATOR) >= 16
            with daemon.connect() as root:
                assert root.ask("GetStatus")["devices"] == 7
            for peer in peers:
                peer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


if __name__ == "__main__":
    run(TESTS)
