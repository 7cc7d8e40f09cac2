"""ioasidctl doctor on the host that this runs on, whatever that has: its JSON, its words, with and without a daemon."""

import platform

import host
import tap
from fake_daemon import FakeDaemon, Reply
from program import ioasidctl, output_json

STATES = {"ok", "warning", "missing"}
CHECKS = {"kernel", "interface", "module-vfio-pci", "iommu", "interrupts", "no-iommu", "nodes", "versions", "daemon",
          "memlock", "huge-pages"}
SOME_HAVE = {"module-vfio-iommu-type1", "daemon-kernel", "policy"}


def doctor(daemon, *arguments):
    result = ioasidctl(daemon, "--json", "doctor", *arguments)
    tap.equal(result.stderr, "")
    report = output_json(result)
    tap.equal(report["status"], result.returncode)
    tap.equal(report["ready"], result.returncode == 0)
    tap.true(report["interface"] in ("iommufd", "group", None), "the interface")
    tap.equal(sorted(report), ["checks", "interface", "ready", "status"])
    checks = {}
    for check in report["checks"]:
        tap.equal(sorted(check), ["check", "message", "remedy", "state"])
        tap.true(check["state"] in STATES and check["message"], str(check))
        checks[check["check"]] = check
    tap.equal(len(checks), len(report["checks"]), "each check once")
    tap.equal(CHECKS - set(checks), set(), "all are told")
    tap.equal(set(checks) - CHECKS - SOME_HAVE, set(), "and no others")
    return result.returncode, checks


def test_without_a_daemon_that_is_one_of_the_findings():
    with FakeDaemon() as daemon:
        daemon.stop()
        status, checks = doctor(daemon)
        tap.true(status in (6, 7), f"no claims: {status}")
        tap.equal(checks["daemon"]["state"], "missing")
        tap.contains(checks["daemon"]["message"], "there is no socket " + daemon.path)
        tap.contains(checks["kernel"]["message"], platform.release())
        tap.true("policy" not in checks, "nothing is known of it")
        daemon.start()


def test_with_a_daemon():
    with host.daemon() as daemon:
        status, checks = doctor(daemon)
        tap.equal([checks["daemon"]["state"], checks["policy"]["state"], checks["versions"]["state"]], ["ok"] * 3)
        tap.contains(checks["daemon-kernel"]["message"], "another kernel, 6.12.0")
        tap.true(status in (0, 6), f"it depends on this host: {status}")


def test_a_daemon_without_rules_delivers_nothing():
    policy = dict(host.STATUS["policy"], rules=0)
    with host.daemon(status=dict(host.STATUS, policy=policy, version="9.9")) as daemon:
        status, checks = doctor(daemon)
        tap.true(status in (6, 7), f"no claims: {status}")
        tap.equal([checks["policy"]["state"], checks["versions"]["state"]], ["missing", "warning"])
        tap.contains(checks["policy"]["remedy"], "/etc/ioasidd/policy.d/")


def test_a_daemon_that_makes_no_sense():
    for answer in (None, Reply({}), Reply({"policy": 7, "kernel": [], "interface": 7, "version": None}),
                   Reply(raw=b"", close=True), Reply({"message": "\x1b[2J"}, error="org.ioasid1.QuotaExceeded")):
        with FakeDaemon({"GetStatus": answer}) as daemon:
            status, _ = doctor(daemon)
            tap.true(status in (6, 7), str(status))
            tap.lacks(ioasidctl(daemon, "doctor").stdout, "\x1b")


def test_in_words():
    with host.daemon() as daemon:
        result = ioasidctl(daemon, "doctor")
        status, checks = doctor(daemon)
        tap.equal([result.returncode, result.stderr], [status, ""])
        for name, check in checks.items():
            tap.contains(result.stdout, f"{check['state']:<9}{name}: {check['message']}\n")
            if check["remedy"] is not None:
                tap.contains(result.stdout, f"         to resolve: {check['remedy']}\n")
        tap.contains(result.stdout.splitlines()[-1],
                     "laims can be delivered" if status == 0 else "ioasidd cannot deliver claims")


if __name__ == "__main__":
    tap.run(dict(globals()))
