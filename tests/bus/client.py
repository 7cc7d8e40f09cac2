"""A D-Bus client for tests: one connection, made as any user, that sees and sends what it wants."""
import array
import os
import socket
import time

import wire
from wire import Message, Variant

DRIVER = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
NAME, ROOT = "org.ioasid1", "/org/ioasid1"
MANAGER, DEVICE, GROUP, CLAIM = (f"{NAME}.{kind}" for kind in ("Manager", "Device", "Group", "Claim"))
PROPERTIES, OBJECT_MANAGER = "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"


class Failure(Exception):
    """An error that was answered: its name and its sentence."""

    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name, self.text = name, text


class Gone(Exception):
    """The bus closed the connection."""


class Client:
    def __init__(self, sock, endian="<"):
        self.sock, self.endian = sock, endian
        self.sock.settimeout(30)
        self.buffer, self.fds, self.serial = b"", [], 0
        self.others = []    # messages that nobody has asked for yet
        self.name = None

    def authenticate(self, uid, fds=True):
        self.sock.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
        if not self.line().startswith(b"OK "):
            raise Gone("the bus does not let this user in")
        if fds:
            self.sock.sendall(b"NEGOTIATE_UNIX_FD\r\n")
            assert self.line() == b"AGREE_UNIX_FD"
        self.sock.sendall(b"BEGIN\r\n")
        self.name, = self.call(*DRIVER, "Hello")
        return self

    def line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            data = self.sock.recv(1)
            if not data:
                raise Gone("the bus closed the connection")
            line += data
        return line[:-2]

    def send(self, message):
        self.serial += 1
        message.serial = self.serial
        data = wire.encode(message, self.endian)
        if message.fds:
            sent = self.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", message.fds))])
            data = data[sent:]
        self.sock.sendall(data)
        return self.serial

    def receive(self, timeout=30):
        """The next message from the bus; None: there is none within that time."""
        data = self.receive_raw(timeout)
        if data is None:
            return None
        message = wire.decode(data)
        count = message.fields.get(wire.UNIX_FDS, 0)
        message.fds, self.fds = self.fds[:count], self.fds[count:]
        return message

    def receive_raw(self, timeout=30):
        """The same as it came."""
        end = time.monotonic() + timeout
        while (size := wire.size_of(self.buffer)) is None or len(self.buffer) < size:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                data, ancillary, _, _ = self.sock.recvmsg(1 << 20, socket.CMSG_SPACE(64 * 4), socket.MSG_CMSG_CLOEXEC)
            except TimeoutError:
                return None
            except ConnectionError:
                data, ancillary = b"", []
            for level, kind, body in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    numbers = array.array("i")
                    numbers.frombytes(body[:len(body) - len(body) % 4])
                    self.fds.extend(numbers)
            if not data:
                raise Gone("the bus closed the connection")
            self.buffer += data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def start(self, destination, path, interface, member, signature="", body=(), flags=0, fds=()):
        fields = {wire.PATH: path, wire.MEMBER: member}
        if interface:
            fields[wire.INTERFACE] = interface
        if destination:
            fields[wire.DESTINATION] = destination
        message = Message(wire.METHOD_CALL, fields, signature, body, flags)
        message.fds = list(fds)
        return self.send(message)

    def finish(self, serial, timeout=30):
        """The reply to a call, as a message; raises Failure for an error."""
        def answers(message):
            return message.kind in (wire.METHOD_RETURN, wire.ERROR) and message.reply_serial == serial

        for message in self.others:
            if answers(message):
                self.others.remove(message)
                break
        else:
            message = self.wait(answers, timeout)
        if message is None:
            raise TimeoutError(f"no answer after {timeout} seconds")
        if message.kind == wire.ERROR:
            raise Failure(message.error, message.body[0] if message.body else "")
        return message

    def wait(self, wanted, timeout=30):
        """The next message that is wanted; others are kept. None after the time."""
        end = time.monotonic() + timeout
        while (message := self.receive(max(0, end - time.monotonic()))) is not None:
            if wanted(message):
                return message
            self.others.append(message)
        return None

    def message(self, *arguments, timeout=30, **more):
        return self.finish(self.start(*arguments, **more), timeout)

    def call(self, *arguments, **more):
        return self.message(*arguments, **more).body

    # org.ioasid1

    def manager(self, member, signature="", *body, **more):
        return self.call(NAME, ROOT, MANAGER, member, signature, body, **more)

    def claim_call(self, path, member, signature="", *body, **more):
        return self.call(NAME, path, CLAIM, member, signature, body, **more)

    def get_all(self, path, interface):
        return wire.plain(self.call(NAME, path, PROPERTIES, "GetAll", "s", [interface])[0])

    def get(self, path, interface, name):
        return wire.plain(self.call(NAME, path, PROPERTIES, "Get", "ss", [interface, name])[0])

    def objects(self):
        return wire.plain(self.call(NAME, ROOT, OBJECT_MANAGER, "GetManagedObjects")[0])

    def plan(self, *devices, **options):
        return wire.plain(self.manager("Plan", "asa{sv}", list(devices), as_options(options))[0])

    def claim(self, *devices, flags=0, timeout=30, **options):
        """(path, details): descriptors in the place of their indices."""
        message = self.message(NAME, ROOT, MANAGER, "Claim", "asa{sv}", [list(devices), as_options(options)],
                               flags=flags,
                               timeout=timeout)
        path, details = message.body
        return path, take_fds(details, message.fds)

    def open_device(self, path, device):
        message = self.message(NAME, path, CLAIM, "OpenDevice", "s", [device])
        return take_fds(message.body[0], message.fds)

    def acknowledge(self, path):
        return self.claim_call(path, "Acknowledge")

    def watch(self, *rules):
        for rule in rules or [f"type='signal',sender='{NAME}'"]:
            self.call(*DRIVER, "AddMatch", "s", [rule])

    def signals(self, member=None, timeout=0):
        """All signals of that name that have come, or come within that time."""
        end = time.monotonic() + timeout
        while (message := self.receive(max(0, end - time.monotonic()))) is not None:
            self.others.append(message)
        found = [message for message in self.others if message.kind == wire.SIGNAL and member in (None, message.member)]
        self.others = [message for message in self.others if message not in found]
        return found

    def wait_signal(self, member, matches=lambda message: True, timeout=10):
        def wanted(message):
            return message.kind == wire.SIGNAL and message.member == member and matches(message)

        for message in self.others:
            if wanted(message):
                self.others.remove(message)
                return message
        message = self.wait(wanted, timeout)
        assert message, f"no signal {member} after {timeout} seconds"
        return message

    def close(self):
        for message in self.others:
            for fd in message.fds:
                os.close(fd)
        for fd in self.fds:
            os.close(fd)
        self.others, self.fds = [], []
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def as_options(options):
    return {key: value if isinstance(value, Variant) else Variant("s" if isinstance(value, str) else "u", value)
            for key, value in options.items()}


def take_fds(details, fds):
    """Puts descriptors in the place of their indices; all of them must be named."""
    named = [key for key, variant in details.items() if variant.signature == "h"]
    assert len(named) == len(fds), (details, fds)
    return {key: fds[variant.value] if variant.signature == "h" else wire.plain(variant)
            for key, variant in details.items()}


def close_all(details, *kept):
    for key in ("lease", "iommufd", "container", "fd", "group_fd"):
        if key not in kept and details.get(key) is not None:
            os.close(details[key])


def fails(name, function, *arguments, **more):
    """The sentence of an error of that name, which the call has to end in."""
    try:
        result = function(*arguments, **more)
    except Failure as failure:
        full = name if name.startswith("org.") else f"{NAME}.Error.{name}"
        if name.startswith("DBus."):
            full = "org.freedesktop." + name.replace("DBus.", "DBus.Error.", 1)
        assert failure.name == full, f"{failure} in the place of {full}"
        return failure.text
    raise AssertionError(f"no {name}, but {result}")


def connect(path, uid=None, endian="<", fds=True):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    return Client(sock, endian).authenticate(os.geteuid() if uid is None else uid, fds)


def connect_as(path, uid, gid=None, groups=(), **more):
    """Connects as another user: a child changes its ids, connects, and hands the connection over (needs root)."""
    gid = uid if gid is None else gid
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups(list(groups))
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(path)
            socket.send_fds(theirs, [b"x"], [sock.fileno()])
            status = 0
        finally:
            os._exit(status)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(child, 0)
    ours.close()
    assert fds, f"uid {uid} could not connect"
    return Client(socket.socket(fileno=fds[0]), **{k: v for k, v in more.items() if k == "endian"}).authenticate(
        uid, more.get("fds", True))
