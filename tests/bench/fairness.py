#!/usr/bin/env python3
"""How long a user's call takes, alone and beside another user who does all he can: fairness.py IOASIDD SIMULATOR

The bystander asks for the status every 5 ms on one connection. What is compared is how much the broker works between
the call
and its answer, for whomever: its processor time, read before and after. The load takes processors away from the broker,
too, as
any program does, and the time on the clock tells of both. The hostile user is one process with 64 connections, all that
a
user gets. Needs root.
"""
import json
import os
import select
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "broker"))
import harness
from hosts import EDU, large_host, policy, rule

HOSTILE, BYSTANDER, CONNECTIONS, SAMPLES = 4001, 4002, 64, 600


def frame(method, **parameters):
    return json.dumps({"method": "org.ioasid1." + method, "parameters": parameters}).encode() + b"\0"


def connect(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    return sock


def flood(path, call, each):
    """Keeps so many calls under way on each connection."""
    socks = [connect(path) for _ in range(CONNECTIONS)]
    for sock in socks:
        sock.sendall(call * each)
    poll = select.epoll()
    for sock in socks:
        poll.register(sock, select.EPOLLIN)
    by_fd = {sock.fileno(): sock for sock in socks}
    while True:
        for fd, _ in poll.poll():
            answers = by_fd[fd].recv(1 << 20).count(b"\0")
            if answers:
                by_fd[fd].sendall(call * answers)


def churn(path):
    """Connects and leaves."""
    while True:
        connect(path).close()


def halves(path):
    """Sends messages that never end, and connects anew when it is cut off."""
    socks = [connect(path) for _ in range(CONNECTIONS)]
    while True:
        for number, sock in enumerate(socks):
            try:
                sock.send(b"x" * 4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
            except OSError:
                sock.close()
                socks[number] = connect(path)


LOADS = {
    "20 calls under way on each of 64 connections": lambda path: flood(path, frame("GetStatus"), 20),
    "one on each": lambda path: flood(path, frame("GetStatus"), 1),
    "lists of 500 devices": lambda path: flood(path, frame("ListDevices"), 4),
    "plans": lambda path: flood(path, frame("Plan", devices=[EDU]), 4),
    "connecting and leaving": churn,
    "messages that never end": halves,
}


def run_as(uid, work, path):
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            work(path)
        finally:
            os._exit(1)
    return child


def measure(daemon):
    """Milliseconds: of the clock, and those that the broker worked; both sorted."""
    call, taken, worked = frame("GetStatus"), [], []
    clock = (~daemon.process.pid << 3) | 2  # its CPUCLOCK_SCHED
    with daemon.connect_as(BYSTANDER) as peer:
        for _ in range(SAMPLES):
            begin, begin_worked = time.monotonic(), time.clock_gettime(clock)
            peer.sock.sendall(call)
            while not peer.sock.recv(65536).endswith(b"\0"):
                pass
            worked.append((time.clock_gettime(clock) - begin_worked) * 1000)
            taken.append((time.monotonic() - begin) * 1000)
            time.sleep(0.005)
    return sorted(taken), sorted(worked)


def part(values, percent):
    return values[len(values) * percent // 100]


def describe(measured):
    taken, worked = measured
    return (f"worked p50 {part(worked, 50):.2f} ms, p99 {part(worked, 99):.2f} ms "
            f"(on the clock {part(taken, 50):.2f} and "
            f"{part(taken, 99):.2f} ms)")


def main():
    if os.geteuid() != 0:
        print("needs root, to connect as two users")
        sys.exit(77)
    harness.IOASIDD, harness.SIMULATOR = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    with harness.Daemon(large_host(500), policy(rule())) as daemon:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        measure(daemon)
        for name, work in LOADS.items():
            quiet = measure(daemon)
            child = run_as(HOSTILE, work, daemon.path)
            time.sleep(0.3)
            loaded = measure(daemon)
            assert os.waitpid(child, os.WNOHANG) == (0, 0), f"{name}: the load has ended"
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            print(f"BENCHMARK a call of another user: alone {describe(quiet)}; beside {name}: {describe(loaded)}: "
                  f"{part(loaded[1], 99) / part(quiet[1], 99):.1f} times", flush=True)


main()
