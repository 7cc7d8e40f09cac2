"""The command line of ioasidctl: help, version, what is wrong with it, and a daemon that can't be reached."""

import ctypes
import os
import socket

import host
import tap
from fake_daemon import FakeDaemon, Reply
from program import environment, ioasidctl, output_json

VERBS = ["status", "list", "show", "plan", "run", "claim", "release", "revoke", "monitor", "audit", "metrics"]
A = "0000:01:00.0"


def test_help_names_every_verb_and_fits_80_columns():
    for arguments in (["--help"], ["-h"], ["--help", "--json"]):
        result = ioasidctl(None, *arguments)
        tap.equal([result.returncode, result.stderr], [0, ""])
        for verb in VERBS:
            tap.contains(result.stdout, f"\n  {verb} ")
        for line in result.stdout.splitlines():
            tap.true(len(line) <= 80, f"{len(line)} columns: {line}")


def test_help_of_each_verb_fits_80_columns_and_names_its_options():
    for verb in VERBS:
        texts = set()
        for arguments in ([verb, "--help"], ["--help", verb], [verb, "-h", "and", "more"]):
            result = ioasidctl(None, *arguments)
            tap.equal([result.returncode, result.stderr], [0, ""], verb)
            texts.add(result.stdout)
        tap.equal(len(texts), 1, f"{verb}: wherever --help stands")
        text = texts.pop()
        tap.true(text.startswith(f"Usage: ioasidctl {verb} [OPTION]..."), text)
        for option in ("--json", "--socket PATH", "--help", "--version"):
            tap.contains(text, option)
        tap.equal("--mode" in text, verb in ("plan", "run", "claim"), verb)
        tap.equal("--failure-status" in text, verb == "run", verb)
        for line in text.splitlines():
            tap.true(len(line) <= 80, f"{verb}: {len(line)} columns: {line}")


def test_version():
    for arguments in (["--version"], ["list", "--version"]):
        result = ioasidctl(None, *arguments)
        tap.equal(result.returncode, 0)
        tap.true(result.stdout.startswith("ioasidctl "), result.stdout)


WRONG = [
    ([], "missing command"), (["lst"], 'unknown command "lst"'), (["list", "x"], 'takes no argument: "x"'),
    (["plan"], "plan needs DEVICE..."), (["run", A], 'needs "--" and a command'),
    (["run", A, "--"], "needs a command"), (["run", "--", "true"], "run needs DEVICE"),
    (["claim"], "claim needs DEVICE"), (["release"], "release needs CLAIM"),
    (["show"], "show needs WHAT"), (["show", "a", "b", "c"], "takes at most 2 arguments"),
    (["show", "groups", "7"], "show group 7"), (["show", "group", "x"], "show group 7"),
    (["show", "group", "99999999999999999999"], "show group 7"), (["list", "--fast"], "unknown option --fast"),
    (["list", "-x"], "unknown option -x"), (["list", "-jx"], "unknown option -jx"),
    (["list", "--json=1"], "--json takes no value"),
    (["list", "--mode", "open"], "list takes no option --mode"), (["plan", A, "--mode"], "--mode needs a value"),
    (["plan", A, "--mode", "fast"], 'unknown mode "fast"'), (["plan", A, "--mode="], 'unknown mode ""'),
    (["claim", A, "--failure-status", "9"], "claim takes no option --failure-status"), (["--socket"], "--socket needs"),
    (["list", "--socket", ""], "path of a socket"), (["plan", ""], 'device name ""'),
    (["plan", "a b"], 'device name "a b"'),
    (["plan", "x" * 64], "invalid device name"), (["plan", "\x1b[31m"], "\\x1b[31m"),
    (["claim", *[f"0000:{number:02x}:00.0" for number in range(65)]], "at most 64 devices"),
    (["show", "a b"], "invalid name of a device, claim or group"),
    (["claim", A, "--lease", "mine"], 'unknown lease "mine"'),
    (["claim", A, "--unit", "x.scope"], "--unit needs --lease unit"),
    (["run", A, "--lease", "process", "--unit", "x.scope", "--", "true"], "--unit needs --lease unit"),
    (["run", A, "--lease", "process", "--", "true", "{lease}"], "has no file descriptor"),
    (["plan", A, "--lease", "process"], "plan takes no option --lease"),
    (["release", "c1", "--all"], "release takes no option --all"),
    (["revoke"], "needs either claims or devices, or --all"),
    (["revoke", "--all", "c1"], "either claims or devices, or --all"),
    *[(["revoke", "c1", "--grace", wrong], "--grace takes seconds") for wrong in
      ("", "x", "-1", "1s", "1.", ".5", "1.2345", "999999", "1 ", "0x10", "1.5.5")],
    (["revoke", "c1", "--grace", "86401"], "a day"), (["revoke", "c1", "--reason", ""], "--reason needs a value"),
    (["monitor", "a", "b"], "takes at most 1 argument"), (["metrics", "x"], "takes no argument"),
    (["metrics", "--textfile"], "--textfile needs a value"), (["audit", "x"], "takes no argument"),
]


def test_what_is_wrong_is_told_with_a_hint():
    with host.daemon() as daemon:
        for arguments, part in WRONG:
            result = ioasidctl(daemon, *arguments)
            tap.equal([result.returncode, result.stdout], [2, ""], str(arguments))
            tap.contains(result.stderr, part, str(arguments))
            tap.contains(result.stderr, "--help`.", str(arguments))
            tap.lacks(result.stderr, "\x1b")
        tap.equal(daemon.called(), [], "the daemon was not asked")


def test_what_is_wrong_is_told_in_json():
    with host.daemon() as daemon:
        for arguments, part in WRONG:
            result = ioasidctl(daemon, "--json", *arguments)
            tap.equal([result.returncode, result.stderr], [2, ""], str(arguments))
            error = output_json(result)["error"]
            tap.equal([error["status"], error["name"], error["blockers"]], [2, "", []])
            tap.contains(error["message"], part.replace("\\x1b", "\x1b"), str(arguments))


def test_options_stand_before_or_after_the_verb():
    with host.daemon() as daemon:
        for arguments in (["--json", "status"], ["status", "--json"], ["-j", "status"], ["status", "-j"]):
            tap.equal(output_json(ioasidctl(daemon, *arguments)), host.STATUS)
        for arguments in (["status", "--socket", daemon.path], ["--socket=" + daemon.path, "status"],
                          ["status", "--socket", "/nowhere", "--socket", daemon.path]):
            tap.equal(ioasidctl(None, *arguments).returncode, 0, "the last one counts")


def test_device_names_are_sent_in_full():
    with FakeDaemon({"Plan": Reply({"plan": {"allowed": True, "status": 0}})}) as daemon:
        ioasidctl(daemon, "plan", "01:00.0", "0000:01:00.0", "AB:1F.7", "0001:00:00.0", "wq0.1")
        tap.equal(daemon.called("Plan"), [{"devices": [A, "0000:ab:1f.7", "0001:00:00.0", "wq0.1"]}])
        ioasidctl(daemon, "plan", "--", "--json")
        tap.equal(daemon.called("Plan")[1], {"devices": ["--json"]}, "behind -- stands no option")


def test_without_a_daemon_every_verb_says_so():
    arguments_of = {"show": ["01:00.0"], "plan": [A], "run": [A, "--", "/bin/true"], "claim": [A], "release": ["c1"],
                    "revoke": ["c1"]}
    with FakeDaemon() as daemon:
        daemon.stop()
        for verb in VERBS:
            result = ioasidctl(daemon, verb, *arguments_of.get(verb, []))
            tap.equal([result.returncode, result.stdout], [7, ""], verb)
            for part in (f"there is no socket {daemon.path}", "systemctl start ioasidd", "--socket PATH"):
                tap.contains(result.stderr, part, verb)
            result = ioasidctl(daemon, "--json", verb, *arguments_of.get(verb, []))
            error = output_json(result)["error"]
            tap.equal([result.returncode, error["status"], error["name"], result.stderr], [7, 7, "", ""], verb)
            tap.contains(error["message"], daemon.path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
            stale.bind(daemon.path)
            tap.contains(ioasidctl(daemon, "list").stderr, f"nothing listens on {daemon.path}")
        os.unlink(daemon.path)
        with open(daemon.path, "w", encoding="ascii"):
            tap.equal(ioasidctl(daemon, "list").returncode, 7, "a file that is no socket")
        daemon.path = "/" + "x" * 300
        tap.contains(ioasidctl(daemon, "list").stderr, "socket path too long")
        daemon.path = os.path.join(daemon.folder, "socket")
        os.unlink(daemon.path)
        daemon.start()


def drop_file_capabilities():
    """Makes root heed the modes of files, from the next exec on: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH go."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):
        if libc.prctl(24, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "PR_CAPBSET_DROP")


def test_a_socket_that_this_user_may_not_open():
    with host.daemon() as daemon:
        root = os.geteuid() == 0
        if root:
            os.chown(daemon.path, 65534, 65534)
        os.chmod(daemon.path, 0o600 if root else 0)
        result = ioasidctl(daemon, "list", preexec_fn=drop_file_capabilities if root else None)
        tap.equal(result.returncode, 7)
        tap.contains(result.stderr, f"permission denied for {daemon.path}; ask the operator")


def test_the_default_socket_is_named():
    if not os.path.exists("/run/ioasidd/org.ioasid1"):
        tap.contains(ioasidctl(None, "list").stderr, "/run/ioasidd/org.ioasid1")
    tap.contains(ioasidctl(None, "list", "--socket", "relative").stderr, "there is no socket relative")


def test_a_daemon_that_answers_nonsense_is_a_failure():
    for answer in (Reply(raw=b"nonsense\0"), Reply(raw=b"{}\0\0"), Reply({"claims": 7})):
        with FakeDaemon({"ListClaims": answer, "GetStatus": answer}) as daemon:
            result = ioasidctl(daemon, "show", "c1")
            tap.true(result.returncode in (1, 5), str(result.returncode))
    with FakeDaemon({"GetStatus": Reply(raw=b"nonsense\0")}) as daemon:
        result = ioasidctl(daemon, "status")
        tap.equal(result.returncode, 1)
        tap.contains(result.stderr, f"invalid reply from {daemon.path} to org.ioasid1.GetStatus")


def test_strings_of_the_daemon_are_escaped_for_the_locale():
    with FakeDaemon({"GetStatus": Reply({"message": "a\u00e4\x1b\u202e\nb"}, error="org.ioasid1.Failed")}) as daemon:
        tap.equal(ioasidctl(daemon, "status").stderr,
                  "ioasidctl: cannot get the status: a\u00e4\\x1b\\xe2\\x80\\xae\\nb\n")
        tap.equal(ioasidctl(daemon, "status", env=environment(LC_ALL="C")).stderr,
                  "ioasidctl: cannot get the status: a\\xc3\\xa4\\x1b\\xe2\\x80\\xae\\nb\n")


if __name__ == "__main__":
    tap.run(dict(globals()))
