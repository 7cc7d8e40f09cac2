#!/usr/bin/env python3
"""What is installed for the bus and for polkit, read by the programs that read it on a host."""
import os
import pwd
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree

import bus
import client
import harness
import wire
from client import CLAIM, close_all, fails
from hosts import ALONE, EDU, policy, rule, small_host

POLKITD = "/usr/lib/polkit-1/polkitd"
ALICE, BOB = (pwd.getpwnam(name).pw_uid for name in ("games", "man"))

RULES = """
polkit.addRule(function(action, subject) {
    if (subject.user == "man" && action.id == "org.ioasid1.claim.release" &&
        action.lookup("device") == "0000:01:01.0" && action.lookup("owner") == "%d" && action.lookup("rule") == "cards"
        &&
        action.lookup("group") == "1" && action.lookup("members").split(" ").length == 4)
        return polkit.Result.YES;
    if (subject.user == "man" && action.id == "org.ioasid1.policy.reload")
        return polkit.Result.AUTH_ADMIN;
    return polkit.Result.NOT_HANDLED;
});
"""


def read(*path):
    with open(os.path.join(bus.ROOT, *path), encoding="utf-8") as file:
        return file.read()


def actions():
    """The actions that the daemon asks about."""
    return set(re.findall(r'"(org\.ioasid1\.[a-z.-]+)"', read("daemon", "broker", "core", "rights.c")))


class Polkitd:
    """The real polkitd on a bus of the test's own, with the actions that ship and the test's rules."""

    def __init__(self, system, change=lambda text: text):
        if os.geteuid() != 0 or not os.path.exists(POLKITD) or \
                subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
            raise harness.Skip("needs root, polkitd, and mount namespaces")
        self.folder = os.path.join(system.folder, "polkit")
        for name in ("actions", "rules"):
            os.makedirs(os.path.join(self.folder, name), 0o755)
        shutil.copy("/usr/share/polkit-1/actions/org.freedesktop.policykit.policy", self.folder + "/actions")
        text = read("units", "org.ioasid1.policy")
        # The daemon runs as another user here.
        assert text.count("unix-user:ioasidd") == len(actions())
        self.write("actions/org.ioasid1.policy", change(text.replace("unix-user:ioasidd",
                                                                     "unix-user:" + bus.daemon_user())))
        self.write("rules/10-test.rules", RULES % ALICE)
        self.system = system
        self.process = None

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def __enter__(self):
        script = ('mount --bind "$1/actions" /usr/share/polkit-1/actions && '
                  'mount --bind "$1/rules" /etc/polkit-1/rules.d '
                  '&& exec "$2" --no-debug')
        self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", script, "sh", self.folder, POLKITD],
                                        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.system.address},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with self.system.connect() as peer:
            begin = time.monotonic()
            while not peer.call(*client.DRIVER, "NameHasOwner", "s", ["org.freedesktop.PolicyKit1"])[0]:
                assert time.monotonic() - begin < 20 and self.process.poll() is None, "polkitd does not start"
                time.sleep(0.02)
        return self

    def known(self):
        """The actions that polkitd has read, by name."""
        with self.system.connect() as peer:
            found, = peer.call("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                               "org.freedesktop.PolicyKit1.Authority", "EnumerateActions", "s", [""])
        return {entry[0]: entry for entry in found if entry[0].startswith("org.ioasid1")}

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)


class System(bus.Bus):
    """A bus that lets polkitd's own user be polkit."""

    def __init__(self, limits=""):
        try:
            pwd.getpwnam("polkitd")
        except KeyError:
            raise harness.Skip("there is no user polkitd") from None
        super().__init__(limits + '<policy user="polkitd"><allow own="org.freedesktop.PolicyKit1"/></policy>'
                         '<policy context="default"><allow send_destination="org.freedesktop.PolicyKit1"/></policy>')


def test_actions():
    """SR-09: polkitd reads the file, and in it each action that the daemon asks about, with a password for everybody"""
    with System() as system, Polkitd(system) as polkitd:
        known = polkitd.known()
        assert known.keys() == actions(), known.keys()
        for name, description, message, _, _, _, *implicit, annotations in known.values():
            # 2: auth_admin, which asks each time
            assert implicit == [2, 2, 2], (name, implicit)
            assert description and message.endswith("."), name
            assert annotations == {"org.freedesktop.policykit.owner": "unix-user:" + bus.daemon_user()}
    with System() as system, Polkitd(system, lambda text: text.replace("auth_admin<", "auth_admni<", 1)) as polkitd:
        # So a mistake in the file can't be overlooked here.
        assert len(polkitd.known()) < len(actions())


def test_polkit_decides():
    """The real polkitd decides by its rules, which see the details; without one it is a password that nobody asks
    for"""
    with System() as system, Polkitd(system), bus.Broker(system, small_host(), policy(rule())) as daemon, \
            system.connect(ALICE) as alice, system.connect(BOB) as bob:
        claims = []
        for device in (EDU, ALONE):
            path, details = alice.claim(device)
            alice.acknowledge(path)
            claims.append((path, details))
        fails("DBus.InteractiveAuthorizationRequired", bob.claim_call, claims[1][0], "Release")
        fails("DBus.InteractiveAuthorizationRequired", bob.manager, "Reload")
        fails("DBus.InteractiveAuthorizationRequired", bob.manager, "Snapshot", "b", False)
        # Nobody is there to type a password.
        fails("OperatorsOnly", bob.manager, "Reload", flags=wire.INTERACTIVE)
        close_all(claims[0][1], "lease")
        assert bob.claim_call(claims[0][0], "Release") == ["free", ""]
        assert alice.get(claims[1][0], CLAIM, "State") == "held"
        os.close(claims[0][1]["lease"])
        close_all(claims[1][1])


def test_bus_policy_is_strict():
    """SR-09: a mistake in the file for the bus keeps the bus from starting, so that these tests would see it"""
    for wrong in ('<allow send_colour="blue"/>', "<alow/>", '<allow send_type="x"/>', "<allow>"):
        system = bus.Bus()
        text = read("units", "org.ioasid1.conf").replace("<allow own=", wrong + "<allow own=")
        system.write("org.ioasid1.conf", text.replace('user="ioasidd"', f'user="{bus.daemon_user()}"'))
        status = subprocess.run(system.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
        assert status.returncode != 0, wrong
        system.__exit__()


def test_activation():
    """The bus reads the activation file, and would start the daemon by its systemd unit"""
    system = bus.Bus()
    os.mkdir(system.folder + "/services", 0o755)
    shutil.copy(os.path.join(bus.ROOT, "units", "org.ioasid1.service"), system.folder + "/services")
    with open(system.folder + "/bus.conf", encoding="utf-8") as file:
        text = file.read()
    system.write("bus.conf", text.replace("<type>", f"<servicedir>{system.folder}/services</servicedir><type>"))
    with system, system.connect() as peer:
        assert client.NAME in peer.call(*client.DRIVER, "ListActivatableNames")[0]
    service = dict(line.split("=", 1) for line in read("units", "org.ioasid1.service").splitlines() if "=" in line)
    assert service["SystemdService"] == "ioasidd.service"
    assert os.path.exists(os.path.join(bus.ROOT, "units", "ioasidd.service.in"))


def test_manual_page():
    """The manual page names every method and signal, every action of polkit, and every option"""
    page = read("client", "org.ioasid1.5")
    for node in xml.etree.ElementTree.fromstring(bus.xml_text()).iter():
        if node.tag in ("method", "signal"):
            assert f".Fn {node.get('name')}" in page, node.get("name")
    for action in actions():
        assert action in page, action
    if shutil.which("man"):
        parsed = subprocess.run(["man", "--warnings", "-l", os.path.join(bus.ROOT, "client", "org.ioasid1.5")],
                                capture_output=True, text=True,
                                env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}, check=True)
        assert parsed.stderr == "" and max(map(len, parsed.stdout.splitlines())) <= 80, parsed.stderr


def test_errors_are_documented():
    """Every error that the bus can answer with is described in the interface file"""
    with open(os.path.join(bus.ROOT, "include", "org.ioasid1.xml"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(bus.ROOT, "daemon", "broker", "faces", "answer_error.c"), encoding="utf-8") as file:
        names = set(re.findall(r'return "([A-Z]\w+)";', file.read()))
    for name in sorted(os.listdir(os.path.join(bus.ROOT, "daemon", "broker", "faces", "bus"))):
        if name.startswith("bus_") and name.endswith(".c"):
            names |= set(re.findall(r'bus_call_fail(?:_with)?\(call,\s*"(\w+)"',
                                    read("daemon", "broker", "faces", "bus", name)))
    assert len(names) > 8
    for name in names:
        assert f"org.ioasid1.Error.{name} " in text, name


if __name__ == "__main__":
    harness.run([value for name, value in list(globals().items()) if name.startswith("test_")])
