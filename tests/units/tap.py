"""Test functions as TAP, and a build folder's installed tree."""
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

BUILD, SOURCE = sys.argv[1:3]


class Skip(Exception):
    """Says what is missing."""


def need(program):
    if not shutil.which(program):
        raise Skip(f"{program} is missing")


def ask(*command, **options):
    """Runs it; an assertion with what it printed if it fails."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, f"{' '.join(map(str, command))}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


class Installed:
    """What `meson install` puts on a host, in a folder of its own; a context manager."""

    def __enter__(self):
        self.root = tempfile.mkdtemp(prefix="ioasidd-units-")
        ask("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", self.root)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def files(self):
        """Paths of all that is no folder, as they are on the host."""
        return {os.path.join("/", os.path.relpath(os.path.join(folder, name), self.root))
                for folder, _, names in os.walk(self.root) for name in names}

    def folders(self):
        return {os.path.join("/", os.path.relpath(os.path.join(folder, name), self.root))
                for folder, names, _ in os.walk(self.root) for name in names}

    def find(self, ending):
        """The path below the root of the one installed file whose path ends like that."""
        found = [path for path in self.files() if path.endswith(ending)]
        assert len(found) == 1, f"{ending}: {found}"
        return self.root + found[0]


def run(tests):
    print(f"1..{len(tests)}")
    failed = False
    for number, function in enumerate(tests, start=1):
        verdict, note = "ok", ""
        try:
            function()
        except Skip as reason:
            note = f" # SKIP {reason}"
        except Exception:
            verdict, failed = "not ok", True
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
        name = " ".join(function.__doc__.split())
        print(f"{verdict} {number} - {name}{note}", flush=True)
    sys.exit(failed)
