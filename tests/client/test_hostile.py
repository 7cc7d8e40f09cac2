"""libioasid and ioasidctl against a daemon that lies: every answer is refused, and no descriptor stays open."""

import errno
import json
import os

import tap
from fake_daemon import FakeDaemon, Reply, claim_reply, memfd
from program import Probe, ioasidctl

A = "0000:01:00.0"
END = b"\0"
PROTO = -errno.EPROTO
RESET = -errno.ECONNRESET


def device(address, fd, group=5, **changes):
    return dict({"name": address, "group": group, "fd": fd, "nodes": []}, **changes)


def offer(daemon, fds=3, **changes):
    """A good reply to Claim (lease 0, iommufd 1, one device 2) with some fields changed and so many descriptors."""
    parameters = {"claim": "c1", "mode": "attached", "interface": "iommufd", "lease": 0, "iommufd": 1,
                  "container": None, "ioas_id": 7, "memlock": None, "groups": [], "devices": [device(A, 2)],
                  "lockouts": []}
    parameters.update(changes)
    parameters = {key: value for key, value in parameters.items() if value != "missing"}
    return Reply(parameters, fds=[memfd(f"fd{i}") if i > 0 else daemon.lease() for i in range(fds)])


def is_refused(name, answer, result=PROTO):
    """What answer(daemon) replies to Claim is refused; nothing is acknowledged, nothing stays open."""
    with FakeDaemon({"Acknowledge": Reply()}) as daemon, Probe(daemon.path) as probe:
        daemon.methods["Claim"] = lambda _: answer(daemon)
        idle = probe("connect")["fds"]
        claim = probe("claim", "-", A)
        tap.equal(claim["result"], result, f"{name}: {claim.get('message')}")
        tap.equal(claim["fds"], idle - 1, f"{name}: all descriptors are closed, and the connection")
        tap.equal(claim["status"], 7 if result == RESET else 1, name)
        tap.equal(daemon.called(), ["Claim"], name)
        for lease in daemon.leases:
            tap.equal(lease.recv(1), b"", f"{name}: the lease is closed")


def test_a_good_offer_is_taken():
    with FakeDaemon({"Acknowledge": Reply()}) as daemon, Probe(daemon.path) as probe:
        daemon.methods["Claim"] = lambda _: offer(daemon)
        probe("connect")
        tap.equal(probe("claim", "-", A)["result"], 0, "the others must fail because of what they change")


def test_frames_that_are_no_varlink():
    good = json.dumps({"parameters": {}}).encode()
    frames = {
        "empty": END, "no JSON": b"hello" + END, "half an object": b'{"parameters": {' + END,
        "a list": b"[]" + END, "a number": b"7" + END, "null": b"null" + END, "a text": b'"x"' + END,
        "two objects": good + good + END, "text behind it": good + b"x" + END, "two frames": good + END + good + END,
        "text behind the frame": good + END + b"x", "no UTF-8": b'{"parameters": {"a": "\xff\xfe"}}' + END,
        "parameters are a list": b'{"parameters": []}' + END, "parameters are a text": b'{"parameters": "x"}' + END,
        "the error is a number": b'{"error": 7}' + END, "the error is empty": b'{"error": ""}' + END,
        "the error is null": b'{"error": null}' + END, "the error has a NUL": b'{"error": "a\\u0000b"}' + END,
        "the error is too long": json.dumps({"error": "x" * 256}).encode() + END,
        "it continues": b'{"parameters": {}, "continues": true}' + END,
        "too deep": b'{"parameters": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}" + END,
        "single quotes": b"{'parameters': {}}" + END, "a comment": b'{"parameters": {} /* x */}' + END,
        "a key twice": b'{"parameters": {}, "parameters": {}}' + END,
        "a key of a device twice": b'{"parameters": {"devices": [{"fd": 1, "f\\u0064": 2}]}}' + END,
        "a key with a NUL": b'{"parameters": {"lease\\u0000": 1}}' + END,
        "a text with a NUL": b'{"parameters": {"claim": "c1\\u0000"}}' + END,
        "continues is a text": b'{"parameters": {}, "continues": "no"}' + END,
        "continues is null": b'{"parameters": {}, "continues": null}' + END,
        "a number beyond 64 bits": b'{"parameters": {"lease": 18446744073709551616}}' + END,
        "a number beyond a double": b'{"parameters": {"lease": 1e999}}' + END,
        **{f"no UTF-8: {text!r}": b'{"parameters": {"claim": "' + text + b'"}}' + END
           for text in (b"\xc0\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80")},
    }
    for name, frame in frames.items():
        is_refused(name, lambda _, data=frame: Reply(raw=data))


def test_what_is_wrong_with_an_answer_is_said_with_its_place():
    for frame, part in ((b'{"parameters": {}, "parameters": {}}', 'column 20: duplicate key "parameters"'),
                        (b'{"parameters": {"a": "\xc0\x80"}}', "column 23: the byte 0xc0"),
                        (b'{"parameters": {},\n"continues": 1}', '"continues" is neither true nor false')):
        with FakeDaemon({"GetStatus": Reply(raw=frame + END)}) as daemon:
            result = ioasidctl(daemon, "status")
            tap.equal(result.returncode, 1)
            tap.contains(" ".join(result.stderr.split()), part)


def test_parameters_of_the_application_are_read_strictly():
    with FakeDaemon({"Plan": Reply({})}) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        for text in ('{"a": 1, "a": 2}', "[]", "{'a': 1}", '{"a": "\\u0000"}', "{} x", ""):
            tap.equal(probe("call", "org.ioasid1.Plan", text)["result"], -errno.EINVAL, text)
        tap.equal(daemon.called(), [])
        tap.equal(probe("call", "org.ioasid1.Plan", '{"name": "\u00e4\u20ac\U0001f600"}')["result"], 0)
        tap.equal(daemon.called("Plan"), [{"name": "\u00e4\u20ac\U0001f600"}])


def test_a_stream_that_ends():
    is_refused("at once", lambda _: Reply(raw=b"", close=True), RESET)
    is_refused("in the middle", lambda _: Reply(raw=b'{"parameters": {', close=True), RESET)
    is_refused("before the NUL", lambda _: Reply(raw=b'{"parameters": {}}', close=True), RESET)
    is_refused("with descriptors", lambda daemon: Reply(
        parts=[(b'{"parameters": {', [daemon.lease(), memfd("x")])], close=True), RESET)


def test_a_reply_without_an_end():
    is_refused("65 MiB", lambda _: Reply(raw=b'{"parameters": {"a": "' + b"x" * (65 << 20), close=True))


def test_a_long_reply_is_read():
    devices = [{"name": f"device-{number}"} for number in range(200000)]
    with FakeDaemon({"ListDevices": Reply({"devices": devices})}) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        tap.equal(len(json.loads(probe("call", "org.ioasid1.ListDevices")["reply"])["devices"]), len(devices))


def test_SR_31_indices_of_descriptors():
    for field in ("lease", "iommufd"):
        for index in (-1, -(1 << 31), -(1 << 63), 3, 66, 130, 253, 1 << 31, 1 << 32, (1 << 63) - 1, "0", 0.0, [0], {},
                      True):
            is_refused(f"{field} is {index!r}", lambda daemon, i=index, f=field: offer(daemon, **{f: i}))
    for index in (-1, 3, 1 << 32, "2", None, True, "missing"):
        entry = device(A, index)
        entry = {key: value for key, value in entry.items() if value != "missing"}
        is_refused(f"the device's is {index!r}", lambda daemon, e=entry: offer(daemon, devices=[e]))
    is_refused("no lease", lambda daemon: offer(daemon, lease=None))
    is_refused("lease left out", lambda daemon: offer(daemon, lease="missing"))


def test_SR_31_a_descriptor_has_one_name():
    is_refused("lease and iommufd", lambda daemon: offer(daemon, iommufd=0))
    is_refused("lease and device", lambda daemon: offer(daemon, devices=[device(A, 0)]))
    is_refused("two devices",
               lambda daemon: offer(daemon, devices=[device(A, 2), device("b", 2, 6)]))


def test_SR_26_more_and_fewer_descriptors_than_are_named():
    is_refused("one more", lambda daemon: offer(daemon, fds=4))
    is_refused("130 where 3 are named", lambda daemon: offer(daemon, fds=130))
    is_refused("131", lambda daemon: offer(daemon, fds=131))
    is_refused("253, all that a message can have", lambda daemon: offer(daemon, fds=253))
    is_refused("one fewer", lambda daemon: offer(daemon, fds=2))
    is_refused("none", lambda daemon: offer(daemon, fds=0))


def test_descriptors_that_come_late():
    # Longer than what is read at once: else the kernel may hand over both parts, and the descriptors, in one.
    def late(daemon):
        data = b" " * (1 << 20) + offer(daemon, fds=0).frame()
        return Reply(parts=[(data[:-10], []), (data[-10:], [daemon.lease(), memfd("a"), memfd("b")])])

    def twice(daemon):
        data = offer(daemon, fds=0).frame()
        return Reply(parts=[(data[:10], [daemon.lease()]), (data[10:], [memfd("a"), memfd("b")])])

    is_refused("with the second part", late)
    is_refused("in two parts", twice)


def test_a_frame_in_single_bytes():
    def bytes_of(daemon):
        data = offer(daemon, fds=0).frame()
        fds = [daemon.lease(), memfd("a"), memfd("b")]
        return Reply(parts=[(data[i:i + 1], fds if i == 0 else []) for i in range(len(data))])

    with FakeDaemon({"Acknowledge": Reply()}) as daemon, Probe(daemon.path) as probe:
        daemon.methods["Claim"] = lambda _: bytes_of(daemon)
        probe("connect")
        tap.equal(probe("claim", "-", A)["result"], 0)


def test_fields_of_a_claim():
    good = device(A, 2)
    changes = {
        "claim": ["missing", None, 7, "", "x" * 40, "a b", "a\x1b[2J", "a\0b", "\u00e4"],
        "mode": ["missing", None, 7, "", "x" * 64, "a b", "open", "node", "brokered", "Attached"],
        "interface": ["missing", None, 7, "", "x" * 64, "a b", "group", "vdpa", "IOMMUFD"],
        "iommufd": ["missing", None], "container": [2, 3, -1, "x"],
        "ioas_id": ["missing", None, 0, -1, 1 << 32, "7", 7.5, [], True],
        "groups": ["x", 7, {}, [7], [None], [[]], [{"group": 5, "fd": 2}], [{"group": 5}]],
        "memlock": [-1, "1", 1.5, {}],
        "lockouts": ["x", 7, {}, [7], [None], [""], ["x" * 64], [["a"]]],
        "devices": ["missing", None, {}, "x", [], [7], [None], [[]], [{"fd": 2}], [dict(good, name=7)],
                    [dict(good, name="")], [dict(good, name="x" * 64)], [dict(good, name="a\n")],
                    [{"name": A, "fd": 2}], [dict(good, group=None)], [dict(good, group=-1)],
                    [dict(good, group=1 << 31)], [dict(good, group="5")], [dict(good, nodes=["/dev/vfio/5"])],
                    [dict(good, nodes="x")], [dict(good, nodes={})]],
    }
    for field, values in changes.items():
        for value in values:
            is_refused(f"{field} is {value!r}", lambda daemon, f=field, v=value: offer(daemon, **{f: v}))


def test_the_same_device_twice_and_too_many():
    is_refused("twice", lambda daemon: offer(daemon, fds=4, devices=[device(A, 2), device(A, 3)]))
    is_refused("65", lambda daemon: offer(daemon, fds=66, devices=[
        device(f"d{i}", min(i + 2, 65)) for i in range(65)]))


def test_null_is_what_is_left_out():
    with FakeDaemon({"Acknowledge": Reply()}) as daemon, Probe(daemon.path) as probe:
        entry = {"name": A, "group": 5, "fd": 2}
        daemon.methods["Claim"] = lambda _: offer(daemon, container="missing", memlock="missing", lockouts=None,
                                                  groups="missing", devices=[entry])
        probe("connect")
        claim = probe("claim", "-", A)
        tap.equal([claim["result"], claim["container"]["number"], claim["nodes"]], [0, -1, {A: []}])


def test_errors_that_carry_descriptors():
    is_refused("an error", lambda _: Reply({"message": "no"}, error="org.ioasid1.Busy", fds=[memfd("x")]))


def test_errors_with_odd_parameters():
    odd = [{}, {"status": "4"}, {"status": 0}, {"status": 2}, {"status": 7}, {"status": -3}, {"status": 1 << 40},
           {"message": 7}, {"message": ""}, {"message": None}, {"blockers": 7}, {"blockers": [7, None, [], "x"]},
           {"blockers": [{"message": 7, "remedy": []}]}, {"blockers": {}}, {"message": "\x1b]0;x\x07"}]
    for parameters in odd:
        with FakeDaemon({"Claim": Reply(parameters, error="org.ioasid1.Busy")}) as daemon, Probe(daemon.path) as probe:
            idle = probe("connect")["fds"]
            claim = probe("claim", "-", A)
            tap.equal([claim["result"], claim["status"], claim["fds"]], [-errno.EREMOTEIO, 4, idle], str(parameters))
            tap.true(claim["message"], f"{parameters}: there is a message")
            tap.lacks(claim["message"], "\x1b", str(parameters))


def test_a_release_that_makes_no_sense():
    for parameters in ({}, {"state": 7}, {"state": ""}, {"state": None}):
        with FakeDaemon({"Acknowledge": Reply(), "Release": Reply(parameters)}) as daemon, \
                Probe(daemon.path) as probe:
            daemon.methods["Claim"] = lambda _, d=daemon: claim_reply(d)
            idle = probe("connect")["fds"]
            probe("claim", "-", A)
            release = probe("release")
            tap.equal([release["result"], release["fds"]], [PROTO, idle - 1], str(parameters))


def test_ioasidctl_survives_lists_of_anything():
    nothing = [None, 7, "x", {}, [], [None], [7], ["x"], [[]], [{}], [{"name": 7, "group": "x", "parent": 3}],
               [{"name": "x" * 5000, "class_text": "\x1b[2J" * 500, "driver": "d" * 500, "group": -5}]]
    for value in nothing:
        for arguments in (["list"], ["show", "01:00.0"], ["show", "5"], ["show", "c1"], ["list", "--json"]):
            with FakeDaemon({"ListDevices": Reply({"devices": value}), "ListGroups": Reply({"groups": value}),
                             "ListClaims": Reply({"claims": value})}) as daemon:
                result = ioasidctl(daemon, *arguments)
                tap.true(result.returncode in (0, 1, 5), f"{value!r:.80} {arguments}: status {result.returncode}")
                tap.lacks(result.stdout + result.stderr, "\x1b", f"{value!r:.80} {arguments}")


def test_ioasidctl_draws_bridges_that_are_behind_each_other():
    def device(address, parent):
        return {"name": address, "parent": parent, "group": 1}

    for loop in ([("a", "a")], [("a", "b"), ("b", "a")], [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")],
                 [(f"{i:05}", f"{i - 1:05}") for i in range(20000)]):
        with FakeDaemon({"ListDevices": Reply({"devices": [device(*pair) for pair in loop]}),
                         "ListGroups": Reply({"groups": []})}) as daemon:
            result = ioasidctl(daemon, "list")
            tap.equal([result.returncode, len(result.stdout.splitlines())], [0, 1 + len(loop)], "each device is drawn")


def test_ioasidctl_survives_any_plan_and_status():
    values = [None, 7, "x", {}, [], [None], [7], [{}], [{"device": 7, "message": [], "text": {}}]]
    for value in values:
        plan = {"allowed": False, "status": 4, "devices": value, "lockouts": value, "blockers": value, "uses": value,
                "steps": value}
        with FakeDaemon({"Plan": Reply({"plan": plan}), "ListDevices": Reply({"devices": value}),
                         "GetStatus": Reply({"version": value, "kernel": value, "policy": value})}) as daemon:
            tap.equal(ioasidctl(daemon, "plan", A).returncode, 4, repr(value))
            tap.equal(ioasidctl(daemon, "plan", A, "--json").returncode, 4, repr(value))
            tap.equal(ioasidctl(daemon, "status").returncode, 0, repr(value))
    for verdict in ({}, {"allowed": True}, {"allowed": True, "status": 3}, {"allowed": False, "status": 0},
                    {"allowed": False, "status": 2}, {"allowed": False, "status": 7}, {"allowed": 1, "status": 0},
                    {"allowed": False, "status": "4"}, {"allowed": False, "status": 1 << 32}):
        with FakeDaemon({"Plan": Reply({"plan": verdict})}) as daemon:
            tap.equal(ioasidctl(daemon, "plan", A).returncode, 1, f"a verdict of {verdict}")
    with FakeDaemon({"Plan": Reply({"plan": 7})}) as daemon:
        tap.equal(ioasidctl(daemon, "plan", A).returncode, 1, "no plan")


def test_nothing_is_left_in_the_folder_of_descriptors():
    tap.true(len(os.listdir("/proc/self/fd")) < 60, "this test closes its own descriptors")


if __name__ == "__main__":
    tap.run(dict(globals()))
