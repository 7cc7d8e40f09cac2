#!/usr/bin/env python3
"""Workers that end in the middle of a plan: worker_test.py IOASIDD SIMULATOR [TEST]…

A claim whose worker ends is put back by a release; a release, or the removal of a device, is run again by another
worker:
three times, after pauses that grow. Only then it is quarantined.
"""
import os
import random
import select
import signal

from claims import claim, close_all, host_drivers, take_indices, wait_free, wait_free_after_stuck
from harness import Daemon, needs_root, run
from hosts import EDU, device, group_host, policy, rule, small_host

ALICE = 60001
TESTS = []


def test(function):
    TESTS.append(function)
    return function


CARDS = [f"0000:0a:{number:02x}.0" for number in range(32)]
RETURNS = ["bus-master-off", "reset", "unbind-vfio", "restore"]


class Kind:
    def __init__(self, name, host, claim_steps, release_steps, mode="attached"):
        self.name, self.host, self.mode = name, host, mode
        self.claim_steps = ["override", "probe"] + claim_steps
        self.release_steps = release_steps + RETURNS


# Steps that are about a device: a worker can be ended at those of each device apart.
IOMMUFD = Kind("iommufd", small_host, ["open", "bind", "attach"], ["prove-no-holder", "prove-unbound"])
GROUP = Kind("groups", group_host, ["group", "group-device"], ["prove-no-holder", "prove-group-free"])
NODE = Kind("nodes", group_host, ["grant"], ["revoke", "prove-no-holder", "prove-group-free"], "node")
ALL = (IOMMUFD, GROUP, NODE)


class Host(Daemon):
    """A host with many cards, each alone in its group."""

    def __init__(self, kind, *arguments, **more):
        if kind.mode == "node":
            needs_root()
        host = kind.host()
        host["devices"] += [device(name, "1234:11e8", "00ff00", 100 + number) for number, name in enumerate(CARDS)]
        subject = [str(ALICE)] if kind.mode == "node" else None
        super().__init__(host, policy(rule(user=subject, modes=["attached", "open", "node"])), *arguments, **more)
        self.kind = kind

    def client(self):
        return self.connect_as(ALICE) if self.kind.mode == "node" else self.connect()

    def kill_at(self, step, name, **more):
        self.control({"kill": {"step": step, "device": name, "times": 1, **more}})

    def take(self, peer, *devices):
        return claim(peer, *devices, mode=self.kind.mode)

    def send_claim(self, peer, *devices):
        peer.send_call("org.ioasid1.Claim", {"devices": list(devices), "mode": self.kind.mode})


def is_interrupted(reply, what="Failed"):
    assert reply["error"] == "org.ioasid1." + what, reply
    message = reply["parameters"]["message"]
    assert "worker ended" in message and "restoring everything" in message, reply


def wait_until_empty(daemon, peer):
    """Until there is no claim any more; none may be quarantined on the way."""
    while claims := peer.ask("ListClaims")["claims"]:
        assert not [entry for entry in claims if entry["state"] == "quarantined"], (claims, daemon.log_text())
        for entry in claims:
            peer.call("Release", {"claim": entry["id"]})


def of_each_kind(function):
    for each in ALL:
        def one(kind=each):
            with Host(kind) as daemon, daemon.client() as peer:
                drivers = host_drivers(daemon)
                function(daemon, peer)
                wait_until_empty(daemon, peer)
                state = daemon.control({"state": True})
                assert host_drivers(daemon) == drivers and state["open"] == {} and state["acls"] == {}, state
                assert os.listdir(os.path.join(daemon.runtime, "claims")) == []
        one.__name__ = f"{function.__name__}_{each.name}"
        one.__doc__ = f"{function.__doc__} ({each.name})"
        test(one)
    return function


@of_each_kind
def claims(daemon, peer):
    """ended at any step of a claim, or before its result: the client is told, and everything is put back"""
    for step in daemon.kind.claim_steps:
        daemon.kill_at(step, CARDS[0])
        daemon.send_claim(peer, CARDS[0])
        is_interrupted(peer.receive())
        wait_until_empty(daemon, peer)
    daemon.control({"kill": {"step": "result", "times": 1}})
    daemon.send_claim(peer, EDU)
    is_interrupted(peer.receive())
    wait_until_empty(daemon, peer)
    # While nobody waits for it any more.
    daemon.control({"hang": {"step": "probe", "device": CARDS[1], "times": 1}})
    daemon.kill_at(daemon.kind.claim_steps[-1], CARDS[1])
    with daemon.client() as other:
        daemon.send_claim(other, CARDS[1])
        daemon.control({"await": {"hung": 1}})
    daemon.control({"unhang": True})


@of_each_kind
def undos(daemon, peer):
    """ended at any step of an undo: a release does what is left of it"""
    last = daemon.kind.claim_steps[-1]
    for step in daemon.kind.claim_steps[:-1]:
        if step == "bind":
            continue  # it ends with the close of what was opened
        daemon.control({"fail": {"step": last, "device": CARDS[0], "times": 1}})
        daemon.kill_at(step, CARDS[0], undo=True)
        daemon.send_claim(peer, CARDS[0])
        is_interrupted(peer.receive())
        wait_until_empty(daemon, peer)


@of_each_kind
def releases(daemon, peer):
    """ended at any step of a release, once each: it is run again, and the devices are free"""
    steps = daemon.kind.release_steps
    held = [daemon.take(peer, name) for name in CARDS[:len(steps)]]
    for step, name in zip(steps, CARDS):
        daemon.kill_at(step, name)
    for reply in held:
        close_all(reply)
    for reply in held:
        wait_free(peer, reply["claim"])
    assert daemon.log_text().count("did not come to its end") == len(steps), daemon.log_text()


@of_each_kind
def removals(daemon, peer):
    """ended at any step of a removal: it is run again, and its asker is answered then; the claim goes on"""
    steps = daemon.kind.release_steps
    held, askers = [], []
    for number, step in enumerate(steps):
        reply = daemon.take(peer, CARDS[2 * number], CARDS[2 * number + 1])
        for key in ("devices", "groups"):
            for entry in reply[key][1:]:
                if entry["fd"] is not None:
                    os.close(entry["fd"])
            reply[key] = reply[key][:1]
        held.append(reply)
        daemon.kill_at(step, CARDS[2 * number + 1])
        askers.append(daemon.client())
        askers[-1].send_call("org.ioasid1.RemoveDevice", {"claim": reply["claim"], "device": CARDS[2 * number + 1]})
    for number, asker in enumerate(askers):
        assert asker.receive() == {"parameters": {}}, steps[number]
        asker.close()
    for number, entry in enumerate(peer.ask("ListClaims")["claims"]):
        assert (entry["state"], entry["devices"]) == ("held", [CARDS[2 * number]]), entry
    for reply in held:
        close_all(reply)


@of_each_kind
def additions(daemon, peer):
    """ended at any step of an addition: the device is taken back, the claim goes on and can grow again"""
    reply = daemon.take(peer, CARDS[0])
    for step in daemon.kind.claim_steps:
        daemon.kill_at(step, CARDS[1])
        answer = peer.call("AddDevice", {"claim": reply["claim"], "device": CARDS[1]})
        assert answer["error"] == "org.ioasid1.Failed" and "removing" in answer["parameters"]["message"], answer
        while (entry := peer.ask("ListClaims")["claims"][0])["devices"] != [CARDS[0]]:
            assert entry["state"] == "held", entry
    added = peer.ask("AddDevice", {"claim": reply["claim"], "device": CARDS[1]})
    take_indices(added, peer.take_fds())
    peer.ask("Acknowledge", {"claim": reply["claim"]})
    close_all(added)
    close_all(reply)


@test
def released_while_a_removal_pauses():
    """a claim that ends while a removal waits to be run again is given back as a whole, and the asker is answered"""
    with Host(IOMMUFD) as daemon, daemon.client() as peer, daemon.client() as asker:
        drivers = host_drivers(daemon)
        reply = daemon.take(peer, *CARDS[:2])
        os.close(reply["devices"].pop()["fd"])
        daemon.kill_at("reset", CARDS[1])
        asker.send_call("org.ioasid1.RemoveDevice", {"claim": reply["claim"], "device": CARDS[1]})
        while "did not come to its end" not in daemon.log_text():
            assert daemon.process.poll() is None
        close_all(reply)
        answer = asker.receive()
        assert answer["error"] == "org.ioasid1.Failed" and "released meanwhile" in answer["parameters"]["message"], \
            answer
        wait_free(peer, reply["claim"])
        assert host_drivers(daemon) == drivers


@test
def three_times_and_once_more():
    """ended three times in a row, a release succeeds; the fourth time it is quarantined, and stays so over a restart"""
    daemon = Host(IOMMUFD, managed=True)
    daemon.keep_host()
    with daemon, daemon.client() as peer, daemon.client() as other, daemon.client() as third:
        drivers = host_drivers(daemon)
        held = [daemon.take(peer, name) for name in CARDS[:3]]
        daemon.control({"kill": {"step": "reset", "device": CARDS[0], "times": 3}},
                       {"kill": {"step": "unbind-vfio", "device": CARDS[1], "times": 4}},
                       {"kill": {"step": "restore", "device": CARDS[2], "times": 4}})
        askers = [peer, other, third]
        for reply, asker in zip(held, askers):
            lease, reply["lease"] = reply["lease"], None
            close_all(reply)
            asker.send_call("org.ioasid1.Release", {"claim": reply["claim"]})
            os.close(lease)
        assert peer.receive()["parameters"] == {"state": "free", "note": None}
        for asker in askers[1:]:
            state = asker.receive()["parameters"]
            assert state["state"] == "quarantined" and "giving up" in state["note"], state
        daemon.process.terminate()
        assert daemon.process.wait(30) == 0 and daemon.start() is None
        with daemon.client() as again:
            states = {entry["id"]: entry["state"] for entry in again.ask("ListClaims")["claims"]}
            assert states == {reply["claim"]: "quarantined" for reply in held[1:]}, states
            # Revoked or released, an operator opens it.
            again.ask("Revoke", {"claim": held[1]["claim"], "grace": 0})
            wait_free(again, held[1]["claim"])
            assert again.ask("Release", {"claim": held[2]["claim"]})["state"] == "free"
        assert host_drivers(daemon) == drivers


@test
def ended_after_the_deadline():
    """a release that is stuck, and whose worker ends then, is run again"""
    with Host(IOMMUFD, "--plan-deadline", "1") as daemon, daemon.client() as peer:
        drivers = host_drivers(daemon)
        daemon.control({"hang": {"step": "reset", "device": CARDS[0], "times": 1}})
        daemon.kill_at("unbind-vfio", CARDS[0])
        daemon.kill_at("restore", CARDS[0])
        reply = daemon.take(peer, CARDS[0])
        close_all(reply)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "stuck"
        daemon.control({"unhang": True})
        wait_free_after_stuck(daemon, peer, reply["claim"])
        assert host_drivers(daemon) == drivers


@test
def revoked_while_it_is_quarantined():
    """a quarantined claim that is revoked, unplugged, or released by its owner, does nothing that can't happen"""
    needs_root()
    with Host(NODE) as daemon, daemon.client() as owner, daemon.connect() as operator:
        for fails in (1, 2):
            reply = daemon.take(owner, CARDS[fails])
            daemon.control({"fail": {"step": "restore", "device": CARDS[fails], "times": fails}})
            close_all(reply)
            while operator.ask("ListClaims")["claims"][0]["state"] != "quarantined":
                assert daemon.process.poll() is None
            assert owner.fail("Release", {"claim": reply["claim"]})[0] == "org.ioasid1.WrongState"
            assert owner.fail("Revoke", {"claim": reply["claim"], "grace": 0})[0] == "org.ioasid1.OperatorsOnly"
            operator.ask("Revoke", {"claim": reply["claim"], "grace": 0})
            while claims := operator.ask("ListClaims")["claims"]:
                if fails == 2 and claims[0]["state"] == "quarantined":
                    break
            if fails == 2:
                daemon.control({"remove": CARDS[fails]})
                operator.ask("Revoke", {"claim": reply["claim"], "grace": 60000})
                wait_until_empty(daemon, operator)


class Load:
    """Clients that claim, grow, shrink and let go, while workers end; one after the other, as a seed says."""

    def __init__(self, daemon, seed):
        self.daemon, self.random = daemon, random.Random(seed)
        self.kills = 0
        self.peers = [daemon.connect() for _ in range(len(CARDS) // 2)]
        self.held = [None] * len(self.peers)
        self.busy = [False] * len(self.peers)  # what the last worker left is being put back still

    def kill_somewhere(self, name):
        self.kills += 1
        step = self.random.choice(IOMMUFD.claim_steps + 2 * IOMMUFD.release_steps)
        self.daemon.kill_at(step, name)

    def send(self, number):
        own, further = CARDS[2 * number:2 * number + 2]
        reply, peer = self.held[number], self.peers[number]
        if not self.busy[number]:
            self.kill_somewhere(own)
            self.kill_somewhere(further)
        if reply is None:
            self.daemon.send_claim(peer, own)
        elif reply["further"] is None and self.random.random() < 0.6:
            peer.send_call("org.ioasid1.AddDevice", {"claim": reply["claim"], "device": further})
        elif reply["further"] and self.random.random() < 0.5:
            for fd in reply["further"]:
                os.close(fd)
            reply["further"] = []
            peer.send_call("org.ioasid1.RemoveDevice", {"claim": reply["claim"], "device": further})
        else:
            for fd in reply["fds"] + (reply["further"] or []):
                os.close(fd)
            self.held[number] = None
            peer.send_call("org.ioasid1.Release", {"claim": reply["claim"]})

    def hear(self, number):
        peer, reply = self.peers[number], self.held[number]
        answer = peer.receive()
        self.busy[number] = answer.get("error") in ("org.ioasid1.Busy", "org.ioasid1.WrongState")
        if "error" in answer:
            assert answer["error"] in ("org.ioasid1.Failed", "org.ioasid1.Busy", "org.ioasid1.WrongState",
                                       "org.ioasid1.NotFound"), answer
            return
        answer = answer["parameters"]
        if "devices" not in answer:
            assert answer.get("state", "free") == "free", answer
            if reply:
                reply["further"] = None
            return
        fds = peer.take_fds()
        peer.ask("Acknowledge", {"claim": answer["claim"]})
        if reply is None:
            self.held[number] = {"claim": answer["claim"], "fds": fds, "further": None}
        else:
            reply["further"] = fds

    def end(self):
        for peer, reply in zip(self.peers, self.held):
            for fd in (reply["fds"] + (reply["further"] or [])) if reply else []:
                os.close(fd)
            peer.close()


@test
def under_load():
    """hundreds of workers and several brokers end under load: nothing is quarantined, and in the end all is as it
    was"""
    daemon = Host(IOMMUFD, managed=True)
    daemon.keep_host()
    with daemon:
        drivers, kills, seed = host_drivers(daemon), 0, random.SystemRandom().randrange(10**6)
        print(f"# seed {seed}", flush=True)
        for turn in range(2):
            load = Load(daemon, seed + turn)
            for _ in range(4):
                daemon.control({"clear_faults": True})
                for number in range(len(load.peers)):
                    load.send(number)
                for number in range(len(load.peers)):
                    load.hear(number)
            kills += load.kills
            # In the middle of it: nobody reads what comes of these.
            for number in range(len(load.peers)):
                load.send(number)
            os.kill(daemon.process.pid, signal.SIGKILL if turn == 1 else signal.SIGTERM)
            daemon.process.wait(30)
            load.end()
            assert daemon.start() is None, daemon.log_text()
            daemon.control({"clear_faults": True})
            with daemon.connect() as operator:
                wait_until_empty(daemon, operator)
            assert host_drivers(daemon) == drivers, seed
        print(f"# {kills} workers were to end, {daemon.log_text().count('did not come to its end')} in a release",
              flush=True)


class Anything:
    """Whatever anybody can do to claims and devices, in an order that a seed says."""

    def __init__(self, daemon, seed):
        self.daemon, self.random = daemon, random.Random(seed)
        self.peers = [daemon.connect() for _ in range(6)]
        self.names, self.fds = [], []
        self.cards = CARDS[:6]

    def name(self):
        return self.random.choice(self.names) if self.names else "0" * 32

    def call(self):
        card = self.random.choice(self.cards)
        method, parameters = self.random.choice([
            ("Claim", {"devices": self.random.sample(self.cards, self.random.choice([1, 1, 2]))}),
            ("Claim", {"devices": [card]}), ("Acknowledge", {"claim": self.name()}),
            ("Acknowledge", {"claim": self.name()}),
            ("AddDevice", {"claim": self.name(), "device": card}),
            ("RemoveDevice", {"claim": self.name(), "device": card}),
            ("Release", {"claim": self.name()}),
            ("Revoke", {"claim": self.name(), "grace": self.random.choice([0, 0, 20])}),
            ("Resume", {"claim": self.name()})])
        self.random.choice(self.peers).send_call("org.ioasid1." + method, parameters)

    def strike(self):
        fault = {"step": self.random.choice([*IOMMUFD.claim_steps, *IOMMUFD.release_steps, "context", "unmap"]),
                 "times": 1}
        kind = self.random.choice(["fail", "fail", "kill", "kill", "kill", "hang"])
        if self.random.random() < 0.2 and fault["step"] in ("override", "probe"):
            fault["undo"] = True  # others are undone by a close, which does not fail
        self.daemon.control({kind: fault})

    def let_go(self):
        for _ in range(self.random.randrange(6)):
            if self.fds:
                os.close(self.fds.pop(self.random.randrange(len(self.fds))))

    def leave(self):
        number = self.random.randrange(len(self.peers))
        self.peers[number].close()
        self.peers[number] = self.daemon.connect()

    def unplug(self):
        there = host_drivers(self.daemon)
        card = self.random.choice(self.cards)
        entry = device(card, "1234:11e8", "00ff00", 100 + CARDS.index(card))
        self.daemon.control({"remove": card} if card in there else {"add": entry})

    def go_on(self):
        self.daemon.control({"unhang": True})

    def hear(self):
        while ready := select.select([peer.sock for peer in self.peers], [], [], 0)[0]:
            for peer in self.peers:
                if peer.sock not in ready:
                    continue
                reply = peer.receive()
                assert reply is not None, self.daemon.log_text()
                self.fds += peer.take_fds()
                name = reply.get("parameters", {}).get("claim")
                if isinstance(name, str):
                    self.names = [*self.names[-7:], name]

    def run(self, turns):
        for _ in range(turns):
            self.random.choice(7 * [self.call] + 2 * [self.strike] + 2 * [self.let_go] +
                               [self.leave, self.unplug, self.go_on])()
            self.hear()
        self.daemon.control({"clear_faults": True}, {"unhang": True})
        for peer in self.peers:
            self.fds += peer.take_fds()
            peer.close()
        for fd in self.fds:
            os.close(fd)


@test
def anything():
    """whatever happens to claims in whatever order, nothing comes that can't happen"""
    with Host(IOMMUFD) as daemon:
        seed = random.SystemRandom().randrange(10**6)
        print(f"# seed {seed}", flush=True)
        for turn in range(4):
            Anything(daemon, seed + turn).run(600)
            with daemon.connect() as operator:
                operator.ask("ListClaims")
        assert daemon.process.poll() is None


if __name__ == "__main__":
    run(TESTS)
