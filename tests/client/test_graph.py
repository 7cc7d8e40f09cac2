"""graph: what it writes is DOT whatever it is told, and shows who has what and what a claim would take."""

import os
import re
import shutil
import subprocess

import host
import tap
from fake_daemon import FakeDaemon, Reply
from program import ioasidctl, output_json

TOKEN = re.compile(r'\s+|->|[{}\[\]=;,]|[A-Za-z_][A-Za-z0-9_]*|-?[0-9]+|"(?:[^"\\]|\\.)*"', re.S)


class Dot:
    """A reader for the part of DOT that graph writes: nodes with attributes, edges, clusters. Anything else fails."""

    def __init__(self, text):
        self.tokens, place = [], 0
        while place < len(text):
            match = TOKEN.match(text, place)
            if not match:
                raise tap.Failure(f"no DOT at {text[place:place + 60]!r}")
            place = match.end()
            if not match.group().isspace():
                self.tokens.append(match.group())
        self.nodes, self.edges, self.clusters, self.labels = {}, [], {}, {}
        self.expect("digraph")
        self.name()
        self.block(None)
        if self.tokens:
            raise tap.Failure(f"something follows the graph: {self.tokens[:5]}")

    def take(self):
        if not self.tokens:
            raise tap.Failure("the graph has no end")
        return self.tokens.pop(0)

    def expect(self, token):
        found = self.take()
        if found != token:
            raise tap.Failure(f"{found!r} where {token!r} is expected")

    def name(self):
        token = self.take()
        if token[0] == '"':
            tap.lacks(token, "\n", "a line end in quotes")
            return re.sub(r"\\(.)", lambda match: "\n" if match.group(1) == "n" else match.group(1), token[1:-1])
        if not re.match(r"[A-Za-z0-9_-]", token) or token == "->":
            raise tap.Failure(f"{token!r} where a name is expected")
        return token

    def attributes(self):
        found = {}
        self.expect("[")
        while self.tokens[0] != "]":
            key = self.name()
            self.expect("=")
            found[key] = self.name()
            if self.tokens[0] == ",":
                self.take()
        self.expect("]")
        return found

    def block(self, cluster):
        self.expect("{")
        while self.tokens[0] != "}":
            name = self.name()
            if name == "subgraph":
                inner = self.name()
                self.clusters[inner] = []
                self.block(inner)
            elif self.tokens[0] == "=":
                self.take()
                value = self.name()
                if name == "label":
                    self.labels[cluster] = value
                self.expect(";")
            elif self.tokens[0] == "->":
                self.take()
                self.edges.append((name, self.name(), self.attributes() if self.tokens[0] == "[" else {}))
                self.expect(";")
            else:
                found = self.attributes()
                if name not in ("node", "edge", "graph"):
                    self.nodes[name] = found
                    if cluster:
                        self.clusters[cluster].append(name)
                self.expect(";")
        self.expect("}")


def draw(daemon, *arguments):
    result = ioasidctl(daemon, "graph", *arguments)
    tap.equal([result.returncode, result.stderr], [0, ""])
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg", "-o", os.devnull], input=result.stdout, text=True, check=True)
    return Dot(result.stdout)


PLAN = {"allowed": False, "status": 4, "mode": "attached", "interface": "iommufd",
        "devices": [{"name": "0000:01:00.0", "group": 7, "rule": "r", "rule_file": "f", "rule_line": 1}],
        "chosen": [], "steps": [], "uses": [],
        "lockouts": [{"device": "0000:01:01.0", "for": "0000:01:00.0", "driver": "nvme", "severity": "fatal",
                      "use": "mounted", "covered": False},
                     {"device": "0000:01:02.0", "for": "0000:01:00.0", "driver": None, "severity": "idle", "use": None,
                      "covered": True}],
        "blockers": [{"kind": "member-in-use", "status": 4, "device": "0000:01:00.0", "member": "0000:01:01.0",
                      "use": "mounted", "claim": None, "rule": "r", "message": "the disk is mounted", "remedy": "r"}]}


def test_groups_are_clusters_and_bridges_lead_to_their_devices():
    with host.daemon() as daemon:
        dot = draw(daemon)
    tap.equal(dot.clusters, {"cluster_7": ["0000:00:1c.0", "0000:01:00.0", "0000:01:01.0"],
                             "cluster_9": ["0000:00:1f.6"], "cluster_none": ["0000:00:1f.3"]})
    tap.equal(sorted(edge[:2] for edge in dot.edges),
              [("0000:00:1c.0", "0000:01:00.0"), ("0000:00:1c.0", "0000:01:01.0")])
    tap.contains(dot.labels["cluster_7"], "held\nclaim c1 of uid 1000, attached")
    tap.contains(dot.labels["cluster_9"], "free")
    tap.contains(dot.nodes["0000:01:01.0"]["label"], "locked out")
    tap.contains(dot.nodes["0000:00:1f.6"]["label"], "Ethernet controller\ndriver: e1000e")


def test_what_a_claim_would_take_differs_in_words_and_border():
    devices = [host.device("0000:01:00.0", group=7), host.device("0000:01:01.0", group=7, driver="nvme"),
               host.device("0000:01:02.0", group=7), host.device("0000:02:00.0", group=8)]
    with FakeDaemon({"ListDevices": Reply({"devices": devices}), "Plan": Reply({"plan": PLAN})}) as daemon:
        dot = draw(daemon, "01:00.0")
        tap.equal(daemon.called("Plan"), [{"devices": ["0000:01:00.0"]}])
    for address, word in (("0000:01:00.0", "ASKED FOR"), ("0000:01:01.0", "BLOCKS: member-in-use"),
                          ("0000:01:02.0", "WOULD BE LOCKED OUT")):
        tap.contains(dot.nodes[address]["label"], word)
    looks = [(node["shape"], node["style"], node["peripheries"]) for node in dot.nodes.values()]
    tap.equal(len(set(looks)), len(looks), "every look is another one without its colour, too")
    tap.contains(dot.labels[None], "refused\nthe disk is mounted")


def big_host():
    """500 functions of 4 network cards behind 60 ports that nobody uses, and a graphics card."""
    devices = [host.device(f"0000:00:{i // 8:02x}.{i % 8}", group=i, bridge=True, driver="pcieport",
                           **{"class": "060400"}) for i in range(60)]
    group = 100
    for card in range(4):
        physical = f"0000:{card + 16:02x}:00.0"
        devices.append(host.device(physical, group=group, parent=f"0000:00:00.{card}", virtual_functions=125,
                                   virtual_functions_max=128, driver="ixgbe", **{"class": "020000"}))
        for i in range(1, 126):
            devices.append(host.device(f"0000:{card + 16:02x}:{i // 8:02x}.{i % 8}", group=group + i, driver="ixgbevf",
                                       physical_function=physical, **{"class": "020000"}))
        group += 200
    devices.append(host.device("0000:80:00.0", group=5000, driver="nvidia", **{"class": "030000"}))
    return devices


def test_500_devices_fold_and_all_shows_each():
    devices = big_host()
    with FakeDaemon({"ListDevices": Reply({"devices": devices})}) as daemon:
        dot = draw(daemon)
        tap.equal(len(dot.nodes), 4 + 4 + 1 + 1, "cards, their functions, the graphics card, the bridges")
        tap.contains(dot.nodes["functions of 0000:10:00.0"]["label"], "125 virtual functions")
        tap.contains(dot.nodes["functions of 0000:10:00.0"]["label"], "driver: ixgbevf")
        tap.contains(dot.nodes["folded bridges"]["label"], "60 bridges in 60 groups")
        whole = draw(daemon, "--all")
        tap.equal(len(whole.nodes), len(devices))
        tap.equal(sum(edge[2].get("label") == "VF of" for edge in whole.edges), 500)


def test_a_function_that_is_asked_for_is_not_folded():
    plan = dict(PLAN, devices=[dict(PLAN["devices"][0], name="0000:10:00.5")], lockouts=[], blockers=[],
                allowed=True, status=0)
    with FakeDaemon({"ListDevices": Reply({"devices": big_host()}), "Plan": Reply({"plan": plan})}) as daemon:
        dot = draw(daemon, "10:00.5")
    tap.contains(dot.nodes["0000:10:00.5"]["label"], "ASKED FOR")
    tap.contains(dot.nodes["functions of 0000:10:00.0"]["label"], "124 virtual functions")


def test_S9_no_string_ends_its_quotes_or_makes_a_loop():
    nasty = 'x"]; evil [label="\\N\\n\n\x1b]0;\x07{}<b>\\'
    devices = [host.device(nasty, group=1, driver=nasty, class_text=nasty, parent=nasty, physical_function=nasty,
                           state=nasty, claim=nasty, bridge=True),
               host.device("0000:02:00.0", group=1, parent="0000:03:00.0", bridge=True, **{"class": "060400"}),
               host.device("0000:03:00.0", group=2, parent="0000:02:00.0", bridge=True, **{"class": "060400"})]
    claims = [{"id": nasty, "uid": 1, "mode": nasty}]
    plan = dict(PLAN, blockers=[{"kind": nasty, "message": nasty, "member": nasty}])
    with FakeDaemon({"ListDevices": Reply({"devices": devices}), "ListClaims": Reply({"claims": claims}),
                     "Plan": Reply({"plan": plan})}) as daemon:
        for arguments in ((), ("--all",), ("1:0.0",)):
            dot = draw(daemon, *arguments)
            tap.equal(len([name for name in dot.nodes if "evil" in name]), 1)
            tap.lacks(str(dot.labels), "\x1b")


def test_no_device_is_a_graph_too():
    with FakeDaemon({"ListDevices": Reply({"devices": []})}) as daemon:
        tap.equal(draw(daemon).nodes, {})


def test_json_is_what_it_is_drawn_of():
    with host.daemon() as daemon:
        result = ioasidctl(daemon, "graph", "--json")
        tap.equal([result.returncode, result.stderr], [0, ""])
        tap.equal(output_json(result), {"devices": host.DEVICES, "claims": host.CLAIMS, "uses": None, "plan": None})


if __name__ == "__main__":
    tap.run(dict(globals()))
