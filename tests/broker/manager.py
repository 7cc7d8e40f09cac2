"""A service manager as far as the broker can tell: hears its notifications, keeps its descriptors, hands them back."""
import ctypes
import os
import select
import socket
import subprocess
import threading


class Process:
    """A child that was started with descriptors from 3 on, as a service manager does it."""

    def __init__(self, command, environment, log, fds):
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.dup2(log, 1)
                os.dup2(log, 2)
                # Out of the way first: a number that one wants may be another's.
                moved = [os.dup(fd) for fd in fds]
                while moved and min(moved) < 3 + len(fds):
                    moved = [os.dup(fd) for fd in moved]
                for number, fd in enumerate(moved, 3):
                    os.dup2(fd, number)
                os.closerange(3 + len(fds), 16384)
                os.execve(command[0], command, {**environment, "LISTEN_PID": str(os.getpid())})
            finally:
                os._exit(126)

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout=30):
        if self.returncode is None:
            pidfd = os.pidfd_open(self.pid)
            poller = select.poll()  # select() takes no FD beyond 1023
            poller.register(pidfd, select.POLLIN)
            ended = poller.poll(timeout * 1000)
            os.close(pidfd)
            if not ended:
                raise subprocess.TimeoutExpired("ioasidd", timeout)
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def terminate(self):
        os.kill(self.pid, 15)

    def kill(self):
        os.kill(self.pid, 9)


def is_same(fd, other):
    """Whether two descriptors are of one open file, which is kept once only: kcmp(2)."""
    pid = os.getpid()
    return ctypes.CDLL(None).syscall(312, pid, pid, 0, fd, other) == 0


class Manager:
    """Keeps what FDSTORE brings, by name, in the order in which it came; a thread hears the notifications."""

    def __init__(self, path, listener):
        """path: of the notifications' socket; listener: of the one that clients connect to, which outlives the
        broker."""
        self.stored = []  # (name, fd)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.makedirs(os.path.dirname(listener), exist_ok=True)
        self.listener.bind(listener)
        self.listener.listen()
        os.chmod(listener, 0o666)
        self.ready = threading.Event()
        self.barrier = None  # a callable to be asked before a barrier is let through
        self.lock = threading.Condition()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.path = path
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.socket, 4096, 8)
            except OSError:
                return
            if not data:
                return
            self._hear(dict(line.split("=", 1) for line in data.decode().splitlines()), fds)

    def _hear(self, words, fds):
        with self.lock:
            if words.get("FDSTORE") == "1":
                assert words["FDPOLL"] == "0" and ":" not in words["FDNAME"], words
                for fd in [fd for fd in fds if not any(is_same(fd, other) for _, other in self.stored)]:
                    self.stored.append((words["FDNAME"], fd))
                    fds.remove(fd)
            elif words.get("FDSTOREREMOVE") == "1":
                for _, fd in [entry for entry in self.stored if entry[0] == words["FDNAME"]]:
                    os.close(fd)
                self.stored = [entry for entry in self.stored if entry[0] != words["FDNAME"]]
            for fd in fds:  # a barrier's pipe
                os.close(fd)
            if words.get("READY") == "1":
                self.ready.set()
            self.lock.notify_all()

    def names(self):
        with self.lock:
            return sorted(name for name, _ in self.stored)

    def wait_for_names(self, names):
        with self.lock:
            assert self.lock.wait_for(lambda: sorted(name for name, _ in self.stored) == sorted(names), 30), self.stored

    def discard(self):
        """As systemd before 257 does when the service is stopped."""
        with self.lock:
            for _, fd in self.stored:
                os.close(fd)
            self.stored = []

    def start(self, command, environment, log):
        self.ready.clear()
        with self.lock:
            fds = [self.listener.fileno()] + [fd for _, fd in self.stored]
            names = ":".join(["varlink"] + [name for name, _ in self.stored])
        environment = {**environment, "NOTIFY_SOCKET": self.path, "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names}
        return Process(command, environment, log, fds)

    def wait_until_ready(self, process):
        """None once it is ready; else the status with which it ended."""
        while not self.ready.wait(0.01):
            if process.poll() is not None:
                return process.returncode
        return None

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.socket.close()
        self.listener.close()
        self.discard()
        os.unlink(self.path)
