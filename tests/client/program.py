"""Runs the programs under test, whose paths the build hands over in the environment."""

import json
import os
import subprocess

from fake_daemon import TIMEOUT

IOASIDCTL = os.environ["IOASIDCTL"]
PROBE = os.environ["IOASID_PROBE"]
UTF8 = "C.UTF-8"


def environment(**changes):
    """What the programs see: no colours, an UTF-8 locale, unless a test wants another. None takes a variable away."""
    result = {**os.environ, "LC_ALL": UTF8, **changes}
    return {key: value for key, value in result.items() if value is not None}


def ioasidctl(daemon, *arguments, env=None, **more):
    """Runs ioasidctl to its end against a daemon (None: without --socket)."""
    socket = [] if daemon is None else ["--socket", daemon.path]
    return subprocess.run([IOASIDCTL, *socket, *arguments], env=env or environment(), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=TIMEOUT * 2, **more)


def start_ioasidctl(daemon, *arguments, **more):
    """Starts ioasidctl and leaves it running."""
    return subprocess.Popen([IOASIDCTL, "--socket", daemon.path, *arguments], env=environment(),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def output_json(result):
    return json.loads(result.stdout)


class Probe:
    """Drives libioasid by a C program, one command at a time, and counts its descriptors."""

    def __init__(self, path, **more):
        self.process = subprocess.Popen([PROBE, path], env=environment(), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, **more)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
        self.process.communicate(timeout=TIMEOUT)
        if kind is None and self.process.returncode != 0:
            raise RuntimeError(f"the probe ended with status {self.process.returncode}")

    def __call__(self, *command):
        """Sends a command; returns what the probe says of it."""
        self.process.stdin.write("\t".join(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the probe died of {command}")
        return json.loads(line)
