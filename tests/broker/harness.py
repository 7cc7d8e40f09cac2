"""Runs the broker over a simulated host, and test functions as TAP."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback

import varlink
from manager import Manager

IOASIDD, SIMULATOR = None, None


class Daemon:
    """ioasidd with a simulator behind it, in a folder of its own. A context manager; ends both at the end."""

    def __init__(self, host, policy, *arguments, simulator_arguments="", control=True,
                 managed=False):
        self.folder = tempfile.mkdtemp(prefix="ioasidd-test-")
        os.chmod(self.folder, 0o755)
        self.policy_folder = os.path.join(self.folder, "policy.d")
        self.runtime = os.path.join(self.folder, "run")
        self.path = os.path.join(self.runtime, "org.ioasid1")
        self.control_path = os.path.join(self.folder, "control")
        self.host_path = os.path.join(self.folder, "host.json")
        self.log_path = os.path.join(self.folder, "log")
        os.mkdir(self.policy_folder, 0o755)
        self.write_policy(policy)
        with open(self.host_path, "w", encoding="utf-8") as file:
            json.dump(host, file)
        self.arguments = list(arguments)
        self.simulator = f"{SIMULATOR} {self.host_path}"
        if control:
            self.simulator += f" --control {self.control_path}"
        if simulator_arguments:
            self.simulator += " " + simulator_arguments
        self.process = None
        self.host_process = None
        self.manager = Manager(os.path.join(self.folder, "manager"), self.path) if managed else None
        self.log = None

    def keep_host(self):
        """Lets the simulated host outlive the broker: it runs by itself, and each start attaches to it."""
        self.host_process = subprocess.Popen([SIMULATOR, "--stay", "--control", self.control_path, self.host_path],
                                             stdout=subprocess.PIPE, text=True)
        assert self.host_process.stdout.readline() == "ready\n"
        self.simulator = f"{SIMULATOR} --attach {self.control_path}"

    def write_policy(self, policy, name="50-test.json"):
        with open(os.path.join(self.policy_folder, name), "w", encoding="utf-8") as file:
            file.write(policy if isinstance(policy, str) else json.dumps(policy, indent=1))
        os.chmod(os.path.join(self.policy_folder, name), 0o644)

    def environment(self):
        """What the broker is started with: this machine's own bus is none of its business."""
        return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder}/no-bus"}

    def start(self):
        """Starts, and waits for READY=1 (or for the end of the process: then returns its status)."""
        self.log = open(self.log_path, "ab")
        command = [IOASIDD, "--policy-dir", self.policy_folder, "--runtime-dir", self.runtime,
                   "--executor", self.simulator, *self.arguments]
        if os.geteuid() == 0:
            command += ["--user", "nobody"]
        if self.manager:
            self.process = self.manager.start(command, self.environment(), self.log.fileno())
            return self.manager.wait_until_ready(self.process)
        notify_path = os.path.join(self.folder, "notify")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if os.path.exists(notify_path):
            os.unlink(notify_path)
        notify.bind(notify_path)
        os.chmod(notify_path, 0o777)
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log,
                                        env={**self.environment(), "NOTIFY_SOCKET": notify_path})
        exited = os.pidfd_open(self.process.pid)
        import select
        try:
            while True:
                readable, _, _ = select.select([notify, exited], [], [], 60)
                assert readable, "the daemon is neither ready nor dead after 60 seconds"
                if notify in readable and b"READY=1" in notify.recv(4096):
                    return None
                if exited in readable:
                    return self.process.wait()
        finally:
            os.close(exited)
            notify.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        if self.host_process:
            self.host_process.terminate()
            self.host_process.wait(30)
            self.host_process.stdout.close()
            self.host_process = None
        if self.manager:
            self.manager.close()
            self.manager = None
        if self.log:
            self.log.close()
            self.log = None

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def executor(self):
        """The process id of what the daemon started as its executor."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return int(file.read().split()[0])

    def resident(self):
        """Bytes of memory that the daemon has; 0 under a sanitizer, which keeps what was freed."""
        with open(f"/proc/{self.process.pid}/maps", encoding="ascii", errors="replace") as file:
            if "libasan" in file.read():
                return 0
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def processor_time(self):
        """Seconds that the daemon has run, without those in which others had the processor."""
        with open(f"/proc/{self.process.pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e9

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def connect(self):
        return varlink.connect(self.path)

    def connect_as(self, uid, gid=None, groups=()):
        return varlink.connect_as(self.path, uid, gid, groups)

    def control(self, *commands):
        """Changes the simulated host; returns the simulator's last answer. It takes up all commands at once."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(30)
            sock.connect(self.control_path)
            sock.sendall(b"".join(json.dumps(command).encode() + b"\n" for command in commands))
            lines = b""
            while lines.count(b"\n") < len(commands):
                data = sock.recv(65536)
                assert data, f"the simulator has left in the middle of {commands}"
                lines += data
        answers = [json.loads(line) for line in lines.splitlines()]
        assert not any("error" in answer for answer in answers), (commands, answers)
        return answers[-1]

    def __enter__(self):
        status = self.start()
        if status is not None:
            log = self.log_text()
            self.__exit__()
            raise AssertionError(f"the daemon ended with status {status}:\n{log}")
        return self

    def __exit__(self, *raised):
        self.stop()
        log = self.log_text()
        if raised and raised[0]:
            print("".join(f"# {line}\n" for line in log.splitlines()[-40:]), end="", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        # What its own code takes for impossible: no test can be right in which that happened.
        impossible = [line for line in log.splitlines() if ": internal error: " in line]
        assert not impossible or (raised and raised[0]), impossible


class Skip(Exception):
    pass


def needs_root():
    if os.geteuid() != 0:
        raise Skip("needs root, to connect as several users")


def run(tests, seconds=60):
    """Runs the functions, each for so many seconds at most, prints TAP, and exits."""
    global IOASIDD, SIMULATOR
    IOASIDD, SIMULATOR = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    wanted = sys.argv[3:]
    tests = [test for test in tests if not wanted or test.__name__ in wanted]
    def too_long(*_):
        raise AssertionError(f"still not done after {seconds} seconds")

    signal.signal(signal.SIGALRM, too_long)
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        name = " ".join((test.__doc__ or test.__name__).strip().split("\n\n")[0].split())
        try:
            signal.alarm(seconds)  # SIGALRM's handler below: a hang is a failure that says where
            test()
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:  # whatever it was, it is this test's failure
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("# " + line, flush=True)
        finally:
            signal.alarm(0)
    sys.exit(1 if failed else 0)
