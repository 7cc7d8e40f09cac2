"""libioasid in mode node: paths in place of descriptors, on both interfaces, and lies about them."""

import errno

import tap
from fake_daemon import FakeDaemon, Reply, claiming_daemon, memfd
from program import Probe

A = "0000:01:00.0"
B = "0000:02:00.0"
PROTO = -errno.EPROTO


def test_a_claim_with_groups_is_paths_and_a_lease():
    with claiming_daemon((A, B), interface="group", groups={A: 7, B: 8}) as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        claim = probe("claim", "node", A, B)
        tap.equal([claim["result"], claim["fds"]], [0, idle + 1], "the lease alone")
        tap.equal([claim["mode"], claim["interface"]], ["node", "group"])
        tap.equal(claim["nodes"], {A: ["/dev/vfio/7"], B: ["/dev/vfio/8"]})
        tap.equal([claim["iommufd"]["number"], claim["container"]["number"], claim["ioas_id"],
                   claim["devices"][A]["number"], claim["groups"][A]["number"]], [-1, -1, 0, -1, -1])
        tap.equal(claim["json"]["devices"][0], {"name": A, "group": 7, "fd": None, "nodes": ["/dev/vfio/7"]})
        tap.equal(daemon.called("Claim"), [{"devices": [A, B], "mode": "node"}])


def test_a_claim_with_an_iommufd_has_it():
    with claiming_daemon((A,)) as daemon, Probe(daemon.path) as probe:
        idle = probe("connect")["fds"]
        claim = probe("claim", "node", A)
        tap.equal([claim["result"], claim["fds"], claim["iommufd"]["target"], claim["nodes"]],
                  [0, idle + 2, "/memfd:iommufd (deleted)", {A: ["/dev/vfio/devices/vfio0"]}])
        tap.equal(probe("release")["fds"], idle)


def test_growing_and_shrinking():
    with claiming_daemon((A,), interface="group") as daemon, Probe(daemon.path) as probe:
        daemon.methods["AddDevice"] = Reply({"claim": "c1", "groups": [], "lockouts": [], "devices": [
            {"name": B, "group": 8, "fd": None, "nodes": ["/dev/vfio/8"]}]})
        daemon.methods["RemoveDevice"] = Reply()
        probe("connect")
        before = probe("claim", "node", A)
        claim = probe("add", B)
        tap.equal([claim["result"], claim["nodes"][B], claim["fds"]], [0, ["/dev/vfio/8"], before["fds"]])
        claim = probe("remove", A)
        tap.equal([claim["result"], list(claim["nodes"]), claim["fds"]], [0, [B], before["fds"]])
        tap.equal(daemon.called("RemoveDevice"), [{"claim": "c1", "device": A}])


def is_refused(name, fds=1, device=None, **changes):
    entry = dict({"name": A, "group": 7, "fd": None, "nodes": ["/dev/vfio/7"]}, **(device or {}))
    parameters = dict({"claim": "c1", "mode": "node", "interface": "group", "lease": 0, "iommufd": None,
                       "container": None, "ioas_id": None, "memlock": None, "groups": [], "devices": [entry],
                       "lockouts": []}, **changes)
    with FakeDaemon({"Acknowledge": Reply()}) as daemon, Probe(daemon.path) as probe:
        daemon.methods["Claim"] = lambda _: Reply(parameters,
                                                  fds=[daemon.lease()] + [memfd("x") for _ in range(1, fds)])
        idle = probe("connect")["fds"]
        claim = probe("claim", "node", A)
        tap.equal([claim["result"], claim["fds"], daemon.called()], [PROTO, idle - 1, ["Claim"]], name)


def test_lies():
    is_refused("a device's descriptor", fds=2, device={"fd": 1})
    is_refused("a container", fds=2, container=1)
    is_refused("a group", fds=2, groups=[{"group": 7, "fd": 1}])
    is_refused("an iommufd", fds=2, iommufd=1)
    is_refused("no iommufd, though that is the interface", interface="iommufd")
    is_refused("an IOAS", ioas_id=3)
    is_refused("another mode", mode="attached")
    for nodes in (None, [], "x", {}, [7], [None], [""], ["/"], ["/dev"], ["/dev/"], ["dev/vfio/7"], ["/etc/passwd"],
                  ["/dev/../etc/passwd"], ["/dev/vfio/./7"], ["/dev//vfio"], ["/dev/vfio/7/"], ["/dev/a b"],
                  ["/dev/\u00e4"], ["/dev/a\n"], ["/dev/a\0b"], ["/dev/" + "x" * 60], ["/dev/vfio/7"] * 2,
                  [f"/dev/vfio/{i}" for i in range(5)]):
        is_refused(f"nodes {nodes!r:.60}", device={"nodes": nodes})


if __name__ == "__main__":
    tap.run(dict(globals()))
