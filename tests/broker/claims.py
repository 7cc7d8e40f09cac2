"""What tests of the broker do with claims: making, growing, closing and looking at them."""
import os


def take_indices(reply, fds):
    """Puts FDs in the place of their indices; returns how many the reply names."""
    named = 0
    for name in ("lease", "iommufd", "container"):
        if reply.get(name) is not None:
            reply[name], named = fds[reply[name]], named + 1
    for entry in reply["groups"] + reply["devices"]:
        if entry["fd"] is not None:
            entry["fd"], named = fds[entry["fd"]], named + 1
    return named


def ask_for_fds(peer, method, parameters):
    """Asks and acknowledges; returns the reply, with FDs in the place of their indices."""
    reply = peer.ask(method, parameters)
    fds = peer.take_fds()
    assert len(fds) == len(set(fds)) == take_indices(reply, fds), (reply, fds)
    assert peer.ask("Acknowledge", {"claim": reply["claim"]}) == {}
    return reply


def claim(peer, *devices, mode=None):
    return ask_for_fds(peer, "Claim", {"devices": list(devices), **({"mode": mode} if mode else {})})


def add(peer, claim_id, device):
    return ask_for_fds(peer, "AddDevice", {"claim": claim_id, "device": device})


def fds_of(reply):
    """All FDs of a reply, its lease last: what is closed before does not end the claim."""
    fds = [entry["fd"] for entry in reply["devices"] + reply["groups"]]
    fds += [reply.get("container"), reply.get("iommufd"), reply.get("lease")]
    return [fd for fd in fds if fd is not None]


def close_all(reply):
    for fd in fds_of(reply):
        os.close(fd)


def close_all_but_lease(reply):
    for fd in fds_of(reply):
        if fd != reply.get("lease"):
            os.close(fd)


def states(peer):
    return {entry["name"]: (entry["driver"], entry["driver_override"], entry["state"], entry["locked_out"])
            for entry in peer.ask("ListDevices")["devices"]}


def wait_free(peer, claim_id):
    """Waits for the end of a release: by asking for it too, which is answered when it is over."""
    reply = peer.call("Release", {"claim": claim_id})
    assert reply.get("parameters", {}).get("state") == "free" or reply.get("error") == "org.ioasid1.NotFound", reply


def wait_free_after_stuck(daemon, peer, claim_id, stuck="stuck"):
    """The same, where a release is answered at once as long as something hangs: asks until nothing does."""
    while peer.call("Release", {"claim": claim_id}).get("parameters", {}).get("state") == stuck:
        assert daemon.process.poll() is None
    wait_free(peer, claim_id)


def product_fds(daemon):
    """How many FDs the broker has, once it has dealt with whatever connections came and went before."""
    with daemon.connect() as peer:
        peer.ask("GetStatus")
        return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def host_drivers(daemon):
    """Drivers and overrides as the simulated host has them: not as the broker says."""
    return {entry["name"]: (entry.get("driver"), entry.get("driver_override"))
            for entry in daemon.control({"state": True})["host"]["devices"]}
