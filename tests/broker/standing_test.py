#!/usr/bin/env python3
"""Policy files that are refused, and who says so: standing_test.py IOASIDD SIMULATOR IOASIDCTL [TEST]…"""
import json
import os
import pwd
import subprocess
import sys

from broker_test import ALICE, BOB, claim, close_all
from harness import Daemon, needs_root, run
from hosts import ALONE, policy, rule, small_host

IOASIDCTL = os.path.abspath(sys.argv.pop(3))
TESTS = []
SYNTAX = "{\n \"rules\": [\n}"


def test(function):
    TESTS.append(function)
    return function


def ioasidctl(*arguments):
    return subprocess.run([IOASIDCTL, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "80"})


class Bad:
    """One kind of what is refused: put() makes it of a folder with one good file, whose path it gets."""

    def __init__(self, name, put, root=False):
        self.name, self.put, self.root = name, put, root


def chmod(mode):
    return lambda folder, path: os.chmod(path, mode)


def text(content):
    def put(folder, path):
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
    return put


def instead(make):
    def put(folder, path):
        os.unlink(path)
        make(path)
    return put


def linked_out(folder, path):
    os.rename(path, os.path.join(os.path.dirname(folder), "elsewhere.json"))
    os.symlink("../elsewhere.json", path)


def linked_to_link(folder, path):
    os.rename(path, os.path.join(folder, "available"))
    os.symlink("available", os.path.join(folder, "hop"))
    os.symlink("hop", path)


NOBODY = pwd.getpwnam("nobody").pw_uid
KINDS = [
    Bad("written by its group", chmod(0o664)),
    Bad("written by all", chmod(0o646)),
    Bad("its folder is written by all", lambda folder, path: os.chmod(folder, 0o1777)),
    Bad("its folder is written by its group", lambda folder, path: os.chmod(folder, 0o775)),
    Bad("another user's", lambda folder, path: os.chown(path, 1000, 0), root=True),
    Bad("the broker's own user's", lambda folder, path: os.chown(path, NOBODY, 0), root=True),
    Bad("in another user's folder", lambda folder, path: os.chown(folder, 1000, 0), root=True),
    Bad("unreadable for the broker", chmod(0o600), root=True),
    Bad("in a folder that the broker can't read", lambda folder, path: os.chmod(folder, 0o700), root=True),
    Bad("a link out of the folder", linked_out),
    Bad("a link to a link", linked_to_link),
    Bad("a link to nothing", instead(lambda path: os.symlink("nothing", path))),
    Bad("a FIFO", instead(lambda path: os.mkfifo(path, 0o644))),
    Bad("a folder", instead(lambda path: os.mkdir(path, 0o755))),
    Bad("no JSON", text(SYNTAX)),
    Bad("not UTF-8", text(b"{\"rules\": []}\xff")),
    Bad("with a NUL", text("{}\0{}")),
    Bad("too large", text("{}" + " " * (1 << 20))),
    Bad("too deep", text("[" * 40)),
    Bad("an unknown key", text("{\"rulez\": []}")),
    Bad("a rule without a name", text(json.dumps({"rules": [{"effect": "allow", "device": {"id": ["1234:11e8"]}}]}))),
    Bad("two rules of one name", text(json.dumps(policy(rule("a"), rule("a"))))),
    Bad("a pool that is not there", text(json.dumps(policy(rule(device={"pool": ["none"]}))))),
    Bad("a user whom nobody knows", text(json.dumps(policy(rule(subject={"user": ["no-such-user-here"]}))))),
    Bad("a group that nobody knows", text(json.dumps(policy(rule(subject={"group": ["no-such-group-here"]}))))),
]


def put_bad(daemon, kind):
    daemon.write_policy(policy())
    kind.put(daemon.policy_folder, os.path.join(daemon.policy_folder, "50-test.json"))


def put_good(daemon):
    subprocess.run(["rm", "-rf", daemon.policy_folder], check=True)
    os.mkdir(daemon.policy_folder, 0o755)
    os.chmod(daemon.policy_folder, 0o755)
    daemon.write_policy(policy())


def kinds():
    return [kind for kind in KINDS if os.geteuid() == 0 or not kind.root]


@test
def what_a_reload_refuses_is_said_and_checked():
    """what a reload refuses, of every kind, `policy check` refuses too, and the status says it until it is put right"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        before = peer.ask("GetStatus")
        assert before["policy_refused"] is None
        assert ioasidctl("policy", "check", daemon.policy_folder).returncode == 0
        for kind in kinds():
            put_bad(daemon, kind)
            error, refused = peer.fail("ReloadPolicy")
            assert error == "org.ioasid1.PolicyInvalid", (kind.name, error)
            errors = [item for item in refused["diagnostics"] if item["error"]]
            assert errors and errors[0]["message"], (kind.name, refused)
            status = peer.ask("GetStatus")
            assert status["policy"] == before["policy"], kind.name
            told = status["policy_refused"]
            assert told and not told["denies_all"] and not told["apart"] and told["since"] > 0, (kind.name, told)
            assert [(item["file"], item["line"], item["message"]) for item in told["errors"]][0] == \
                (errors[0]["file"], errors[0]["line"], errors[0]["message"]), (kind.name, told)
            assert told["by"] == ("executor" if kind.name == "the broker's own user's" else "broker"), (kind.name, told)
            checked = ioasidctl("policy", "check", "--json", daemon.policy_folder)
            found = [item["file"] for item in json.loads(checked.stdout)["diagnostics"] if item["error"]]
            assert checked.returncode == 1 and errors[0]["file"] in found, (kind.name, checked)
            # What was in force still is.
            assert peer.ask("Plan", {"devices": [ALONE]})["plan"]["allowed"], kind.name
            put_good(daemon)
            assert ioasidctl("policy", "check", daemon.policy_folder).returncode == 0, kind.name
            peer.ask("ReloadPolicy")
            assert peer.ask("GetStatus")["policy_refused"] is None, kind.name


@test
def refused_at_the_start():
    """a policy that is refused at the start denies everything, and status, plan and refusal say that and why"""
    for kind in kinds()[::6] + [kind for kind in kinds() if kind.name == "the broker's own user's"]:
        daemon = Daemon(small_host(), policy())
        put_bad(daemon, kind)
        with daemon, daemon.connect() as peer:
            told = peer.ask("GetStatus")["policy_refused"]
            assert told["denies_all"] and told["errors"], (kind.name, told)
            error, refusal = peer.fail("Claim", {"devices": [ALONE]})
            assert error == "org.ioasid1.RefusedByPolicy", (kind.name, error)
            plan = peer.ask("Plan", {"devices": [ALONE]})["plan"]
            # What a plan allows a claim would get: both are refused, and alike.
            assert not plan["allowed"] and plan["status"] == 3, (kind.name, plan)
            messages = " ".join(entry["message"] + entry["remedy"] for entry in plan["blockers"])
            assert "policy check" in messages and "policy reload" in messages, (kind.name, plan)
            if told["by"] != "executor":
                assert "have errors and are not in force (" in refusal["blockers"][0]["message"], (kind.name, refusal)
            put_good(daemon)
            peer.ask("ReloadPolicy")
            assert peer.ask("GetStatus")["policy_refused"] is None
            close_all(claim(peer, ALONE))


@test
def what_users_are_told():
    """everybody is told that the files are not in force, and operators alone what is in them"""
    needs_root()
    with Daemon(small_host(), policy(rule(subject={"user": [BOB]}), operators={"user": [BOB]})) as daemon:
        daemon.write_policy("{\"a secret of the policy\": 1}")
        with daemon.connect_as(ALICE) as alice, daemon.connect_as(BOB) as bob:
            assert bob.fail("ReloadPolicy")[0] == "org.ioasid1.PolicyInvalid"
            for peer, told in ((alice, False), (bob, True)):
                status = peer.ask("GetStatus")["policy_refused"]
                assert bool(status["errors"]) is told and ("secret" in json.dumps(status)) is told, status
                assert "rejected" in status["message"] and "stays in force" in status["message"], status
            refusal = json.dumps(alice.fail("Claim", {"devices": [ALONE]}))
            assert "have errors and are not in force" in refusal and "secret" not in refusal, refusal
            close_all(claim(bob, ALONE))


@test
def many_errors():
    """of a file with thousands of errors the first few are told, and how many there are"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        daemon.write_policy("{" + ", ".join(f"\"k{number}\": 1" for number in range(3000)) + "}")
        peer.fail("ReloadPolicy")
        told = peer.ask("GetStatus")["policy_refused"]
        assert 0 < len(told["errors"]) <= 16 and len(told["errors"]) + told["more"] >= 20, (len(told["errors"]),
                                                                                            told["more"])


@test
def the_program_says_it():
    """ioasidctl status and doctor say it, with the place and what to do; a daemon that denies everything delivers
    nothing"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        daemon.write_policy(SYNTAX)
        peer.fail("ReloadPolicy")
        status = ioasidctl("--socket", daemon.path, "status")
        assert status.returncode == 0 and "NOT USED" in status.stdout, status
        assert "50-test.json:3:1:" in status.stdout.replace("\n         ", ""), status.stdout
        assert "policy check" in status.stdout and "policy reload" in status.stdout, status.stdout
        doctor = json.loads(ioasidctl("--socket", daemon.path, "--json", "doctor").stdout)
        found = [check for check in doctor["checks"] if check["check"] == "policy"][0]
        assert found["state"] == "warning" and "50-test.json:3:" in found["message"], found
        assert "policy check" in found["remedy"], found
        result = ioasidctl("--socket", daemon.path, "plan", ALONE)
        assert result.returncode == 0, result
    daemon = Daemon(small_host(), SYNTAX)
    with daemon:
        doctor = json.loads(ioasidctl("--socket", daemon.path, "--json", "doctor").stdout)
        found = [check for check in doctor["checks"] if check["check"] == "policy"][0]
        assert found["state"] == "missing" and "every claim is refused" in found["message"], found
        assert doctor["status"] in (6, 7), doctor
        result = ioasidctl("--socket", daemon.path, "run", ALONE, "--", "true")
        assert result.returncode == 3 and "not in force" in result.stderr.replace("\n", " "), result


@test
def drafts():
    """a file that is named itself is a draft: who may write it is a warning, and what is in it is checked all the
    same"""
    with Daemon(small_host(), policy()) as daemon:
        path = os.path.join(daemon.folder, "draft.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(policy(), file)
        os.chmod(path, 0o666)
        result = ioasidctl("policy", "check", path)
        assert result.returncode == 0 and "warning: can be written by others" in result.stdout.replace("\n  ",
                                                                                                       " "), result
        with open(path, "w", encoding="utf-8") as file:
            file.write(SYNTAX)
        assert ioasidctl("policy", "check", path).returncode == 1


if __name__ == "__main__":
    run(TESTS)
