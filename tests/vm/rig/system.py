"""The Debian with systemd, as tests/vm/systemd-image made it: its disk, its kernel, and an initrd for it."""

import json
import os
import shutil
import subprocess

from .machine import QEMU
from .parts import HERE, ImageFailed, Kernel, PartMissing


class System:
    """What is in the folder that the script made."""

    # Where the topologies expect the disks. Without the rig's kernel's 512 legacy terminals, each of which is a unit.
    ROOT_SLOT, RIG_SLOT = "1d.0", "1e.0"
    WORDS = ["root=/dev/vda", "rw", "init=/usr/sbin/rig-init", "systemd.unit=rig.target", "loglevel=5",
             "pty.legacy_count=0", "TERM=dumb"]

    def __init__(self, folder):
        self.tree = os.path.join(folder, "tree")
        self.disk = os.path.join(folder, "root.ext4")
        self.initrd = os.path.join(folder, "initrd")
        self.kernel = Kernel(os.path.join(folder, "vmlinuz"), {})

    def disks(self, rig_disk):
        """QEMU's arguments. Nothing of what a boot changes outlives it."""
        return ["-drive", f"if=none,id=system,file={self.disk},format=raw,snapshot=on,cache=unsafe",
                "-device", f"virtio-blk-pci,drive=system,addr={self.ROOT_SLOT}",
                "-drive", f"if=none,id=rig,file={rig_disk},format=raw,read-only=on",
                "-device", f"virtio-blk-pci,drive=rig,serial=rig,addr={self.RIG_SLOT}"]

    def make_initrd(self, product, setup, folder):
        """What update-initramfs makes on a host where the product is installed, and, below folder, a list of its files.
        Returns the paths of both."""
        if os.geteuid() != 0:
            raise PartMissing("only root can make an initrd with the product in it")
        tree = os.path.join(folder, "system")
        listing = os.path.join(folder, "initrd.list")
        scripts = os.path.join(tree, "rig")
        try:
            _run(["cp", "-a", self.tree, tree])
            os.makedirs(scripts)
            shutil.copytree(product, os.path.join(scripts, "product"), symlinks=True)
            shutil.copy(os.path.join(HERE, "guest", "install"), scripts)
            if setup:
                shutil.copy(setup, os.path.join(scripts, "setup"))
            _run(["chroot", tree, "/rig/install"])
            release = os.listdir(os.path.join(tree, "lib", "modules"))[0]
            _run(["chroot", tree, "mkinitramfs", "-o", "/rig/initrd", release])
            with open(listing, "w", encoding="utf-8") as file:
                file.write(_run(["chroot", tree, "lsinitramfs", "/rig/initrd"]))
            initrd = os.path.join(folder, "initrd")
            shutil.move(os.path.join(scripts, "initrd"), initrd)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
        return initrd, listing


def find_system(cache, kind):
    """The Debian with systemd that was made before; kind: a topology's word for which."""
    if not shutil.which(QEMU):
        raise PartMissing(f"{QEMU} is missing: apt-get install qemu-system-x86")
    option = ["--backports"] if kind == "backports" else []
    command = [os.path.join(HERE, "systemd-image"), "--if-there", *option, cache]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise PartMissing(f"the Debian with systemd is missing: tests/vm/systemd-image {' '.join([*option, cache])} "
                          f"({result.stderr.strip()})")
    return System(result.stdout.strip())


def refuse_sanitizers(build):
    """A build with sanitizers can't run in the units' sandboxes: it asks for memory and system calls that they deny."""
    with open(os.path.join(build, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as file:
        options = {option["name"]: option["value"] for option in json.load(file)}
    if options["b_sanitize"] != "none":
        raise PartMissing("a build with sanitizers can't run in the units' sandboxes")


def _run(command):
    """What it printed; ImageFailed if it fails."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode != 0:
        raise ImageFailed(f"{' '.join(command)}:\n{result.stdout.strip()}\n{result.stderr.strip()}")
    return result.stdout
