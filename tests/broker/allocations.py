"""Brokers whose allocations can be made to fail, one after the other."""
import mmap
import os
import re
import struct
import sys


def library():
    """What a build has for it, taken from the arguments; ends the test where that is nothing."""
    path = sys.argv.pop(3)
    if path == "none":
        print("1..0 # SKIP a sanitizer makes the allocations")
        sys.exit(0)
    return os.path.abspath(path)


class FailingAllocations:
    """For a Daemon with a service manager, over a host that is kept."""

    def prepare(self, path):
        self.library = path
        self.pidfd = -1
        self.shared_path = os.path.join(self.folder, "allocations")
        with open(self.shared_path, "w+b") as file:
            file.write(bytes(mmap.PAGESIZE))
            file.flush()
            os.chmod(self.shared_path, 0o666)
            self.shared = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.keep_host()

    def environment(self):
        return {**super().environment(), "LD_PRELOAD": self.library, "FAILING_ALLOCATIONS": self.shared_path,
                "FAILING_ALLOCATIONS_TRACE": "yes"}

    def fail(self, number):
        """The allocation of that number from now on."""
        count, = struct.unpack_from("=Q", self.shared)
        struct.pack_into("=QQ", self.shared, 8, count + number, 0)

    def choose_none(self):
        struct.pack_into("=Q", self.shared, 8, 0)

    def has_failed(self):
        return struct.unpack_from("=Q", self.shared, 16)[0] > 0

    def start(self):
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.pidfd = -1
        status = super().start()
        if status is None:
            self.pidfd = os.pidfd_open(self.process.pid)
        return status

    def revive(self):
        """If it has ended, which it may do only for those libraries: starts it, and returns true."""
        if self.process.poll() is None:
            return False
        traces = re.split(r"^/\S*failing_allocations\S*\(\+\S*\n", self.log_text(), flags=re.MULTILINE)
        assert re.search("libjson-c|nss_", traces[-1]), f"ended with status {self.process.returncode}:\n{traces[-1]}"
        assert self.start() is None, self.log_text()
        return True

    def stop(self):
        super().stop()
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.pidfd = -1
        self.shared.close()


def every_allocation(daemon, work, check):
    """Does the work again and again, with the first, the second, … allocation failing, until none does; checks each
    time."""
    number, ended = 0, 0
    while number == 0 or daemon.has_failed():
        number += 1
        pid = daemon.process.pid
        daemon.fail(number)
        try:
            work()
            daemon.choose_none()
            check()
        except AssertionError as error:
            raise AssertionError(f"with allocation {number} failing: {error}") from error
        ended += daemon.process.pid != pid
    print(f"# {number - 1} allocations, {ended} of them ended the broker", flush=True)
    assert number > 10
