"""ioasidctl monitor and the monitors of libioasid: what happens, told as it happens."""

import json
import os
import queue
import signal
import threading

import tap
from fake_daemon import TIMEOUT, FakeDaemon, Reply, claim_reply, claiming_daemon
from program import Probe, environment, ioasidctl, start_ioasidctl

A, B = "0000:01:00.0", "0000:02:00.0"
FIELDS = ("claim", "before", "device", "name", "devices", "uid", "status", "grace", "success", "policy", "message")


def event(kind, **fields):
    return {"event": {"kind": kind, "time": 1760000000000000, **dict.fromkeys(FIELDS), **fields}}


def more(kind, **fields):
    return Reply(event(kind, **fields), more=True)


def claim(state, **fields):
    return {"id": "c1", "state": state, "mode": "attached", "interface": "iommufd", "rule": "alices", "uid": 1000,
            "pid": 7, "since": 1, "devices": [A], "lockouts": [B], "note": None, **fields}


DEVICE = {"name": A, "state": "held", "locked_out": False, "driver": "vfio-pci", "claim": "c1"}
POLICY = {"files": [], "rules": 3, "digest": "0123456789abcdef"}
EVENTS = [
    (event("claim", claim=claim("held"), before="offered"), f"claim c1: held ({A}; locked out: {B})"),
    (event("claim", claim=claim("held", lockouts=[]), before="held"), f"claim c1: now has ({A})"),
    (event("claim", claim=claim("lingering", lockouts=[], note="x holds it"), before="releasing"),
     f"claim c1: lingering ({A}): x holds it"),
    (event("claim-gone", claim=claim("free")), "claim c1: ended, its devices are free"),
    (event("claim-gone", claim=claim("held")), "claim c1: ended"),
    (event("offered", claim=claim("offered")), 'claim c1: granted to uid 1000 (rule "alices")'),
    (event("offered", claim=claim("held"), name=B), f"claim c1: {B} was added"),
    (event("removed", claim=claim("held"), name=B), f"claim c1: {B} was removed"),
    (event("ending", claim=claim("held"), message="its lease ended"), "claim c1: its lease ended"),
    (event("revocation", claim=claim("held"), grace=1500, message="repair"),
     "claim c1: its client is asked to release it within 1.5 s: repair"),
    (event("revocation", claim=claim("held"), grace=0), "claim c1: its client is asked to release it within 0.0 s"),
    (event("revocation-step", claim=claim("lingering"), success=True, message="its mappings were removed"),
     "claim c1: its mappings were removed"),
    (event("refused", uid=1000, devices=[A, B], status=3, message="no rule"),
     f"denied request from uid 1000 for {A}, {B}: no rule"),
    (event("failed", claim=claim("preparing"), message="broken"), "claim c1: broken"),
    (event("not-granted", claim=claim("held"), name=A, message="never"),
     "claim c1: continues, but the policy no longer grants it: never"),
    (event("device", name=A, device=DEVICE, claim=claim("held")), f"{A}: held, driver vfio-pci"),
    (event("device", name=A, device=dict(DEVICE, driver=None, locked_out=True)), f"{A}: held, locked out, no driver"),
    (event("device-gone", name=A), f"{A}: unplugged"),
    (event("policy", success=True, policy=POLICY), "policy loaded: 3 rules, digest 0123456789abcdef"),
    (event("policy", success=False, policy=POLICY, message="a file has errors"),
     "policy rejected, the previous one stays in force: a file has errors"),
    (event("something-new", message="of a later version"), "something-new: of a later version"),
    (event("something-new"), "something-new"),
    (event("offered"), 'granted to uid -1 (rule "?")'),
    (event("refused", message="\x1b[31m\nred"), "\\x1b[31m\\nred"),
]


def watched(*replies):
    def answer(_):
        yield more("ready")
        yield from replies
    return FakeDaemon({"Monitor": answer})


def test_each_event_is_a_line():
    with watched(*(Reply(parameters, more=True) for parameters, _ in EVENTS), Reply(event("claim-gone"))) as daemon:
        result = ioasidctl(daemon, "monitor", "c1", env=environment(TZ="UTC"))
        tap.equal([result.returncode, result.stderr], [0, ""])
        lines = result.stdout.splitlines()
        tap.equal(lines[0], "08:53:20 watching")
        tap.equal(lines[1:-1], [f"08:53:20 {text}" for _, text in EVENTS])
        tap.equal(daemon.called("Monitor"), [{"claim": "c1"}])
        tap.true(daemon.more, "it is called with more")


def test_each_event_is_an_object_in_json():
    with watched(*(Reply(parameters, more=True) for parameters, _ in EVENTS), Reply(event("claim-gone"))) as daemon:
        result = ioasidctl(daemon, "--json", "monitor")
        tap.equal([result.returncode, result.stderr], [0, ""])
        tap.lacks(result.stdout, "\x1b")
        got = [json.loads(line) for line in result.stdout.splitlines()]
        tap.equal(got, [event("ready")["event"], *(parameters["event"] for parameters, _ in EVENTS),
                        event("claim-gone")["event"]])
        tap.equal(daemon.called("Monitor"), [{}])


def test_lines_come_at_once_and_a_signal_ends_it():
    next_one = queue.Queue()

    def answer(_):
        yield more("ready")
        while True:
            yield next_one.get()

    with FakeDaemon({"Monitor": answer}) as daemon:
        process = start_ioasidctl(daemon, "--json", "monitor")
        tap.equal(json.loads(process.stdout.readline())["kind"], "ready")
        for kind in ("a", "b"):
            next_one.put(more(kind))
            tap.equal(json.loads(process.stdout.readline())["kind"], kind)
        process.send_signal(signal.SIGINT)
        tap.equal(process.wait(30), -signal.SIGINT)
        next_one.put(more("c"))
        process.communicate()


def test_the_end_of_the_daemon_is_told():
    for last in (Reply(raw=b"", close=True), Reply(raw=b'{"parameters":{"ev', close=True)):
        with watched(more("a"), last) as daemon:
            result = ioasidctl(daemon, "monitor")
            tap.equal(result.returncode, 7)
            tap.contains(result.stdout, " a\n")
            tap.contains(result.stderr, "watching ended: ioasidd closed the connection")


def test_errors_of_the_daemon_are_told():
    for error, status in (("org.ioasid1.NotFound", 5), ("org.ioasid1.QuotaExceeded", 1),
                          ("org.varlink.service.MethodNotFound", 1)):
        with FakeDaemon({"Monitor": Reply({"status": status, "message": "a reason"}, error=error)}) as daemon:
            result = ioasidctl(daemon, "monitor", "c1")
            tap.equal([result.returncode, result.stdout], [status, ""], error)
            tap.contains(result.stderr, "cannot watch: ", error)


BAD = [Reply({}, more=True), Reply({"event": 7}, more=True), Reply(raw=b"nonsense\0"), Reply(raw=b"[]\0"),
       Reply(raw=b'{"parameters":{"event":{}},"continues":true} \0x\0'), Reply({"event": []})]


def test_nonsense_is_a_failure():
    for bad in BAD:
        with watched(bad) as daemon:
            result = ioasidctl(daemon, "monitor")
            tap.equal(result.returncode, 1, str(bad.frame()))
            tap.contains(result.stderr, "invalid reply")


def test_descriptors_that_come_with_events_are_closed_and_refused():
    watching = threading.Event()

    def answer(_):
        yield more("ready")
        watching.wait(TIMEOUT)
        yield Reply(event("a"), fds=[daemon.lease()], more=True)

    with FakeDaemon({"Monitor": answer}) as daemon, Probe(daemon.path) as probe:
        tap.equal(probe("connect")["result"], 0)
        before = probe("watch")["fds"]
        watching.set()
        tap.equal(probe("next", "-1")["event"]["kind"], "ready")
        answer = probe("next", "-1")
        tap.equal([answer["result"], answer["event"]], [-71, None], "EPROTO")
        tap.contains(answer["message"], "invalid reply")
        tap.equal(answer["fds"], before)
        tap.equal(probe("next", "0")["result"], -61, "ENODATA from then on")
        tap.equal(probe("unwatch")["fds"], before - 1)


def iter_events(*replies):
    yield from replies


def test_the_library_waits_as_long_as_it_is_told():
    with watched(more("a"), more("b")) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        tap.equal(probe("watch")["result"], 0)
        tap.equal([probe("next", "-1")["event"]["kind"] for _ in range(3)], ["ready", "a", "b"])
        for timeout in ("0", "50"):
            answer = probe("next", timeout)
            tap.equal([answer["result"], answer["status"], answer["event"]], [-11, 0, None], "EAGAIN is no failure")
        daemon.stop()
        answer = probe("next", "-1")
        tap.equal([answer["result"], answer["status"]], [-104, 7], "ECONNRESET")
        daemon.start()


def test_parts_of_events_are_put_together():
    frames = b"".join(more(kind).frame() for kind in ("ready", "a", "b"))
    pieces = [Reply(raw=frames[at:at + 7]) for at in range(0, len(frames), 7)]
    with FakeDaemon({"Monitor": lambda _: iter_events(*pieces)}) as daemon, Probe(daemon.path) as probe:
        probe("connect")
        tap.equal(probe("watch")["result"], 0)
        tap.equal([probe("next", "-1")["event"]["kind"] for _ in range(3)], ["ready", "a", "b"])


def test_the_library_says_why_it_cannot_watch():
    with FakeDaemon({"Monitor": Reply({"message": "too many"}, error="org.ioasid1.QuotaExceeded")}) as daemon:
        with Probe(daemon.path) as probe:
            before = probe("connect")["fds"]
            answer = probe("watch", "c1")
            tap.equal([answer["result"], answer["name"]], [-121, "org.ioasid1.QuotaExceeded"], "EREMOTEIO")
            tap.equal(answer["fds"], before, "nothing is left open")
            daemon.stop()
            tap.equal(probe("watch")["status"], 7)
            daemon.start()


def test_a_claim_that_is_wanted_back():
    with claiming_daemon() as daemon, Probe(daemon.path) as probe:
        probe("connect")
        tap.equal(probe("claim", "-", A)["result"], 0)
        tap.equal(probe("asked")["result"], 0)
        ours = daemon.leases[-1]
        ours.sendall(b'{"event":"of a later version"}\nnonsense\n[]\n' + b"x" * 5000 + b'\n{"event":"rev')
        tap.equal(probe("asked")["result"], 0)
        ours.sendall(b'oke","grace_usec":2500000,"reason":"repair"}\n')
        answer = probe("asked")
        tap.equal([answer["result"], answer["grace"], answer["reason"]], [1, 2500, "repair"])
        tap.equal(probe("asked")["result"], 1, "it stays asked for")
        ours.sendall(b'{"event":"revoke","grace_usec":-1,"reason":null}\n')
        answer = probe("asked")
        tap.equal([answer["result"], answer["grace"], answer["reason"]], [1, 0, ""])
        tap.equal(probe("release")["result"], 0)


def test_a_lease_that_ended():
    with claiming_daemon() as daemon, Probe(daemon.path) as probe:
        probe("connect")
        probe("claim", "-", A)
        daemon.leases[-1].close()
        tap.equal(probe("asked")["result"], -61, "ENODATA")
        probe("free")


def test_other_leases_have_no_descriptor():
    with claiming_daemon() as daemon, Probe(daemon.path) as probe:
        probe("connect")
        reply = probe("claim_leased", "process", "-", A)
        tap.equal(reply["result"], -71, "a lease came though none was asked for")
        daemon.methods["Claim"] = lambda asked: without_lease(daemon)
        reply = probe("claim_leased", "unit", "guest.scope", A)
        tap.equal([reply["result"], reply["lease"]["number"]], [0, -1])
        tap.equal(daemon.called("Claim")[-1], {"devices": [A], "lease": "unit", "unit": "guest.scope"})
        tap.equal(probe("asked")["result"], -9, "EBADF")
        tap.equal(probe("release")["result"], 0)
        reply = probe("claim", "-", A)
        tap.equal(reply["result"], -71, "no lease came though one was asked for")


def without_lease(daemon):
    """What a daemon answers that keeps the claim alive by something else."""
    reply = claim_reply(daemon, (A,))
    os.close(reply.fds.pop(0))
    parameters = reply.parameters
    parameters["lease"] = None
    parameters["iommufd"] -= 1
    for entry in parameters["devices"]:
        entry["fd"] -= 1
    return reply


if __name__ == "__main__":
    tap.run(dict(globals()))
