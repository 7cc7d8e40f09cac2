"""One virtual machine: QEMU with a control port to the guest's agent and a monitor for the host's side."""

import json
import os
import re
import select
import socket
import subprocess
import time

QEMU = "qemu-system-x86_64"


class MachineError(Exception):
    """The machine is of no more use; says why."""


class _Lines:
    """Lines out of a stream socket, with a deadline."""

    def __init__(self, stream):
        self.stream = stream
        self.buffer = b""

    def read(self, deadline):
        """The next line; None once time.monotonic() has reached the deadline; MachineError at the stream's end."""
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.stream], [], [], left)[0]:
                return None
            try:
                got = self.stream.recv(65536)
            except ConnectionError:
                got = b""
            if not got:
                raise MachineError("the machine has ended: the kernel panicked, or the guest powered off")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode(errors="replace")

    def write(self, text):
        try:
            self.stream.sendall(text.encode())
        except OSError:
            raise MachineError("the machine has ended") from None


class Machine:
    """Use in a with statement: leaving it ends QEMU."""

    def __init__(self, topology, boot, folder, logs):
        """Disks go to folder, the logs of console and QEMU to logs."""
        self.root = topology.root
        self.console = os.path.join(logs, "console.log")
        control, qemu_control = socket.socketpair()
        monitor, qemu_monitor = socket.socketpair()
        self.control = _Lines(control)
        self.monitor = _Lines(monitor)
        self.unplugged = set()  # ids of devices that the guest has let go, until asked about
        # no_timer_check: on a busy machine the emulated timer may come too late for the kernel's test of it.
        # norandmaps: QEMU translates a program once and not at each start, which saves a sixth of the time.
        words = ["console=ttyS0", "panic=-1", "printk.time=1", "intel_iommu=on", "no_timer_check", "norandmaps",
                 *boot.words, *topology.append]
        arguments = [
            *machine_arguments(topology, boot, folder, words),
            "-display", "none",
            "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console",
            "-chardev", f"socket,id=control,fd={qemu_control.fileno()}", "-serial", "chardev:control",
            "-chardev", f"socket,id=monitor,fd={qemu_monitor.fileno()}", "-mon", "chardev=monitor,mode=control",
        ]
        with open(os.path.join(logs, "qemu.log"), "w", encoding="utf-8") as log:
            print(*arguments, file=log, flush=True)
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(qemu_control.fileno(), qemu_monitor.fileno()))
        qemu_control.close()
        qemu_monitor.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.control.stream.close()
        self.monitor.stream.close()

    def wait_until_ready(self, seconds):
        """Until the guest's agent takes orders."""
        self._wait_for_agent(seconds)
        self._ask_monitor({"execute": "qmp_capabilities"})

    def _wait_for_agent(self, seconds):
        deadline = time.monotonic() + seconds
        while True:
            line = self.control.read(deadline)
            if line is None:
                raise MachineError(f"the guest has not booted within {seconds} s")
            if line.strip() == "@ready":
                break

    def reboot(self, seconds):
        """As the guest's systemd does it. At any other time a guest that starts anew has panicked, and QEMU ends."""
        self._set_reboot("reset")
        self.control.write("reboot\n")
        self._wait_for_agent(seconds)
        self._set_reboot("shutdown")

    def _set_reboot(self, action):
        answer = self._ask_monitor({"execute": "set-action", "arguments": {"reboot": action}})
        if "error" in answer:
            raise MachineError(f"QEMU can't let the guest reboot: {answer['error']['desc']}")

    def _read_monitor(self, deadline):
        """The next answer or event, None at the deadline."""
        line = self.monitor.read(deadline)
        message = None if line is None else json.loads(line)
        if message and message.get("event") == "DEVICE_DELETED" and "device" in message["data"]:
            self.unplugged.add(message["data"]["device"])
        return message

    def _ask_monitor(self, request):
        deadline = time.monotonic() + 20
        self.monitor.write(json.dumps(request) + "\n")
        while True:
            answer = self._read_monitor(deadline)
            if answer is None:
                raise MachineError(f"QEMU's monitor does not answer {request}")
            if "return" in answer or "error" in answer:
                return answer

    def _wait_for_unplug(self, device):
        deadline = time.monotonic() + 20
        while device not in self.unplugged:
            if self._read_monitor(deadline) is None:
                return False, f"the guest has not let go of {device}"
        self.unplugged.remove(device)
        return True, ""

    def act(self, command):
        """A command for people of QEMU's monitor, or of the rig's own: "wait_for_unplug ID", until the guest has let
        go of a device after its device_del. Returns (it worked, what there is to say in one line)."""
        if command.startswith("wait_for_unplug "):
            return self._wait_for_unplug(command.split()[1])
        answer = self._ask_monitor({"execute": "human-monitor-command", "arguments": {"command-line": command}})
        if "error" in answer:
            return False, answer["error"]["desc"]
        text = " ".join(answer["return"].split())
        return not text.startswith(("Error", "unknown command")), text

    def run(self, scenario, variables, seconds, on_line):
        """Runs a scenario in the guest; on_line gets each line of its output. Returns its exit status.

        MachineError if it does not end in time or takes the machine with it.
        """
        words = ["run", scenario, *(f"{name}={value}" for name, value in variables.items())]
        self.control.write(" ".join(words) + "\n")
        deadline = time.monotonic() + seconds
        while True:
            line = self.control.read(deadline)
            if line is None:
                self._diagnose(on_line)
                raise MachineError(f"it has not ended within {seconds} s")
            if line.startswith("| "):
                on_line(line[2:])
            elif line.startswith("@host "):
                worked, text = self.act(line.removeprefix("@host "))
                self.control.write(f"answer {'ok' if worked else 'error'} {text[:900]}\n")
            elif line.startswith("@end "):
                return int(line.split()[1])
            else:
                on_line(f"(on the control port: {line})")

    def _diagnose(self, on_line):
        """Has a guest that got stuck say what its processes do."""
        self.control.write("diagnose\n")
        deadline = time.monotonic() + 15
        while (line := self.control.read(deadline)) is not None:
            on_line(line.removeprefix("| "))
            if line == "| --- end of diagnosis":
                break

    def power_off(self):
        """Returns whether the guest went down by itself."""
        try:
            self.control.write("off\n")
            self.process.wait(timeout=20)
        except (MachineError, subprocess.TimeoutExpired):
            return False
        return self.process.returncode == 0

    def console_tail(self, lines=80):
        """The console's last lines, without systemd's animations of jobs that take long."""
        try:
            with open(self.console, encoding="utf-8", errors="replace") as file:
                text = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|M)|\r", "", file.read())
        except FileNotFoundError:
            return []
        shown = []
        for line in filter(None, text.splitlines()):
            if not (re.match(r"\[[ *]+\] ", line) and shown and shown[-1].startswith(line[:9])):
                shown.append(line)
        return shown[-lines:]


def machine_arguments(topology, boot, folder, words):
    """What every way to start the machine has in common."""
    return [
        QEMU, "-nodefaults", "-no-user-config", "-no-reboot", *topology.qemu_arguments(folder), *boot.arguments,
        "-kernel", boot.kernel, "-append", " ".join(words),
    ]
