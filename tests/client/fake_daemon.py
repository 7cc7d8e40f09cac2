"""A daemon that answers just what a test tells it to, over a socket in a folder of its own."""

import inspect
import json
import os
import shutil
import socket
import tempfile
import threading

TIMEOUT = 30


class Reply:
    """What is sent back. Descriptors are closed here once they are sent."""

    def __init__(self, parameters=None, error=None, fds=(), raw=None, parts=None, close=False, more=False):
        self.parameters = {} if parameters is None else parameters
        self.error = error
        self.fds = list(fds)
        self.raw = raw          # bytes instead of a well-formed frame
        self.parts = parts      # [(bytes, fds)] instead, each in a sendmsg() of its own
        self.close = close      # closes the connection after it
        self.more = more        # others follow

    def frame(self):
        if self.raw is not None:
            return self.raw
        message = {"parameters": self.parameters}
        if self.error is not None:
            message["error"] = self.error
        if self.more:
            message["continues"] = True
        return json.dumps(message).encode() + b"\0"

    def send(self, connection):
        for data, fds in self.parts if self.parts is not None else [(self.frame(), self.fds)]:
            # The descriptors ride on the first byte; the rest may need several turns.
            sent = socket.send_fds(connection, [data], fds) if data else 0
            if sent < len(data):
                connection.sendall(data[sent:])
            for fd in fds:
                os.close(fd)


def refusal(error, status, message, blockers=(), lockouts=()):
    return Reply({"status": status, "message": message, "blockers": list(blockers), "lockouts": list(lockouts)},
                 error="org.ioasid1." + error)


class FakeDaemon:
    """methods: {"Claim": Reply, a list of them for one call after the other, or a function of the parameters}. What a
    function yields is sent one after the other, to a call that takes several replies."""

    def __init__(self, methods=None, greeting=None):
        self.methods = dict(methods or {})
        self.greeting = greeting        # a Reply that is sent to every connection at once, before it is closed
        self.calls = []                 # (method, parameters)
        self.leases = []                # the daemon's ends
        self.folder = tempfile.mkdtemp(prefix="ioasid-test-")
        self.path = os.path.join(self.folder, "socket")
        self.changed = threading.Condition()
        self.connections = []
        self.listener = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        for lease in self.leases:
            lease.close()
        shutil.rmtree(self.folder)

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """Like the end of the daemon: nobody listens, and all connections are closed."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
        with self.changed:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass    # the client was faster
                connection.close()
            self.connections = []

    def called(self, method=None):
        """The parameters of all calls of a method; the names of all calls."""
        with self.changed:
            if method is None:
                return [name for name, _ in self.calls]
            return [parameters for name, parameters in self.calls if name == method]

    def wait_for(self, method):
        with self.changed:
            if not self.changed.wait_for(lambda: method in [name for name, _ in self.calls], TIMEOUT):
                raise TimeoutError(f"nobody called {method}")

    def lease(self):
        """A descriptor for a reply; its other end is kept, until somebody closes it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(TIMEOUT)
        self.leases.append(ours)
        return theirs.detach()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        pending = b""
        try:
            if self.greeting is not None:
                self.greeting.send(connection)
                connection.close()
                return
            while True:
                data = connection.recv(65536)
                if not data:
                    return
                pending += data
                while b"\0" in pending:
                    frame, pending = pending.split(b"\0", 1)
                    if not self._answer(connection, json.loads(frame)):
                        connection.close()
                        return
        except OSError:
            return  # the client went away

    def _answer(self, connection, call):
        method = call["method"].rpartition(".")[2]
        parameters = call.get("parameters", {})
        self.more = call.get("more", False)
        with self.changed:
            self.calls.append((method, parameters))
            self.changed.notify_all()
            answer = self.methods.get(method)
            if isinstance(answer, list):
                answer = answer.pop(0)
        if callable(answer):
            answer = answer(parameters)
        if answer is None:
            answer = Reply({"method": call["method"]}, error="org.varlink.service.MethodNotFound")
        for reply in answer if inspect.isgenerator(answer) else [answer]:
            reply.send(connection)
        return not reply.close


def memfd(name):
    """A descriptor that can be told from others: /proc/self/fd/N of it has the name."""
    return os.memfd_create(name)


def claim_reply(daemon, devices=("0000:01:00.0",), claim="c1", mode="attached", interface="iommufd", groups=None,
                **more):
    """The reply of a well-behaved daemon to Claim. groups: the number of each device's group; else each has its own."""
    fds = [daemon.lease()]
    numbers = groups or {device: 10 + place for place, device in enumerate(devices)}
    parameters = {"claim": claim, "mode": mode, "interface": interface, "lease": 0, "iommufd": None, "container": None,
                  "ioas_id": None, "memlock": None, "groups": [], "devices": [], "lockouts": []}
    by_group = mode == "attached" and interface == "group"
    if interface == "iommufd":
        parameters["iommufd"] = len(fds)
        fds.append(memfd("iommufd"))
    if by_group:
        parameters["container"] = len(fds)
        fds.append(memfd("container"))
        for number in dict.fromkeys(numbers[device] for device in devices):
            parameters["groups"].append({"group": number, "fd": len(fds)})
            fds.append(memfd(f"group-{number}"))
    if mode == "attached" and interface == "iommufd":
        parameters["ioas_id"] = 7
    for place, device in enumerate(devices):
        entry = {"name": device, "group": numbers[device], "fd": None, "nodes": []}
        if mode == "node":
            entry["nodes"] = [f"/dev/vfio/devices/vfio{place}" if interface == "iommufd" else
                              f"/dev/vfio/{numbers[device]}"]
        else:
            entry["fd"] = len(fds)
            fds.append(memfd("device-" + device))
        parameters["devices"].append(entry)
    parameters.update(more)
    return Reply(parameters, fds=fds)


def claiming_daemon(devices=("0000:01:00.0",), **more):
    """A daemon that grants any claim, in the mode that is asked for, and frees any claim that is released."""
    daemon = FakeDaemon()
    daemon.methods = {
        "Claim": lambda asked: claim_reply(daemon, devices, **{"mode": asked.get("mode", "attached"), **more}),
        "Plan": lambda asked: Reply({"plan": {
            "allowed": True, "status": 0, "mode": asked.get("mode", "attached"),
            "interface": more.get("interface", "iommufd"), "devices": [], "lockouts": [], "blockers": [], "uses": [],
            "steps": []}}),
        "Acknowledge": Reply(),
        "Release": Reply({"state": "free", "note": None}),
    }
    return daemon
