#!/usr/bin/env python3
"""What happens to those who keep what was revoked, where the rule says that they may be stopped:
forcing_test.py IOASIDD SIMULATOR [TEST]…
"""
import os
import signal

from claims import ask_for_fds, claim, close_all, host_drivers, wait_free_after_stuck
from harness import Daemon, run
from hosts import ALONE, EDU, group_host, policy, rule, small_host

TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Keeper:
    """A process that claims a device and lets go of nothing, whatever it is asked."""

    def __init__(self, daemon, device, stubborn=False):
        ours, theirs = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(ours)
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                if stubborn:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                peer = daemon.connect()
                reply = ask_for_fds(peer, "Claim", {"devices": [device]})
                os.write(theirs, reply["claim"].encode())
                os.close(theirs)
                while True:
                    signal.pause()
            finally:
                os._exit(status)
        os.close(theirs)
        with os.fdopen(ours) as file:
            self.claim = file.read()
        assert self.claim, "the keeper failed"

    def ended_by(self):
        status = os.waitpid(self.pid, 0)[1]
        assert os.WIFSIGNALED(status), status
        return os.WTERMSIG(status)

    def is_there(self):
        return os.waitpid(self.pid, os.WNOHANG) == (0, 0)


@test
def a_process_is_stopped():
    """a process that keeps a revoked claim is ended, if the rule says so, and what it had is free"""
    for host in (small_host, group_host):
        with Daemon(host(),
                    policy(rule(revoke={"grace": "50ms", "stop": "process"}))) as daemon, daemon.connect() as peer:
            drivers = host_drivers(daemon)
            keeper, bystander = Keeper(daemon, EDU), Keeper(daemon, ALONE)
            assert peer.ask("Revoke", {"claim": keeper.claim}) == {}
            assert keeper.ended_by() == signal.SIGTERM
            wait_free_after_stuck(daemon, peer, keeper.claim, "lingering")
            assert bystander.is_there()
            os.kill(bystander.pid, signal.SIGKILL)
            bystander.ended_by()
            wait_free_after_stuck(daemon, peer, bystander.claim, "lingering")
            assert host_drivers(daemon) == drivers


@test
def a_process_that_does_not_listen():
    """one that ignores SIGTERM is killed"""
    with Daemon(small_host(),
                policy(rule(revoke={"grace": "0s", "stop": "process"}))) as daemon, daemon.connect() as peer:
        keeper = Keeper(daemon, EDU, stubborn=True)
        peer.ask("Revoke", {"claim": keeper.claim})
        assert keeper.ended_by() == signal.SIGKILL
        wait_free_after_stuck(daemon, peer, keeper.claim, "lingering")


@test
def nothing_is_stopped():
    """without a word in the rule, or where it speaks of units and there are none, nobody is ended: the claim lingers"""
    for revoke in ({"grace": "0s"}, {"grace": "0s", "stop": "unit"}):
        with Daemon(small_host(), policy(rule(revoke=revoke))) as daemon, daemon.connect() as peer:
            keeper = Keeper(daemon, EDU)
            peer.ask("Revoke", {"claim": keeper.claim})
            daemon.control({"await": {"plans": 0}})
            reply = peer.ask("Release", {"claim": keeper.claim})
            assert reply["state"] == "lingering" and f"[{keeper.pid}]" in reply["note"], reply
            assert keeper.is_there()
            os.kill(keeper.pid, signal.SIGKILL)
            keeper.ended_by()
            wait_free_after_stuck(daemon, peer, keeper.claim, "lingering")


@test
def a_claim_that_was_not_revoked():
    """a claim that lingers by itself is nobody's reason to end a process"""
    with Daemon(small_host(),
                policy(rule(revoke={"grace": "0s", "stop": "process"}))) as daemon, daemon.connect() as peer:
        reply = claim(peer, EDU)
        os.close(reply["lease"])
        daemon.control({"await": {"plans": 0}})
        state = peer.ask("Release", {"claim": reply["claim"]})
        assert state["state"] == "lingering", state
        del reply["lease"]
        close_all(reply)
        wait_free_after_stuck(daemon, peer, reply["claim"], "lingering")


@test
def a_policy_that_changed():
    """what counts is the policy in force in the executor, too: a rule that lets nobody be stopped any more does not"""
    with Daemon(small_host(),
                policy(rule(revoke={"grace": "0s", "stop": "process"}))) as daemon, daemon.connect() as peer:
        keeper = Keeper(daemon, EDU)
        daemon.write_policy(policy(rule(revoke={"grace": "0s"})))
        peer.ask("ReloadPolicy")
        peer.ask("Revoke", {"claim": keeper.claim})
        daemon.control({"await": {"plans": 0}})
        assert peer.ask("Release", {"claim": keeper.claim})["state"] == "lingering"
        assert keeper.is_there()
        os.kill(keeper.pid, signal.SIGKILL)
        keeper.ended_by()
        wait_free_after_stuck(daemon, peer, keeper.claim, "lingering")


if __name__ == "__main__":
    run(TESTS)
