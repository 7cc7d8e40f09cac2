"""Reads topology files: which machine QEMU makes. One thing a line, "#" starts a comment:

    kernel KIND                 iommufd: the rig's own (default); stock: Debian's 6.12; stock-6.1: the one Debian 12 has
    root KIND                   small: busybox with udev (default); systemd: a Debian 12 with systemd as process 1, on a
                                disk; there the kernel "stock" has all its modules, and none is loaded for us
    systemd KIND                with systemd: which; bookworm: Debian 12's 252 (default); backports: a newer one
    setup SCRIPT                with systemd: run as root after the product is installed and before anything starts, in
                                the guest and for its initrd; a file beside this one
    initrd KIND                 with systemd and Debian's kernel: plain (default); product: made with the product
                                installed, as update-initramfs makes it (needs root on the host)
    memory MEGABYTES            (default: 768)
    cpus N                      (default: 1; two machines run at a time)
    iommu OPTIONS | none        properties of intel-iommu (default: intremap=on)
    append WORDS                for the kernel's command line
    userland NAME…              real programs of Debian, as tests/vm/userland fetches them
    nested yes                  a small guest for the guest: /rig/nested/vmlinuz and /rig/nested/initramfs
    disk ID SIZE [text:TEXT]    a disk, empty but for TEXT at its start, made anew for each boot; then:
                                device nvme,drive=ID,serial=…
    net ID [HUB]                a network, link up, with nobody else on it but the other nets on the same HUB (a
                                number); then: device e1000,netdev=ID
    device …                    as in QEMU's -device
    qemu …                      any other arguments of QEMU's
"""

import os
import re

KERNELS = ("iommufd", "stock", "stock-6.1")
ROOTS = ("small", "systemd")
INITRDS = ("plain", "product")
SYSTEMDS = ("bookworm", "backports")


class TopologyError(Exception):
    """Says file, line and what is wrong."""


class Topology:
    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path).removesuffix(".topology")
        self.kernel = "iommufd"
        self.root = "small"
        self.systemd = "bookworm"
        self.setup = None
        self.initrd = "plain"
        self.memory = 768
        self.cpus = 1
        self.iommu = "intremap=on"
        self.append = []
        self.userlands = []
        self.nested = False
        self.disks = {}  # id -> (bytes, the text at its start)
        self.arguments = []
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    self._read(line.split("#", 1)[0].strip())
                except ValueError as error:
                    raise TopologyError(f"{path}:{number}: {error}") from None
        self._check()

    def _check(self):
        """What the words say together."""
        if self.root == "systemd" and (self.kernel == "stock-6.1" or self.userlands or self.nested):
            raise TopologyError(f"{self.path}: with 'root systemd' the kernel is iommufd or stock, and there is "
                                "neither 'userland' nor 'nested'")
        if self.root != "systemd" and (self.setup or self.initrd != "plain" or self.systemd != "bookworm"):
            raise TopologyError(f"{self.path}: 'systemd', 'setup' and 'initrd' are for 'root systemd'")
        if self.initrd == "product" and self.kernel != "stock":
            raise TopologyError(f"{self.path}: only Debian's kernel is booted with an initrd: 'kernel stock'")

    def _read(self, line):
        if not line:
            return
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if not rest:
            raise ValueError(f"'{word}' needs something behind it")
        if word == "kernel":
            if rest not in KERNELS:
                raise ValueError(f"the kernel is one of {', '.join(KERNELS)}, not '{rest}'")
            self.kernel = rest
        elif word == "root":
            if rest not in ROOTS:
                raise ValueError(f"the root is one of {', '.join(ROOTS)}, not '{rest}'")
            self.root = rest
        elif word == "initrd":
            if rest not in INITRDS:
                raise ValueError(f"the initrd is one of {', '.join(INITRDS)}, not '{rest}'")
            self.initrd = rest
        elif word == "systemd":
            if rest not in SYSTEMDS:
                raise ValueError(f"systemd is one of {', '.join(SYSTEMDS)}, not '{rest}'")
            self.systemd = rest
        elif word == "setup":
            self.setup = os.path.join(os.path.dirname(self.path), rest)
        elif word in ("memory", "cpus"):
            setattr(self, word, int(rest))
        elif word == "iommu":
            self.iommu = None if rest == "none" else rest
        elif word == "append":
            self.append += rest.split()
        elif word == "disk":
            self._read_disk(rest.split())
        elif word == "net":
            self._read_net(rest.split())
        elif word == "userland":
            self.userlands += rest.split()
        elif word == "nested":
            if rest != "yes":
                raise ValueError(f"nested is 'yes' or not there, not '{rest}'")
            self.nested = True
        elif word == "device":
            self.arguments += ["-device", rest]
        elif word == "qemu":
            self.arguments += rest.split()
        else:
            raise ValueError(f"nothing is called '{word}': kernel, root, systemd, setup, initrd, memory, cpus, iommu, "
                             "append, userland, nested, disk, net, device, qemu")

    def _read_disk(self, words):
        match = re.fullmatch(r"([1-9][0-9]*)([MG])", words[1]) if len(words) in (2, 3) else None
        text = words[2] if len(words) == 3 else "text:"
        if not match or not text.startswith("text:"):
            raise ValueError("a disk is 'disk ID SIZE [text:TEXT]', SIZE such as 32M or 1G")
        self.disks[words[0]] = int(match[1]) << {"M": 20, "G": 30}[match[2]], text.removeprefix("text:")

    def _read_net(self, words):
        # Hubs without a number get one that nobody would give.
        hub = words[1] if len(words) == 2 else str(1000 + len(self.arguments))
        if len(words) > 2 or not hub.isdecimal():
            raise ValueError("a network is 'net ID [HUB]', HUB a number")
        self.arguments += ["-netdev", f"hubport,id={words[0]},hubid={hub}"]

    def qemu_arguments(self, folder):
        """The machine's hardware; disks become sparse files in folder."""
        arguments = ["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", str(self.cpus), "-m", str(self.memory)]
        if self.iommu:
            arguments += ["-device", f"intel-iommu,{self.iommu}"]
        for name, (size, text) in self.disks.items():
            path = os.path.join(folder, f"{name}.img")
            with open(path, "wb") as file:
                file.write(text.encode())
                file.truncate(size)
            arguments += ["-drive", f"if=none,id={name},file={path},format=raw,cache=unsafe"]
        return arguments + self.arguments
