#!/usr/bin/env python3
"""Who may do what: every method of both faces, as nobody, as a user with a rule, as an operator, and as root.

TABLE has a row for each method of org.ioasid1 on the socket and of every interface on the bus. Both are asked what they
have: a method without a row fails this test. Each row names the act of daemon/broker/core/rights.h that the method is
about;
RIGHTS says once, for all rows, what becomes of that act for whom.
"""
import os
import pwd
import re
import select
import xml.etree.ElementTree

import bus
import client
import harness
import wire
from client import CLAIM, MANAGER, NAME, ROOT, close_all
from hosts import ALONE, EDU, policy, rule, small_host
from polkit import NO, YES, Polkit
from wire import Variant

NOBODY, USER, OPERATOR, FRIEND = (pwd.getpwnam(name).pw_uid for name in ("nobody", "games", "man", "lp"))
ROLES = {"nobody": FRIEND, "user": USER, "operator": OPERATOR, "root": 0}

# What becomes of an act: for nobody, the user whose rule and claim it is, an operator, root. "-" is a denial.
EVERYBODY, BY_RULE, OWNER, OWNER_OR_OPERATOR, ONLY_OPERATOR = "++++", "-+--", "-+--", "-+++", "--++"
RIGHTS = {
    "LOOK": EVERYBODY, "WATCH": EVERYBODY, "PLAN": EVERYBODY,
    "CLAIM": BY_RULE, "TAKE": OWNER, "RESUME": OWNER, "ADD": OWNER,
    "REMOVE": OWNER_OR_OPERATOR, "RELEASE": OWNER_OR_OPERATOR, "SEE_CLAIM": OWNER_OR_OPERATOR,
    "PLAN_FOR": ONLY_OPERATOR, "CLAIM_FOR": ONLY_OPERATOR, "OPEN_QUARANTINE": ONLY_OPERATOR, "REVOKE": ONLY_OPERATOR,
    "RELOAD": ONLY_OPERATOR, "SNAPSHOT": ONLY_OPERATOR, "AUDIT": ONLY_OPERATOR,
}
RIGHT_OF = {"RIGHT_EVERYBODY": EVERYBODY, "RIGHT_OWNER": OWNER, "RIGHT_OWNER_OR_OPERATOR": OWNER_OR_OPERATOR,
            "RIGHT_OPERATOR": ONLY_OPERATOR}

DENIALS = {"OperatorsOnly", "NotFound", "RefusedByPolicy", "AccessDenied", "InteractiveAuthorizationRequired"}

# (method, act, parameters, what is there before). {claim} is a claim of the user's; what is there: "held", "offered" by
# the
# very user, "quarantined", "" for nothing.
SOCKET = [
    ("GetStatus", "LOOK", {}, ""),
    ("ListDevices", "LOOK", {}, ""),
    ("ListGroups", "LOOK", {}, ""),
    ("ListClaims", "LOOK", {}, "held"),
    ("GetPolicy", "LOOK", {}, ""),
    ("GetMetrics", "LOOK", {}, ""),
    ("Monitor", "WATCH", {}, ""),
    ("Monitor", "SEE_CLAIM", {"claim": "{claim}"}, "held"),
    ("Plan", "PLAN", {"devices": [EDU]}, ""),
    ("Plan", "PLAN_FOR", {"devices": [EDU], "user": str(USER)}, ""),
    ("Plan", "PLAN_FOR", {"devices": [EDU], "unit": "a.service"}, ""),
    ("Claim", "CLAIM", {"devices": [ALONE]}, ""),
    ("Claim", "CLAIM_FOR", {"devices": [ALONE], "lease": "operator"}, "everybody"),
    ("Claim", "CLAIM_FOR", {"devices": [ALONE], "lease": "unit", "unit": "another.service"}, "everybody"),
    ("Acknowledge", "TAKE", {"claim": "{claim}"}, "held"),
    ("AddDevice", "ADD", {"claim": "{claim}", "device": ALONE}, "held"),
    ("RemoveDevice", "REMOVE", {"claim": "{claim}", "device": EDU}, "held"),
    ("Release", "RELEASE", {"claim": "{claim}"}, "held"),
    ("Release", "OPEN_QUARANTINE", {"claim": "{claim}"}, "quarantined"),
    ("Resume", "RESUME", {"claim": "{claim}"}, "held"),
    ("Revoke", "REVOKE", {"claim": "{claim}", "grace": 0}, "held"),
    ("Revoke", "OPEN_QUARANTINE", {"claim": "{claim}", "grace": 0}, "quarantined"),
    ("ReloadPolicy", "RELOAD", {}, ""),
    ("Snapshot", "SNAPSHOT", {}, ""),
    ("Audit", "AUDIT", {}, ""),
]

# (interface, method, act, signature, arguments, what is there before).
BUS = [
    (MANAGER, "Plan", "PLAN", "asa{sv}", [[EDU], {}], ""),
    (MANAGER, "Plan", "PLAN_FOR", "asa{sv}", [[EDU], {"user": Variant("s", str(USER))}], ""),
    (MANAGER, "Plan", "PLAN_FOR", "asa{sv}", [[EDU], {"unit": Variant("s", "a.service")}], ""),
    (MANAGER, "Claim", "CLAIM", "asa{sv}", [[ALONE], {}], ""),
    (MANAGER, "Claim", "CLAIM_FOR", "asa{sv}", [[ALONE], {"lease": Variant("s", "operator")}], "everybody"),
    (MANAGER, "Claim", "CLAIM_FOR", "asa{sv}", [[ALONE], {"lease": Variant("s", "unit"),
                                                          "unit": Variant("s", "another.service")}], "everybody"),
    (MANAGER, "Reload", "RELOAD", "", [], ""),
    (MANAGER, "GetPolicy", "LOOK", "", [], ""),
    (MANAGER, "ListPools", "LOOK", "", [], ""),
    (MANAGER, "GetPool", "LOOK", "s", ["cards"], ""),
    (MANAGER, "Snapshot", "SNAPSHOT", "b", [False], ""),
    (MANAGER, "Audit", "AUDIT", "", [], ""),
    (MANAGER, "GetDevice", "LOOK", "s", [EDU], ""),
    (MANAGER, "GetGroup", "LOOK", "i", [1], ""),
    (MANAGER, "GetClaim", "LOOK", "s", ["{claim}"], "held"),
    (CLAIM, "OpenDevice", "TAKE", "s", [EDU], "held"),
    (CLAIM, "Acknowledge", "TAKE", "", [], "held"),
    (CLAIM, "Add", "ADD", "s", [ALONE], "held"),
    (CLAIM, "Remove", "REMOVE", "s", [EDU], "held"),
    (CLAIM, "Release", "RELEASE", "", [], "held"),
    (CLAIM, "Release", "OPEN_QUARANTINE", "", [], "quarantined"),
    (CLAIM, "Resume", "RESUME", "", [], "held"),
    (CLAIM, "Revoke", "REVOKE", "a{sv}", [{"grace": Variant("u", 0)}], "held"),
    (CLAIM, "Revoke", "OPEN_QUARANTINE", "a{sv}", [{"grace": Variant("u", 0)}], "quarantined"),
    (CLAIM, "Describe", "SEE_CLAIM", "", [], "held"),
    ("org.freedesktop.DBus.Introspectable", "Introspect", "LOOK", "", [], ""),
    ("org.freedesktop.DBus.Peer", "Ping", "LOOK", "", [], ""),
    ("org.freedesktop.DBus.Peer", "GetMachineId", "LOOK", "", [], ""),
    ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "LOOK", "", [], ""),
    ("org.freedesktop.DBus.Properties", "Get", "LOOK", "ss", [MANAGER, "Version"], ""),
    ("org.freedesktop.DBus.Properties", "GetAll", "LOOK", "s", [MANAGER], ""),
]
# Refused to everybody: nothing can be set. The bus does not even let it through.
NEVER = {("org.freedesktop.DBus.Properties", "Set")}


class Scene:
    """The daemon on both faces; a rule for the user, which is everybody's where that is not what is asked about."""

    def __init__(self, before=""):
        harness.needs_root()
        self.bus = bus.Bus()
        user = None if before == "everybody" else [str(USER)]
        self.text = policy(rule(user=user), pools={"cards": [{"id": ["1234:11e8"]}]},
                           operators={"user": [str(OPERATOR)]})
        self.before, self.claim, self.fds = before, None, {}

    def __enter__(self):
        self.bus.start()
        self.daemon = bus.Broker(self.bus, small_host(), self.text)
        self.daemon.__enter__()
        self.polkit = Polkit(self.bus, self.answer)
        if self.before in ("held", "quarantined"):
            self.make_claim()
        return self

    def answer(self, question):
        """polkit knows one operator, by his user, as it looks that up itself."""
        with self.bus.connect() as peer:
            return YES if peer.call(*client.DRIVER, "GetConnectionUnixUser", "s",
                                    [question.caller]) == [OPERATOR] else NO

    def make_claim(self):
        with self.bus.connect(USER) as owner:
            self.path, self.fds = owner.claim(EDU)
            owner.acknowledge(self.path)
            self.claim = self.fds["id"]
            close_all(self.fds, "lease")
            if self.before == "quarantined":
                self.daemon.control({"fail": {"step": "restore", "errno": "EIO", "times": 1}})
                assert owner.claim_call(self.path, "Release")[0] == "quarantined"

    def __exit__(self, *raised):
        if "lease" in self.fds:
            os.close(self.fds["lease"])
        self.polkit.__exit__(*raised)
        self.daemon.__exit__(*raised)
        self.bus.__exit__(*raised)


def filled(value, scene):
    if isinstance(value, str):
        return value.replace("{claim}", scene.claim or "")
    if isinstance(value, dict):
        return {key: filled(item, scene) for key, item in value.items()}
    return [filled(item, scene) for item in value] if isinstance(value, list) else value


def verdict(name, act):
    """+ for what was done, or could not be for another reason than who asked; - for a denial."""
    # What an owner is told on the socket of his claim, which is not his to open.
    denials = DENIALS | {"WrongState"} if act == "OPEN_QUARANTINE" else DENIALS
    return "-" if name and name.rsplit(".", 1)[1] in denials else "+"


def ask_socket(scene, role, method, parameters):
    with scene.daemon.connect_as(ROLES[role]) as peer:
        more = {"more": True} if method == "Monitor" else {}
        peer.send_call("org.ioasid1." + method, filled(parameters, scene), **more)
        reply = peer.receive()
        return reply.get("error"), reply.get("parameters")


def ask_bus(scene, role, interface, method, signature, arguments):
    path = scene.path if interface == CLAIM else ROOT
    with scene.bus.connect(ROLES[role]) as peer:
        try:
            message = peer.message(NAME, path, interface, method, signature, filled(arguments, scene))
            for fd in message.fds:
                os.close(fd)
            return None, message.body
        except client.Failure as failure:
            return failure.name, failure.text


# These change nothing that another row is about: they share a scene.
LOOKING = {"LOOK", "WATCH", "PLAN", "PLAN_FOR", "SEE_CLAIM", "RELOAD", "SNAPSHOT", "AUDIT"}


def check(rows, ask):
    problems = []

    def check_row(scene, row, role, expected):
        act = row[-4 if ask is ask_bus else -3]
        call = [*row[:-4], *row[-3:-1]] if ask is ask_bus else [row[0], row[2]]
        name, said = ask(scene, role, *call)
        if verdict(name, act) != expected:
            problems.append(f"{call[0]} {call[1]} as {role} ({act}): {name or 'done'} {said if name else ''}")

    with Scene("held") as shared:
        for row in rows:
            act, before = row[-4 if ask is ask_bus else -3], row[-1]
            for role, expected in zip(ROLES, RIGHTS[act], strict=True):
                if act in LOOKING and before in ("", "held"):
                    check_row(shared, row, role, expected)
                    continue
                with Scene(before) as scene:
                    check_row(scene, row, role, expected)
    assert not problems, "\n".join(problems)


def test_the_table_is_that_of_the_daemon():
    """What RIGHTS says is what rights.c says, for every act, and every act has a row"""
    with open(os.path.join(bus.ROOT, "daemon", "broker", "core", "rights.c"), encoding="utf-8") as file:
        theirs = dict(re.findall(r"\[ACT_(\w+)\] = \{ (RIGHT_\w+), ", file.read()))
    assert theirs.keys() == RIGHTS.keys()
    for act, right in theirs.items():
        # Everybody may ask for a claim; that only the user gets it is the policy's.
        assert RIGHT_OF[right] == (EVERYBODY if act == "CLAIM" else RIGHTS[act]), act
    with_row = {row[1] for row in SOCKET} | {row[2] for row in BUS}
    assert RIGHTS.keys() == with_row, RIGHTS.keys() ^ with_row


def test_the_rows_of_the_socket_have_their_acts():
    """The act in each row of the socket's own table is the one that the method is about here"""
    path = os.path.join(bus.ROOT, "daemon", "broker", "faces", "varlink", "varlink_methods.c")
    with open(path, encoding="utf-8") as file:
        theirs = dict(re.findall(r'\{ "org\.ioasid1\.(\w+)",[^{}]*?\bACT_(\w+),', file.read()))
    ours = {}
    for method, act, _, _ in SOCKET:
        ours.setdefault(method, act)
    assert theirs == ours, theirs.items() ^ ours.items()


def test_every_method_has_a_row():
    """Each method that the socket's interface or an object's introspection has stands in the table"""
    with Scene("held") as scene:
        with scene.daemon.connect() as peer:
            text = peer.ask("org.varlink.service.GetInterfaceDescription", {"interface": "org.ioasid1"})["description"]
        assert set(re.findall(r"^method (\w+)", text, re.M)) == {row[0] for row in SOCKET}
        found = set()
        with scene.bus.connect() as peer:
            for path in [ROOT, scene.path, *peer.objects()]:
                tree, = peer.call(NAME, path, client.INTROSPECTABLE, "Introspect")
                for interface in xml.etree.ElementTree.fromstring(tree).iter("interface"):
                    found |= {(interface.get("name"), method.get("name")) for method in interface.iter("method")}
        assert found == {row[:2] for row in BUS} | NEVER, found ^ ({row[:2] for row in BUS} | NEVER)


def test_socket():
    """SR-08, SR-10: every method of the socket, as everybody in the table"""
    check(SOCKET, ask_socket)


def test_bus():
    """SR-08, SR-10, SR-11: every method of the bus, as everybody in the table"""
    check(BUS, ask_bus)


def test_bus_without_polkit():
    """Without polkit the bus knows no operator but root"""
    with Scene("held") as scene:
        scene.polkit.__exit__(None, None, None)
        scene.polkit.peer = scene.bus.connect()    # closed once more at the end
        for interface, method, act, signature, arguments, before in BUS:
            if RIGHTS[act] not in (ONLY_OPERATOR, OWNER_OR_OPERATOR) or before not in ("", "held"):
                continue
            name, _ = ask_bus(scene, "operator", interface, method, signature, arguments)
            assert name == f"{NAME}.Error.OperatorsOnly", (method, name)


if __name__ == "__main__":
    harness.run([value for name, value in list(globals().items()) if name.startswith("test_")])
