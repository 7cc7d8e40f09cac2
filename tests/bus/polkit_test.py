#!/usr/bin/env python3
"""What operators do over the bus: asked of polkit, anew each time, and not done for anything but a yes."""
import os
import pwd
import signal
import socket
import threading
import time

import bus
import client
import harness
import wire
from client import CLAIM, close_all, fails
from hosts import ALONE, EDU, NIC, SECOND_EDU, policy, rule, small_host
from polkit import CHALLENGE, NO, YES, Polkit, odd_answers
from wire import Variant

ALICE, BOB = (pwd.getpwnam(name).pw_uid for name in ("games", "man"))    # the bus lets in whom it can look up


class Scene:
    """A bus with polkit, the daemon, a claim of alice's, and bob."""

    def __init__(self, answer=lambda question: NO, host=None, text=None):
        harness.needs_root()
        self.bus = bus.Bus()
        self.host, self.text, self.answer = host or small_host(), text or policy(rule()), answer

    def __enter__(self):
        self.bus.start()
        self.daemon = bus.Broker(self.bus, self.host, self.text)
        self.daemon.__enter__()
        self.polkit = Polkit(self.bus, self.answer)
        self.alice, self.bob = self.bus.connect(ALICE), self.bus.connect(BOB)
        self.path, self.details = self.new_claim(EDU)
        return self

    def new_claim(self, device):
        path, details = self.alice.claim(device)
        self.alice.acknowledge(path)
        close_all(details, "lease")
        return path, details

    def __exit__(self, *raised):
        self.alice.close()
        self.bob.close()
        self.polkit.__exit__(*raised)
        self.daemon.__exit__(*raised)
        self.bus.__exit__(*raised)


def test_question():
    """SR-06: polkit is asked with the types it wants, and with what its rules can look at"""
    with Scene(lambda question: YES) as scene:
        assert wire.plain(scene.bob.claim_call(scene.path, "Describe")[0])["uid"] == ALICE
        question = scene.polkit.wait(1)[-1]
        assert (question.action, question.flags, question.caller) == ("org.ioasid1.host.inspect", 0, scene.bob.name)
        assert question.details == {"device": EDU, "group": "1", "owner": str(ALICE), "rule": "cards",
                                    "members": f"0000:00:02.0 {EDU} {NIC} {SECOND_EDU}", "claim": scene.details["id"]}
        scene.bob.plan(ALONE, EDU, user="root", unit="a.service")
        question = scene.polkit.wait(2)[-1]
        assert question.action == "org.ioasid1.host.inspect"
        assert question.details == {"device": f"{ALONE} {EDU}", "group": "2 1", "owner": "root", "unit": "a.service",
                                    "members": f"{ALONE} 0000:00:02.0 {EDU} {NIC} {SECOND_EDU}"}
        scene.bob.manager("Reload", flags=wire.INTERACTIVE)
        question = scene.polkit.wait(3)[-1]
        assert (question.action, question.flags, question.details) == ("org.ioasid1.policy.reload", 1, {})


def test_each_act_has_its_action():
    """Each act that takes an operator is asked for by its own action, and done after a yes"""
    with Scene(lambda question: YES) as scene:
        bob = scene.bob
        bob.manager("Snapshot", "b", False)
        path, details = bob.claim(ALONE, lease="operator")
        bob.acknowledge(path)
        close_all(details)
        assert bob.claim_call(path, "Release") == ["free", ""]    # his own: nobody is asked
        scene.path2, details = scene.new_claim(ALONE)
        assert bob.claim_call(scene.path2, "Revoke", "a{sv}", {"grace": Variant("u", 0)}) == []
        os.close(details["lease"])
        fails("WrongState", bob.claim_call, scene.path, "Remove", "s", EDU)
        assert bob.claim_call(scene.path, "Release") == ["free", ""]
        assert [question.action.removeprefix("org.ioasid1.") for question in scene.polkit.wait(5)] == \
            ["host.inspect", "claim.bind", "claim.revoke", "claim.remove", "claim.release"]


def test_quarantine():
    """A claim that is quarantined while polkit is asked about its release takes another right: the yes is none for
    it"""
    asked, answer = threading.Event(), threading.Event()

    def slowly(question):
        asked.set()
        answer.wait(20)
        return YES

    with Scene(slowly) as scene:
        scene.daemon.control({"fail": {"step": "restore", "errno": "EIO"}})
        call = scene.bob.start(client.NAME, scene.path, CLAIM, "Release")
        assert asked.wait(20)
        assert scene.alice.claim_call(scene.path, "Release")[0] == "quarantined"
        answer.set()
        assert "changed" in fails("WrongState", scene.bob.finish, call)
        scene.daemon.control({"clear_faults": True})
        # Nor may the owner open it by himself.
        scene.polkit.answer = lambda question: NO
        fails("OperatorsOnly", scene.alice.claim_call, scene.path, "Release")
        scene.polkit.answer = lambda question: YES
        assert scene.bob.claim_call(scene.path, "Release") == ["free", ""]
        assert [question.action for question in scene.polkit.wait(3)] == \
            ["org.ioasid1.claim.release", "org.ioasid1.claim.open-quarantine", "org.ioasid1.claim.open-quarantine"]


def test_nothing_but_a_yes():
    """Every other answer than a plain yes is a no, and tells so; nothing is cached"""
    with Scene() as scene:
        for odd in odd_answers():
            scene.polkit.answer = lambda question, odd=odd: odd
            name = "DBus.InteractiveAuthorizationRequired" if odd == CHALLENGE else "OperatorsOnly"
            assert "org.ioasid1.claim.release" in fails(name, scene.bob.claim_call, scene.path, "Release"), odd
        scene.polkit.answer = lambda question: YES
        assert wire.plain(scene.bob.claim_call(scene.path, "Describe")[0])["uid"] == ALICE
        scene.polkit.answer = lambda question: NO
        fails("OperatorsOnly", scene.bob.claim_call, scene.path, "Describe")
        assert scene.alice.get(scene.path, CLAIM, "State") == "held"
        assert len(scene.polkit.wait(0)) == len(odd_answers()) + 2


def test_answered_twice():
    """A second answer, and one that nobody waits for, changes nothing"""
    def twice(question):
        scene.polkit.reply(question, NO)
        scene.polkit.reply(question, YES)

    with Scene() as scene:
        scene.polkit.answer = twice
        for _ in range(20):
            fails("OperatorsOnly", scene.bob.claim_call, scene.path, "Release")
        assert scene.alice.get(scene.path, CLAIM, "State") == "held"


def test_no_answer():
    """F8: polkit that hangs is a no after 25 seconds, and its question is withdrawn; who may do it by himself is not
    held up"""
    with Scene(lambda question: None) as scene:
        begin = time.monotonic()
        calls = [scene.bob.start(client.NAME, scene.path, CLAIM, "Release") for _ in range(3)]
        scene.polkit.wait(3)
        assert scene.alice.get(scene.path, CLAIM, "State") == "held"
        with scene.bus.connect() as root:
            assert root.manager("Reload")
        for call in calls:
            fails("OperatorsOnly", scene.bob.finish, call, 35)
        assert 24 < time.monotonic() - begin < 30
        assert set(scene.polkit.wait_cancelled(3)) == {question.cancellation for question in scene.polkit.questions}
        # An answer that comes now is too late.
        for question in scene.polkit.questions:
            scene.polkit.reply(question, YES)
        assert scene.alice.get(scene.path, CLAIM, "State") == "held"


def test_no_polkit():
    """Without polkit operators are root alone, and everybody is told"""
    harness.needs_root()
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon, \
            system.connect(ALICE) as alice, system.connect(BOB) as bob, system.connect() as root:
        path, details = alice.claim(EDU)
        alice.acknowledge(path)
        assert "without polkit only root has" in fails("OperatorsOnly", bob.claim_call, path, "Release")
        assert "without polkit only root has" in fails("OperatorsOnly", bob.manager, "Reload")
        assert wire.plain(root.claim_call(path, "Describe")[0])["uid"] == ALICE
        close_all(details)
        fails("NotFound", forever, root, path)


def forever(peer, path):
    while True:
        peer.claim_call(path, "Release")


def test_gone_meanwhile():
    """SR-41: what a question is about may be gone, or another's, when polkit's yes comes"""
    hold = threading.Event()

    def slowly(question):
        hold.wait(20)
        return YES

    with Scene(slowly) as scene:
        with scene.bus.connect() as root:
            calls = [scene.bob.start(client.NAME, scene.path, CLAIM, member, signature, body) for member, signature,
                     body in
                     (("Release", "", []), ("Remove", "s", [EDU]), ("Revoke", "a{sv}", [{}]), ("Describe", "", []))]
            calls.append(scene.bob.start(client.NAME, client.ROOT, client.MANAGER, "Plan", "asa{sv}",
                                         [[ALONE], {"user": Variant("s", "root")}]))
            scene.bob.get(client.ROOT, client.MANAGER, "Version")    # so the others have been taken up
            assert root.claim_call(scene.path, "Release") == ["free", ""]
            scene.daemon.control({"remove": ALONE}, {"remove": EDU})
        hold.set()
        for call in calls[:4]:
            fails("NotFound", scene.bob.finish, call)
        assert wire.plain(scene.bob.finish(calls[4]).body[0])["status"] == 5


def test_caller_gone_meanwhile():
    """SR-05: a caller that leaves at any moment is granted nothing, breaks nothing, leaves nothing (SR-27)"""
    tries = 2000 if os.environ.get("IOASIDD_TEST_ALL") else 300
    with Scene(lambda question: YES) as scene:
        files, memory = scene.daemon.open_files(), scene.daemon.resident()
        reached = 0
        for number in range(tries):
            if number % 100 == 0:
                signal.alarm(60)    # for each hundred
            # The daemon asks who he is, then polkit: he leaves before, between, or after.
            peer = scene.bus.connect(BOB)
            peer.start(client.NAME, scene.path, CLAIM, ("Describe", "Revoke", "Release", "Remove")[number % 4],
                       ("", "a{sv}", "", "s")[number % 4], ([], [{}], [], [EDU])[number % 4],
                       flags=wire.NO_REPLY if number % 3 == 0 else 0)
            time.sleep((number * 37 % 50) / 10000 if number % 2 else 0)
            peer.close()
            if scene.daemon.process.poll() is not None:
                raise AssertionError("the daemon is gone")
            if number % 4 in (1, 2) and claim_ended(scene):
                # In time, and with polkit's yes: then it was allowed to.
                reached += 1
                scene.path, scene.details = scene.new_claim(EDU)
        assert reached > 0
        scene.polkit.answer = lambda question: NO
        fails("OperatorsOnly", scene.bob.claim_call, scene.path, "Release")
        assert scene.daemon.open_files() == files
        assert scene.daemon.resident() - memory < 512 * 1024


def claim_ended(scene):
    """Whether the claim of alice's has been taken from her; its end is waited for then."""
    try:
        if not scene.alice.get(scene.path, CLAIM, "Revoked") and scene.alice.get(scene.path, CLAIM, "State") == "held":
            return False
        scene.alice.claim_call(scene.path, "Release")
    except client.Failure:
        pass
    os.close(scene.details["lease"])
    return True


def test_caller_gone_is_withdrawn():
    """The question of a caller that has left is withdrawn"""
    with Scene(lambda question: None) as scene:
        peer = scene.bus.connect(BOB)
        peer.start(client.NAME, scene.path, CLAIM, "Release")
        question = scene.polkit.wait(1)[-1]
        peer.close()
        assert scene.polkit.wait_cancelled(1) == [question.cancellation]
        scene.polkit.reply(question, YES)
        assert scene.alice.get(scene.path, CLAIM, "State") == "held"


def test_becoming_root():
    """SR-01: a caller whose process becomes root after it has connected is still whom the bus knows it as"""
    with Scene() as scene:
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setresuid(BOB, BOB, 0)
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.connect(scene.bus.path)
                peer = client.Client(sock).authenticate(BOB)
                os.setresuid(0, 0, 0)
                for member in ("Release", "Describe"):
                    fails("OperatorsOnly", peer.claim_call, scene.path, member)
                fails("OperatorsOnly", peer.manager, "Reload")
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        ours.close()
        theirs.close()
        assert {question.action for question in scene.polkit.wait(3)} == \
            {"org.ioasid1.claim.release", "org.ioasid1.host.inspect", "org.ioasid1.policy.reload"}


def test_policy_operators_are_none_here():
    """Whom the policy names as operators is one on the socket; on the bus polkit says who is"""
    text = policy(rule(), operators={"user": [str(BOB)]})
    with Scene(text=text) as scene:
        with scene.daemon.connect_as(BOB) as socket_of_bob:
            assert socket_of_bob.ask("ListClaims")["claims"]
        fails("OperatorsOnly", scene.bob.claim_call, scene.path, "Describe")
        assert scene.bob.get(scene.path, CLAIM, "Owner") == 2 ** 32 - 1


if __name__ == "__main__":
    harness.run([value for name, value in list(globals().items()) if name.startswith("test_")])
