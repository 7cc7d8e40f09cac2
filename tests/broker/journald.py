"""A journal as far as the broker can tell: a socket that takes entries in the native protocol."""
import os
import queue
import socket
import struct
import threading

MESSAGES = {
    "granted": "2b5ec9a98b21470ab0ee536529d3529e", "grew": "9ef2116e54bf4fa3b645bb0477552f31",
    "shrank": "b474e73cccbe4e8eafd72834fd2c14a7", "refused": "4ee5ac25aea5480f930f52074f38e138",
    "failed": "4d1dc8ea128a4c0f8e429a41f9a9e191", "ending": "fbea851710c0407982c80fc03712779e",
    "free": "2127ae142d064e198429cfa6e8e16462", "lingering": "6d7229738bb74adba6cf1b3182490217",
    "quarantined": "7af2ccbac040495c9520cb6095c49ec4", "stuck": "e4c154cfd8824c079fb0c504511d5ced",
    "unplugged": "06f5d3764f814826b2d9c61c6308bc2f", "adopted": "cf17ecac8dbe4b69bbac0f167999ddd3",
    "revoked": "ab3d19b4588b40fabe5aa73d59d71270", "step": "afeb3db099734e8cb02b465b3bc3ed57",
    "not granted": "f0e825617ade48b8b25cbfa6a0dfbe5d", "not ready": "f1d1dd11f29d41018a759b12342269d9",
    "loaded": "89d5cd6699104a1bab3d06f490e30eea", "not loaded": "0b1aef3a692e49aa9b365e3600924ffe",
}
KINDS = {number: kind for kind, number in MESSAGES.items()}


class Entry(dict):
    """The fields of an entry, each a list of values in their order."""

    @property
    def kind(self):
        return KINDS[self.one("MESSAGE_ID")]

    def one(self, field):
        assert len(self.get(field, [])) == 1, (field, self)
        return self[field][0]

    def number(self, field):
        return int(self.one(field))


def parse(data):
    entry = Entry()
    while data:
        line, data = data.split(b"\n", 1)
        if b"=" in line:
            name, value = line.split(b"=", 1)
        else:
            name, length = line, struct.unpack("<Q", data[:8])[0]
            value, data = data[8:8 + length], data[9 + length:]
        entry.setdefault(name.decode(), []).append(value.decode())
    return entry


class Journal:
    """A thread reads it, as the queue of a datagram socket holds ten entries where nobody says otherwise."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "journal")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.entries = queue.Queue()
        self.running = threading.Event()
        self.running.set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            self.running.wait()
            try:
                data = self.socket.recv(1 << 20)
            except OSError:
                return
            if not data:
                return
            self.running.wait()
            self.entries.put(parse(data))

    def hang(self):
        self.running.clear()

    def go_on(self):
        """What had been taken when it hung, and what it takes first now."""
        self.running.set()
        return self.rest(1)

    def next(self, timeout=30):
        return self.entries.get(timeout=timeout)

    def wait_for(self, kind):
        """The next entry of that kind; what comes before it is left out."""
        while True:
            entry = self.next()
            if entry.kind == kind:
                return entry

    def wait_for_uid(self, uid, entries):
        """Appends the entries up to the next about that user."""
        entries.append(self.next())
        while entries[-1].number("IOASID_UID") != uid:
            entries.append(self.next())

    def rest(self, timeout=0):
        """What has come until now, or comes without a pause."""
        entries = []
        try:
            while True:
                entries.append(self.next(timeout) if timeout else self.entries.get_nowait())
        except queue.Empty:
            return entries

    def close(self):
        self.running.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
