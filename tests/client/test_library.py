"""libioasid against a daemon that behaves: claims, their descriptors, what failed, and reconnecting."""

import errno
import json
import os
import socket

import tap
from fake_daemon import FakeDaemon, Reply, claim_reply, claiming_daemon, memfd, refusal
from program import Probe

A = "0000:01:00.0"
B = "0000:02:00.0"


def added(device, claim="c1", lockouts=()):
    return Reply({"claim": claim, "groups": [], "devices": [{"name": device, "group": 30, "fd": 0, "nodes": []}],
                  "lockouts": list(lockouts)}, fds=[memfd("device-" + device)])


def test_a_claim_delivers_its_descriptors_and_is_acknowledged():
    with claiming_daemon((A, B)) as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        claim = probe("claim", "-", A, B)
        tap.equal(claim["result"], 0, claim.get("message"))
        tap.equal(claim["fds"], idle + 4, "descriptors after the claim")
        tap.equal([claim["id"], claim["mode"], claim["interface"], claim["ioas_id"]],
                  ["c1", "attached", "iommufd", 7])
        tap.equal(claim["iommufd"]["target"], "/memfd:iommufd (deleted)")
        for device in (A, B):
            tap.equal(claim["devices"][device]["target"], f"/memfd:device-{device} (deleted)")
            tap.true(claim["devices"][device]["cloexec"], f"{device} is close-on-exec")
        tap.contains(claim["lease"]["target"], "socket:")
        tap.true(claim["iommufd"]["cloexec"] and claim["lease"]["cloexec"], "iommufd and lease are close-on-exec")
        tap.equal([claim["past_the_end"], claim["other_fd"]], [None, -1])
        tap.equal(daemon.called(), ["Claim", "Acknowledge"])
        tap.equal(daemon.called("Claim"), [{"devices": [A, B]}], "no mode is sent where none is given")
        tap.equal(daemon.called("Acknowledge"), [{"claim": "c1"}])


def test_the_json_of_a_claim_has_the_descriptors_of_this_process():
    with claiming_daemon((A,), memlock=65536, lockouts=[B]) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        claim = probe("claim", "attached", A)
        tap.equal(claim["json"], {
            "claim": "c1", "mode": "attached", "interface": "iommufd", "lease": claim["lease"]["number"],
            "iommufd": claim["iommufd"]["number"], "container": None, "ioas_id": 7, "memlock": 65536, "groups": [],
            "devices": [{"name": A, "group": 10, "fd": claim["devices"][A]["number"], "nodes": []}],
            "lockouts": [B]})


def test_what_a_mode_does_not_give_is_absent():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        claim = probe("claim", "open", A)
        tap.equal([claim["result"], claim["iommufd"]["target"], claim["ioas_id"], claim["container"]["number"]],
                  [0, "/memfd:iommufd (deleted)", 0, -1])
        tap.equal([claim["json"]["ioas_id"], claim["json"]["container"]], [None, None])
        tap.equal([claim["groups"][A]["number"], claim["nodes"][A], claim["other_group"], claim["other_node"]],
                  [-1, [], -1, None])
        tap.equal(daemon.called("Claim"), [{"devices": [A], "mode": "open"}])


def test_a_claim_that_goes_on_keeps_its_lease_when_it_is_resumed():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        claim = probe("claim", "-", A)
        daemon.methods["Resume"] = Reply({"claim": {"id": "c1", "state": "held"}, "lease": None})
        resumed = probe("resume")
        tap.equal([resumed["result"], resumed["lease"], resumed["fds"]], [0, claim["lease"], claim["fds"]])
        tap.equal(daemon.called("Resume"), [{"claim": "c1"}])


def test_a_lost_lease_is_replaced_when_the_claim_is_resumed():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        claim = probe("claim", "-", A)
        daemon.methods["Resume"] = Reply({"claim": {"id": "c1", "state": "held"}, "lease": 0}, fds=[daemon.lease()])
        resumed = probe("resume")
        tap.equal([resumed["result"], resumed["fds"]], [0, claim["fds"]])
        tap.true(resumed["lease"]["target"] != claim["lease"]["target"], "it is another lease")
        tap.equal(resumed["json"]["lease"], resumed["lease"]["number"])
        tap.equal(daemon.leases[0].recv(1), b"", "the old one is closed")
        tap.true(resumed["lease"]["cloexec"], "close-on-exec")


def test_a_resume_that_makes_no_sense_is_refused_and_nothing_leaks():
    info = {"id": "c1", "state": "held"}
    for reply in (lambda d: Reply({"claim": {**info, "id": "c2"}, "lease": None}),
                  lambda d: Reply({"claim": {**info, "id": "c2"}, "lease": 0}, fds=[d.lease()]),
                  lambda d: Reply({"lease": None}), lambda d: Reply({"claim": info, "lease": 0}),
                  lambda d: Reply({"claim": info, "lease": 1}, fds=[d.lease()]),
                  lambda d: Reply({"claim": info, "lease": "0"}, fds=[d.lease()]),
                  lambda d: Reply({"claim": info, "lease": None}, fds=[d.lease()]),
                  lambda d: Reply({"claim": info, "lease": 0}, fds=[d.lease(), memfd("more")])):
        with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
            probe("connect")
            claim = probe("claim", "-", A)
            daemon.methods["Resume"] = reply(daemon)
            resumed = probe("resume")
            # The connection is closed, the claim has what it had.
            tap.equal([resumed["result"], resumed["lease"], resumed["fds"]], [-errno.EPROTO, claim["lease"],
                                                                            claim["fds"] - 1])


def test_release_closes_everything_and_waits_for_the_answer():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        probe("claim", "-", A)
        release = probe("release")
        tap.equal([release["result"], release["fds"]], [0, idle])
        tap.equal(daemon.called("Release"), [{"claim": "c1"}])
        tap.equal(daemon.leases[0].recv(1), b"", "the lease is closed")


def test_the_lease_is_open_until_release_is_answered():
    seen = []
    daemon = claiming_daemon((A,))

    def release(_):
        daemon.leases[0].setblocking(False)
        try:
            seen.append(daemon.leases[0].recv(1))
        except BlockingIOError:
            seen.append("open")
        return Reply({"state": "free", "note": None})

    daemon.methods["Release"] = release
    with daemon, Probe(daemon.path) as probe:
        probe("connect")
        probe("claim", "-", A)
        probe("release")
        tap.equal(seen, ["open"])


def test_a_claim_that_lingers_is_busy_and_says_why():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        daemon.methods["Release"] = Reply({"state": "lingering", "note": "process 7 (qemu) holds 0000:01:00.0"})
        probe("connect")
        probe("claim", "-", A)
        release = probe("release")
        tap.equal([release["result"], release["status"]], [-errno.EBUSY, 4])
        tap.contains(release["message"], "claim c1 is lingering: process 7 (qemu) holds 0000:01:00.0")


def test_free_closes_everything_and_asks_nothing():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        probe("claim", "-", A)
        tap.equal(probe("free")["fds"], idle)
        tap.equal(daemon.called(), ["Claim", "Acknowledge"])


def test_a_claim_outlives_its_connection():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        probe("claim", "-", A)
        probe("disconnect")
        tap.equal(probe("connect")["result"], 0)
        tap.equal(probe("release")["result"], 0)


def test_a_claim_that_could_not_be_acknowledged_is_no_claim():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        daemon.methods["Acknowledge"] = Reply({"claim": "c1", "state": "releasing", "message": "too late"},
                                              error="org.ioasid1.WrongState")
        idle = probe("connect")["fds"]
        claim = probe("claim", "-", A)
        tap.equal([claim["result"], claim["status"], claim["name"]], [-errno.EREMOTEIO, 1, "org.ioasid1.WrongState"])
        tap.equal([claim["message"], claim["fds"]], ["too late", idle])


def test_add_grows_a_claim():
    with claiming_daemon((A,), lockouts=[B, "0000:03:00.0"]) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added(B, lockouts=["0000:03:00.0", "0000:04:00.0"])
        idle = probe("connect")["fds"]
        probe("claim", "-", A)
        claim = probe("add", B)
        tap.equal([claim["result"], claim["fds"]], [0, idle + 4])
        tap.equal(list(claim["devices"]), [A, B])
        tap.equal(claim["devices"][B]["target"], f"/memfd:device-{B} (deleted)")
        tap.equal(claim["json"]["lockouts"], ["0000:03:00.0", "0000:04:00.0"], "what is asked for is no lockout")
        tap.equal(daemon.called(), ["Claim", "Acknowledge", "AddDevice", "Acknowledge"])


def test_add_that_is_refused_leaves_the_claim_as_it_was():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = refusal("Busy", 4, "another user's")
        probe("connect")
        before = probe("claim", "-", A)
        claim = probe("add", B)
        tap.equal([claim["result"], claim["status"], claim["message"]], [-errno.EREMOTEIO, 4, "another user's"])
        tap.equal([claim["fds"], claim["json"]], [before["fds"], before["json"]])


def test_add_that_makes_no_sense_leaves_the_claim_as_it_was():
    answers = {
        "another claim": lambda: added(B, claim="c2"),
        "a device that it has": lambda: added(A),
        "two devices": lambda: Reply({"claim": "c1", "groups": [], "lockouts": [], "devices": [
            {"name": f"d{i}", "group": 30, "fd": i, "nodes": []} for i in range(2)]}, fds=[memfd("x"), memfd("y")]),
    }
    for what, answer in answers.items():
        with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
            daemon.methods["AddDevice"] = answer()
            probe("connect")
            before = probe("claim", "-", A)
            claim = probe("add", B)
            tap.equal(claim["result"], -errno.EPROTO, what)
            tap.equal(claim["json"], before["json"], what)
            tap.equal(claim["fds"], before["fds"] - 1, f"{what}: the connection alone is closed")


def test_add_to_a_claim_that_is_full():
    devices = [f"0000:{number:02x}:00.0" for number in range(1, 65)]
    with claiming_daemon(devices) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added("0000:ff:00.0")
        probe("connect")
        before = probe("claim", "-", *devices)
        claim = probe("add", "0000:ff:00.0")
        tap.equal([claim["result"], claim["json"]], [-errno.EPROTO, before["json"]])


def test_remove_shrinks_a_claim():
    with claiming_daemon((A, B)) as daemon, Probe(daemon.path) as probe:
        daemon.methods["RemoveDevice"] = Reply()
        probe("connect")
        before = probe("claim", "-", A, B)
        claim = probe("remove", A)
        tap.equal([claim["result"], list(claim["devices"]), claim["fds"]], [0, [B], before["fds"] - 1])
        tap.equal([device["name"] for device in claim["json"]["devices"]], [B])
        tap.equal(daemon.called("RemoveDevice"), [{"claim": "c1", "device": A}])


def test_remove_refuses_the_last_device_and_an_unknown_one():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        before = probe("claim", "-", A)
        last = probe("remove", A)
        tap.equal([last["result"], last["fds"]], [-errno.EINVAL, before["fds"]])
        tap.contains(last["message"], "release the claim")
        unknown = probe("remove", B)
        tap.equal([unknown["result"], unknown["status"]], [-errno.ENOENT, 5])
        tap.equal(daemon.called(), ["Claim", "Acknowledge"], "the daemon was not asked")


def test_remove_that_fails_leaves_the_device_without_a_descriptor():
    with claiming_daemon((A, B)) as daemon, Probe(daemon.path) as probe:
        daemon.methods["RemoveDevice"] = [refusal("Busy", 4, "somebody else holds it"), Reply()]
        probe("connect")
        probe("claim", "-", A, B)
        claim = probe("remove", A)
        tap.equal([claim["result"], claim["devices"][A]["number"]], [-errno.EREMOTEIO, -1])
        claim = probe("remove", A)
        tap.equal([claim["result"], list(claim["devices"])], [0, [B]], "it can be tried again")


def test_plan_and_call_hand_out_the_daemons_words():
    with FakeDaemon({"Plan": Reply({"plan": {"allowed": False, "status": 3}}),
                     "ListClaims": Reply({"claims": []})}) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        tap.equal(json.loads(probe("plan", A)["plan"]), {"allowed": False, "status": 3})
        tap.equal(json.loads(probe("call", "org.ioasid1.ListClaims")["reply"]), {"claims": []})
        tap.equal(probe("call", "org.ioasid1.ListClaims", "[1]")["result"], -errno.EINVAL)
        tap.equal(probe("call", "org.ioasid1.ListClaims", "{")["result"], -errno.EINVAL)
        tap.equal(daemon.called("Plan"), [{"devices": [A]}])


def test_call_takes_no_descriptors():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        call = probe("call", "org.ioasid1.Claim", json.dumps({"devices": [A]}))
        tap.equal([call["result"], call["fds"]], [-errno.EPROTO, idle - 1], "all are closed, and the connection")


def test_nothing_has_failed_at_first():
    with claiming_daemon() as daemon, Probe(daemon.path) as probe:
        first = probe("connect")
        tap.equal([first["status"], first["name"], first["parameters"]], [0, "", "{}"])


def test_a_refusal_is_told_with_all_its_reasons():
    blockers = [{"kind": "member-in-use", "message": "0000:02:02.0 is used: \x1b[2J enp2s2", "remedy": "take it down"},
                {"kind": "no-reset", "message": "it can't be reset", "remedy": "say \"reset\": \"try\""}]
    with FakeDaemon({"Claim": refusal("Busy", 4, "two things stand in the way", blockers)}) as daemon, \
            Probe(daemon.path) as probe:
        probe("connect")
        claim = probe("claim", "-", A)
        tap.equal([claim["result"], claim["status"], claim["name"]], [-errno.EREMOTEIO, 4, "org.ioasid1.Busy"])
        tap.equal(claim["message"], "two things stand in the way\n"
                  "  0000:02:02.0 is used: \\x1b[2J enp2s2\n    to resolve: take it down\n"
                  "  it can't be reset\n    to resolve: say \"reset\": \"try\"")
        tap.equal(json.loads(claim["parameters"])["blockers"], blockers)


def test_one_reason_is_not_told_twice():
    blockers = [{"message": "the host uses it", "remedy": "stop that"},
                {"message": "no rule covers it", "remedy": "add a rule"}]
    with FakeDaemon({"Claim": refusal("RefusedByPolicy", 3, "no rule covers it", blockers)}) as daemon, \
            Probe(daemon.path) as probe:
        probe("connect")
        tap.equal(probe("claim", "-", A)["message"], "no rule covers it\n    to resolve: add a rule\n"
                  "  the host uses it\n    to resolve: stop that", "the headline with its own remedy, then the others")


def test_each_error_has_its_status():
    errors = {"RefusedByPolicy": 3, "Busy": 4, "NotFound": 5, "Unsupported": 6, "Failed": 1, "WrongState": 1,
              "UnacknowledgedDescriptors": 1, "QuotaExceeded": 1, "ProtocolError": 1, "Unheard": 1}
    for name, status in errors.items():
        with FakeDaemon({"ListClaims": Reply({"message": "m"}, error="org.ioasid1." + name)}) as daemon, \
                Probe(daemon.path) as probe:
            probe("connect")
            call = probe("call", "org.ioasid1.ListClaims")
            tap.equal([call["result"], call["status"], call["message"]], [-errno.EREMOTEIO, status, "m"], name)


def test_a_method_that_the_daemon_knows_not_is_explained():
    with FakeDaemon() as daemon, Probe(daemon.path) as probe:
        probe("connect")
        call = probe("call", "org.ioasid1.Fly")
        tap.equal(call["status"], 1)
        tap.contains(call["message"], "has no method org.ioasid1.Fly")


def test_without_a_daemon_the_connection_says_so():
    with FakeDaemon() as daemon:
        daemon.stop()
        with Probe(daemon.path) as probe:
            connect = probe("connect")
            tap.equal([connect["result"], connect["status"]], [-errno.ENOENT, 7])
            tap.contains(connect["message"], daemon.path)
            tap.contains(connect["message"], "systemctl start ioasidd")
            tap.equal(probe("call", "org.ioasid1.ListClaims")["result"], -errno.ENOENT)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
            stale.bind(daemon.path)
            with Probe(daemon.path) as probe:
                tap.equal(probe("connect")["result"], -errno.ECONNREFUSED, "nobody listens")
        with Probe("/" + "x" * 200) as probe:
            tap.equal(probe("connect")["result"], -errno.ENAMETOOLONG)
        os.unlink(daemon.path)
        daemon.start()


def test_a_daemon_that_was_started_anew_is_found_again():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        probe("claim", "-", A)
        daemon.stop()
        daemon.start()
        release = probe("release")
        tap.equal([release["result"], release["fds"]], [0, idle])


def test_a_daemon_that_turns_a_connection_away_is_heard():
    greeting = Reply({"message": "too many connections of uid 1000"}, error="org.ioasid1.QuotaExceeded")
    with FakeDaemon(greeting=greeting) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        call = probe("call", "org.ioasid1.ListClaims")
        tap.equal([call["result"], call["message"]], [-errno.EREMOTEIO, "too many connections of uid 1000"])


def test_a_daemon_that_goes_away_in_a_call_is_unreachable():
    with FakeDaemon({"ListClaims": Reply(raw=b"", close=True)}) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        call = probe("call", "org.ioasid1.ListClaims")
        tap.equal([call["result"], call["status"]], [-errno.ECONNRESET, 7])
        tap.equal(daemon.called(), ["ListClaims"], "a call that may have been heard is not sent again")


def test_SR_29_a_claim_without_room_for_its_descriptors_is_given_back():
    for room in range(4):
        with claiming_daemon((A, B)) as daemon, Probe(daemon.path) as probe:
            idle = probe("connect")["fds"]
            probe("limit", str(room))
            claim = probe("claim", "-", A, B)
            tap.equal([claim["result"], claim["status"], claim["fds"]], [-errno.EMFILE, 1, idle], f"room for {room}")
            tap.contains(claim["message"], "ulimit -n")
            tap.equal(daemon.called(), ["Claim", "Release"])
            tap.equal(daemon.leases[0].recv(1), b"", "the lease is closed")


def test_SR_29_a_device_without_room_for_its_descriptor_is_given_back():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added(B)
        daemon.methods["RemoveDevice"] = Reply()
        probe("connect")
        before = probe("claim", "-", A)
        probe("limit", "0")
        claim = probe("add", B)
        tap.equal([claim["result"], claim["fds"], claim["json"]], [-errno.EMFILE, before["fds"], before["json"]])
        tap.equal(daemon.called("RemoveDevice"), [{"claim": "c1", "device": B}])


def test_SR_29_without_the_id_of_the_claim_the_connection_is_closed():
    with FakeDaemon() as daemon, Probe(daemon.path) as probe:
        daemon.methods["Claim"] = lambda _: claim_reply(daemon, claim="not an id")
        idle = probe("connect")["fds"]
        probe("limit", "0")
        claim = probe("claim", "-", A)
        tap.equal([claim["result"], claim["fds"]], [-errno.EMFILE, idle - 1])


def test_a_claim_of_64_devices():
    devices = [f"0000:{number:02x}:00.0" for number in range(64)]
    with claiming_daemon(devices) as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        claim = probe("claim", "-", *devices)
        tap.equal([claim["result"], claim["fds"], list(claim["devices"])], [0, idle + 66, devices])


if __name__ == "__main__":
    tap.run(dict(globals()))
