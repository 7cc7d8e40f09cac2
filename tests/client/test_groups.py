"""libioasid where the kernel has no iommufd: containers, groups, devices that it opens itself, and lies about them."""

import errno
import os

import tap
from fake_daemon import FakeDaemon, Reply, claiming_daemon, memfd
from program import Probe

A = "0000:01:00.0"
B = "0000:01:00.1"
C = "0000:02:00.0"
UNOPENABLE = "0000:0e:0e.0"
PROTO = -errno.EPROTO


def target(name):
    return f"/memfd:{name} (deleted)"


def granting(*devices, numbers=None, **more):
    numbers = numbers or {A: 7, B: 7, C: 8}
    daemon = claiming_daemon(devices, interface="group", groups=numbers, **more)
    daemon.methods["RemoveDevice"] = Reply()
    return daemon


def added(device, group, fd=True, group_fd=True, **changes):
    """The reply to AddDevice: with the group's and the device's descriptors, or without."""
    fds, groups, entry = [], [], {"name": device, "group": group, "fd": None, "nodes": []}
    if group_fd:
        groups.append({"group": group, "fd": len(fds)})
        fds.append(memfd(f"group-{group}"))
    if fd:
        entry["fd"] = len(fds)
        fds.append(memfd("device-" + device))
    return Reply(dict({"claim": "c1", "groups": groups, "devices": [entry], "lockouts": []}, **changes), fds=fds)


def test_a_claim_delivers_container_groups_and_devices():
    with granting(A, B, C) as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        claim = probe("claim", "-", A, B, C)
        tap.equal(claim["result"], 0, claim.get("message"))
        tap.equal(claim["fds"], idle + 7, "lease, container, two groups, three devices")
        tap.equal([claim["mode"], claim["interface"], claim["ioas_id"], claim["iommufd"]["number"]],
                  ["attached", "group", 0, -1])
        tap.equal(claim["container"]["target"], target("container"))
        tap.equal([claim["groups"][device]["target"] for device in (A, B, C)],
                  [target("group-7"), target("group-7"), target("group-8")])
        tap.equal([claim["devices"][device]["target"] for device in (A, B, C)],
                  [target(f"device-{device}") for device in (A, B, C)])
        for fd in (claim["container"], claim["groups"][A], claim["devices"][A]):
            tap.true(fd["cloexec"], "close-on-exec")
        tap.equal([claim["json"]["container"], claim["json"]["iommufd"], claim["json"]["groups"]],
                  [claim["container"]["number"], None,
                   [{"group": 7, "fd": claim["groups"][A]["number"]},
                    {"group": 8, "fd": claim["groups"][C]["number"]}]])
        tap.equal([probe("release")["result"], probe("limit", "9")["fds"]], [0, idle], "all is closed")


def test_64_devices_in_groups_of_their_own():
    devices = [f"0000:{number:02x}:00.0" for number in range(64)]
    with claiming_daemon(devices, interface="group") as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        claim = probe("claim", "-", *devices)
        tap.equal([claim["result"], claim["fds"]], [0, idle + 130])


def test_add_of_a_device_in_a_new_group():
    with granting(A) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added(C, 8)
        probe("connect")
        before = probe("claim", "-", A)
        claim = probe("add", C)
        tap.equal([claim["result"], claim["fds"]], [0, before["fds"] + 2])
        tap.equal([claim["groups"][A], claim["groups"][C]["target"]], [before["groups"][A], target("group-8")])
        tap.equal([group["group"] for group in claim["json"]["groups"]], [7, 8])


def test_add_of_a_device_whose_group_is_open_opens_it_here():
    with granting(A) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added(B, 7, fd=False, group_fd=False)
        probe("connect")
        before = probe("claim", "-", A)
        claim = probe("add", B)
        tap.equal([claim["result"], claim["fds"]], [0, before["fds"] + 1])
        tap.equal([claim["devices"][B]["target"], claim["devices"][B]["cloexec"]], [target(f"device-{B}"), True])
        tap.equal(claim["groups"][B], before["groups"][A], "the group is the one that was open")
        tap.equal(daemon.called(), ["Claim", "Acknowledge", "AddDevice", "Acknowledge"])


def test_a_device_that_the_kernel_does_not_open_is_given_back():
    with granting(A) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added(UNOPENABLE, 7, fd=False, group_fd=False)
        probe("connect")
        before = probe("claim", "-", A)
        claim = probe("add", UNOPENABLE)
        tap.equal([claim["result"], claim["status"], claim["fds"], claim["json"]],
                  [-errno.ENODEV, 1, before["fds"], before["json"]])
        tap.contains(claim["message"], f"{UNOPENABLE} was prepared, but the kernel failed to open it")
        tap.contains(claim["message"], "VFIO_GROUP_GET_DEVICE_FD: No such device")
        tap.equal(daemon.called("RemoveDevice"), [{"claim": "c1", "device": UNOPENABLE}])
        tap.equal(daemon.called(), ["Claim", "Acknowledge", "AddDevice", "RemoveDevice"], "it was not acknowledged")


def test_the_reason_is_told_also_where_giving_back_fails():
    with granting(A) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added(UNOPENABLE, 7, fd=False, group_fd=False)
        daemon.methods["RemoveDevice"] = Reply({"message": "another reason"}, error="org.ioasid1.Failed")
        probe("connect")
        probe("claim", "-", A)
        tap.contains(probe("add", UNOPENABLE)["message"], "the kernel failed to open it")


def test_without_room_for_the_device_that_is_opened_here():
    with granting(A) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added(B, 7, fd=False, group_fd=False)
        probe("connect")
        before = probe("claim", "-", A)
        probe("limit", "0")
        claim = probe("add", B)
        tap.equal([claim["result"], claim["fds"]], [-errno.EMFILE, before["fds"]])
        tap.equal(daemon.called("RemoveDevice"), [{"claim": "c1", "device": B}])


def test_remove_closes_the_group_with_its_last_device():
    with granting(A, B, C) as daemon, Probe(daemon.path) as probe:
        counts = []

        def remove(_):
            counts.append(count())
            return Reply()

        def count():
            return len([link for link in links() if link.startswith("/memfd:")])

        def links():
            folder = f"/proc/{probe.process.pid}/fd"
            return [os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)]

        daemon.methods["RemoveDevice"] = remove
        probe("connect")
        probe("claim", "-", A, B, C)
        tap.equal(count(), 6, "container, two groups, three devices")
        claim = probe("remove", A)
        tap.equal([claim["result"], claim["groups"][B]["target"]], [0, target("group-7")], "B keeps the group open")
        claim = probe("remove", B)
        tap.equal([claim["result"], [group["group"] for group in claim["json"]["groups"]]], [0, [8]])
        tap.equal(counts, [5, 3], "all was closed before the daemon was asked")


def test_a_device_comes_back_after_its_group_was_closed():
    with granting(A, C) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added(A, 7)
        probe("connect")
        before = probe("claim", "-", A, C)
        probe("remove", A)
        claim = probe("add", A)
        tap.equal([claim["result"], claim["fds"], claim["groups"][A]["target"]], [0, before["fds"], target("group-7")])


def test_remove_that_is_refused_tells_what_is_closed():
    with granting(A, C) as daemon, Probe(daemon.path) as probe:
        daemon.methods["RemoveDevice"] = [Reply({"status": 4, "message": "held"}, error="org.ioasid1.Busy"), Reply()]
        probe("connect")
        probe("claim", "-", A, C)
        claim = probe("remove", A)
        tap.equal([claim["result"], claim["devices"][A]["number"], claim["groups"][A]["number"]],
                  [-errno.EREMOTEIO, -1, -1])
        tap.equal([claim["json"]["devices"][0]["fd"], len(claim["json"]["groups"])], [None, 1])
        tap.equal(probe("remove", A)["result"], 0, "it can be tried again")


def offer(daemon, fds=4, **changes):
    """A good reply (lease 0, container 1, group 7 is 2, A is 3) with some fields changed and so many descriptors."""
    good = {"claim": "c1", "mode": "attached", "interface": "group", "lease": 0, "iommufd": None, "container": 1,
            "ioas_id": None, "memlock": None, "groups": [{"group": 7, "fd": 2}],
            "devices": [{"name": A, "group": 7, "fd": 3, "nodes": []}], "lockouts": []}
    parameters = {key: value for key, value in dict(good, **changes).items() if value != "missing"}
    return Reply(parameters, fds=[daemon.lease()] + [memfd(f"fd{i}") for i in range(1, fds)])


def is_refused(name, **changes):
    with FakeDaemon({"Acknowledge": Reply()}) as daemon, Probe(daemon.path) as probe:
        daemon.methods["Claim"] = lambda _: offer(daemon, **changes)
        idle = probe("connect")["fds"]
        claim = probe("claim", "-", A)
        tap.equal([claim["result"], claim["fds"], daemon.called()], [PROTO, idle - 1, ["Claim"]], name)


def test_lies_about_a_claim():
    with FakeDaemon({"Acknowledge": Reply()}) as daemon, Probe(daemon.path) as probe:
        daemon.methods["Claim"] = lambda _: offer(daemon)
        probe("connect")
        tap.equal(probe("claim", "-", A)["result"], 0, "the others must fail because of what they change")
    device = {"name": A, "group": 7, "fd": 3, "nodes": []}
    group = {"group": 7, "fd": 2}
    is_refused("no container", container=None, groups=[{"group": 7, "fd": 1}], fds=3,
               devices=[dict(device, fd=2)])
    is_refused("an iommufd beside it", iommufd=4, fds=5)
    is_refused("an IOAS", ioas_id=7)
    is_refused("mode open", mode="open")
    is_refused("no groups", groups=[], fds=3, devices=[dict(device, fd=2)])
    is_refused("groups left out", groups="missing", fds=3, devices=[dict(device, fd=2)])
    is_refused("another group", groups=[{"group": 8, "fd": 2}])
    is_refused("a group more", groups=[group, {"group": 8, "fd": 4}], fds=5)
    is_refused("a group twice", groups=[group, {"group": 7, "fd": 4}], fds=5)
    is_refused("a descriptor twice", groups=[group, {"group": 8, "fd": 2}])
    is_refused("the container as group", groups=[{"group": 7, "fd": 1}])
    is_refused("the group as device", devices=[dict(device, fd=2)])
    is_refused("a device without descriptor", devices=[dict(device, fd=None)], fds=3)
    is_refused("a device with nodes", devices=[dict(device, nodes=["/dev/vfio/7"])])
    for number in (-1, 1 << 31, "7", None, True, 7.0, "missing"):
        entry = {key: value for key, value in {"group": number, "fd": 2}.items() if value != "missing"}
        is_refused(f"group number {number!r}", groups=[entry])
    for index in (-1, 4, 1 << 32, "2", None, True):
        is_refused(f"group's descriptor {index!r}", groups=[dict(group, fd=index)])
        is_refused(f"container's descriptor {index!r}", container=index)
    is_refused("65 groups", fds=130, groups=[{"group": i, "fd": min(i + 2, 129)} for i in range(65)])


def test_lies_about_a_device_that_is_added():
    answers = {
        "no descriptor, and its group is not open": lambda: added(C, 8, fd=False, group_fd=False),
        "no descriptor, though its group is new": lambda: added(C, 8, fd=False),
        "in no group": lambda: added(C, 8, group_fd=False),
        "a group that is open": lambda: added(B, 7),
        "a group that it is not in": lambda: added(C, 8, groups=[{"group": 9, "fd": 0}]),
        "nodes": lambda: added(C, 8, devices=[{"name": C, "group": 8, "fd": 1, "nodes": ["/dev/vfio/8"]}]),
        "the group's descriptor": lambda: added(C, 8, devices=[{"name": C, "group": 8, "fd": 0, "nodes": []}]),
        "two devices": lambda: added(C, 8, devices=[{"name": name, "group": 8, "fd": fd, "nodes": []}
                                                    for name, fd in ((C, 1), (B, None))]),
    }
    for what, answer in answers.items():
        with granting(A) as daemon, Probe(daemon.path) as probe:
            daemon.methods["AddDevice"] = answer()
            probe("connect")
            before = probe("claim", "-", A)
            claim = probe("add", C)
            tap.equal([claim["result"], claim["json"], claim["fds"]], [PROTO, before["json"], before["fds"] - 1], what)


def test_with_an_iommufd_no_device_comes_without_its_descriptor():
    with claiming_daemon((A,), groups={A: 7}) as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = added(B, 7, fd=False, group_fd=False)
        probe("connect")
        before = probe("claim", "-", A)
        claim = probe("add", B)
        tap.equal([claim["result"], claim["json"]], [PROTO, before["json"]])
        daemon.methods["AddDevice"] = added(C, 8)
        tap.equal(probe("add", C)["result"], PROTO, "nor with a group")


if __name__ == "__main__":
    tap.run(dict(globals()))
