#!/usr/bin/env python3
"""What the policy decides and how it changes, through the front door: policy_test.py IOASIDD SIMULATOR [TEST]…"""
import json
import os
import shutil
import signal
import subprocess
import tempfile

import harness
from broker_test import ALICE, BOB, claim, close_all, wait_free
from harness import Daemon, Skip, needs_root, run
from hosts import ALONE, EDU, FLR_NIC, NIC, SECOND_EDU, policy, rule, small_host

TESTS = []


def test(function):
    TESTS.append(function)
    return function


@test
def any_one_of_a_pool():
    """a claim of any one of a pool gets the device with the fewest lockouts, and of the next the next"""
    text = policy(pools={"cards": [{"id": ["1234:11e8"]}]}, never=[])
    with Daemon(small_host(), text) as daemon, daemon.connect() as peer:
        plan = peer.ask("Plan", {"devices": ["pool:cards"]})["plan"]
        assert plan["allowed"] and [entry["device"] for entry in plan["chosen"]] == [ALONE], plan
        assert plan["chosen"][0]["pool"] == "cards" and "3 of the pool's 3" in plan["chosen"][0]["why"], plan
        first = claim(peer, "pool:cards")
        assert [entry["name"] for entry in first["devices"]] == [ALONE] and first["lockouts"] == [], first
        second = claim(peer, "pool:cards", "pool:cards")
        assert sorted(entry["name"] for entry in second["devices"]) == [EDU, SECOND_EDU], second
        assert second["lockouts"] == [NIC], second
        error, refusal = peer.fail("Claim", {"devices": ["pool:cards"]})
        assert error == "org.ioasid1.Busy" and refusal["blockers"][0]["device"] in (ALONE, EDU), refusal
        error, refusal = peer.fail("Claim", {"devices": ["pool:nothing"]})
        assert error == "org.ioasid1.NotFound" and refusal["blockers"][0]["kind"] == "unknown-pool", refusal
        assert peer.fail("Claim", {"devices": ["pool:"]})[1] == {"parameter": "devices"}
        assert peer.fail("Claim", {"devices": ["pool:" + "x" * 128]})[1] == {"parameter": "devices"}
        assert peer.fail("Plan", {"devices": ["pool:cards"], "numa_node": -1})[1] == {"parameter": "numa_node"}
        assert peer.fail("Plan", {"devices": ["pool:cards"], "numa_node": "0"})[1] == {"parameter": "numa_node"}
        assert peer.ask("Plan", {"devices": ["pool:cards"], "numa_node": 1})["plan"]["status"] == 4
        for reply in (first, second):
            close_all(reply)
            wait_free(peer, reply["claim"])


@test
def reload_by_an_operator():
    """ReloadPolicy puts the new policy in force in both programs, and lists the claims it would not grant"""
    with Daemon(small_host(), policy(rule("cards"), user_limits={"devices": 8})) as daemon, daemon.connect() as peer:
        before = peer.ask("GetStatus")["policy"]["digest"]
        first, second = claim(peer, ALONE), claim(peer, EDU)
        daemon.write_policy(policy(rule("cards", lockout={"named": [SECOND_EDU]}), rule("again"),
                                   never=[{"address": [ALONE], "why": "it is spare"}]))
        reply = peer.ask("ReloadPolicy")
        assert reply["rules"] == 2 and reply["digest"] != before and len(reply["files"]) == 1, reply
        lost = {(entry["claim"], entry["device"]): entry["reason"] for entry in reply["no_longer_granted"]}
        assert set(lost) == {(first["claim"], ALONE), (second["claim"], NIC)}, lost
        assert "it is spare" in lost[first["claim"], ALONE] and "does not allow locking out" in lost[second["claim"],
                                                                                                     NIC], lost
        assert [entry["line"] is not None and not entry["error"] for entry in reply["warnings"]] == [True], reply
        assert "\"again\" never decides" in reply["warnings"][0]["message"], reply
        assert peer.ask("GetStatus")["policy"]["digest"] == reply["digest"]
        # They go on, and what is claimed from now on is decided anew.
        assert {entry["state"] for entry in peer.ask("ListClaims")["claims"]} == {"held"}
        for entry in (first, second):
            close_all(entry)
            wait_free(peer, entry["claim"])
        assert peer.fail("Claim", {"devices": [ALONE]})[0] == "org.ioasid1.RefusedByPolicy"
        assert peer.ask("ReloadPolicy")["no_longer_granted"] == []


@test
def reload_of_a_broken_policy():
    """a policy with an error is refused with file, line and column, and the one in force stays"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        before = peer.ask("GetStatus")["policy"]
        broken = [("{\n \"rulez\": []}", "unknown key", 2), ("{", "ends", 1), ("\0", "0x00", 1),
                  ("\ufeff{}", "byte order mark", 1), ("[" * 40, "deep", 1),
                  ("{\"rules\": [], \"rules\": []}", "duplicate key", 1), (" " * (1 << 20) + "{}", "1048576", None)]
        for text, words, line in broken:
            daemon.write_policy(text)
            error, parameters = peer.fail("ReloadPolicy")
            assert error == "org.ioasid1.PolicyInvalid", error
            found = parameters["diagnostics"][0]
            assert found["error"] and found["file"].endswith("/50-test.json") and found["line"] == line, found
            assert words in found["message"], (words, found)
            assert peer.ask("GetStatus")["policy"] == before
        path = os.path.join(daemon.policy_folder, "50-test.json")
        os.unlink(path)
        os.mkfifo(path, 0o644)
        assert "regular" in peer.fail("ReloadPolicy")[1]["diagnostics"][0]["message"]
        os.unlink(path)
        os.symlink(daemon.host_path, path)
        assert "out of the policy folders" in peer.fail("ReloadPolicy")[1]["diagnostics"][0]["message"]
        assert peer.ask("GetStatus")["policy"] == before
        close_all(claim(peer, ALONE))


@test
def reload_by_others():
    """whoever is no operator can't reload; whom the policy names can, until it does not name him any more"""
    needs_root()
    with Daemon(small_host(), policy(operators={"user": [ALICE]})) as daemon:
        with daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
            error, parameters = bob.fail("ReloadPolicy")
            assert error == "org.ioasid1.OperatorsOnly" and "operators" in parameters["message"]
            daemon.write_policy(policy(operators={"user": [BOB]}))
            assert alice.ask("ReloadPolicy")["rules"] == 1
            assert alice.fail("ReloadPolicy")[0] == "org.ioasid1.OperatorsOnly"
            assert bob.ask("ReloadPolicy")["rules"] == 1


@test
def many_reloads():
    """reloads by method and by signal at once all end, and the last files are in force"""
    with Daemon(small_host(), policy()) as daemon:
        peers = [daemon.connect() for _ in range(8)]
        for round in range(5):
            daemon.write_policy(policy(*[rule(f"r{i}") for i in range(round + 1)]))
            for peer in peers:
                peer.send_call("org.ioasid1.ReloadPolicy")
            daemon.process.send_signal(signal.SIGHUP)
            errors = {peer.receive().get("error") for peer in peers}
            assert errors <= {None, "org.ioasid1.Failed"}, errors
        while peers[0].call("ReloadPolicy").get("error"):
            pass
        assert peers[0].ask("GetStatus")["policy"]["rules"] == 5
        # Both programs have the same.
        close_all(claim(peers[0], ALONE))
        for peer in peers:
            peer.close()


@test
def reserved_devices():
    """reserved devices that are not ready are named at the start and in the status, and udev's rules are written"""
    text = policy(reserve=[{"id": ["8086:10d3"]}, {"class": ["0108"]}])
    with Daemon(small_host(), text) as daemon, daemon.connect() as peer:
        warnings = peer.ask("GetStatus")["warnings"]
        assert len(warnings) == 2 and any(FLR_NIC in text and "e1000e" in text for text in warnings), warnings
        assert f"{FLR_NIC} is reserved" in daemon.log_text()
        out = subprocess.run([harness.IOASIDD, "--policy-dir", daemon.policy_folder, "--print-udev-rules"],
                             capture_output=True, text=True, check=True).stdout
        rules = [line for line in out.splitlines() if line and not line.startswith("#")]
        assert len(rules) == 2 and 'ENV{PCI_ID}=="8086:10D3"' in rules[0], out
        assert all(line.endswith('ATTR{driver_override}="vfio-pci"') for line in rules), out


@test
def reserved_before_users_are_known():
    """the rules for udev are written early at boot, when nobody knows the users that the policy names"""
    text = policy(rule(subject={"user": ["nobody-of-that-name"], "group": ["none"]}), reserve=[{"id": ["8086:10d3"]}])
    folder = tempfile.mkdtemp(prefix="ioasidd-test-")
    with open(os.path.join(folder, "50.json"), "w", encoding="utf-8") as file:
        file.write(text if isinstance(text, str) else json.dumps(text))
    os.chmod(os.path.join(folder, "50.json"), 0o644)
    command = [harness.IOASIDD, "--policy-dir", folder, "--print-udev-rules"]
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    assert out.returncode == 0 and "8086:10D3" in out.stdout, out


@test
def rules_by_unit():
    """a rule by unit counts for a client whose unit is known, and for nobody else"""
    own = open("/proc/self/cgroup", encoding="utf-8").read()
    units = [part for line in own.splitlines() if line.startswith("0::") for part in line.split("/")
             if part.endswith((".service", ".scope"))]
    with Daemon(small_host(), policy(rule(subject={"unit": ["*.service", "*.scope"]}))) as daemon:
        with daemon.connect() as peer:
            verdict = peer.ask("Plan", {"devices": [ALONE]})["plan"]["allowed"]
        known = bool(units) and tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 5)
        if not known:
            assert verdict is False
            raise Skip("this process has no unit, or this kernel gives no pidfd of clients: only the refusal was seen")
        assert verdict is True


if __name__ == "__main__":
    run(TESTS)
