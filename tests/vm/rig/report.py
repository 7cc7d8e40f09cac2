"""Tells how scenarios went: as TAP for meson, or as they happen for a person."""

import os
import sys


class TapReport:
    """One test for each scenario. Whole logs go to a folder; of those that failed they are printed as well."""

    SKIPPED = 77

    def __init__(self, scenarios, folder):
        self.folder = folder
        self.left = list(scenarios)
        self.number = 0
        self.failed = 0
        self.lines = []
        self._print(f"1..{len(self.left)}")

    def on_line(self, line):
        self.lines.append(line)

    def comment(self, text):
        for line in text.splitlines():
            self._print(f"# {line}")

    def end(self, status, seconds):
        """The first of those that are left has ended."""
        scenario = self.left.pop(0)
        self._write_log(scenario)
        name = f"{self._next()} - {scenario.name} ({seconds:.1f} s)"
        if status == 0:
            self._print(f"ok {name}")
        elif status == self.SKIPPED:
            reasons = [line.removeprefix("SKIP: ") for line in self.lines if line.startswith("SKIP: ")]
            self._print(f"ok {name} # SKIP {reasons[-1] if reasons else 'for no reason that it gave'}")
        else:
            self._fail(name, self.lines)
        self.lines = []

    def abort(self, reason, console):
        """Nothing more can run: the first of those that are left is to blame, the others have not been tried."""
        for first, scenario in enumerate(list(self.left)):
            if first == 0:
                self.lines += [f"FAIL: {reason}", "--- the console's end", *console]
                self._write_log(scenario)
                self._fail(f"{self._next()} - {scenario.name}", self.lines)
            else:
                self._fail(f"{self._next()} - {scenario.name}", ["not tried, because the machine was lost before"])
        self.left = []

    def finish(self):
        if self.failed:
            self.comment(f"{self.failed} failed; whole logs are in {self.folder}")
        return 1 if self.failed else 0

    def _next(self):
        self.number += 1
        return self.number

    def _fail(self, name, lines):
        self.failed += 1
        self._print(f"not ok {name}")
        for line in lines:
            self._print(f"#   {line}")

    def _write_log(self, scenario):
        with open(os.path.join(self.folder, f"{scenario.name}.log"), "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in self.lines)

    @staticmethod
    def _print(line):
        print(line, flush=True)


class LiveReport:
    """Shows one scenario's output as it comes."""

    def __init__(self):
        self.ended = 0
        self.failed = False

    def on_line(self, line):
        print(line, flush=True)

    def comment(self, text):
        print(text, file=sys.stderr, flush=True)

    def end(self, status, _seconds):
        self.ended += 1
        self.failed = self.failed or status not in (0, TapReport.SKIPPED)

    def abort(self, reason, console):
        self.failed = True
        self.comment("\n".join([reason, "--- the console's end", *console]))

    def finish(self):
        return 0 if self.ended and not self.failed else 1
