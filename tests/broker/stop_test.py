#!/usr/bin/env python3
"""Stops that give nothing up: stop_test.py IOASIDD SIMULATOR [TEST]…

A broker is stopped in order, loses its executor, or is killed, at every step of every call. It decides nothing then:
not a
byte of its journal changes. The next start rolls back what nobody had acknowledged, and completes what had begun: a
claim is
free, or held, and lingers only where somebody has a descriptor of it. Nothing is ever quarantined.
"""
import os
import signal
import socket

from claims import claim, close_all, host_drivers, take_indices, wait_free_after_stuck
from harness import Daemon, needs_root, run
from hosts import ALONE, EDU, NIC, SECOND_EDU, group_host, policy, rule, small_host

ALICE = 60001
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Kind:
    """One way of delivery: the steps of a claim of EDU, of one more device alone in its group, and of their
    releases."""

    def __init__(self, host, opening, proofs, mode="attached", revoking=()):
        self.host, self.mode = host, mode
        one = [(step, None if step in ("context", "container", "ioas") else EDU) for step in opening]
        returns = [*proofs, "bus-master-off", "reset", "unbind-vfio", "restore"]
        self.claim = [("override", EDU), ("override", NIC), ("override", SECOND_EDU), ("unbind", NIC), ("probe", EDU),
                      *one]
        self.release = [(step, EDU) for step in (*revoking, *returns)] + [("restore", NIC), ("restore", SECOND_EDU)]
        self.addition = [("override", ALONE), ("probe", ALONE)] + [(step, device and ALONE) for step, device in one]
        self.removal = [(step, ALONE) for step in (*revoking, *returns)]


IOMMUFD = Kind(small_host, ["context", "open", "bind", "ioas", "attach"], ["prove-no-holder", "prove-unbound"])
GROUP = Kind(group_host, ["container", "group", "group-device"], ["prove-no-holder", "prove-group-free"])
NODE = Kind(group_host, ["grant"], ["prove-no-holder", "prove-group-free"], "node", ["revoke"])
STOPS = ("terminate", "executor", "discard", "interrupt", "kill")


class Host(Daemon):
    """A managed broker on a host that outlives it, and one client."""

    def __init__(self, kind, *arguments):
        if kind.mode == "node":
            needs_root()
        subject = [str(ALICE)] if kind.mode == "node" else None
        super().__init__(kind.host(), policy(rule(user=subject, modes=["attached", "open", "node"])), *arguments,
                         managed=True)
        self.kind = kind
        self.keep_host()

    def client(self):
        return self.connect_as(ALICE) if self.kind.mode == "node" else self.connect()

    def journal(self):
        folder = os.path.join(self.runtime, "claims")
        found = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
        return found

    def end(self, how):
        """Ends the broker. Not a byte of what it has on record may change by that."""
        before = self.journal()
        if how == "executor":
            os.kill(self.executor(), signal.SIGKILL)
            status = 75
        else:
            number = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}.get(how, signal.SIGTERM)
            os.kill(self.process.pid, number)
            status = -number if how == "kill" else 0
        assert self.process.wait(30) == status, (how, self.process.returncode, self.log_text())
        assert self.journal() == before, (how, before, self.journal())
        if how == "discard":
            self.manager.discard()

    def settle(self):
        """Starts the next broker, waits until nothing is under way any more; returns what claims there are, by id."""
        assert self.start() is None, self.log_text()
        return self.settled()

    def settled(self):
        with self.connect() as operator:
            while True:
                self.control({"await": {"plans": 0}})
                claims = operator.ask("ListClaims")["claims"]
                if all(entry["state"] in ("held", "lingering", "quarantined") for entry in claims):
                    break
                assert self.process.poll() is None
        assert not [entry for entry in claims if entry["state"] == "quarantined"], claims
        return {entry["id"]: entry for entry in claims}

    def free(self, claims):
        with self.connect() as operator:
            for name in claims:
                wait_free_after_stuck(self, operator, name, "lingering")
        self.manager.wait_for_names([])


def every_stop(kind, steps, hows, begin, finish):
    """begin() sends a call, which hangs at each step; the broker ends there in each way, and finish() looks at the next
    one."""
    with Host(kind) as daemon:
        drivers = host_drivers(daemon)
        for how in hows:
            for step, device in steps:
                held = begin(daemon)
                daemon.control({"hang": {"step": step, "times": 1, **({"device": device} if device else {})}})
                peer = daemon.client()
                held["send"](peer)
                daemon.control({"await": {"hung": 1}})
                daemon.end(how)
                peer.close()
                daemon.control({"unhang": True}, {"await": {"plans": 0}})
                finish(daemon, held, how)
                assert host_drivers(daemon) == drivers, (how, step, device)
                assert daemon.journal() == {}, (how, step)


def claims_of(kind):
    return {"devices": [EDU], "mode": kind.mode}


def begin_claim(daemon):
    return {"send": lambda peer: peer.send_call("org.ioasid1.Claim", claims_of(daemon.kind))}


def nobody_has_it(daemon, held, how):
    assert daemon.settle() == {}, (how, daemon.log_text())


def take(daemon, *devices):
    with daemon.client() as peer:
        reply = claim(peer, *devices, mode=daemon.kind.mode)
    # What the manager was told it has not heard yet.
    kept = {f"{what}-{reply['claim']}" for what in (("lease",) if daemon.kind.mode == "node" else ("lease", "context"))}
    with daemon.manager.lock:
        assert daemon.manager.lock.wait_for(lambda: kept <= {name for name, _ in daemon.manager.stored}, 30), kept
    return reply


def begin_addition(daemon):
    reply = take(daemon, EDU)
    return {"reply": reply,
            "send": lambda peer: peer.send_call("org.ioasid1.AddDevice", {"claim": reply["claim"], "device": ALONE})}


def begin_removal(daemon):
    reply = take(daemon, EDU, ALONE)
    for key in ("devices", "groups"):
        for entry in reply[key][1:]:
            if entry["fd"] is not None:
                os.close(entry["fd"])
        reply[key] = reply[key][:1]
    return {"reply": reply,
            "send": lambda peer: peer.send_call("org.ioasid1.RemoveDevice", {"claim": reply["claim"], "device": ALONE})}


def the_claim_goes_on(daemon, held, how):
    reply = held["reply"]
    claims = daemon.settle()
    entry = claims.get(reply["claim"])
    lease = reply["lease"]
    if how == "discard" and daemon.kind.mode == "node":
        assert not entry or entry["state"] == "lingering", entry  # nobody has opened a node
    elif how == "discard":
        with daemon.client() as peer:
            assert entry and entry["state"] == "lingering", (entry, daemon.log_text())
            lease = peer.ask("Resume", {"claim": reply["claim"]})["lease"]
            os.close(reply["lease"])
            reply["lease"] = peer.take_fds()[lease]
            entry = daemon.settled()[reply["claim"]]
    if entry and entry["state"] == "held":
        wait_for_devices(daemon, reply["claim"], [EDU])
    else:
        assert how == "discard", (entry, daemon.log_text())
    close_all(reply)
    daemon.free(claims)


def wait_for_devices(daemon, name, devices):
    with daemon.connect() as operator:
        while True:
            entry, = [entry for entry in operator.ask("ListClaims")["claims"] if entry["id"] == name]
            assert entry["state"] == "held", entry
            if entry["devices"] == devices:
                return
            assert daemon.process.poll() is None


def begin_release(daemon):
    reply = take(daemon, EDU)

    def send(peer):
        lease, reply["lease"] = reply["lease"], None
        close_all(reply)
        peer.send_call("org.ioasid1.Release", {"claim": reply["claim"]})
        held["lease"] = lease
    held = {"reply": reply, "send": send}
    return held


def begin_revocation(daemon):
    reply = take(daemon, EDU)

    def send(_peer):
        lease, reply["lease"] = reply["lease"], None
        close_all(reply)
        with daemon.connect() as operator:
            operator.ask("Revoke", {"claim": reply["claim"], "grace": 0})
        held["lease"] = lease
    held = {"reply": reply, "send": send}
    return held


def it_is_free(daemon, held, how):
    nobody_has_it(daemon, held, how)
    os.close(held["lease"])


CALLS = (("claim", "claim", begin_claim, nobody_has_it), ("addition", "addition", begin_addition, the_claim_goes_on),
         ("removal", "removal", begin_removal, the_claim_goes_on), ("release", "release", begin_release, it_is_free),
         ("revocation", "release", begin_revocation, it_is_free))
for name, steps, *parts in CALLS:
    # What the manager discards matters to what is held.
    of_iommufd = STOPS[:3] if parts[1] == the_claim_goes_on else STOPS[:2]
    for kind_name, kind, hows in (("iommufd", IOMMUFD, of_iommufd), ("groups", GROUP, STOPS[:1]),
                                  ("nodes", NODE, STOPS[1:2])):
        def step_by_step(kind=kind, hows=hows, steps=steps, parts=parts):
            every_stop(kind, getattr(kind, steps), hows, *parts)
        step_by_step.__name__ = f"{name}_{kind_name}"
        step_by_step.__doc__ = f"ended at every step of a {name} ({kind_name})"
        test(step_by_step)


@test
def unacknowledged_claims():
    """ended before a claim is acknowledged: it is free, or lingers while its client has its descriptors"""
    for kind in (IOMMUFD, GROUP):
        with Host(kind) as daemon:
            drivers = host_drivers(daemon)
            for how in STOPS:
                for keeps in (True, False):
                    peer = daemon.client()
                    reply = peer.ask("Claim", claims_of(kind))
                    fds = peer.take_fds()
                    lease = fds.pop(reply["lease"])
                    while fds and not keeps:
                        os.close(fds.pop())
                    daemon.end(how)
                    peer.close()
                    os.close(lease)
                    claims = daemon.settle()
                    assert sorted(claims) == ([reply["claim"]] if keeps else []), (how, claims, daemon.log_text())
                    if keeps:
                        assert claims[reply["claim"]]["state"] == "lingering", (how, claims)
                        for fd in fds:
                            os.close(fd)
                    daemon.free(claims)
                    assert host_drivers(daemon) == drivers and daemon.journal() == {}, how


@test
def unacknowledged_additions():
    """ended before an addition is acknowledged: the claim stays held, and the device goes when nobody has it"""
    for kind in (IOMMUFD, GROUP):
        with Host(kind) as daemon:
            drivers = host_drivers(daemon)
            for how in ("terminate", "executor", "kill"):
                for keeps in (True, False):
                    reply = take(daemon, EDU)
                    peer = daemon.client()
                    peer.ask("AddDevice", {"claim": reply["claim"], "device": ALONE})
                    fds = peer.take_fds()
                    if not keeps:
                        for fd in fds:
                            os.close(fd)
                    daemon.end(how)
                    peer.close()
                    assert daemon.start() is None, daemon.log_text()
                    if keeps:
                        let_go_of_it(daemon, reply["claim"], fds)
                    wait_for_devices(daemon, reply["claim"], [EDU])
                    assert host_drivers(daemon)[ALONE] == drivers[ALONE]
                    with daemon.client() as peer:
                        close_all({**add_device(peer, reply["claim"]), "lease": None})
                    close_all(reply)
                    daemon.free([reply["claim"]])
                    assert host_drivers(daemon) == drivers and daemon.journal() == {}, how


def add_device(peer, name):
    reply = peer.ask("AddDevice", {"claim": name, "device": ALONE})
    take_indices(reply, peer.take_fds())
    assert peer.ask("Acknowledge", {"claim": name}) == {}
    return reply


def let_go_of_it(daemon, name, fds):
    """The client has the added device still, after another restart, too: it is told so, closes it, and asks for its
    end."""
    def wait_for_note():
        with daemon.connect() as operator:
            while "it is removed when" not in ((entry := operator.ask("ListClaims")["claims"][0])["note"] or ""):
                assert entry["state"] == "held" and daemon.process.poll() is None, entry
    wait_for_note()
    daemon.end("terminate")
    assert daemon.start() is None, daemon.log_text()
    wait_for_note()
    with daemon.client() as peer:
        error, parameters = peer.fail("AddDevice", {"claim": name, "device": ALONE})
        assert error == "org.ioasid1.WrongState" and "not acknowledged" in parameters["message"], parameters
        assert peer.fail("RemoveDevice", {"claim": name, "device": ALONE})[0] == "org.ioasid1.WrongState"
        for fd in fds:
            os.close(fd)
        assert peer.ask("RemoveDevice", {"claim": name, "device": ALONE}) == {}
        assert peer.ask("ListClaims")["claims"][0]["note"] is None


@test
def a_claim_that_ends_while_its_device_is_waited_for():
    """released while an unacknowledged device is waited for, a claim gives all of it back at once"""
    with Host(IOMMUFD) as daemon:
        drivers = host_drivers(daemon)
        reply = take(daemon, EDU)
        peer = daemon.client()
        peer.ask("AddDevice", {"claim": reply["claim"], "device": ALONE})
        fds = peer.take_fds()
        daemon.end("terminate")
        peer.close()
        assert daemon.start() is None, daemon.log_text()
        with daemon.client() as peer:
            while not peer.ask("ListClaims")["claims"][0]["note"]:
                assert daemon.process.poll() is None
            for fd in fds:
                os.close(fd)
            close_all(reply)
            wait_free_after_stuck(daemon, peer, reply["claim"], "lingering")
        assert host_drivers(daemon) == drivers and daemon.journal() == {}


@test
def acknowledged_at_the_last_moment():
    """ended while an acknowledgement is on its way: the claim is held, or rolled back, and nothing between"""
    with Host(IOMMUFD) as daemon:
        drivers = host_drivers(daemon)
        for how in ("terminate", "executor", "kill"):
            peer = daemon.client()
            reply = peer.ask("Claim", claims_of(IOMMUFD))
            take_indices(reply, peer.take_fds())
            peer.send_call("org.ioasid1.Acknowledge", {"claim": reply["claim"]})
            if how == "executor":
                assert peer.receive() is not None
            else:
                os.kill(daemon.process.pid, signal.SIGKILL if how == "kill" else signal.SIGTERM)
                assert daemon.process.wait(30) == (-9 if how == "kill" else 0)
            if how == "executor":
                daemon.end(how)
            peer.close()
            claims = daemon.settle()
            assert claims[reply["claim"]]["state"] in ("held", "lingering"), claims
            close_all(reply)
            daemon.free(claims)
            assert host_drivers(daemon) == drivers and daemon.journal() == {}, how


@test
def ended_in_the_middle_of_its_recovery():
    """a start that is ended itself while it rolls back, at every step: the one after it comes to the same"""
    with Host(IOMMUFD) as daemon:
        drivers = host_drivers(daemon)
        for how in ("terminate", "executor"):
            for step, device in IOMMUFD.release + IOMMUFD.removal:
                grows = device == ALONE
                held = take(daemon, EDU) if grows else None
                peer = daemon.client()
                if grows:
                    peer.ask("AddDevice", {"claim": held["claim"], "device": ALONE})
                else:
                    peer.ask("Claim", claims_of(IOMMUFD))
                daemon.control({"hang": {"step": step, "device": device, "times": 1}})
                daemon.kill()
                peer.close()
                assert daemon.start() is None, daemon.log_text()
                daemon.control({"await": {"hung": 1}})
                daemon.end(how)
                daemon.control({"unhang": True}, {"await": {"plans": 0}})
                claims = daemon.settle()
                if grows:
                    assert claims[held["claim"]]["state"] == "held", (how, step, claims)
                    wait_for_devices(daemon, held["claim"], [EDU])
                    close_all(held)
                daemon.free(claims)
                assert host_drivers(daemon) == drivers and daemon.journal() == {}, (how, step)


@test
def revocations_that_wait():
    """ended while a client has time to give a claim back: it is asked again, and the claim is held until then"""
    with Host(IOMMUFD) as daemon:
        for how in ("terminate", "executor", "kill"):
            reply = take(daemon, EDU)
            with daemon.connect() as operator:
                operator.ask("Revoke", {"claim": reply["claim"], "grace": 60000})
            daemon.end(how)
            assert daemon.settle()[reply["claim"]]["state"] == "held"
            close_all(reply)
            daemon.free([reply["claim"]])


@test
def a_lost_lease_is_remembered():
    """a claim whose lease was lost by a stop can be resumed after further restarts, too"""
    with Host(IOMMUFD) as daemon:
        reply = take(daemon, EDU)
        daemon.end("discard")
        for how in ("terminate", "kill", "executor"):
            assert daemon.settle()[reply["claim"]]["state"] == "lingering"
            daemon.end(how)
        assert daemon.settle()[reply["claim"]]["state"] == "lingering"
        with daemon.client() as peer:
            index = peer.ask("Resume", {"claim": reply["claim"]})["lease"]
            os.close(reply["lease"])
            reply["lease"] = peer.take_fds()[index]
        assert daemon.settled()[reply["claim"]]["state"] == "held"
        close_all(reply)
        daemon.free([reply["claim"]])


@test
def a_start_that_fails():
    """a start that can't listen leaves what is on record as it is"""
    with Host(IOMMUFD) as daemon:
        reply = take(daemon, EDU)
        daemon.end("terminate")
        before = daemon.journal()
        listener, daemon.manager.listener = daemon.manager.listener, socket.socket()
        path = daemon.path
        os.unlink(path)
        os.mkdir(path)
        assert daemon.start() == 1, daemon.log_text()
        assert daemon.journal() == before
        os.rmdir(path)
        listener.close()
        daemon.manager.listener.close()
        daemon.manager.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        daemon.manager.listener.bind(path)
        daemon.manager.listener.listen()
        os.chmod(path, 0o666)
        assert daemon.settle()[reply["claim"]]["state"] == "held"
        close_all(reply)
        daemon.free([reply["claim"]])


if __name__ == "__main__":
    run(TESTS)
