"""Writes cpio archives in the "newc" format that Linux unpacks as its first file system.

Everything belongs to root there, whoever builds it; no device nodes are needed, because devtmpfs brings them.
"""

import gzip
import os
import stat


class Archive:
    """Collects entries by their path in the guest; folders above an entry come by themselves."""

    def __init__(self):
        self._entries = {}  # path without leading slash -> (mode, bytes)

    def __contains__(self, path):
        return path.strip("/") in self._entries

    def add_folder(self, path, mode=0o755):
        self._add(path, stat.S_IFDIR | mode, b"")

    def add_bytes(self, path, content, mode=0o644):
        self._add(path, stat.S_IFREG | mode, content)

    def add_link(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, os.fsencode(target))

    def add_file(self, path, source):
        """A file or a symbolic link of the host, with its permissions."""
        status = os.lstat(source)
        if stat.S_ISLNK(status.st_mode):
            self.add_link(path, os.readlink(source))
        else:
            with open(source, "rb") as file:
                self.add_bytes(path, file.read(), stat.S_IMODE(status.st_mode))

    def add_tree(self, path, source):
        """Everything under a folder of the host."""
        for folder, names, files in os.walk(source):
            below = os.path.normpath(os.path.join(path, os.path.relpath(folder, source)))
            links = [name for name in names if os.path.islink(os.path.join(folder, name))]
            for name in files + links:
                self.add_file(os.path.join(below, name), os.path.join(folder, name))
            for name in set(names) - set(links):
                self.add_folder(os.path.join(below, name))

    def _add(self, path, mode, content):
        path = path.strip("/")
        above = os.path.dirname(path)
        if above and above not in self._entries:
            self.add_folder(above)
        self._entries[path] = (mode, content)

    def to_bytes(self, ended=True):
        """Without its end another archive can be put behind it, for those who read no more than one."""
        parts = []
        size = 0
        entries = list(self._entries.items()) + ([("TRAILER!!!", (0, b""))] if ended else [])
        for number, (path, (mode, content)) in enumerate(entries, start=1):
            name = os.fsencode(path) + b"\0"
            links = 2 if stat.S_ISDIR(mode) else 1
            fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name), 0)
            entry = b"070701" + b"".join(b"%08X" % field for field in fields) + name
            entry += b"\0" * (-len(entry) % 4) + content
            entry += b"\0" * (-len(entry) % 4)
            parts.append(entry)
            size += len(entry)
        # The kernel accepts one archive after another if each starts at a multiple of four.
        return b"".join(parts) + (b"\0" * (-size % 512) if ended else b"")

    def write(self, path):
        """Compressed, and complete as soon as it has its name."""
        self._store(path, gzip.compress(self.to_bytes(), compresslevel=1, mtime=0))

    def write_open(self, path):
        """Not compressed, and without its end."""
        self._store(path, self.to_bytes(ended=False))

    @staticmethod
    def _store(path, content):
        part = f"{path}.{os.getpid()}.part"
        with open(part, "wb") as file:
            file.write(content)
        os.replace(part, path)
