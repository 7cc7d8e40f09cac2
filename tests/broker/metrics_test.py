#!/usr/bin/env python3
"""What the broker counts, read by Prometheus' own parsers: metrics_test.py IOASIDD SIMULATOR [TEST]…"""
import os
import sys

from claims import add, claim, close_all, close_all_but_lease, wait_free
from harness import Daemon, Skip, needs_root, run
from hosts import ALONE, DISK, EDU, FLR_NIC, NIC, SECOND_EDU, policy, rule, small_host

try:
    import prometheus_client
except ImportError:
    sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, where another Python is the first
    try:
        import prometheus_client
    except ImportError:
        prometheus_client = None

ALICE, BOB, CAROL = 60001, 60002, 60003
TESTS = []


def test(function):
    def needs_parser():
        if prometheus_client is None:
            raise Skip("needs python3-prometheus-client")
        function()

    needs_parser.__name__, needs_parser.__doc__ = function.__name__, function.__doc__
    TESTS.append(needs_parser)
    return function


def families(text):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    return list(text_string_to_metric_families(text))


def key(name, labels):
    return name + "".join(f" {label}={labels[label]}" for label in sorted(labels))


def read(peer):
    """All samples, as {"name label=value …": number}."""
    return {key(sample.name, sample.labels): sample.value
            for family in families(peer.ask("GetMetrics")["text"]) for sample in family.samples}


class Moves:
    """Which numbers have changed since it was last asked."""

    # What changes with every question, and with time.
    RESTLESS = ("ioasid_loop_turn", "ioasid_resident", "ioasid_decision_duration", "ioasid_survey_duration",
                "ioasid_open_descriptors", "ioasid_connections", "ioasid_policy_load_time")

    def __init__(self, peer):
        self.peer = peer
        self.before = read(peer)

    def __call__(self, *leave_out):
        now = read(self.peer)
        moved = {name: now[name] - self.before.get(name, 0) for name in now
                 if now[name] != self.before.get(name, 0) and not name.startswith(self.RESTLESS + leave_out)
                 and not name.endswith("_sum") and "_bucket" not in name}
        self.before = now
        return moved


@test
def text_is_sound():
    """both parsers take the text: every family has a type, a help and a unit where its name ends in one"""
    from prometheus_client.parser import text_string_to_metric_families
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        reply = claim(peer, EDU)
        close_all(reply)
        wait_free(peer, reply["claim"])
        text = peer.ask("GetMetrics")["text"]
        assert text.endswith("\n# EOF\n"), text[-40:]
        found = families(text)
        assert len(found) > 40
        for family in found:
            assert family.name.startswith("ioasid_") and family.documentation.endswith("."), family
            assert family.type in ("gauge", "counter", "histogram"), family
            for unit in ("seconds", "bytes"):
                assert (family.unit == unit) == family.name.endswith("_" + unit), family
            assert family.samples, family
        older = list(text_string_to_metric_families(text))
        assert {family.type for family in older} <= {"gauge", "histogram", "counter", "unknown"}, older
        # How many samples there are depends on the policy alone.
        replies = [claim(peer, ALONE)]
        samples = len(read(peer))
        replies.append(claim(peer, EDU))
        assert len(read(peer)) == samples
        for reply in replies:
            close_all(reply)


@test
def claims_move_the_numbers():
    """a claim is counted when it is granted, held, ended and free, and its durations are"""
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        moves = Moves(peer)
        reply = claim(peer, EDU)
        moved = moves("ioasid_audit", "ioasid_journal", "ioasid_plan", "ioasid_devices_changed")
        assert moved == {
            "ioasid_claims mode=attached state=held": 1, "ioasid_claims_granted_total mode=attached": 1,
            "ioasid_devices state=held": 3, "ioasid_devices state=free": -3, "ioasid_devices_locked_out": 2,
            "ioasid_claim_states_total state=preparing": 1, "ioasid_claim_states_total state=offered": 1,
            "ioasid_claim_states_total state=held": 1, "ioasid_claim_duration_seconds_count": 1,
            "ioasid_user_devices": 1, "ioasid_rule_devices of=all rule=cards": 1,
            "ioasid_rule_devices of=one-user rule=cards": 1}, moved
        close_all_but_lease(reply)
        peer.ask("Release", {"claim": reply["claim"]})
        os.close(reply["lease"])
        moved = moves("ioasid_audit", "ioasid_journal", "ioasid_devices_changed")
        assert moved["ioasid_claims mode=attached state=held"] == -1 and moved["ioasid_devices state=free"] == 3, moved
        assert moved["ioasid_claims_ended_total by=owner"] == 1 == moved["ioasid_release_duration_seconds_count"], moved
        assert moved["ioasid_claim_states_total state=free"] == 1 == moved["ioasid_plans_total outcome=done"], moved
        assert moved["ioasid_plan_duration_seconds_count kind=release"] == 1, moved
        reply = claim(peer, ALONE)
        moves()
        added = add(peer, reply["claim"], EDU)
        assert moves()["ioasid_claim_devices_added_total"] == 1
        for entry in added["devices"]:
            os.close(entry["fd"])
        peer.ask("RemoveDevice", {"claim": reply["claim"], "device": EDU})
        assert moves()["ioasid_claim_devices_removed_total"] == 1
        close_all(reply)
        while peer.ask("ListClaims")["claims"]:
            pass
        assert moves()["ioasid_claims_ended_total by=lease"] == 1


@test
def refusals_and_failures():
    """each refusal counts once, under the reason that decided; what fails, lingers, hangs or is quarantined counts
    so"""
    host = small_host()
    host["uses"] = [{"device": NIC, "kind": "network-link", "severity": "fatal", "text": "eth0 > default route"}]
    with Daemon(host, policy(), "--plan-deadline", "1") as daemon, daemon.connect() as peer:
        moves = Moves(peer)
        for device, reason in ((DISK, "no-rule"), (EDU, "member-in-use"), ("0000:07:00.0", "unknown-device")):
            peer.fail("Claim", {"devices": [device]})
            moved = moves("ioasid_audit", "ioasid_journal")
            assert moved == {f"ioasid_claims_refused_total reason={reason}": 1}, moved
        daemon.control({"fail": {"step": "bind", "device": ALONE, "errno": 5, "times": 1}})
        peer.fail("Claim", {"devices": [ALONE]})
        moved = moves()
        assert moved["ioasid_claims_failed_total"] == 1 == moved["ioasid_plans_total outcome=undone"], moved
        reply = claim(peer, ALONE)
        kept = os.dup(reply["devices"][0]["fd"])
        close_all(reply)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "lingering"
        moved = moves()
        assert moved["ioasid_claims mode=attached state=lingering"] == 1, moved
        # The end of the lease may have begun a release already.
        tries = moved["ioasid_plans_total outcome=held"]
        assert tries == moved["ioasid_claim_states_total state=lingering"] and tries in (1, 2), moved
        os.close(kept)
        assert peer.ask("Release", {"claim": reply["claim"]})["state"] == "free"
        moves()
        daemon.control({"hang": {"step": "bind", "device": ALONE}})
        peer.fail("Claim", {"devices": [ALONE]})
        moved = moves()
        assert moved["ioasid_plans_stuck"] == 1 == moved["ioasid_plan_deadlines_passed_total"], moved
        assert moved["ioasid_plans_running"] == 1 == moved["ioasid_claims mode=attached state=stuck"], moved
        daemon.control({"unhang": True})
        while peer.ask("ListClaims")["claims"]:
            pass
        moved = moves()
        assert moved["ioasid_plans_stuck"] == -1 == moved["ioasid_plans_running"], moved


@test
def policies_devices_and_records():
    """loads of policies, devices that come and go, reserved ones that are not ready, and records are counted"""
    host = small_host()
    with Daemon(host, policy(), control=True) as daemon, daemon.connect() as peer:
        moves = Moves(peer)
        daemon.write_policy(policy(reserve=[{"address": [FLR_NIC]}]))
        peer.ask("ReloadPolicy")
        moved = moves()
        assert moved["ioasid_policy_loads_total result=loaded"] == 1 == moved["ioasid_reserved_devices_not_ready"], \
            moved
        assert moved["ioasid_journal_records_total result=written"] == 1, moved
        daemon.write_policy("{")
        peer.fail("ReloadPolicy")
        assert moves()["ioasid_policy_loads_total result=refused"] == 1
        daemon.control({"audit_log": {"errno": 28}})
        daemon.control({"add": dict(host["devices"][4], name="0000:00:09.0", group=9)})
        while (moved := moves()).get("ioasid_devices_changed_total") is None:
            pass
        assert moved["ioasid_groups"] == 1 and moved["ioasid_devices state=free"] == 1, moved
        daemon.control({"remove": "0000:00:09.0"})
        while (moved := moves()).get("ioasid_devices_gone_total") is None:
            pass
        for _ in range(50):
            peer.fail("Claim", {"devices": [DISK]})
        left = 0
        while left < 20:
            moved = moves()
            left += moved.get("ioasid_audit_records_total result=failed", 0)
        assert read(peer)["ioasid_audit_records_total result=left-out"] >= 25, moved
        assert read(peer)["ioasid_journal_records_total result=left-out"] >= 25, moved


@test
def the_socket():
    """connections, watchers, and those that are turned away or cut off"""
    needs_root()
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as peer:
        assert read(peer)["ioasid_connections"] == 1
        alices = [daemon.connect_as(ALICE) for _ in range(64)]
        alices[-1].ask("GetStatus")
        with daemon.connect_as(ALICE) as one_more:
            assert one_more.receive()["error"] == "org.ioasid1.QuotaExceeded"
        now = read(peer)
        assert now["ioasid_connections"] == 65 and now["ioasid_connections_refused_total"] == 1, now
        alices[0].send_call("org.ioasid1.Monitor", {}, more=True)
        assert alices[0].receive()["continues"]
        assert read(peer)["ioasid_monitors"] == 1
        while read(peer)["ioasid_monitors_cut_off_total"] == 0:
            for _ in range(20):
                reply = claim(peer, EDU)
                close_all(reply)
                wait_free(peer, reply["claim"])
        assert read(peer)["ioasid_monitors"] == 0
        for alice in alices:
            alice.close()


@test
def quotas():
    """of each rule: what it limits, what all have by it, and what he has who has the most; names are for operators"""
    needs_root()
    rules = policy(rule("cards of two", user=[str(ALICE), str(BOB)], limits={"devices": 2, "devices_total": 3}),
                   rule("others", device={"address": [FLR_NIC]}), user_limits={"devices": 2},
                   operators={"user": [str(CAROL)]})
    with Daemon(small_host(), rules) as daemon:
        alice, bob, carol = (daemon.connect_as(uid) for uid in (ALICE, BOB, CAROL))
        replies = [claim(alice, EDU, SECOND_EDU), claim(bob, ALONE)]
        for peer, sees in ((carol, True), (daemon.connect(), True), (alice, False)):
            now = read(peer)
            told = {name: value for name, value in now.items() if "rule" in name and "_rules" not in name
                    and not name.startswith(("ioasid_claims_refused", "ioasid_policy"))}
            assert told == ({"ioasid_rule_devices of=all rule=cards of two": 3,
                             "ioasid_rule_devices of=one-user rule=cards of two": 2,
                             "ioasid_rule_devices_limit of=all rule=cards of two": 3,
                             "ioasid_rule_devices_limit of=one-user rule=cards of two": 2} if sees else {}), told
            assert now["ioasid_user_devices"] == 2 == now["ioasid_user_devices_limit"]
            assert str(ALICE) not in str(now)
        for reply in replies:
            close_all(reply)


@test
def many_rules():
    """of a thousand rules the first 256 are told, whatever their names are, and a number says how many are not"""
    names = [f"rule {number}" for number in range(999)]
    names[0] = 'a "quoted\\" name'
    rules = policy(*(rule(name, user=["0"], device={"address": [DISK]}, limits={"devices": 1 + number})
                     for number, name in enumerate(names)), rule("last", user=["nobody"]))
    with Daemon(small_host(), rules) as daemon, daemon.connect() as peer:
        now = read(peer)
        limits = {name: value for name, value in now.items() if name.startswith("ioasid_rule_devices_limit")}
        assert len(limits) == 256 and limits['ioasid_rule_devices_limit of=one-user rule=a "quoted\\" name'] == 1, \
            limits
        assert now["ioasid_rules_left_out"] == 743


@test
def after_a_restart():
    """counters begin anew, and how things stand is told as it is"""
    daemon = Daemon(small_host(), policy(), managed=True)
    daemon.keep_host()
    with daemon:
        with daemon.connect() as peer:
            reply = claim(peer, EDU)
            started = read(peer)["ioasid_start_time_seconds"]
            assert read(peer)["ioasid_stored_descriptors"] == 2
        daemon.kill()
        assert daemon.start() is None, daemon.log_text()
        with daemon.connect() as peer:
            now = read(peer)
            assert now["ioasid_claims mode=attached state=held"] == 1 == now["ioasid_claims_adopted_total"]
            assert now["ioasid_claims_granted_total mode=attached"] == 0 and now["ioasid_stored_descriptors"] == 2, now
            assert now["ioasid_start_time_seconds"] > started and now["ioasid_resident_memory_bytes"] > 1 << 20, now
            assert 5 < now["ioasid_open_descriptors"] < now["ioasid_open_descriptors_max"]
        close_all(reply)


if __name__ == "__main__":
    run(TESTS)
