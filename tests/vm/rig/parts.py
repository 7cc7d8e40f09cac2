"""Finds or makes what a boot is made of: the cache, the kernels, the image."""

import os
import shutil
import subprocess

from .cpio import Archive
from .machine import QEMU

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


class PartMissing(Exception):
    """Says what is missing and how to get it."""


def cache_folder():
    """The same rule as in tests/prepare."""
    default = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "ioasidd-tests")
    return os.environ.get("IOASIDD_TEST_CACHE") or default


class ImageFailed(Exception):
    """The image can't be made from a build that should be complete."""


class Kernel:
    """path of the vmlinuz; modules: {name in /rig/modules: path}, loaded where a file "order" says so."""

    def __init__(self, path, modules):
        self.path = path
        self.modules = modules


def find_kernel(kind, cache):
    """A kernel that was made before; builds and downloads nothing."""
    if not shutil.which(QEMU):
        raise PartMissing(f"{QEMU} is missing: apt-get install qemu-system-x86")
    if kind == "iommufd":
        path = _ask("build-kernel", cache)
        folder = os.path.dirname(path)
        return Kernel(path, {"mtty.ko": os.path.join(folder, "mtty.ko")})
    folder = _ask("stock-kernel", cache)
    modules = os.path.join(folder, "modules")
    return Kernel(os.path.join(folder, "vmlinuz"),
                  {name: os.path.join(modules, name) for name in os.listdir(modules)})


def _ask(script, cache):
    result = subprocess.run([os.path.join(HERE, script), "--if-there", cache], capture_output=True, text=True,
                            check=False)
    if result.returncode != 0:
        raise PartMissing(f"there is no kernel yet: tests/vm/{script} {cache}")
    return result.stdout.strip()


def make_image(build, path):
    """The guest's file system out of a meson build folder, which has to be built."""
    tree = os.path.join(build, "tests", "vm", "tree")
    shutil.rmtree(tree, ignore_errors=True)
    for command in (
            ["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", tree],
            [os.path.join(HERE, "make-initramfs"), "--tree", tree,
             "--programs", os.path.join(build, "tests", "vm"), path]):
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode != 0:
            raise ImageFailed(f"{' '.join(command)}:\n{result.stdout.strip()}")


def complete_image(image, kernel, scenarios, path):
    """Adds what changes from boot to boot behind an image, as an archive of its own.

    JSON files beside a scenario go along: policies that are too long to stand in the script.
    """
    archive = Archive()
    for scenario in scenarios:
        archive.add_file(f"/rig/scenarios/{scenario.name}.sh", scenario.path)
    for folder in {os.path.dirname(os.path.abspath(scenario.path)) for scenario in scenarios}:
        for name in os.listdir(folder):
            if name.endswith(".json"):
                archive.add_file(f"/rig/scenarios/{name}", os.path.join(folder, name))
    for name, source in kernel.modules.items():
        archive.add_file(f"/rig/modules/{name}", source)
    with open(path, "wb") as out, open(image, "rb") as base:
        shutil.copyfileobj(base, out)
        out.write(b"\0" * (-out.tell() % 512))
        out.write(archive.to_bytes())
