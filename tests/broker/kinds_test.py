#!/usr/bin/env python3
"""A second kind of device, made up for this test, from the list to its release: kinds_test.py IOASIDD SIMULATOR
SIMULATOR_WITHOUT_IT. See made_up_kind.c."""
import json
import os
import subprocess
import sys
import tempfile

from claims import add, claim, close_all, host_drivers, states, wait_free
from harness import Daemon, run
from hosts import ALONE, EDU, NIC, group_host, policy, rule, small_host

MADE = [f"made-{number}" for number in range(3)]
PRODUCT = os.path.abspath(sys.argv.pop(3))
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def made_host(host=None):
    host = host or small_host()
    host["devices"] += [{"kind": "made-up", "name": name, "driver": "made_vfio", "vfio_node": f"vfio{20 + number}"}
                        for number, name in enumerate(MADE)]
    host["devices"].append({"kind": "made-up", "name": "made-9"})
    return host


def made_rule(**more):
    return rule("made", device={"kind": ["made-up"]}, **more)


def made_policy(**more):
    return policy(made_rule(**more), rule())


def steps_of(plan):
    return [step["kind"] for step in plan["steps"]]


def refusal(peer, device, **more):
    blockers = peer.ask("Plan", {"devices": [device], **more})["plan"]["blockers"]
    assert len(blockers) == 1, blockers
    return blockers[0]


class KeptDaemon(Daemon):
    """A broker whose simulated host outlives it."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.keep_host()


@test
def is_listed():
    """it is listed beside the PCI functions, free, with its kind, and without a group"""
    with Daemon(made_host(), made_policy()) as daemon, daemon.connect() as peer:
        found = {entry["name"]: entry for entry in peer.ask("ListDevices")["devices"]}
        assert len(found) == len(made_host()["devices"])
        for name in MADE:
            entry = found[name]
            assert (entry["kind"], entry["group"], entry["state"], entry["bridge"]) == ("made-up", None, "free", False)
        assert found[EDU]["kind"] == "pci"


@test
def is_planned():
    """a plan has no step that moves or resets it, or looks at its bus mastering, and locks nothing out"""
    with Daemon(made_host(), made_policy(modes=["attached", "node"])) as daemon, daemon.connect() as peer:
        plan = peer.ask("Plan", {"devices": [MADE[0]]})["plan"]
        assert plan["status"] == 0 and plan["lockouts"] == [], plan
        assert steps_of(plan) == ["context", "open", "bind", "ioas", "attach"], plan
        plan = peer.ask("Plan", {"devices": [MADE[0]], "mode": "node"})["plan"]
        assert steps_of(plan) == ["context", "grant", "grant"], plan


@test
def whole_life():
    """two of them are claimed, one is given back, another added; nobody has moved one or written to it"""
    with Daemon(made_host(), made_policy()) as daemon, daemon.connect() as peer:
        before, drivers = states(peer), host_drivers(daemon)
        reply = claim(peer, *MADE[:2])
        assert [entry["name"] for entry in reply["devices"]] == MADE[:2] and reply["lockouts"] == [], reply
        assert host_drivers(daemon) == drivers
        assert states(peer)[MADE[0]][2] == "held" and states(peer)[MADE[2]] == before[MADE[2]]
        assert peer.fail("Claim", {"devices": [MADE[0]]})[1]["status"] == 4
        more = add(peer, reply["claim"], MADE[2])
        assert [entry["name"] for entry in more["devices"]] == [MADE[2]], more
        # No group ties them together: one goes, and the others stay.
        close_all({"devices": [reply["devices"].pop()], "groups": []})
        assert peer.ask("RemoveDevice", {"claim": reply["claim"], "device": MADE[1]}) is not None
        assert [states(peer)[name][2] for name in MADE] == ["held", "free", "held"]
        close_all(reply)
        close_all(more)
        wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers and states(peer) == before


@test
def is_given_back_untouched():
    """a release has none of the steps that would move it, reset it or look at its bus mastering: none can fail"""
    with Daemon(made_host(), made_policy()) as daemon, daemon.connect() as peer:
        for step in ("reset", "bus-master-off", "unbind-vfio", "restore"):
            daemon.control({"fail": {"step": step, "device": MADE[0]}})
        reply = claim(peer, MADE[0])
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert states(peer)[MADE[0]][2] == "free"


@test
def beside_a_pci_function():
    """one claim can have both; only the function's group is taken"""
    both = policy(rule("both", device={"name": [EDU, "made-*"]}))
    with Daemon(made_host(), both) as daemon, daemon.connect() as peer:
        before, drivers = states(peer), host_drivers(daemon)
        reply = claim(peer, MADE[0], EDU)
        assert NIC in reply["lockouts"] and not set(MADE) & set(reply["lockouts"]), reply
        after = host_drivers(daemon)
        assert {name for name in after if after[name] != drivers[name]} <= {EDU, *reply["lockouts"]}
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers and states(peer) == before


@test
def what_it_can_not():
    """a mode or an interface that the kind has not, a reset, and one that has no node are refused with the reason"""
    modes = ["attached", "open", "node"]
    with Daemon(made_host(), made_policy(modes=modes)) as daemon, daemon.connect() as peer:
        found = refusal(peer, MADE[0], mode="open")
        assert found["kind"] == "mode" and "made-up" in found["message"] and "attached, node" in found["remedy"], found
        assert refusal(peer, "made-9")["kind"] == "not-restorable"
    with Daemon(made_host(), made_policy(reset="require")) as daemon, daemon.connect() as peer:
        assert refusal(peer, MADE[0])["kind"] == "no-reset"
    with Daemon(made_host(group_host()), made_policy()) as daemon, daemon.connect() as peer:
        assert refusal(peer, MADE[0])["kind"] == "mode"
        assert peer.ask("Plan", {"devices": [ALONE]})["plan"]["status"] == 0


@test
def outlives_a_restart():
    """the next broker knows what kind a claim's device is"""
    with KeptDaemon(made_host(), made_policy(), managed=True) as daemon:
        peer = daemon.connect()
        drivers, reply = host_drivers(daemon), claim(peer, MADE[0])
        before = peer.ask("ListClaims")["claims"]
        daemon.kill()
        assert daemon.start() is None, daemon.log_text()
        peer = daemon.connect()
        assert peer.ask("ListClaims")["claims"] == before
        assert peer.fail("Claim", {"devices": [MADE[0]]})[1]["status"] == 4
        close_all(reply)
        wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers


@test
def is_none_of_the_product():
    """the simulator that ships does not know the kind"""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(made_host(), file)
        file.flush()
        found = subprocess.run([PRODUCT, "--stay", "--control", file.name + ".control", file.name], capture_output=True,
                               text=True, timeout=30, check=False)
    assert found.returncode != 0 and 'expected "pci"' in found.stderr, found


if __name__ == "__main__":
    run(TESTS)
