#!/usr/bin/env python3
"""What tests/summarize makes of meson's logs: summarize_test.py SOURCE"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SUMMARIZE = Path(sys.argv[1]) / "tests" / "summarize"
# A program of three subtests, one that crashed, one that was skipped, and one that is fine.
TESTS = [
    {"name": "p:broker / turns", "result": "ERROR",
     "stdout": "# early\n1..3\nok 1 - first\n# the daemon said so\nnot ok 2 - second one\n# because\n"
               "#   FAIL: it does not\n#   --- kernel.log\n#   secret\nok 3 - third # SKIP no root\n"},
    {"name": "p:unit / crashed", "result": "ERROR", "stdout": "1..1\n", "stderr": "Segmentation fault"},
    {"name": "p:unit / whole", "result": "SKIP", "stdout": "1..0 # SKIP no such thing\n"},
    {"name": "p:unit / fine", "result": "OK", "stdout": ""},
]
CASES = """<testsuites>
<testsuite name="p.turns"><testcase name="1 - first"/><testcase name="2 - second one"><failure/></testcase>
<testcase name="3 - third"><skipped/><system-out>no root</system-out></testcase></testsuite>
<testsuite name="p"><testcase name="p:unit / whole"><skipped/></testcase><testcase name="p:unit / fine"/></testsuite>
</testsuites>"""
WANTED = """skipped:
  gcc: turns: 3 - third: no root
  gcc: whole: no such thing
failed:
  building:clang
  gcc: turns: 2 - second one
      # the daemon said so
      # because
      #   FAIL: it does not
  gcc: crashed: the program ended with ERROR
      1..1
      Segmentation fault
2 passed, 3 failed, 2 skipped
"""


def summarize(*arguments):
    done = subprocess.run([sys.executable, "-B", SUMMARIZE, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def main():
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "testlog-gcc"
        base.with_suffix(".json").write_text("".join(json.dumps(test) + "\n" for test in TESTS), encoding="utf-8")
        base.with_suffix(".junit.xml").write_text(CASES, encoding="utf-8")
        found = summarize("--broken", "building:clang", f"gcc={folder}:testlog-gcc")
        missing = summarize(f"gcc={folder}:nothing")
    results = [("what failed is told with what was said about it", found == (1, WANTED), found),
               ("results that are missing are a failure", missing[0] == 1 and "1 failed" in missing[1], missing)]
    print(f"1..{len(results)}")
    for number, (name, good, seen) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {name}")
        if not good:
            print("".join(f"# {line}\n" for line in f"{seen[0]}\n{seen[1]}".splitlines()), end="")
    return 0 if all(good for _, good, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
