"""Finds scenarios and reads what their headers say."""

import os
import re


class ScenarioError(Exception):
    """Says file and what is wrong."""


class Scenario:
    """A shell script for the guest. In the comment at its head: "# needs: TOPOLOGY…", and perhaps "# timeout:
    SECONDS". What
    takes long and shows little more has "# only with --all", or more topologies in "# with --all: TOPOLOGY…"."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path).removesuffix(".sh")
        self.topologies = []
        self.with_all = []   # further topologies
        self.seconds = None  # what the topology's kind of guest gets
        self.only_with_all = False
        with open(path, encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    break
                if match := re.fullmatch(r"# needs: (.*)\n", line):
                    self.topologies = match[1].split()
                elif match := re.fullmatch(r"# with --all: (.*)\n", line):
                    self.with_all = match[1].split()
                elif match := re.fullmatch(r"# timeout: ([1-9][0-9]*)\n", line):
                    self.seconds = int(match[1])
                elif line == "# only with --all\n":
                    self.only_with_all = True
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            raise ScenarioError(f"{path}: a scenario's name has letters, digits, '-' and '_' only")

    def needs(self, topology, everything):
        """True if it is a test of that topology; everything: with --all."""
        return topology in self.topologies_of(everything) and (everything or not self.only_with_all)

    def topologies_of(self, everything):
        return self.topologies + (self.with_all if everything else [])


def wants_everything():
    """True for tests/run --all."""
    return os.environ.get("IOASIDD_TEST_ALL") == "yes"


def scenarios_in(folder):
    """All scenarios of a folder by name; each has to say on which topology it runs."""
    found = [Scenario(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".sh")]
    for scenario in found:
        if not scenario.topologies:
            raise ScenarioError(f"{scenario.path}: has no line '# needs: TOPOLOGY' in the comment at its head")
    return found
