#!/usr/bin/env python3
"""How long a restart with 256 claims takes: from the start of the new broker until it says that it is ready, and until
the
first client was told all claims. Also that none was lost. restart.py IOASIDD SIMULATOR
"""
import os
import resource
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "broker"))
import harness
from claims import claim
from hosts import device, policy, rule

CLAIMS, ROUNDS = 256, 7


def many_devices():
    return {"kernel": {"release": "6.12.0-simulated", "iommufd": True, "vfio_cdev": True, "vfio_group": True},
            "devices": [device(f"0000:{number >> 5:02x}:{number & 31:02x}.0", "1234:11e8", "00ff00", number)
                        for number in range(CLAIMS)], "uses": []}


def main():
    harness.IOASIDD, harness.SIMULATOR = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    daemon = harness.Daemon(many_devices(), policy(rule()), managed=True)
    daemon.keep_host()
    assert daemon.start() is None, daemon.log_text()
    replies = []
    for entry in many_devices()["devices"]:
        with daemon.connect() as peer:
            replies.append(claim(peer, entry["name"]))
    daemon.manager.wait_for_names([f"{kind}-{reply['claim']}" for reply in replies for kind in ("lease", "context")])
    ready, told = [], []
    for _ in range(ROUNDS):
        daemon.kill()
        begin = time.monotonic()
        assert daemon.start() is None, daemon.log_text()
        ready.append((time.monotonic() - begin) * 1000)
        with daemon.connect() as peer:
            states = [entry["state"] for entry in peer.ask("ListClaims")["claims"]]
        told.append((time.monotonic() - begin) * 1000)
        assert states == ["held"] * CLAIMS, states
    print(f"BENCHMARK restart with {CLAIMS} claims: ready after {statistics.median(ready):.0f} ms "
          f"(most {max(ready):.0f}), "
          f"all claims told after {statistics.median(told):.0f} ms (most {max(told):.0f}); "
          f"none lost in {ROUNDS} restarts")
    daemon.__exit__()


main()
