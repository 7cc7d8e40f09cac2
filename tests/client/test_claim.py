"""ioasidctl claim and release: holding in the foreground, every way for that to end, and what became of a claim."""

import json
import signal
import subprocess

import tap
from fake_daemon import TIMEOUT, FakeDaemon, Reply, claiming_daemon, refusal
from program import ioasidctl, output_json, start_ioasidctl

A = "0000:01:00.0"
B = "0000:01:01.0"
HELD = f"""\
claim c1 is held (mode attached, iommufd):
  {A}
also taken from the host:
  {B}, locked out
held until this command ends: press Ctrl-C, or `ioasidctl release c1`
"""


class Held:
    """ioasidctl claim, up to the point where it has said that the claim is held."""

    def __init__(self, daemon, *options, expected=HELD):
        self.child = start_ioasidctl(daemon, "claim", *options, "01:00.0")
        self.said = "".join(self.child.stdout.readline() for _ in expected.splitlines())

    def end(self):
        """Waits for its end: exit status, what else it said, and what it complained of."""
        said, complaint = self.child.communicate(timeout=TIMEOUT)
        return [self.child.returncode, said, complaint]


def test_a_claim_is_held_until_a_signal_and_then_released():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with claiming_daemon((A,), lockouts=[B]) as daemon:
            held = Held(daemon)
            tap.equal(held.said, HELD)
            tap.equal(daemon.called(), ["Claim", "Acknowledge"])
            held.child.send_signal(number)
            tap.equal(held.end(), [0, "claim c1 released: its devices are free\n", ""])
            tap.equal(daemon.called("Release"), [{"claim": "c1"}])


def test_a_claim_without_lockouts():
    with claiming_daemon((A,)) as daemon:
        held = Held(daemon, "--mode", "open", expected="1\n2\n3\n")
        tap.lacks(held.said, "also taken")
        held.child.terminate()
        tap.equal(held.end()[0], 0)
        tap.equal(daemon.called("Claim"), [{"devices": [A], "mode": "open"}])


def test_a_claim_of_nodes_names_their_paths():
    with claiming_daemon((A,), interface="group", groups={A: 7}) as daemon:
        held = Held(daemon, "--mode", "node", expected="1\n2\n3\n4\n")
        tap.equal(held.said.splitlines()[:3], ["claim c1 is held (mode node, group):", f"  {A}", "    by /dev/vfio/7"])
        held.child.terminate()
        tap.equal(held.end()[0], 0)


def test_a_claim_in_json_is_one_object():
    with claiming_daemon((A,), lockouts=[B]) as daemon:
        held = Held(daemon, "--json", expected="")
        text = ""
        while not text.endswith("\n}\n"):
            text += held.child.stdout.readline()
        claim = json.loads(text)
        tap.equal([claim["claim"], claim["mode"], claim["ioas_id"], claim["lockouts"]], ["c1", "attached", 7, [B]])
        tap.equal([device["name"] for device in claim["devices"]], [A])
        held.child.send_signal(signal.SIGINT)
        tap.equal(held.end(), [0, "", ""], "nothing more is printed")


def test_a_claim_that_somebody_else_released():
    gone = refusal("NotFound", 5, "there is no claim c1")
    answers = [(Reply({"state": "free", "note": None}), "claim c1 ended by ioasidd: its devices are free\n"),
               (gone, "claim c1 ended by another user or program\n")]
    for answer, words in answers:
        with claiming_daemon((A,), lockouts=[B]) as daemon:
            daemon.methods["Release"] = answer
            held = Held(daemon)
            daemon.leases[0].close()
            tap.equal(held.end(), [0, words, ""])


def test_a_claim_whose_daemon_goes_away():
    with claiming_daemon((A,), lockouts=[B]) as daemon:
        held = Held(daemon)
        daemon.stop()
        daemon.leases[0].close()
        status, said, complaint = held.end()
        tap.equal([status, said], [7, ""])
        tap.contains(complaint, "claim c1: this process released it")
        daemon.start()


def test_a_claim_that_lingers_after_its_end():
    with claiming_daemon((A,), lockouts=[B]) as daemon:
        daemon.methods["Release"] = Reply({"state": "lingering", "note": "process 9 (qemu) holds it"})
        held = Held(daemon)
        held.child.send_signal(signal.SIGINT)
        tap.equal(held.end(), [4, "", "ioasidctl: claim c1 is lingering: process 9 (qemu) holds it\n"])


def test_a_second_interrupt_ends_the_waiting():
    with claiming_daemon((A,), lockouts=[B]) as daemon:
        daemon.methods["Release"] = Reply(raw=b"")     # never answers
        held = Held(daemon)
        held.child.send_signal(signal.SIGINT)
        daemon.wait_for("Release")
        held.child.send_signal(signal.SIGINT)
        tap.equal(held.end()[0], -signal.SIGINT)
        tap.equal(daemon.leases[0].recv(1), b"", "the lease ends with the process")


def test_a_claim_that_is_killed_ends_its_lease():
    with claiming_daemon((A,), lockouts=[B]) as daemon:
        held = Held(daemon)
        held.child.kill()
        held.end()
        tap.equal(daemon.leases[0].recv(1), b"")


def test_refusals_have_their_exit_status():
    errors = {"RefusedByPolicy": 3, "Busy": 4, "NotFound": 5, "Unsupported": 6}
    for name, status in errors.items():
        with FakeDaemon({"Claim": refusal(name, status, "the message", [{"message": "m", "remedy": "r"}])}) as daemon:
            result = ioasidctl(daemon, "claim", A)
            tap.equal([result.returncode, result.stdout], [status, ""], name)
            tap.equal(result.stderr, f"ioasidctl: cannot claim {A}: the message\n  m\n    to resolve: r\n")
            result = ioasidctl(daemon, "claim", A, "--json")
            error = output_json(result)["error"]
            tap.equal([result.returncode, error["status"], error["name"]], [status, status, "org.ioasid1." + name])
    failed = {"status": 1, "message": "binding failed", "step": "bind", "device": A, "errno": 16}
    with FakeDaemon({"Claim": Reply(failed, error="org.ioasid1.Failed")}) as daemon:
        tap.equal(ioasidctl(daemon, "claim", A).returncode, 1)


def test_output_that_can_not_be_written_is_a_failure():
    with FakeDaemon({"Release": Reply({"state": "free", "note": None})}) as daemon:
        with open("/dev/full", "w", encoding="ascii") as full:
            child = start_ioasidctl(daemon, "status", "--help")
            child.communicate(timeout=TIMEOUT)
            tap.equal(child.returncode, 0)
            process = subprocess.run([*child.args[:3], "release", "c1"], stdout=full, stderr=subprocess.PIPE,
                                     text=True, timeout=TIMEOUT)
        tap.equal(process.returncode, 1)
        tap.contains(process.stderr, "failed to write the output")


def test_release_says_what_became_of_a_claim():
    states = {"free": 0, "lingering": 4, "quarantined": 4, "stuck": 4}
    for state, status in states.items():
        with FakeDaemon({"Release": Reply({"state": state, "note": "why"})}) as daemon:
            result = ioasidctl(daemon, "release", "c1")
            tap.equal([result.returncode, result.stdout, result.stderr], [status, f"claim c1: {state}: why\n", ""])
            tap.equal(daemon.called("Release"), [{"claim": "c1"}])
            result = ioasidctl(daemon, "release", "c1", "-j")
            tap.equal([result.returncode, output_json(result)],
                      [status, {"claims": [{"claim": "c1", "state": state, "note": "why"}]}])


def test_release_of_several_tries_all_of_them():
    with FakeDaemon() as daemon:
        answers = [Reply({"state": "free", "note": None}), refusal("NotFound", 5, "there is no claim c2"),
                   Reply({"state": "lingering", "note": "held"})]
        daemon.methods["Release"] = list(answers)
        result = ioasidctl(daemon, "release", "c1", "c2", "c3")
        tap.equal([result.returncode, result.stdout], [5, "claim c1: free\nclaim c3: lingering: held\n"])
        tap.equal(result.stderr, "ioasidctl: cannot release c2: there is no claim c2\n")
        daemon.methods["Release"] = list(answers)
        result = ioasidctl(daemon, "release", "--json", "c1", "c2", "c3")
        error = {"status": 5, "name": "org.ioasid1.NotFound", "message": "there is no claim c2", "blockers": []}
        tap.equal([result.returncode, result.stderr], [5, ""])
        tap.equal(output_json(result), {"claims": [{"claim": "c1", "state": "free", "note": None},
                                                   {"claim": "c2", "error": error},
                                                   {"claim": "c3", "state": "lingering", "note": "held"}],
                                        "error": error})


def test_release_of_what_can_be_no_claim():
    with FakeDaemon() as daemon:
        for name in ("", "a b", "x" * 40, "a\x1b[2J", "a\u00e4"):
            result = ioasidctl(daemon, "release", "c1", name)
            tap.equal([result.returncode, daemon.called()], [2, []], repr(name))
            tap.lacks(result.stderr, "\x1b")


def test_an_answer_without_a_state_makes_no_sense():
    with FakeDaemon({"Release": Reply({"note": "x"})}) as daemon:
        tap.equal(ioasidctl(daemon, "release", "c1").returncode, 1)
        tap.equal(ioasidctl(daemon, "release", "c1", "--json").returncode, 1)


if __name__ == "__main__":
    tap.run(dict(globals()))
