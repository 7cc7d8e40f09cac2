"""A test program in TAP: every function called test_* of a module is one test, in the order in which they stand."""

import sys
import traceback


class Failure(Exception):
    """A check that did not hold."""


def equal(actual, expected, what=""):
    if actual != expected:
        raise Failure(f"{what}\n  is       {actual!r}\n  expected {expected!r}")


def contains(text, part, what=""):
    if part not in text:
        raise Failure(f"{what}\n  {part!r} is missing in\n{text}")


def lacks(text, part, what=""):
    if part in text:
        raise Failure(f"{what}\n  {part!r} stands in\n{text}")


def true(condition, what):
    if not condition:
        raise Failure(what)


def _diagnose(text):
    for line in text.rstrip("\n").split("\n"):
        print(f"# {line!s}")


def run(names):
    """Runs the tests among a module's globals(), and exits."""
    tests = [(name, function) for name, function in names.items() if name.startswith("test_") and callable(function)]
    failed = 0
    print(f"1..{len(tests)}")
    for number, (name, function) in enumerate(tests, 1):
        try:
            function()
        except Failure as failure:
            result, text = "not ok", str(failure)
        except Exception:  # a test that breaks has failed, and the others still run
            result, text = "not ok", traceback.format_exc()
        else:
            result, text = "ok", ""
        print(f"{result} {number} - {name[5:].replace('_', ' ')}")
        if text:
            failed += 1
            _diagnose(text)
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
