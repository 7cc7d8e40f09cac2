#!/usr/bin/env python3
"""Holds the tests without a virtual machine against the plan engine: covered.py BUILD, a build with -Db_coverage=true.

The simulator runs the engine that ships, so what its tests and the contract leave out of daemon/plans/ is out of reach
of every test but those on a real kernel. Run them before: each leaves its counts in the build folder.
"""
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD = Path(sys.argv[1]).resolve()
LINES_MIN = 0.9


def counts(folder):
    """Of each source: its lines and functions that are there, with how often they were run."""
    for data in sorted((BUILD / "daemon/plans").rglob("*.gcda")):
        subprocess.run(["gcov", "--json-format", data], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for result in Path(folder).glob("*.gcov.json.gz"):
            with gzip.open(result) as text:
                report = json.load(text)
            result.unlink()
            for source in report["files"]:
                if "daemon/plans/" in source["file"] and source["file"].endswith(".c"):
                    yield source["file"].rsplit("/", 1)[1], source["lines"], source["functions"]


def main():
    lines = run = 0
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for name, of_lines, functions in counts(folder):
            hit = sum(line["count"] > 0 for line in of_lines)
            print(f"# {name}: {hit} of {len(of_lines)} lines")
            lines, run = lines + len(of_lines), run + hit
            problems += [f"{name}: {one['name']}() is never entered" for one in functions if not one["execution_count"]]
    share = run / lines if lines else 0
    print("1..2")
    print(f"{'ok' if share >= LINES_MIN else 'not ok'} 1 - {share:.1%} of the lines of daemon/plans/ are run")
    print(f"{'not ok' if problems else 'ok'} 2 - each of its functions is entered")
    for problem in problems:
        print(f"# {problem}")
    return 1 if problems or share < LINES_MIN else 0


if __name__ == "__main__":
    sys.exit(main())
