"""A Varlink client for tests: raw frames, FDs by SCM_RIGHTS, and connections made as another user."""
import array
import json
import os
import socket

FDS_MAX = 132


def whole_object(pairs):
    """An object of a frame, which has each field once."""
    found = dict(pairs)
    assert len(found) == len(pairs), pairs
    return found


class Peer:
    """One connection to the daemon. Every reply's FDs are owned by the Peer until taken."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(30)
        self.buffer = b""
        self.fds = []
        self.truncated = False

    def send(self, data, fds=()):
        if fds:
            self.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        else:
            self.sock.sendall(data)

    def send_call(self, method, parameters=None, **extra):
        call = {"method": method, **extra}
        if parameters is not None:
            call["parameters"] = parameters
        self.send(json.dumps(call).encode() + b"\0")

    def receive(self):
        """The next reply as a dict; None where the daemon closed the connection."""
        while b"\0" not in self.buffer:
            try:
                data, ancillary, flags, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(FDS_MAX * 4),
                                                              socket.MSG_CMSG_CLOEXEC)
            except ConnectionResetError:
                return None
            if flags & socket.MSG_CTRUNC:
                self.truncated = True
            for level, kind, body in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(body[: len(body) - len(body) % fds.itemsize])
                    self.fds.extend(fds)
            if not data:
                return None
            self.buffer += data
        frame, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(frame, object_pairs_hook=whole_object)

    def call(self, method, parameters=None):
        self.send_call(method if "." in method else "org.ioasid1." + method, parameters)
        return self.receive()

    def ask(self, method, parameters=None):
        """The parameters of a reply that must not be an error."""
        reply = self.call(method, parameters)
        assert reply is not None and "error" not in reply, f"{method}: {reply}"
        return reply["parameters"]

    def fail(self, method, parameters=None):
        """(error name, parameters) of a reply that must be an error."""
        reply = self.call(method, parameters)
        assert reply is not None and "error" in reply, f"{method} succeeded: {reply}"
        return reply["error"], reply["parameters"]

    def take_fds(self):
        fds, self.fds = self.fds, []
        return fds

    def close(self):
        for fd in self.take_fds():
            os.close(fd)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    return Peer(sock)


def connect_as(path, uid, gid=None, groups=()):
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
    return Peer(socket.socket(fileno=fds[0]))
