"""A bus of the tests' own, with the bus policy that ships, and the daemon on it over a simulated host."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "broker"))

import client
import harness

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

# What system.conf of the real bus says, and room for a stand-in of polkit; then the file that ships.
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path={folder}/socket</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
    <allow send_destination="org.freedesktop.systemd1"/>
  </policy>
  <policy user="{me}">
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow own="org.freedesktop.systemd1"/>
    <allow own="org.example.Other"/>
  </policy>
  <policy user="{daemon}">
    <allow own="org.freedesktop.PolicyKit1"/>
  </policy>
  {limits}
  <include>{folder}/org.ioasid1.conf</include>
</busconfig>
"""


def daemon_user():
    return "nobody" if os.geteuid() == 0 else str(os.geteuid())


class Bus:
    """dbus-daemon in a folder of its own; a context manager."""

    def __init__(self, limits=""):
        self.folder = tempfile.mkdtemp(prefix="ioasidd-bus-")
        os.chmod(self.folder, 0o755)
        self.path = os.path.join(self.folder, "socket")
        self.address = "unix:path=" + self.path
        self.log_path = os.path.join(self.folder, "log")
        with open(os.path.join(ROOT, "units", "org.ioasid1.conf"), encoding="utf-8") as file:
            text = file.read()
        assert text.count('user="ioasidd"') == 1
        self.write("org.ioasid1.conf", text.replace('user="ioasidd"', f'user="{daemon_user()}"'))
        self.write("bus.conf", CONFIG.format(folder=self.folder, me=os.geteuid(), daemon=daemon_user(), limits=limits))
        self.process = None

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def command(self):
        return ["dbus-daemon", "--config-file", os.path.join(self.folder, "bus.conf"), "--nofork", "--print-address"]

    def start(self):
        """Returns when the bus can be connected to."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout.readline().startswith("unix:"), self.log_text()
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(30)
            self.process.stdout.close()
            self.process = None
        if os.path.exists(self.path):
            os.unlink(self.path)

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def connect(self, uid=None, **more):
        if uid is None or uid == os.geteuid():
            return client.connect(self.path, **more)
        return client.connect_as(self.path, uid, **more)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Broker(harness.Daemon):
    """The daemon on a bus. Ready when it has its name there, unless the bus is not there."""

    def __init__(self, bus, host, policy, *arguments, **more):
        super().__init__(host, policy, *arguments, **more)
        self.bus = bus

    def environment(self):
        return {**super().environment(), "DBUS_SYSTEM_BUS_ADDRESS": self.bus.address}

    def start(self):
        status = super().start()
        if status is None and self.bus.process:
            self.wait_name()
        return status

    def wait_name(self, timeout=10):
        """Returns when the daemon has its name on the bus."""
        with self.bus.connect() as peer:
            peer.watch("type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.ioasid1'")
            if not peer.call(*client.DRIVER, "NameHasOwner", "s", [client.NAME])[0]:
                peer.wait_signal("NameOwnerChanged", lambda message: message.body[2], timeout)

    def __exit__(self, *raised):
        self.stop()
        text = self.log_text()
        super().__exit__(*raised)
        assert "Sanitizer" not in text and "runtime error:" not in text, text[-20000:]

    def open_files(self):
        """How many FDs the daemon has, after a call has been answered over the bus."""
        with self.bus.connect() as peer:
            peer.get(client.ROOT, client.MANAGER, "Version")
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def xml_text():
    """The interface file that ships, without comments."""
    with open(os.path.join(ROOT, "include", "org.ioasid1.xml"), encoding="utf-8") as file:
        return re.sub(r"<!--.*?-->", "", file.read(), flags=re.S)
