"""Finds or makes what a boot is made of: the cache, the kernels, the image."""

import fcntl
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


class Boot:
    """What a machine starts with: its kernel, QEMU's further arguments, words for the kernel's command line."""

    def __init__(self, kernel, arguments, words):
        self.kernel = kernel
        self.arguments = arguments
        self.words = words


def find_kernel(kind, cache):
    """A kernel that was made before; builds and downloads nothing."""
    if not shutil.which(QEMU):
        raise PartMissing(f"{QEMU} is missing: apt-get install qemu-system-x86")
    if kind == "iommufd":
        path = _ask("build-kernel", cache)
        folder = os.path.dirname(path)
        return Kernel(path, {"mtty.ko": os.path.join(folder, "mtty.ko")})
    series = {"stock": "6.12", "stock-6.1": "6.1"}[kind]
    folder = _ask("stock-kernel", cache, "--series", series)
    modules = os.path.join(folder, "modules")
    return Kernel(os.path.join(folder, "vmlinuz"),
                  {name: os.path.join(modules, name) for name in os.listdir(modules)})


def find_userlands(names, cache):
    """The archives with those programs that were fetched before."""
    paths = []
    for name in names:
        command = [os.path.join(HERE, "userland"), "--if-there", name, cache]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise PartMissing(f"the programs of {name} are missing: tests/vm/userland {name} {cache} "
                              f"({result.stderr.strip()})")
        paths.append(result.stdout.strip())
    return paths


def find_nested(cache):
    """{path in the guest: (bytes, mode)} of the guest for the guest: the rig's kernel, busybox, our init, and what
    boots them. Nothing is compressed: there unpacking takes ten times as long."""
    kernel = read_file(_ask("build-kernel", cache))
    script = read_file(os.path.join(HERE, "guest", "nested-qemu"))
    archive = Archive()
    for folder in ("dev", "proc", "sys", "bin"):
        archive.add_folder(folder)
    archive.add_file("/bin/busybox", "/bin/busybox")
    archive.add_file("/init", os.path.join(HERE, "guest", "nested-init"))
    return {"/rig/nested/vmlinuz": (kernel, 0o644), "/rig/nested/initramfs": (archive.to_bytes(), 0o644),
            "/rig/nested/qemu": (script, 0o755)}


def _ask(script, cache, *options):
    result = subprocess.run([os.path.join(HERE, script), "--if-there", *options, cache], capture_output=True,
                            text=True, check=False)
    if result.returncode != 0:
        raise PartMissing(f"there is no kernel yet: {' '.join(['tests/vm/' + script, *options, cache])}")
    return result.stdout.strip()


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def install_product(build, folder):
    """Installs what was built, and has to be built, into a folder of its own below this one. Returns its path."""
    tree = os.path.join(folder, "product")
    # Meson writes down what it installs beside the build: only one may at a time.
    with open(os.path.join(build, "tests", "vm", "install.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", tree])
    return tree


def make_image(build, tree, path, *options):
    """The guest's file system out of what was installed; options are make-initramfs's."""
    _make([os.path.join(HERE, "make-initramfs"), *options, "--tree", tree,
           "--programs", os.path.join(build, "tests", "vm"), path])


def _make(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        raise ImageFailed(f"{' '.join(command)}:\n{result.stdout.strip()}")


def complete_image(image, kernel, userlands, others, scenarios, path):
    """Puts together what one boot needs: several archives, of which a later one's files replace those of an earlier
    one. So userlands come first, and the product has the libraries that it was built with.

    JSON files beside a scenario go along: policies that are too long to stand in the script. others: as find_nested
    returns them.
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
    for name, (content, mode) in others.items():
        archive.add_bytes(name, content, mode)
    with open(path, "wb") as out:
        for part in [*userlands, image]:
            with open(part, "rb") as file:
                shutil.copyfileobj(file, out)
            out.write(b"\0" * (-out.tell() % 4))
        out.write(archive.to_bytes())
