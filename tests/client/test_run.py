"""ioasidctl run: the command it becomes, that command's descriptors, placeholders and limits, and every way to fail."""

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile

import tap
from fake_daemon import TIMEOUT, FakeDaemon, Reply, claim_reply, claiming_daemon, refusal
from program import IOASIDCTL, environment, ioasidctl, output_json

A = "0000:01:00.0"
B = "0000:02:00.1"
PR_CAPBSET_DROP = 24
CAP_IPC_LOCK = 14
# Not through PATH, where the name may be a script that starts others: then the descriptors would be that script's.
SHOW = [sys.executable, "-S", "-E", os.path.join(os.path.dirname(os.path.abspath(__file__)), "show_fds.py")]


def seen(result):
    tap.equal([result.returncode, result.stderr], [42, ""])
    return json.loads(result.stdout)


def targets(report):
    """What is behind the descriptors from 3 on, in order; without those that the test's own surroundings left open."""
    return {int(number): fd["target"] for number, fd in report["fds"].items() if int(number) >= 3}


def test_the_command_has_the_descriptors_and_nothing_else():
    with claiming_daemon((A, B)) as daemon:
        report = seen(ioasidctl(daemon, "run", "01:00.0", B, "--", *SHOW))
        found = targets(report)
        tap.equal(sorted(found), [3, 4, 5, 6], "no other descriptor is open")
        tap.equal([found[3], found[4], found[5]],
                  ["/memfd:iommufd (deleted)", f"/memfd:device-{A} (deleted)", f"/memfd:device-{B} (deleted)"])
        tap.contains(found[6], "socket:")
        tap.equal(report["listen"], {"LISTEN_FDS": "4", "LISTEN_PID": str(report["pid"]),
                                     "LISTEN_FDNAMES": "iommufd:0000-01-00.0:0000-02-00.1:lease"})
        tap.equal(daemon.called(), ["Claim", "Acknowledge"])
        tap.equal(daemon.called("Claim"), [{"devices": [A, B]}])


def test_devices_come_in_the_order_of_the_command_line():
    with claiming_daemon((A, B)) as daemon:
        found = targets(seen(ioasidctl(daemon, "run", B, A, B, "--", *SHOW)))
        tap.equal([found[4], found[5]], [f"/memfd:device-{B} (deleted)", f"/memfd:device-{A} (deleted)"])


def test_any_one_of_a_pool():
    with claiming_daemon((A, B)) as daemon:
        report = seen(ioasidctl(daemon, "run", "pool:cards", B, "--", *SHOW, "{fd:pool:cards}", f"{{fd:{B}}}"))
        tap.equal(report["arguments"], ["4", "5"])
        found = targets(report)
        tap.equal([found[4], found[5]], [f"/memfd:device-{A} (deleted)", f"/memfd:device-{B} (deleted)"])


def test_a_claim_of_other_devices_is_refused():
    with claiming_daemon((A,)) as daemon:
        answer = ioasidctl(daemon, "run", B, "--", *SHOW)
        tap.equal([answer.returncode, "differ from those requested" in answer.stderr], [1, True])


def test_placeholders_are_replaced():
    with claiming_daemon((A, B)) as daemon:
        report = seen(ioasidctl(
            daemon, "run", A, B, "--", *SHOW, "{iommufd}", "-object,fd={iommufd}", "{fd:01:00.0}{fd:0000:01:00.0}",
            "x{fd:02:00.1}y", "{ioasid}", "{lease}", "{{iommufd}}"))
        tap.equal(report["arguments"], ["3", "-object,fd=3", "44", "x5y", "7", "6", "{3}"])


def test_other_braces_are_left_alone():
    others = ["{}", "{iommufd", "iommufd}", "{IOMMUFD}", "{fd}", "{fd:", "{group}", "{group:01:00.0",
              "{containers}", "a{b}c", "", "{fd:01:00.0"]
    with claiming_daemon((A,)) as daemon:
        tap.equal(seen(ioasidctl(daemon, "run", A, "--", *SHOW, *others))["arguments"], others)


def test_options_behind_the_separator_are_the_commands():
    with claiming_daemon((A,)) as daemon:
        report = seen(ioasidctl(daemon, "run", A, "--", *SHOW, "--json", "--help", "--", "--mode"))
        tap.equal(report["arguments"], ["--json", "--help", "--", "--mode"])


def test_mode_open_gives_an_iommufd_and_devices():
    with claiming_daemon((A,)) as daemon:
        report = seen(ioasidctl(daemon, "run", "--mode", "open", A, "--", *SHOW, "{iommufd}", "{fd:01:00.0}",
                                "{lease}"))
        tap.equal([report["arguments"], report["listen"]["LISTEN_FDNAMES"]],
                  [["3", "4", "5"], "iommufd:0000-01-00.0:lease"])
        tap.equal(daemon.called("Claim"), [{"devices": [A], "mode": "open"}])
        tap.equal(daemon.called("Plan"), [], "this does not depend on the kernel, so nobody is asked")


def test_without_an_iommufd_there_are_a_container_and_groups():
    c = "0000:02:00.2"
    with claiming_daemon((A, B, c), interface="group", groups={A: 7, B: 8, c: 8}) as daemon:
        report = seen(ioasidctl(daemon, "run", c, A, B, "--", *SHOW, "{container}", "c={container}", "{group:01:00.0}",
                                "{group:02:00.1}{group:02:00.2}", "{fd:01:00.0}", "{lease}"))
        found = targets(report)
        names = ["container", "group-8", "group-7", f"device-{c}", f"device-{A}", f"device-{B}"]
        tap.equal([found[3 + place] for place in range(6)], [f"/memfd:{name} (deleted)" for name in names])
        tap.equal(report["listen"]["LISTEN_FDNAMES"],
                  "container:group-0000-02-00.2:group-0000-01-00.0:0000-02-00.2:0000-01-00.0:0000-02-00.1:lease")
        tap.equal(report["arguments"], ["3", "c=3", "5", "44", "7", "9"])
        tap.equal(daemon.called(), ["Plan", "Claim", "Acknowledge"])


def test_mode_node_gives_the_lease_and_an_iommufd_where_there_is_one():
    for interface, names, arguments, numbers in (("group", "lease", ["{lease}"], ["3"]),
                                                 ("iommufd", "iommufd:lease", ["{iommufd}", "{lease}"], ["3", "4"])):
        with claiming_daemon((A,), interface=interface) as daemon:
            report = seen(ioasidctl(daemon, "run", "--mode", "node", A, "--", *SHOW, *arguments))
            tap.equal([report["arguments"], report["listen"]["LISTEN_FDNAMES"]], [numbers, names])
            tap.equal(len(targets(report)), len(numbers), "and nothing else")
            tap.equal(daemon.called("Claim"), [{"devices": [A], "mode": "node"}])


def test_130_descriptors():
    devices = [f"0000:{number:02x}:00.0" for number in range(64)]
    with claiming_daemon(devices, interface="group") as daemon:
        report = seen(ioasidctl(daemon, "run", *devices, "--", *SHOW))
        tap.equal(sorted(targets(report)), list(range(3, 133)))
        tap.equal([report["listen"]["LISTEN_FDS"], len(report["listen"]["LISTEN_FDNAMES"].split(":"))], ["130", 130])


def test_a_claim_of_64_devices():
    devices = [f"0000:{number:02x}:00.0" for number in range(64)]
    with claiming_daemon(devices) as daemon:
        report = seen(ioasidctl(daemon, "run", *devices, "--", *SHOW))
        tap.equal(sorted(targets(report)), list(range(3, 69)))
        tap.equal(report["listen"]["LISTEN_FDS"], "66")


def test_descriptors_of_the_caller_in_the_way_are_replaced():
    with claiming_daemon((A,)) as daemon:
        other = os.open("/dev/null", os.O_RDONLY)
        try:
            result = subprocess.run(
                ["/bin/sh", "-c", f'exec "$@" 3<&{other} 4<&{other} 9<&{other}', "sh", IOASIDCTL, "--socket",
                 daemon.path, "run", A, "--", *SHOW], env=environment(), capture_output=True, text=True,
                stdin=subprocess.DEVNULL, pass_fds=[other], timeout=TIMEOUT)
        finally:
            os.close(other)
        found = targets(seen(result))
        tap.equal([found[3], found[4]], ["/memfd:iommufd (deleted)", f"/memfd:device-{A} (deleted)"])
        tap.equal(found[9], "/dev/null", "those that are not in the way stay")


def test_closed_standard_descriptors_become_no_devices():
    with claiming_daemon((A,)) as daemon:
        closing = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", IOASIDCTL, "--socket", daemon.path]
        report = seen(subprocess.run([*closing, "run", A, "--", *SHOW], env=environment(), capture_output=True,
                                     text=True, timeout=TIMEOUT))
        tap.equal([report["fds"]["0"]["target"], sorted(targets(report))], ["/dev/null", [3, 4, 5]])
        closing[2] = 'exec "$@" >&-'
        result = subprocess.run([*closing, "release", "c1"], env=environment(), stderr=subprocess.PIPE, text=True,
                                timeout=TIMEOUT)
        tap.equal(result.returncode, 1)
        tap.contains(result.stderr, "failed to write the output")


def test_the_claim_lives_as_long_as_the_command():
    with claiming_daemon((A,)) as daemon:
        child = subprocess.Popen([IOASIDCTL, "--socket", daemon.path, "run", A, "--", *SHOW, "wait"],
                                 env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        report = json.loads(child.stdout.readline())
        tap.equal(report["pid"], child.pid, "the command has taken the place of ioasidctl")
        daemon.leases[0].setblocking(False)
        try:
            daemon.leases[0].recv(1)
            raise tap.Failure("the lease ended while the command ran")
        except BlockingIOError:
            pass
        child.communicate("go on\n", timeout=TIMEOUT)
        daemon.leases[0].settimeout(TIMEOUT)
        tap.equal([daemon.leases[0].recv(1), child.returncode], [b"", 42])


def with_memlock(soft, hard):
    def set_limits():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))
    return set_limits


def test_the_soft_memlock_limit_is_raised_to_what_was_granted():
    with claiming_daemon((A,), memlock=131072) as daemon:
        report = seen(ioasidctl(daemon, "run", A, "--", *SHOW, preexec_fn=with_memlock(65536, 1 << 20)))
        tap.equal(report["memlock"], [131072, 1 << 20])


def test_a_memlock_limit_that_is_higher_is_left_alone():
    for granted in (65536, None):
        with claiming_daemon((A,), memlock=granted) as daemon:
            report = seen(ioasidctl(daemon, "run", A, "--", *SHOW, preexec_fn=with_memlock(131072, 1 << 20)))
            tap.equal(report["memlock"], [131072, 1 << 20], f"granted: {granted}")


def test_a_memlock_limit_that_falls_short_is_told():
    for granted, words in ((1 << 26, "64 MiB"), ((1 << 63) - 1, "no limit")):
        with claiming_daemon((A,), memlock=granted) as daemon:
            result = ioasidctl(daemon, "run", A, "--", *SHOW, preexec_fn=with_memlock(65536, 1 << 20))
            tap.equal([result.returncode, json.loads(result.stdout)["memlock"]], [42, [1 << 20, 1 << 20]])
            tap.contains(result.stderr,
                         f"the rule grants {words} of locked memory, but this process may lock only 1 MiB")
            tap.contains(result.stderr, "ulimit -H -l")


def without_ipc_lock(soft, hard):
    """A limit, and no capability to ignore it, also where the tests run as root."""
    libc = ctypes.CDLL(None, use_errno=True)

    def change():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))
        if os.geteuid() == 0 and libc.prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    return change


def test_a_small_limit_without_a_grant_is_told_to_programs_that_map_much():
    mib = 1 << 20
    for mode, soft, hard, warned in (("open", 8 * mib, 8 * mib, True), ("node", 65536, 65536, True),
                                     ("node", 4 * mib, 8 * mib, True), ("attached", 65536, 65536, False)):
        with claiming_daemon((A,)) as daemon:
            result = ioasidctl(daemon, "run", "--mode", mode, A, "--", "/bin/true",
                               preexec_fn=without_ipc_lock(soft, hard))
            tap.equal([result.returncode, result.stderr != ""], [0, warned], f"{mode} {soft}: {result.stderr}")
            if warned:
                for words in ("the rule grants no more", "limits.memlock", "LimitMEMLOCK=", "limits.conf"):
                    tap.contains(result.stderr, words)
                tap.equal("ulimit -l" in result.stderr, hard > soft)


def test_a_grant_in_mode_node_is_used_like_in_the_others():
    with claiming_daemon((A,), memlock=131072) as daemon:
        report = seen(ioasidctl(daemon, "run", "--mode", "node", A, "--", *SHOW,
                                preexec_fn=with_memlock(65536, 1 << 20)))
        tap.equal(report["memlock"], [131072, 1 << 20])


def huge_pages_are_free():
    folder = "/sys/kernel/mm/hugepages"
    counts = []
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name, "free_hugepages"), encoding="ascii") as file:
            counts.append(int(file.read()))
    return sum(counts) > 0


def test_programs_that_want_huge_pages_are_told_where_none_is_free():
    with tempfile.TemporaryDirectory() as folder, claiming_daemon((A,), memlock=4096) as daemon:
        for name, mode, arguments, told in (
                ("dpdk-testpmd", "node", [], True), ("spdk_tgt", "node", [], True), ("testpmd", "node", [], True),
                ("vpp", "node", [], True), ("dpdk-testpmd", "node", ["--no-huge"], False),
                ("dpdk-testpmd", "open", [], False), ("qemu-system-x86_64", "node", [], False)):
            program = os.path.join(folder, name)
            if not os.path.exists(program):
                os.symlink("/bin/true", program)
            result = ioasidctl(daemon, "run", "--mode", mode, A, "--", program, *arguments)
            tap.equal(result.returncode, 0, result.stderr)
            tap.equal("no huge page is free" in result.stderr, told and not huge_pages_are_free(), f"{name} {mode}")
            tap.true(len(result.stderr.splitlines()) <= 1, "one line")
            if result.stderr:
                for words in ("sysctl vm.nr_hugepages=", "--no-huge", "--in-memory"):
                    tap.contains(result.stderr, words)


def nothing_was_claimed(status, part, *arguments, **more):
    """The command line is answered with that status, in words and in JSON, without a word to the daemon."""
    with claiming_daemon((A,)) as daemon:
        result = ioasidctl(daemon, "run", *arguments, **more)
        tap.equal([result.returncode, result.stdout], [status, ""])
        tap.contains(result.stderr, part)
        result = ioasidctl(daemon, "--json", "run", *arguments, **more)
        error = output_json(result)["error"]
        tap.equal([result.returncode, error["status"], result.stderr], [status, status, ""])
        tap.contains(error["message"], part)
        tap.equal(daemon.called(), [], "nothing was claimed")


def test_a_placeholder_of_another_device_is_wrong_before_anything_is_claimed():
    for device in ("02:00.0", "0000:02:00.0", "", "foo", "x" * 500):
        nothing_was_claimed(2, "{fd:" + device[:40], A, "--", "/bin/true", "a{fd:" + device + "}b")


def test_an_ioasid_where_nothing_is_attached_is_wrong():
    nothing_was_claimed(2, "{ioasid}", "--mode", "open", A, "--", "/bin/true", "{ioasid}")


def test_a_command_that_is_not_there_is_claimed_nothing_for():
    nothing_was_claimed(127, "no such command", A, "--", "no-such-command-anywhere")
    nothing_was_claimed(127, "no such command", A, "--", "/no/such/command")
    nothing_was_claimed(127, "no such command", A, "--", "")
    nothing_was_claimed(126, "permission denied to execute", A, "--", "/etc/passwd")
    nothing_was_claimed(126, "permission denied to execute", A, "--", "/etc")


def test_run_in_run_is_refused():
    with claiming_daemon((A,)) as daemon:
        inner = [IOASIDCTL, "--socket", daemon.path, "run", A, "--", *SHOW]
        result = ioasidctl(daemon, "run", A, "--", *inner)
        tap.equal(result.returncode, 2)
        tap.contains(result.stderr, "claim all devices with one run")
        tap.equal(daemon.called(), ["Claim", "Acknowledge"], "by the outer one")


def test_an_environment_that_was_meant_for_another_is_no_hindrance():
    with claiming_daemon((A,)) as daemon:
        env = environment(LISTEN_FDS="2", LISTEN_PID="1", LISTEN_FDNAMES="a:b")
        tap.equal(seen(ioasidctl(daemon, "run", A, "--", *SHOW, env=env))["listen"]["LISTEN_FDS"], "3")


def test_a_refusal_names_what_can_not_be_claimed_and_how_to_resolve_it():
    blockers = [{"kind": "claimed", "message": "0000:01:00.0 is claimed by another user", "remedy": "wait"}]
    with FakeDaemon({"Claim": refusal("Busy", 4, "0000:01:00.0 is not to be had", blockers)}) as daemon:
        result = ioasidctl(daemon, "run", "01:00.0", "--", "/bin/true")
        tap.equal([result.returncode, result.stdout], [4, ""])
        tap.equal(result.stderr, "ioasidctl: cannot claim 0000:01:00.0: 0000:01:00.0 is not to be had\n"
                  "  0000:01:00.0 is claimed by another user\n    to resolve: wait\n")
        result = ioasidctl(daemon, "run", "--json", A, "--", "/bin/true")
        tap.equal([result.returncode, result.stderr], [4, ""])
        tap.equal(output_json(result), {"error": {"status": 4, "name": "org.ioasid1.Busy", "blockers": blockers,
                                                  "message": "0000:01:00.0 is not to be had"}})


# Placeholder, mode, the interface of the host, exit status, and what the message says has to be written.
NOT_TO_BE_HAD = [
    ("{iommufd}", "attached", "group", 6, "use {container} and {group:DEVICE} instead"),
    ("{ioasid}", "attached", "group", 6, "use {container} and {group:DEVICE} instead"),
    ("{container}", "attached", "iommufd", 6, "use {iommufd} and {ioasid} instead"),
    ("{group:01:00.0}", "attached", "iommufd", 6, "use {fd:DEVICE} instead"),
    ("{iommufd}", "node", "group", 6, "kernel has no iommufd"),
]


def test_what_this_host_does_not_deliver_is_told_before_anything_is_claimed():
    for placeholder, mode, interface, status, words in NOT_TO_BE_HAD:
        arguments = ["run", "--mode", mode, A, "--", "/bin/true", f"x={placeholder}"]
        with claiming_daemon((A,), interface=interface) as daemon:
            result = ioasidctl(daemon, *arguments)
            tap.equal([result.returncode, result.stdout], [status, ""], placeholder)
            tap.contains(result.stderr, placeholder[:6])
            tap.contains(result.stderr, words)
            tap.contains(result.stderr, "nothing was claimed")
            tap.equal(output_json(ioasidctl(daemon, "--json", *arguments))["error"]["status"], status)
            tap.equal(set(daemon.called()), {"Plan"}, "nothing was claimed")


def test_what_a_mode_gives_nowhere_is_wrong_before_anybody_is_asked():
    nothing_was_claimed(2, "mode node has none", "--mode", "node", A, "--", "/bin/true", "{fd:01:00.0}")
    nothing_was_claimed(2, "vfio-pci,host=ADDRESS", "--mode", "node", A, "--", "/bin/true", "{fd:01:00.0}")
    nothing_was_claimed(2, "mode node has none", "--mode", "node", A, "--", "/bin/true", "{ioasid}")
    nothing_was_claimed(2, "mode node has none", "--mode", "node", A, "--", "/bin/true", "{group:01:00.0}")
    nothing_was_claimed(2, "mode open has none", "--mode", "open", A, "--", "/bin/true", "{container}")
    nothing_was_claimed(2, "{group:02:00.0}", A, "--", "/bin/true", "{group:02:00.0}")


def test_a_delivery_that_nobody_foresaw_is_given_back():
    for plan in (None, Reply({"message": "no"}, error="org.ioasid1.Failed"), Reply({"plan": 7}),
                 Reply({"plan": {"allowed": True, "interface": None}}), Reply({"plan": {"allowed": True}}),
                 Reply({"plan": {"allowed": True, "interface": 7}}),
                 Reply({"plan": {"allowed": False, "status": 4, "interface": "group"}})):
        with claiming_daemon((A,), interface="group") as daemon:
            daemon.methods["Plan"] = plan
            result = ioasidctl(daemon, "run", A, "--", "/bin/true", "{iommufd}")
            tap.equal([result.returncode, daemon.called()], [6, ["Plan", "Claim", "Acknowledge", "Release"]])
            tap.contains(result.stderr, "the claim was released")


def test_a_claim_without_what_was_asked_for_is_given_back():
    with claiming_daemon((B,)) as daemon:
        result = ioasidctl(daemon, "run", A, "--", "/bin/true")
        tap.equal([result.returncode, daemon.called()], [1, ["Claim", "Acknowledge", "Release"]])
    with claiming_daemon((A,), mode="node") as daemon:
        result = ioasidctl(daemon, "run", A, "--", "/bin/true")
        tap.equal([result.returncode, daemon.called()], [1, ["Claim"]], "another mode than was asked for")


def test_a_command_that_can_not_be_executed_after_all():
    with claiming_daemon((A,)) as daemon, tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "script")
        with open(script, "w", encoding="ascii") as file:
            file.write("#!/no/such/interpreter\n")
        os.chmod(script, 0o755)
        result = ioasidctl(daemon, "run", A, "--", script)
        tap.equal(result.returncode, 127)
        tap.contains(result.stderr, f'cannot execute "{script}"')
        tap.equal(daemon.called(), ["Claim", "Acknowledge", "Release"], "the claim is given back before run ends")
        tap.equal(daemon.leases[0].recv(1), b"")


def limit_files(number):
    def set_limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))
    return set_limit


def test_SR_29_no_room_for_the_descriptors():
    with claiming_daemon((A, B)) as daemon:
        result = ioasidctl(daemon, "run", A, B, "--", "/bin/true", preexec_fn=limit_files(6))
        tap.equal([result.returncode, daemon.called()], [1, ["Claim", "Release"]])
        tap.contains(result.stderr, "ulimit -n")
    with claiming_daemon((A, B)) as daemon:
        result = ioasidctl(daemon, "run", A, B, "--", "/bin/true", preexec_fn=limit_files(10))
        tap.equal([result.returncode, daemon.called()], [1, ["Claim", "Acknowledge", "Release"]],
                  "received, but no room to pass them on")
        tap.contains(result.stderr, "ulimit -n")


def test_failure_status_tells_own_failures_apart():
    cases = [(["--failure-status", "99", A, "--", "no-such-command-anywhere"], 99),
             (["--failure-status=99", A, "--", "/bin/true", "{fd:x}"], 99),
             (["--failure-status=99", "no address", "--", "/bin/true"], 99),
             (["--failure-status=99", A, "--", "/bin/false"], 1), (["--failure-status=99", A, "--", "/bin/true"], 0),
             *[([f"--failure-status={number}", A, "--", "/bin/true"], 2) for number in
               ("0", "256", "x", "", "-1", " 5", "5 ", "99999999999999999999")]]
    for arguments, status in cases:
        with claiming_daemon((A,)) as daemon:
            tap.equal(ioasidctl(daemon, "run", *arguments).returncode, status, " ".join(arguments))
    with FakeDaemon({"Claim": refusal("Busy", 4, "no")}) as daemon:
        result = ioasidctl(daemon, "run", "--json", "--failure-status", "99", A, "--", "/bin/true")
        tap.equal([result.returncode, output_json(result)["error"]["status"]], [99, 4], "JSON has the reason")


def test_the_connection_is_not_the_commands():
    with FakeDaemon({"Acknowledge": Reply()}) as daemon:
        daemon.methods["Claim"] = lambda _: claim_reply(daemon, (A,))
        report = seen(ioasidctl(daemon, "run", A, "--", *SHOW))
        tap.equal(len([target for target in targets(report).values() if target.startswith("socket:")]), 1, "the lease")


if __name__ == "__main__":
    tap.run(dict(globals()))
