#!/usr/bin/python3
"""A VM manager in small, in Python with python3-dbus: asks ioasidd over the system bus for devices, keeps the claim
until it
is asked to give it back or a line comes in, and gives it back.

    claim-device.py 0000:01:00.0 [DEVICE…]

The interface is described in /usr/share/dbus-1/interfaces/org.ioasid1.xml and org.ioasid1(5).
"""
import json
import os
import select
import sys

import dbus

NAME, ROOT = "org.ioasid1", "/org/ioasid1"
PATIENCE = 120    # seconds: a change of the host can take long


def descriptors(details):
    """The descriptors of a reply's dictionary, by name. They are ours from now on."""
    return {str(key): value.take() for key, value in details.items() if isinstance(value, dbus.types.UnixFd)}


def show_plan(manager, devices):
    """What would it come to? Changes nothing."""
    plan = manager.Plan(devices, {"mode": "attached"})
    for lockout in plan["lockouts"]:
        print(f"the host would lose {lockout['device']}: {lockout.get('use', 'it is not used')}")
    for blocker in plan["blockers"]:
        print(f"{blocker['message']}; {blocker['remedy']}", file=sys.stderr)
    return bool(plan["allowed"])


def wait_for_the_end(lease):
    """Until a line comes in, or the claim is asked back: that is told by a line on the lease, as by RevocationAsked."""
    readable, _, _ = select.select([lease, sys.stdin], [], [])
    if lease in readable:
        line = os.read(lease, 4096)
        asked = json.loads(line) if line else {"grace_usec": 0}
        print(f"asked to give the devices back within {asked['grace_usec'] / 1e6:.1f} s", flush=True)


def main(devices):
    bus = dbus.SystemBus()
    manager = dbus.Interface(bus.get_object(NAME, ROOT), "org.ioasid1.Manager")
    if not show_plan(manager, devices):
        return 1
    path, details = manager.Claim(devices, {"mode": "attached"}, timeout=PATIENCE)
    # The lease keeps the claim: it goes on when this connection, the bus, or ioasidd ends.
    ours = descriptors(details)
    claim = dbus.Interface(bus.get_object(NAME, path), "org.ioasid1.Claim")
    for device in devices:
        ours[device] = descriptors(claim.OpenDevice(device))
    claim.Acknowledge()
    for device in devices:
        context = ours.get("iommufd", ours.get("container"))
        print(f"{device}: device is descriptor {ours[device].get('fd')}, context {context}, "
              f"IOAS {details.get('ioas_id', 0)}", flush=True)
    # Here memory is mapped, and the devices are driven, or all of it is passed to a program that does.
    wait_for_the_end(ours["lease"])
    # All but the lease: the devices are proven free while the claim is still there to answer.
    for name, fd in ours.items():
        if name != "lease":
            for one in fd.values() if isinstance(fd, dict) else [fd]:
                os.close(one)
    state, note = claim.Release(timeout=PATIENCE)
    print(f"released: {state}{': ' if note else ''}{note}", flush=True)
    os.close(ours["lease"])
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("usage: claim-device.py DEVICE…", file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(main(sys.argv[1:]))
    except dbus.DBusException as error:
        # Messages are for people; get_dbus_name() tells what kind of error it is: org.ioasid1.Error.Busy, …
        print(error.get_dbus_message(), file=sys.stderr)
        sys.exit(1)
