#!/usr/bin/env python3
"""Hostile callers on the bus: each test has the name of what once went wrong elsewhere (SR-…)."""
import os
import pwd
import re
import signal
import socket
import subprocess
import tempfile
import time
import xml.etree.ElementTree
from random import Random

import bus
import client
import harness
import wire
from client import CLAIM, MANAGER, NAME, ROOT, close_all, fails
from hosts import ALONE, EDU, device, policy, rule, small_host
from wire import Variant

ALICE, BOB = (pwd.getpwnam(name).pw_uid for name in ("games", "man"))
BROKER = os.path.join(bus.ROOT, "daemon", "broker")


def sources(pattern):
    found = [(name, folder) for folder, _, names in os.walk(BROKER) for name in names if re.fullmatch(pattern, name)]
    assert found, pattern
    for name, folder in sorted(found):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            yield name, file.read()


def test_sources_trust_nobody():
    """SR-01, SR-02, SR-11, SR-13: no subject but the name on the bus, no look at /proc, no trusted bus, no cached
    verdict"""
    text = "".join(text for _, text in sources(r"bus_.*\.[ch]"))
    for forbidden in ("unix-process", "unix-session", "sd_bus_set_trusted", "sd_bus_query_sender", "sd_bus_creds",
                      "SD_BUS_VTABLE", "getpwnam", "getpwuid", "SO_PEERCRED"):
        assert forbidden not in text, forbidden
    users = {name for name, text in sources(r"bus_.*\.[ch]") if "/proc" in text or "peer_unit_read" in text}
    assert users <= {"bus_caller.c"}, users
    caller = dict(sources(r"bus_caller\.c"))["bus_caller.c"]
    # A unit is looked up by a process descriptor that came from the bus, after nothing but that.
    assert re.search(r"if \(fd >= 0\)\s+peer_unit_read\(fd, ", caller) and "/proc" not in caller
    # One that did not is good for a limit only: it is never certain.
    calls = dict(sources(r"bus_call\.c"))["bus_call.c"]
    assert re.findall(r"pidfd_is_certain = (.*);", text) == ["call->caller->pidfd >= 0", "false"]
    assert text.count("pidfd_open") == 1 and "pidfd_open" in calls
    assert "system-bus-name" in text


def test_no_message_says_who_asks():
    """SR-03: no argument of any method says who the caller is"""
    for node in xml.etree.ElementTree.fromstring(bus.xml_text()).iter("method"):
        for argument in node:
            if argument.get("direction") == "in":
                assert argument.get("name") in ("devices", "options", "device", "number", "id", "name",
                                                "details"), argument.get("name")
    harness.needs_root()
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule(user=[str(ALICE)]))) as daemon, \
            system.connect(BOB) as bob:
        for option in ("uid", "user", "pid", "gid", "groups", "sender", "subject"):
            fails("DBus.InvalidArgs", bob.claim, ALONE, **{option: Variant("u", ALICE)})
        fails("OperatorsOnly", bob.plan, ALONE, user=str(ALICE))
        fails("RefusedByPolicy", bob.claim, ALONE)


def with_more_users(command, *users):
    """A command that runs where these numbers have an entry among the users, as the bus wants it."""
    entries = "".join(f"\\nu{uid}:x:{uid}:{uid}::/:/bin/false" for uid in users)
    return ["unshare", "-m", "sh", "-c",
            f'file=$(mktemp); {{ cat /etc/passwd; printf "{entries}\\n"; }} >"$file"; chmod 644 "$file"; '
            'mount --bind "$file" /etc/passwd && rm "$file" && exec "$@"', "sh", *command]


class ManyUsers(bus.Bus):
    """A bus that lets in users with large numbers."""

    users = (4000000000, 2147483648, 4294967294)

    def command(self):
        return with_more_users(super().command(), *self.users)


def can_mount():
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0


def test_large_users():
    """SR-04: users beyond 2147483647 are themselves: for rules, for quotas, for who owns a claim"""
    if not can_mount():
        raise harness.Skip("needs root, and mount namespaces")
    text = policy(rule("not him", user=["4000000000"], effect="deny"), rule())
    text["rules"][0] = {"name": "not him", "effect": "deny", "subject": {"user": ["4000000000"]},
                        "device": {"id": ["1234:11e8"]}}
    with ManyUsers() as system, bus.Broker(system, small_host(), text) as daemon, \
            system.connect(4000000000) as denied, system.connect(2147483648) as peer, \
            system.connect(4294967294) as last:
        assert "not him" in fails("RefusedByPolicy", denied.claim, ALONE)
        path, details = peer.claim(ALONE)
        peer.acknowledge(path)
        assert peer.get(path, CLAIM, "Owner") == 2147483648
        assert last.get(path, CLAIM, "Owner") == denied.get(path, CLAIM, "Owner") == 2 ** 32 - 1
        fails("OperatorsOnly", last.claim_call, path, "Release")
        with daemon.connect() as root:
            assert root.ask("ListClaims")["claims"][0]["uid"] == 2147483648
        close_all(details)


def test_unknown_is_denied():
    """SR-05: whom the bus does not tell is refused, whatever it is about"""
    with StandInForTheBus() as system:
        for told in ({}, {"UnixUserID": Variant("u", 0)}, {"UnixGroupIDs": Variant("au", [0])},
                     {"UnixUserID": Variant("i", 0), "UnixGroupIDs": Variant("au", [0])},
                     {"UnixUserID": Variant("s", "0"), "UnixGroupIDs": Variant("au", [0])},
                     {"UnixUserID": Variant("u", 2 ** 32 - 1), "UnixGroupIDs": Variant("au", [0])},
                     {"UnixUserID": Variant("u", 0), "UnixGroupIDs": Variant("as", ["0"])},
                     {"UnixUserID": Variant("u", 0), "UnixGroupIDs": Variant("au", list(range(129)))},
                     "org.freedesktop.DBus.Error.NameHasNoOwner"):
            name, text = system.ask(told)
            assert name == "org.freedesktop.DBus.Error.AccessDenied", (told, name, text)
        name, _ = system.ask({"UnixUserID": Variant("u", 0), "UnixGroupIDs": Variant("au", [0])},
                             sender="somebody.else")
        assert name == "org.freedesktop.DBus.Error.AccessDenied"
        name, version = system.ask({"UnixUserID": Variant("u", 0), "UnixGroupIDs": Variant("au", list(range(128))),
                                    "ProcessID": Variant("u", 1),
                                    "Anything": Variant("(sv)", ("x", Variant("d", 1.0)))})
        assert name is None, (name, version)


class StandInForTheBus:
    """Speaks as a bus with one client, the daemon, and says of a caller what a test wants."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ioasidd-bus-")
        os.chmod(self.folder, 0o755)
        self.address = f"unix:path={self.folder}/socket"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.folder + "/socket")
        os.chmod(self.folder + "/socket", 0o777)
        self.listener.listen()
        self.process = None
        self.callers = 0

    def __enter__(self):
        self.daemon = bus.Broker(self, small_host(), policy(rule()))
        assert self.daemon.start() is None
        sock, _ = self.listener.accept()
        self.peer = client.Client(sock)
        data = b""
        while b"BEGIN\r\n" not in data:
            data += sock.recv(4096)
            # All of its lines come at once; each is answered.
            if b"AUTH" in data and b"OK" not in getattr(self, "said", b""):
                self.said = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n"
                sock.sendall(self.said if b"\r\nDATA" in data else self.said.replace(b"DATA\r\n", b""))
        self.peer.buffer = data.split(b"BEGIN\r\n", 1)[1]
        while True:
            message = self.peer.receive()
            if message.member == "Hello":
                self.reply(message, "s", ":1.1")
            elif message.member == "AddMatch":
                self.reply(message, "")
            elif message.member == "RequestName":
                self.reply(message, "u", 1)
                return self

    def reply(self, call, signature, *body, sender="org.freedesktop.DBus", error=None, fds=()):
        fields = {wire.REPLY_SERIAL: call.serial, wire.SENDER: sender, wire.DESTINATION: ":1.1"}
        if error:
            fields[wire.ERROR_NAME] = error
        message = wire.Message(wire.ERROR if error else wire.METHOD_RETURN, fields, signature, body)
        message.fds = list(fds)
        self.peer.send(message)

    def ask(self, told, sender="org.freedesktop.DBus"):
        """(None, value) of a call by somebody of whom that is told, or (error, sentence)."""
        self.callers += 1
        call = self.peer.send(wire.Message(wire.METHOD_CALL, {
            wire.PATH: ROOT, wire.INTERFACE: client.PROPERTIES, wire.MEMBER: "Get", wire.DESTINATION: ":1.1",
            wire.SENDER: f":1.{100 + self.callers}"}, "ss", [MANAGER, "Version"]))
        while True:
            message = self.peer.receive()
            if message.member == "GetConnectionCredentials":
                assert message.body == [f":1.{100 + self.callers}"]
                if isinstance(told, str):
                    self.reply(message, "s", "told so", error=told)
                else:
                    self.reply(message, "a{sv}", told, sender=sender)
            elif message.reply_serial == call:
                return message.error, message.body[0]

    def call(self, sender, told, fds, path, interface, member, signature, body):
        """The answer to any call of a caller of whom that is told."""
        fields = {wire.PATH: path, wire.INTERFACE: interface, wire.MEMBER: member, wire.DESTINATION: ":1.1",
                  wire.SENDER: sender}
        call = self.peer.send(wire.Message(wire.METHOD_CALL, fields, signature, body))
        while True:
            message = self.peer.receive()
            if message.member == "GetConnectionCredentials":
                self.reply(message, "a{sv}", told, fds=fds)
            elif message.reply_serial == call:
                return message

    def __exit__(self, *raised):
        self.peer.close()
        self.listener.close()
        self.daemon.__exit__(*raised)
        os.unlink(self.folder + "/socket")
        os.rmdir(self.folder)


def test_process_lease():
    """Where the bus tells the process by a descriptor it can be a lease: the claim ends with that very process"""
    with StandInForTheBus() as system, system.daemon.connect() as watcher:
        process = subprocess.Popen(["sleep", "1000"])
        pidfd = os.pidfd_open(process.pid)
        told = {"UnixUserID": Variant("u", os.geteuid()), "UnixGroupIDs": Variant("au", [os.getegid()]),
                "ProcessID": Variant("u", process.pid), "ProcessFD": Variant("h", 0)}
        reply = system.call(":1.50", told, [pidfd], ROOT, MANAGER, "Claim", "asa{sv}",
                            [[ALONE], {"lease": Variant("s", "process")}])
        assert reply.kind == wire.METHOD_RETURN, reply.body
        path, details = reply.body
        details = client.take_fds(details, reply.fds)
        assert "lease" not in details
        close_all(details)
        assert system.call(":1.50", None, [], path, CLAIM, "Acknowledge", "", []).kind == wire.METHOD_RETURN
        # The connection leaves the bus, which changes nothing.
        system.peer.send(wire.Message(wire.SIGNAL, {
            wire.PATH: "/org/freedesktop/DBus", wire.INTERFACE: "org.freedesktop.DBus", wire.MEMBER: "NameOwnerChanged",
            wire.SENDER: "org.freedesktop.DBus"}, "sss", [":1.50", ":1.50", ""]))
        # Asked anew, for a connection of the same name is another one.
        state = system.call(":1.50", told, [pidfd], path, client.PROPERTIES, "Get", "ss", [CLAIM, "State"])
        assert wire.plain(state.body) == ["held"]
        assert [entry["lease"] for entry in watcher.ask("ListClaims")["claims"]] == ["process"]
        process.kill()
        process.wait()
        os.close(pidfd)
        while watcher.ask("ListClaims")["claims"]:
            time.sleep(0.01)


def test_random_calls():
    """Z3: calls of all kinds with arguments of all kinds, as nobody and as root: no crash, and nothing is given to
    nobody"""
    number = 6000 if os.environ.get("IOASIDD_TEST_ALL") else 1500
    random = Random(20261129)
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule(user=["root"]))) as daemon:
        peers = [system.connect(uid) for uid in ((0, BOB) if os.geteuid() == 0 else (os.geteuid(),))]
        methods = [(node.get("name"), method.get("name"), "".join(
            argument.get("type") for argument in method if argument.get("direction") == "in"))
            for node in xml.etree.ElementTree.fromstring(bus.xml_text()) for method in node.findall("method")]
        methods += [(client.PROPERTIES, "Get", "ss"), (client.PROPERTIES, "GetAll", "s"),
                    (client.INTROSPECTABLE, "Introspect", ""), (client.OBJECT_MANAGER, "GetManagedObjects", "")]
        paths = [ROOT, ROOT + "/device", ROOT + "/claim/0123", ROOT + "/group/1", ROOT + "/x", "/", "/org"]
        for turn in range(number):
            if turn % 500 == 0:
                signal.alarm(60)    # for each five hundred
            peer = random.choice(peers)
            interface, member, signature = random.choice(methods)
            if random.random() < 0.1:
                signature = "".join(random.choice(["s", "i", "as", "a{sv}", "v", "(sv)", "ay", "d"]) for _ in range(3))
            elif random.random() < 0.1:
                interface = random.choice(methods)[0]
            body = [anything(random, kind, 0) for kind in wire.split(signature)]
            call = peer.start(NAME, random.choice(paths), interface, member, signature, body,
                              flags=random.choice([0, 0, wire.NO_REPLY, wire.INTERACTIVE]))
            if turn % 20 == 0:
                for each in peers:
                    each.call(*client.DRIVER, "GetId")
                    close_others(each)
                    found = each.objects()
                    paths += [path for path in found if path not in paths and "/claim/" in path]
                    paths = paths[:7] + paths[-5:]
                    assert not [path for path, interfaces in found.items() if CLAIM in interfaces and
                                interfaces[CLAIM]["Owner"] == BOB]
            assert daemon.process.poll() is None, call
        for each in peers:
            each.close()


def close_others(peer):
    for message in peer.others:
        for fd in message.fds:
            os.close(fd)
    peer.others.clear()


def anything(random, kind, depth):
    """A value of a type, of the sort that means something here, or not."""
    if kind in "so":
        texts = [ALONE, EDU, "pool:x", "", "a" * 300, "\u202e", "org.ioasid1.Claim", "State", "mode", "attached",
                 "lease",
                 "operator", "unit", "../..", "0000:00:03.0 ", "%n%s"]
        return random.choice(texts) if kind == "s" else "/" + random.choice(["a", "org/ioasid1"])
    if kind == "v":
        inner = random.choice(["s", "i", "u", "t", "b", "as", "a{sv}", "d"] if depth < 3 else ["s", "i"])
        return Variant(inner, anything(random, inner, depth + 1))
    if kind == "b":
        return random.random() < 0.5
    if kind == "d":
        return random.choice([0.0, float("nan"), 1e308])
    if kind[0] == "a" and kind[1] == "{":
        keys = ["mode", "numa_node", "lease", "unit", "user", "grace", "reason", "x", ""]
        return {key: anything(random, "v", depth + 1) for key in random.sample(keys, random.randrange(4))}
    if kind[0] == "a":
        return [anything(random, kind[1:], depth + 1) for _ in range(random.choice([0, 1, 2, 65]))]
    if kind[0] == "(":
        return tuple(anything(random, item, depth + 1) for item in wire.split(kind[1:-1]))
    low, high = {"y": (0, 255), "n": (-2 ** 15, 2 ** 15 - 1), "q": (0, 2 ** 16 - 1), "i": (-2 ** 31, 2 ** 31 - 1),
                 "u": (0, 2 ** 32 - 1), "x": (-2 ** 63, 2 ** 63 - 1), "t": (0, 2 ** 64 - 1)}[kind]
    return random.choice([low, high, 0, 1, random.randint(low, high)])


def test_quotas():
    """SR-07, SR-23: calls that are not answered, and claims that are not acknowledged, are limited; others are
    served"""
    harness.needs_root()
    host = small_host()
    host["devices"] += [device(f"0000:10:{number:02x}.0", "1234:11e8", "00ff00", 100 + number) for number in range(32)]
    with bus.Bus() as system, bus.Broker(system, host, policy(rule())) as daemon, system.connect(ALICE) as alice, \
            system.connect(ALICE) as second, system.connect(BOB) as bob:
        daemon.control({"hang": {"step": "probe"}})
        calls = [alice.start(NAME, ROOT, MANAGER, "Claim", "asa{sv}", [[f"0000:10:{number:02x}.0"], {}])
                 for number in range(17)]
        assert "Acknowledge" in fails("QuotaExceeded", alice.finish, calls.pop())
        fails("QuotaExceeded", second.claim, ALONE)
        daemon.control({"unhang": True}, {"clear_faults": True})
        replies = [alice.finish(call) for call in calls]
        fails("QuotaExceeded", second.claim, ALONE)
        path, details = bob.claim(ALONE)
        close_all(details)
        for reply in replies:
            close_all(client.take_fds(reply.body[1], reply.fds))


def test_quota_of_calls():
    """SR-23: 32 calls of a connection and 64 of a user may wait for their answers; who has more waiting is told at
    once"""
    harness.needs_root()
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon, system.connect(BOB) as bob:
        peers = [system.connect(ALICE) for _ in range(3)]
        path, details = peers[0].claim(EDU)
        peers[0].acknowledge(path)
        daemon.control({"hang": {"step": "restore"}})
        close_all(details)
        for peer, served in zip(peers, (32, 32, 0)):
            calls = [peer.start(NAME, path, CLAIM, "Release") for _ in range(40)]
            for call in calls[served:]:
                assert "wait" in fails("QuotaExceeded", peer.finish, call)
            assert peer.receive(0.1) is None
        assert bob.plan(ALONE)["allowed"]
        peers[1].close()
        fails("QuotaExceeded", peers[0].get, path, CLAIM, "State")
        assert peers[2].get(path, CLAIM, "State") == "releasing"
        daemon.control({"unhang": True})
        for _ in range(32):
            assert peers[0].receive().body == ["free", ""]
        for peer in peers:
            peer.close()


def test_only_our_interfaces():
    """SR-12: the bus policy that ships opens nothing but this service, and of it nothing but its interfaces"""
    harness.needs_root()
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())), system.connect() as other, \
            system.connect(BOB) as bob:
        other.call(*client.DRIVER, "RequestName", "su", ["org.example.Other", 4])
        fails("DBus.AccessDenied", bob.call, "org.example.Other", ROOT, MANAGER, "Plan", "asa{sv}", [[], {}])
        fails("DBus.AccessDenied", bob.call, NAME, ROOT, "org.example.Other", "Plan")
        fails("DBus.AccessDenied", bob.call, NAME, ROOT, None, "Plan")
        fails("DBus.AccessDenied", bob.call, NAME, ROOT, client.PROPERTIES, "Set", "ssv",
              [MANAGER, "Version", Variant("s", "")])
        for peer in (bob, other):
            fails("DBus.AccessDenied", peer.call, *client.DRIVER, "RequestName", "su", [NAME, 4])
        assert bob.call(NAME, ROOT, "org.freedesktop.DBus.Peer", "Ping") == []


def test_name_of_a_socket():
    """SR-13: what a client calls its socket says nothing about it"""
    harness.needs_root()
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())):
        for name in (b"\0@;uid=0;", b"\0:1.0;uid=0", b"\0/org/freedesktop/DBus"):
            ours, theirs = socket.socketpair()
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    os.setresuid(BOB, BOB, BOB)
                    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                    sock.bind(name)
                    sock.connect(system.path)
                    fails("OperatorsOnly", client.Client(sock).authenticate(BOB).manager, "Reload")
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(child, 0)[1] == 0
            ours.close()
            theirs.close()


def test_signals_to_the_daemon():
    """SR-16: no client may stop the daemon's process"""
    harness.needs_root()
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setresuid(BOB, BOB, BOB)
                for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM, 0):
                    try:
                        os.kill(daemon.process.pid, number)
                        os._exit(2)
                    except PermissionError:
                        pass
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0


def test_guessing_claims():
    """SR-17: what is the owner's alone is answered to others as if there were no such claim, word for word"""
    harness.needs_root()
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())), system.connect(ALICE) as alice, \
            system.connect(BOB) as bob:
        path, details = alice.claim(EDU)
        nowhere = path[:-32] + "0123456789abcdef" * 2
        for member, signature, body in (("Acknowledge", "", []), ("OpenDevice", "s", [EDU]), ("Add", "s", [ALONE]),
                                        ("Resume", "", [])):
            assert fails("NotFound", bob.claim_call, path, member, signature, *body) == \
                fails("NotFound", bob.claim_call, nowhere, member, signature, *body)
        close_all(alice.open_device(path, EDU))
        alice.acknowledge(path)
        # SR-36: what was refused to one is done for the other.
        assert alice.get(path, CLAIM, "State") == "held"
        close_all(details)


def test_what_others_are_told():
    """Others are told neither owner, process, rule nor note of a claim: not by properties, signals, listings or
    errors"""
    harness.needs_root()
    text = policy(rule("the secret rule", user=[str(ALICE)]))
    with bus.Bus() as system, bus.Broker(system, small_host(), text) as daemon, system.connect(ALICE) as alice, \
            system.connect(BOB) as bob:
        bob.watch()
        path, details = alice.claim(EDU)
        device_fd = alice.open_device(path, EDU)
        alice.acknowledge(path)
        close_all(details)
        # It lingers now, with a note.
        bob.wait_signal("PropertiesChanged", lambda message: message.path == path and
                        wire.plain(message.body[1])["State"] == "lingering")
        told = bob.objects()
        mine, theirs = told[path][CLAIM], alice.objects()[path][CLAIM]
        assert (theirs["Owner"], theirs["Rule"]) == (ALICE, "the secret rule") and theirs["Note"] and theirs["Pid"]
        assert (mine["Owner"], mine["Rule"], mine["Note"], mine["Pid"]) == (2 ** 32 - 1, "", "", 0)
        assert bob.get_all(path, CLAIM) == mine and bob.get(path, CLAIM, "Note") == ""
        everything = repr(told) + repr([wire.plain(message.body) for message in bob.others]) + \
            fails("RefusedByPolicy", bob.claim, ALONE) + repr(bob.plan(EDU))
        for secret in ("the secret rule", theirs["Note"]):
            assert secret not in everything, secret
        close_all(device_fd)


def test_no_descriptors_wanted():
    """A client that can't take descriptors gets no claim: it is rolled back at once"""
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon, system.connect() as watcher:
        watcher.watch()
        with system.connect(fds=False) as peer:
            peer.start(NAME, ROOT, MANAGER, "Claim", "asa{sv}", [[ALONE], {}])
            watcher.wait_signal("InterfacesAdded", lambda message: "/claim/" in message.body[0])
            watcher.wait_signal("InterfacesRemoved", lambda message: "/claim/" in message.body[0], 8)


def test_descriptors_that_nobody_asked_for():
    """SR-21, SR-26: descriptors in a call are closed with it; refused calls leave none"""
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon, system.connect() as peer:
        before = daemon.open_files()
        pipe = os.pipe()
        for _ in range(200):
            for member, signature, body in (("Plan", "asa{sv}", [["x"], {}]), ("Nothing", "", []),
                                            ("Claim", "h", [0]), ("GetPool", "s", ["x"])):
                try:
                    peer.call(NAME, ROOT, MANAGER, member, signature, body, fds=[pipe[0]] * 16)
                except client.Failure:
                    pass
        assert daemon.open_files() == before
        for end in pipe:
            os.close(end)


def test_foreign_endianness():
    """SR-43: a client of the other byte order is served like any other, descriptors and all"""
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())), \
            system.connect(endian=">") as peer:
        path, details = peer.claim(EDU, numa_node=Variant("q", 1))
        close_all(peer.open_device(path, EDU))
        peer.acknowledge(path)
        assert peer.get(path, CLAIM, "State") == "held" and peer.plan(EDU)["blockers"][0]["kind"] == "claimed"
        close_all(details)


def test_nobody_waits_for_an_answer():
    """Calls that want no reply claim nothing, and get none"""
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon, system.connect() as peer:
        for member, signature, body in (("Claim", "asa{sv}", [[ALONE], {}]), ("Plan", "asa{sv}", [[ALONE], {}]),
                                        ("Nothing", "", []), ("GetPolicy", "", [])):
            peer.start(NAME, ROOT, MANAGER, member, signature, body, flags=wire.NO_REPLY)
        assert peer.get(ROOT, MANAGER, "ClaimCount") == 0
        assert [message for message in peer.others if message.kind != wire.SIGNAL] == []


def test_aborted_calls():
    """SR-27: a caller that leaves leaves nothing: no descriptor, no memory, no claim"""
    rounds = 3000 if os.environ.get("IOASIDD_TEST_ALL") else 600
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon:
        files, memory = None, None
        for number in range(rounds):
            if number % 100 == 0:
                signal.alarm(60)    # for each hundred
            peer = system.connect()
            if number % 4 == 0:
                path, details = peer.claim(ALONE if number % 8 else EDU)
                peer.start(NAME, path, CLAIM, "OpenDevice", "s", [EDU])
                os.close(details["iommufd"])
                peer.close()
                os.close(details["lease"])
            else:
                peer.start(NAME, ROOT, MANAGER, "Plan" if number % 2 else "Claim", "asa{sv}", [[EDU, ALONE], {}])
                peer.start(NAME, ROOT, client.OBJECT_MANAGER, "GetManagedObjects")
                peer.close()
            if number % 100 == 50:
                settle(daemon)
                files = files or daemon.open_files()
                memory = memory or daemon.resident()
        settle(daemon)
        assert daemon.open_files() == files
        assert daemon.resident() - memory < 256 * 1024, (daemon.resident(), memory)


def settle(daemon):
    with daemon.connect() as socket_peer:
        while socket_peer.ask("ListClaims")["claims"]:
            time.sleep(0.01)


if __name__ == "__main__":
    harness.run([value for name, value in list(globals().items()) if name.startswith("test_")])
