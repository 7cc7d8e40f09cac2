"""What operators do with ioasidctl: revoke claims, look who went round ioasidd, collect metrics; and claims by other
leases."""

import os
import signal
import tempfile

import host
import tap
from fake_daemon import FakeDaemon, Reply, claiming_daemon, refusal
from program import environment, ioasidctl, output_json, start_ioasidctl
from test_watching import claim, event, more, without_lease

A, B = "0000:01:00.0", "0000:02:00.0"
OTHER = dict(claim("held"), id="c2", devices=["0000:03:00.0"], lockouts=[])


def revoking_daemon(claims=None, **methods):
    return FakeDaemon({"ListClaims": Reply({"claims": [claim("held"), OTHER] if claims is None else claims}),
                       "Revoke": lambda _: Reply(), **methods})


def test_revoke_names_claims_by_id_or_device():
    for arguments, expected in ((["c2"], ["c2"]), ([A], ["c1"]), ([B], ["c1"]), (["03:00.0"], ["c2"]),
                                (["c1", "01:00.0", "c2"], ["c1", "c2"]), (["--all"], ["c1", "c2"])):
        with revoking_daemon() as daemon:
            result = ioasidctl(daemon, "revoke", *arguments)
            tap.equal([result.returncode, result.stderr], [0, ""], str(arguments))
            tap.equal(daemon.called("Revoke"), [{"claim": name} for name in expected], str(arguments))
            tap.equal(result.stdout.splitlines(), [f"claim {name}: revocation started" for name in expected])


def test_revoke_passes_grace_and_reason():
    for grace, milliseconds in (("30", 30000), ("0", 0), ("0.5", 500), ("1.25", 1250), ("86400", 86400000),
                                ("0.001", 1)):
        with revoking_daemon() as daemon:
            tap.equal(ioasidctl(daemon, "revoke", "c1", "--grace", grace, "--reason", "a b").returncode, 0)
            tap.equal(daemon.called("Revoke"), [{"claim": "c1", "grace": milliseconds, "reason": "a b"}])


def test_revoke_passes_unbind():
    with revoking_daemon() as daemon:
        tap.equal(ioasidctl(daemon, "revoke", "c1", "--unbind").returncode, 0)
        tap.equal(daemon.called("Revoke"), [{"claim": "c1", "unbind": True}])


def test_revoke_revokes_nothing_where_one_is_unknown():
    for unknown in ("c9", "0000:09:00.0", "\x1b[31m"):
        with revoking_daemon() as daemon:
            result = ioasidctl(daemon, "revoke", "c1", unknown)
            tap.equal([result.returncode, result.stdout], [5, ""])
            tap.contains(result.stderr, "nothing was revoked")
            tap.lacks(result.stderr, "\x1b")
            tap.equal(daemon.called("Revoke"), [])


def test_revoke_tries_all_and_tells_the_first_failure():
    def revoke(asked):
        if asked["claim"] == "c1":
            return Reply({"message": "only operators may"}, error="org.ioasid1.OperatorsOnly")
        return Reply()

    with revoking_daemon(Revoke=revoke) as daemon:
        result = ioasidctl(daemon, "revoke", "--all")
        tap.equal(result.stdout, "claim c2: revocation started\n")
        tap.contains(result.stderr, "cannot revoke c1: only operators may")
        status = result.returncode
        tap.true(status != 0, "it failed")
        result = ioasidctl(daemon, "--json", "revoke", "--all")
        tap.equal([result.returncode, result.stderr], [status, ""])
        got = output_json(result)
        tap.equal([entry["claim"] for entry in got["claims"]], ["c1", "c2"])
        tap.equal(got["claims"][0]["error"], got["error"])
        tap.equal(got["claims"][1], {"claim": "c2", "state": None})
        tap.equal(got["error"]["name"], "org.ioasid1.OperatorsOnly")


def test_revoke_all_of_nothing():
    with revoking_daemon([]) as daemon:
        result = ioasidctl(daemon, "revoke", "--all")
        tap.equal([result.returncode, result.stdout], [0, "no claims\n"])
        tap.equal(output_json(ioasidctl(daemon, "--json", "revoke", "--all")), {"claims": []})


def test_revoke_waits_until_the_devices_are_free():
    def answer(_):
        yield more("ready")
        yield more("revocation", claim=claim("held"), grace=0)
        yield more("claim", claim=claim("releasing"), before="held")
        yield more("claim-gone", claim=dict(OTHER, id="c3", state="free"))
        yield more("device", name=A, device={"state": "free"}, claim=claim("releasing"))
        yield more("claim-gone", claim=claim("free"))
        yield more("claim", claim=dict(OTHER, state="lingering", note="x holds it"), before="releasing")
        yield more("claim", claim=dict(OTHER, state="quarantined", note="no reset"), before="releasing")

    with revoking_daemon(Monitor=answer) as daemon:
        result = ioasidctl(daemon, "revoke", "--all", "--wait", env=environment(TZ="UTC"))
        tap.equal([result.returncode, result.stderr], [4, ""], "one is quarantined")
        tap.equal([line[9:] for line in result.stdout.splitlines()], [
            "claim c1: its client is asked to release it within 0.0 s",
            f"claim c1: releasing ({A}; locked out: {B})", "claim c1: ended, its devices are free",
            "claim c2: lingering (0000:03:00.0): x holds it", "claim c2: quarantined (0000:03:00.0): no reset"])
        tap.equal(daemon.called()[:2], ["ListClaims", "Monitor"], "it watches before it revokes")
        got = output_json(ioasidctl(daemon, "--json", "revoke", "--all", "--wait"))
        tap.equal(got, {"claims": [{"claim": "c1", "state": "free"}, {"claim": "c2", "state": "quarantined"}]})


def test_revoke_does_not_wait_for_what_failed_or_a_daemon_that_ends():
    def answer(_):
        yield more("ready")
        yield more("claim-gone", claim=claim("free"))
        yield Reply(raw=b"", close=True)

    with revoking_daemon(Monitor=answer, Revoke=[refusal("NotFound", 5, "it is no more"), Reply()]) as daemon:
        result = ioasidctl(daemon, "revoke", "c2", "c1", "--wait")
        tap.equal(result.returncode, 5)
    with revoking_daemon(Monitor=answer) as daemon:
        result = ioasidctl(daemon, "revoke", "c1", "c2", "--wait")
        tap.equal(result.returncode, 7)
        tap.contains(result.stderr, "the result for the claims is unknown")


def hold(pid, verdict, **fields):
    return {"pid": pid, "uid": 0, "command": "qemu-system-x86", "unit": None, "kind": "device", "count": 1, "device": A,
            "group": 7, "node": "vfio/devices/vfio0", "verdict": verdict, "claim": None, "remedy": None, **fields}


def node(name, **fields):
    return {"node": name, "device": None, "group": 7, "mode": "0666", "uid": 0, "gid": 0, "everybody": False,
            "groups": False, "users": [], "users_left_out": 0, "acl": None, "granted": False, "remedy": None, **fields}


AUDIT = {
    "holds": [hold(7, "foreign", unit="guest.service",
                   remedy="end it (systemctl stop guest.service), and start it anew"),
              hold(7, "foreign", kind="mapping", count=3), hold(8, "unknown", claim="c1", device=None, kind="group"),
              hold(9, "claim", claim="c1", uid=4000000000), hold(9, "foreign", kind="iommufd", device=None, group=None),
              hold(10, "service", claim="c1", command="\x1b[31mevil" + "x" * 60)],
    "nodes": [node("vfio/7", everybody=True, remedy="chmod 0600 /dev/vfio/7"),
              node("vfio/devices/vfio0", users=[0, 4000000000], users_left_out=2, groups=True, acl="user:0:rw-"),
              node("vfio/9", granted=True, users=[0])],
    "compared": True, "incomplete": None, "findings": 6}
NOTHING = {"holds": [hold(9, "claim", claim="c1")], "nodes": [], "compared": True, "incomplete": None, "findings": 0}


def test_audit_lists_findings_and_what_to_do():
    with FakeDaemon({"Audit": Reply(AUDIT)}) as daemon:
        result = ioasidctl(daemon, "audit")
        tap.equal([result.returncode, result.stderr], [1, ""])
        tap.equal(result.stdout.splitlines(), [
            "VERDICT  PROCESS                USER      HOLDS",
            "foreign  qemu-system-x86[7]     root      0000:01:00.0, group 7",
            "         in guest.service", "         end it (systemctl stop guest.service), and start it anew",
            "foreign  qemu-system-x86[7]     root      0000:01:00.0 mapped, group 7 (3 times)",
            "unknown  qemu-system-x86[8]     root      group 7", "         by claim c1",
            "foreign  qemu-system-x86[9]     root      iommufd",
            "NODE                         MODE  OPEN TO",
            "/dev/vfio/7                  0666  everybody", "         chmod 0600 /dev/vfio/7",
            "/dev/vfio/devices/vfio0      0666  root, 4000000000, a group and 2 more", "         ACL user:0:rw-",
            "6 findings"])
        text = ioasidctl(daemon, "audit", "--all").stdout
        for part in ("claim    qemu-system-x86[9]     40000000\u2026 ", "service  \\x1b[31mevilxxxxxxxxx\u2026 root",
                     "/dev/vfio/9                  0666  root\n         granted by a claim"):
            tap.contains(text, part)
        for line in text.splitlines():
            tap.true(len(line) <= 80, f"{len(line)}: {line}")
        tap.equal(output_json(ioasidctl(daemon, "--json", "audit")), AUDIT)
        tap.equal(ioasidctl(daemon, "--json", "audit").returncode, 1)


def test_audit_that_finds_nothing():
    with FakeDaemon({"Audit": Reply(NOTHING)}) as daemon:
        result = ioasidctl(daemon, "audit")
        tap.equal([result.returncode, result.stdout.count("\n")], [0, 1])
        tap.contains(result.stdout, "no device is held outside ioasidd")
    with FakeDaemon({"Audit": Reply(dict(NOTHING, compared=False,
                                         incomplete="not everything could be looked at"))}) as daemon:
        result = ioasidctl(daemon, "audit")
        tap.equal(result.returncode, 1, "nothing was found, but not everything was looked at")
        tap.contains(result.stdout, "CONFIG_KCMP")
        tap.contains(result.stderr, "not everything could be looked at")
    for answer in (Reply({}), Reply({"holds": 7, "nodes": []})):
        with FakeDaemon({"Audit": answer}) as daemon:
            tap.equal(ioasidctl(daemon, "audit").returncode, 1)
    with FakeDaemon({"Audit": Reply({"message": "only operators"}, error="org.ioasid1.OperatorsOnly")}) as daemon:
        tap.contains(ioasidctl(daemon, "audit").stderr, "cannot audit: only operators")


METRICS = "# TYPE ioasid_claims gauge\nioasid_claims 7\n# EOF\n"


def test_metrics_are_printed_as_they_are():
    with FakeDaemon({"GetMetrics": Reply({"text": METRICS})}) as daemon:
        result = ioasidctl(daemon, "metrics")
        tap.equal([result.returncode, result.stdout, result.stderr], [0, METRICS, ""])
        tap.equal(output_json(ioasidctl(daemon, "--json", "metrics")), {"text": METRICS})
    with FakeDaemon({"GetMetrics": Reply({"text": "a\x1b[31m 1"})}) as daemon:
        tap.equal(ioasidctl(daemon, "metrics").stdout, "a\\x1b[31m 1")
    with FakeDaemon({"GetMetrics": Reply({})}) as daemon:
        tap.equal(ioasidctl(daemon, "metrics").returncode, 1)


def test_metrics_go_into_a_file_whole_or_not_at_all():
    with FakeDaemon({"GetMetrics": Reply({"text": METRICS})}) as daemon, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "ioasidd.prom")
        with open(path, "w", encoding="ascii") as file:
            file.write("before\n")
        os.chmod(path, 0o600)
        result = ioasidctl(daemon, "metrics", "--textfile", path, preexec_fn=lambda: os.umask(0o077))
        tap.equal([result.returncode, result.stdout, result.stderr], [0, "", ""])
        with open(path, encoding="ascii") as file:
            tap.equal(file.read(), METRICS)
        tap.equal(os.stat(path).st_mode & 0o7777, 0o644, "collectors are users of their own")
        tap.equal(os.listdir(folder), ["ioasidd.prom"], "nothing else is left")
        daemon.methods["GetMetrics"] = refusal("Failed", 1, "no")
        tap.equal(ioasidctl(daemon, "metrics", "--textfile", path).returncode, 1)
        with open(path, encoding="ascii") as file:
            tap.equal(file.read(), METRICS, "what was there stays")
        daemon.methods["GetMetrics"] = Reply({"text": METRICS})
        result = ioasidctl(daemon, "metrics", "--textfile", os.path.join(folder, "missing", "x.prom"))
        tap.equal(result.returncode, 1)
        tap.contains(result.stderr, "cannot write ")
        tap.contains(result.stderr, "x.prom: No such file")
        os.mkdir(os.path.join(folder, "is-a-folder"))
        tap.equal(ioasidctl(daemon, "metrics", "--textfile", os.path.join(folder, "is-a-folder")).returncode, 1)
        tap.equal(sorted(os.listdir(folder)), ["ioasidd.prom", "is-a-folder"])


def test_a_claim_that_is_wanted_back_is_given_back():
    with claiming_daemon() as daemon:
        process = start_ioasidctl(daemon, "claim", A)
        while "held until" not in process.stdout.readline():
            pass
        daemon.leases[-1].sendall(b'{"event":"revoke","grace_usec":30000000,"reason":"rep\\u001bair"}\n')
        out, err = process.communicate(timeout=30)
        tap.equal([process.returncode, out], [0, "claim c1 released: its devices are free\n"])
        tap.contains(err, "claim c1: an operator revokes it: release it within 30.0 s: rep\\x1bair")
        tap.equal(daemon.called("Release"), [{"claim": "c1"}])


def leased_daemon(*events):
    def watch(_):
        yield more("ready")
        yield from events

    daemon = claiming_daemon()
    daemon.methods["Claim"] = lambda _: without_lease(daemon)
    daemon.methods["Monitor"] = watch
    return daemon


def test_a_claim_of_this_process_watches_instead_of_its_lease():
    with leased_daemon(more("device", name=A), more("revocation", claim=claim("held"), grace=500,
                                                       message="repair")) as daemon:
        result = ioasidctl(daemon, "claim", A, "--lease", "process")
        tap.equal(result.returncode, 0)
        tap.contains(result.stdout, "held until this command ends")
        tap.contains(result.stderr, "an operator revokes the claim: release it within 0.5 s: repair")
        tap.equal(daemon.called("Claim"), [{"devices": [A], "lease": "process"}])
        tap.equal(daemon.called("Monitor"), [{"claim": "c1"}])
        tap.equal(daemon.called("Release"), [{"claim": "c1"}])
    with leased_daemon(Reply(event("claim-gone", claim=claim("free")))) as daemon:
        daemon.methods["Release"] = refusal("NotFound", 5, "it is no more")
        result = ioasidctl(daemon, "claim", A, "--lease", "process")
        tap.equal(result.returncode, 0)
        tap.contains(result.stdout, "ended by another user or program")
    with leased_daemon() as daemon:
        process = start_ioasidctl(daemon, "claim", A, "--lease", "process")
        while "held until" not in process.stdout.readline():
            pass
        daemon.wait_for("Monitor")
        process.send_signal(signal.SIGTERM)
        tap.contains(process.communicate(timeout=30)[0], "released: its devices are free")


def test_claims_that_outlive_the_command():
    for arguments, asked, words in ((["--lease", "unit", "--unit", "guest.scope"],
                                     {"lease": "unit", "unit": "guest.scope"}, "held until guest.scope ends, or"),
                                    (["--lease", "unit"], {"lease": "unit"}, "held until this unit ends, or"),
                                    (["--lease", "operator"], {"lease": "operator"},
                                     "held until `ioasidctl release c1`")):
        with leased_daemon() as daemon:
            result = ioasidctl(daemon, "claim", A, *arguments)
            tap.equal([result.returncode, result.stderr], [0, ""])
            tap.contains(result.stdout, words)
            tap.equal(daemon.called("Claim"), [{"devices": [A], **asked}])
            tap.equal(daemon.called("Release"), [], "it goes on")
            got = output_json(ioasidctl(daemon, "--json", "claim", A, *arguments))
            tap.equal([got["claim"], got["lease"]], ["c1", None])


def test_run_with_other_leases_passes_none():
    with leased_daemon() as daemon:
        result = ioasidctl(daemon, "run", A, "--lease", "process", "--", "/bin/sh", "-c",
                           'echo "$LISTEN_FDS $LISTEN_FDNAMES $0"', "{iommufd}")
        tap.equal([result.returncode, result.stdout], [0, "2 iommufd:0000-01-00.0 3\n"])
        tap.equal(daemon.called("Claim"), [{"devices": [A], "lease": "process"}])
    with claiming_daemon() as daemon:
        result = ioasidctl(daemon, "run", A, "--lease", "descriptor", "--", "/bin/sh", "-c", 'echo "$LISTEN_FDS $0"',
                           "{lease}")
        tap.equal([result.returncode, result.stdout], [0, "3 5\n"])


def test_show_tells_what_keeps_a_claim_alive():
    claims = [dict(host.CLAIMS[0], lease="unit", lease_unit="guest.scope", unit="shell.scope", revoked=True)]
    with host.daemon(claims=claims) as daemon:
        text = ioasidctl(daemon, "show", "c1").stdout
        for part in ("unit guest.scope", "shell.scope", "being revoked, or revoked, by an operator"):
            tap.contains(text, part)


if __name__ == "__main__":
    tap.run({name: function for name, function in globals().items() if getattr(function, "__module__", "") == __name__})
