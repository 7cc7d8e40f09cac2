"""Reads topology files: which machine QEMU makes. One thing a line, "#" starts a comment:

    kernel iommufd | stock      the rig's own kernel, or Debian's (default: iommufd)
    memory MEGABYTES            (default: 768)
    cpus N                      (default: 2)
    iommu OPTIONS | none        properties of intel-iommu (default: intremap=on)
    append WORDS                for the kernel's command line
    disk ID SIZE                an empty disk, made anew for each boot; then: device nvme,drive=ID,serial=…
    net ID                      a network with nobody else on it, link up; then: device e1000,netdev=ID
    device …                    as in QEMU's -device
    qemu …                      any other arguments of QEMU's
"""

import os
import re


class TopologyError(Exception):
    """Says file, line and what is wrong."""


class Topology:
    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path).removesuffix(".topology")
        self.kernel = "iommufd"
        self.memory = 768
        self.cpus = 2
        self.iommu = "intremap=on"
        self.append = []
        self.disks = {}  # id -> bytes
        self.arguments = []
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    self._read(line.split("#", 1)[0].strip())
                except ValueError as error:
                    raise TopologyError(f"{path}:{number}: {error}") from None

    def _read(self, line):
        if not line:
            return
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if not rest:
            raise ValueError(f"'{word}' needs something behind it")
        if word == "kernel":
            if rest not in ("iommufd", "stock"):
                raise ValueError(f"the kernel is 'iommufd' or 'stock', not '{rest}'")
            self.kernel = rest
        elif word in ("memory", "cpus"):
            setattr(self, word, int(rest))
        elif word == "iommu":
            self.iommu = None if rest == "none" else rest
        elif word == "append":
            self.append += rest.split()
        elif word == "disk":
            self._read_disk(rest.split())
        elif word == "net":
            self.arguments += ["-netdev", f"hubport,id={rest},hubid={len(self.arguments)}"]
        elif word == "device":
            self.arguments += ["-device", rest]
        elif word == "qemu":
            self.arguments += rest.split()
        else:
            raise ValueError(f"nothing is called '{word}': kernel, memory, cpus, iommu, append, disk, net, device, qemu")

    def _read_disk(self, words):
        match = re.fullmatch(r"([1-9][0-9]*)([MG])", words[1]) if len(words) == 2 else None
        if not match:
            raise ValueError("a disk is 'disk ID SIZE', SIZE such as 32M or 1G")
        self.disks[words[0]] = int(match[1]) << {"M": 20, "G": 30}[match[2]]

    def qemu_arguments(self, folder):
        """The machine's hardware; disks become sparse files in folder."""
        arguments = ["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", str(self.cpus), "-m", str(self.memory)]
        if self.iommu:
            arguments += ["-device", f"intel-iommu,{self.iommu}"]
        for name, size in self.disks.items():
            path = os.path.join(folder, f"{name}.img")
            with open(path, "wb") as file:
                file.truncate(size)
            arguments += ["-drive", f"if=none,id={name},file={path},format=raw,cache=unsafe"]
        return arguments + self.arguments
