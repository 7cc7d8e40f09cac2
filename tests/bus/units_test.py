#!/usr/bin/env python3
"""Claims that live by a systemd unit: they end with this run of it, and with nothing else."""
import bus
import client
import harness
from claims import ask_for_fds, close_all, host_drivers, wait_free
from harness import needs_root
from hosts import ALONE, EDU, policy, rule, small_host
from systemd import Systemd

SCOPE = "machine-qemu\\x2d1.scope"
ALICE, CAROL = 60001, 60003


def cards():
    return policy(rule(), operators={"user": [str(CAROL)]})


class World:
    """A bus, systemd on it, and a managed broker on a kept host."""

    def __enter__(self):
        self.system = bus.Bus().start()
        self.systemd = Systemd(self.system)
        self.daemon = bus.Broker(self.system, small_host(), cards(), managed=True)
        self.daemon.keep_host()
        assert self.daemon.start() is None, self.daemon.log_text()
        self.drivers = host_drivers(self.daemon)
        return self

    def __exit__(self, *raised):
        self.daemon.__exit__(*raised)
        self.systemd.close()
        self.system.__exit__()

    def claim(self, unit=SCOPE, device=EDU):
        """The id of a claim that lives by the unit, and by nothing that this process has."""
        with self.daemon.connect() as peer:
            reply = ask_for_fds(peer, "Claim", {"devices": [device], "lease": "unit", "unit": unit})
            assert reply["lease"] is None
            close_all(reply)
            return reply["claim"]

    def state(self, claim):
        with self.daemon.connect() as peer:
            states = [entry["state"] for entry in peer.ask("ListClaims")["claims"] if entry["id"] == claim]
            return states[0] if states else "free"

    def expect_ends(self, claim):
        """By itself: the service manager is told to forget it, which begins each release. Then its end is waited
        for."""
        self.daemon.manager.wait_for_names([])
        with self.daemon.connect() as peer:
            wait_free(peer, claim)
        now = host_drivers(self.daemon)
        assert now == self.drivers, (now, self.drivers)

    def restart_bus(self):
        self.systemd.close()
        self.system.stop()
        self.system.start()
        self.systemd = Systemd(self.system, self.systemd.units)
        self.daemon.wait_name()


def test_it_ends_with_its_unit():
    """A claim by a unit is held as long as that runs, whatever becomes of connections and FDs, and ends with it"""
    with World() as world:
        world.systemd.start(SCOPE)
        claim = world.claim()
        for state in ("deactivating", "reloading", "activating", "active"):
            asked = world.systemd.asked
            world.systemd.start(SCOPE, state=state)
            world.systemd.wait_asked(asked + 2)
            assert world.state(claim) == "held", state
        world.systemd.end(SCOPE)
        world.expect_ends(claim)


def test_failed_and_gone():
    """A unit that fails, and one that systemd does not know any more, have ended"""
    with World() as world:
        world.systemd.start(SCOPE)
        claim = world.claim()
        world.systemd.end(SCOPE, "failed")
        world.expect_ends(claim)
        world.systemd.start(SCOPE)
        claim = world.claim()
        del world.systemd.units[SCOPE]
        world.systemd.tell(SCOPE)
        world.expect_ends(claim)


def test_another_run():
    """A unit that was started anew is another run of it: the claim has ended"""
    with World() as world:
        world.systemd.start(SCOPE, 1)
        claim = world.claim()
        world.systemd.start(SCOPE, 2)
        world.expect_ends(claim)


def test_restarts():
    """Over restarts of the broker and of the bus the claim goes on, and what ended meanwhile is noticed"""
    with World() as world:
        world.systemd.start(SCOPE)
        claim = world.claim()
        world.daemon.kill()
        assert world.daemon.start() is None
        assert world.state(claim) == "held"
        world.restart_bus()
        assert world.state(claim) == "held"
        world.systemd.end(SCOPE)
        world.expect_ends(claim)
        world.systemd.start(SCOPE, 3)
        claim = world.claim()
        world.daemon.kill()
        world.systemd.start(SCOPE, 4)
        assert world.daemon.start() is None
        world.expect_ends(claim)


def test_no_bus_is_no_end():
    """While the bus or systemd can't be asked, no claim ends; a new one is refused with the reason"""
    with World() as world:
        world.systemd.start(SCOPE)
        claim = world.claim()
        world.systemd.close()
        world.system.stop()
        assert world.state(claim) == "held"
        with world.daemon.connect() as peer:
            error, more = peer.fail("Claim", {"devices": [ALONE], "lease": "unit", "unit": SCOPE})
            while error == "org.ioasid1.Failed":  # as long as it has not noticed that the bus is gone
                assert "systemd" in more["message"], more
                error, more = peer.fail("Claim", {"devices": [ALONE], "lease": "unit", "unit": SCOPE})
            assert error == "org.ioasid1.Unsupported" and more["status"] == 6, (error, more)
        world.system.start()
        world.daemon.wait_name()
        # A bus without systemd.
        with world.daemon.connect() as peer:
            error, more = peer.fail("Claim", {"devices": [ALONE], "lease": "unit", "unit": SCOPE})
            assert error == "org.ioasid1.Failed" and "systemd" in more["message"], (error, more)
        assert world.state(claim) == "held"
        world.systemd = Systemd(world.system)
        with world.daemon.connect() as peer:
            assert peer.ask("Release", {"claim": claim})["state"] == "free"


def test_refusals():
    """A unit that does not run, and one that systemd does not know: nothing is changed"""
    with World() as world:
        world.systemd.end(SCOPE)
        with world.daemon.connect() as peer:
            for unit in (SCOPE, "machine-other.scope"):
                error, more = peer.fail("Claim", {"devices": [EDU], "lease": "unit", "unit": unit})
                assert error == "org.ioasid1.Failed" and unit in more["message"], (error, more)
            assert peer.ask("ListClaims")["claims"] == []
        assert host_drivers(world.daemon) == world.drivers


def test_a_client_that_leaves_while_systemd_is_asked():
    """SR-41: the asker is gone before systemd answers: nothing is claimed, and nothing is left over"""
    with World() as world:
        world.systemd.start(SCOPE)
        world.systemd.silent = True
        files = world.daemon.open_files()
        peer = world.daemon.connect()
        asked = world.systemd.asked
        peer.send_call("org.ioasid1.Claim", {"devices": [EDU], "lease": "unit", "unit": SCOPE})
        world.systemd.wait_asked(asked + 1)
        peer.close()
        with world.daemon.connect() as other:
            assert other.ask("ListClaims")["claims"] == []
        world.systemd.silent = False
        assert world.daemon.open_files() == files
        assert world.state(world.claim()) == "held"


def test_whose_unit():
    """Only operators bind claims to other units than their own"""
    needs_root()
    with World() as world:
        world.systemd.start(SCOPE)
        with world.daemon.connect_as(ALICE) as alice:
            assert alice.fail("Claim",
                              {"devices": [EDU], "lease": "unit", "unit": SCOPE})[0] == "org.ioasid1.OperatorsOnly"
        with world.daemon.connect_as(CAROL) as carol:
            reply = ask_for_fds(carol, "Claim", {"devices": [EDU], "lease": "unit", "unit": SCOPE})
            close_all(reply)
        world.systemd.end(SCOPE)
        world.expect_ends(reply["claim"])


if __name__ == "__main__":
    harness.run([test_it_ends_with_its_unit, test_failed_and_gone, test_another_run, test_restarts,
                 test_no_bus_is_no_end,
                 test_refusals, test_a_client_that_leaves_while_systemd_is_asked, test_whose_unit])
