#!/usr/bin/env python3
"""The examples that ship for authors of VM managers do what they say, in each language."""
import os
import re
import subprocess
import sys

import bus
import client
import harness
from client import CLAIM
from hosts import ALONE, EDU, NIC, group_host, policy, rule, small_host
from wire import Variant

EXAMPLES = os.path.join(bus.ROOT, "client", "examples")
PROGRAM = os.path.abspath(sys.argv.pop(3))
# python3-dbus is the system's own.
PYTHON = "/usr/bin/python3"


class Run:
    """An example on a bus; a context manager."""

    def __init__(self, system, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": system.address})

    def line(self):
        return self.process.stdout.readline()

    def end(self, text=""):
        """(status, the rest of its output, its errors)."""
        out, errors = self.process.communicate(text, timeout=60)
        return self.process.returncode, out, errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def programs():
    return {"C": [PROGRAM], "Python": [PYTHON, os.path.join(EXAMPLES, "claim-device.py")]}


def claims(peer):
    return {path: interfaces[CLAIM]["State"] for path, interfaces in peer.objects().items() if CLAIM in interfaces}


def test_claim():
    """C and Python: claims, holds, and gives back at the end"""
    for host in (small_host(), group_host()):
        with bus.Bus() as system, bus.Broker(system, host, policy(rule())), system.connect() as peer:
            for language, program in programs().items():
                with Run(system, *program, EDU) as run:
                    while not (line := run.line()).startswith(EDU):
                        assert line.startswith("the host would lose"), (language, line, run.end())
                    assert re.search(r"device is descriptor \d+, context \d+, IOAS \d+", line), (language, line)
                    assert list(claims(peer).values()) == ["held"]
                    assert run.end("\n") == (0, "released: free\n", ""), language
                assert claims(peer) == {}


def test_refusal():
    """C and Python: a refusal says why, and the status is not 0"""
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())), system.connect() as peer:
        for language, program in programs().items():
            with Run(system, *program, NIC) as run:
                status, _, errors = run.end()
                assert status == 1 and "no rule allows" in errors.lower() and NIC in errors, (language, errors)


def test_killed():
    """C and Python: what is killed gives its claim back by its lease"""
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())), system.connect() as peer:
        peer.watch()
        for program in programs().values():
            with Run(system, *program, ALONE) as run:
                while not run.line().startswith(ALONE):
                    pass
                path, = claims(peer)
                run.process.kill()
                peer.wait_signal("InterfacesRemoved", lambda message: message.body[0] == path)


def test_asked_back():
    """C and Python: who is asked to give the device back does so"""
    harness.needs_root()
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())), system.connect() as peer:
        for language, program in programs().items():
            with Run(system, *program, ALONE) as run:
                while not run.line().startswith(ALONE):
                    pass
                path, = claims(peer)
                peer.claim_call(path, "Revoke", "a{sv}", {"grace": Variant("u", 30000)})
                # Its input stays open: it ends for what it was asked. It tells what is left of the half minute.
                line = run.line()
                assert re.fullmatch(r"asked to give the devices? back within (30\.0|2\d\.\d) s\n", line), (language,
                                                                                                           line)
                assert run.line() == "released: free\n", language
                assert run.process.wait(30) == 0
            assert claims(peer) == {}


def test_shell():
    """Shell: plans, runs a command with a device's nodes, lists and revokes, by busctl"""
    harness.needs_root()
    script = os.path.join(EXAMPLES, "claim-device.sh")
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule(modes=["node"]))), system.connect() as peer:
        with Run(system, script, "plan", ALONE) as run:
            status, out, errors = run.end()
            assert status == 0 and '"allowed"' in out, errors
        with Run(system, script, "run", ALONE, "sh", "-c", f'echo "$NODES"; "{script}" list; exit 3') as run:
            status, out, errors = run.end()
            nodes = [line for line in out.splitlines() if line.startswith("/dev/vfio/")]
            assert status == 3 and len(nodes) == 2 and re.search(r'^[0-9a-f]{32} "held"$', out, re.M), (out, errors)
            assert 'ss "free" ""' in out
        assert claims(peer) == {}
        with Run(system, script, "run", ALONE, "cat") as run:
            while list(claims(peer).values()) != ["held"]:
                pass
            path, = claims(peer)
            with Run(system, script, "revoke", path.rsplit("/", 1)[1]) as revoke:
                assert revoke.end()[0] == 0
            assert peer.get(path, CLAIM, "Revoked") is True
            assert run.end()[0] == 0
        with Run(system, script, "run", EDU + "x", "true") as run:
            status, out, errors = run.end()
            assert status != 0 and "neither a device address" in errors
        with Run(system, script) as run:
            assert run.end()[0] == 2


if __name__ == "__main__":
    harness.run([value for name, value in list(globals().items()) if name.startswith("test_")])
