"""Devices for Cloud Hypervisor as it documents: at boot, by its API from a shell, and by its API from libioasid."""

import json
import os
import subprocess
import sys
import tempfile

import tap
from fake_daemon import TIMEOUT, Reply, claiming_daemon, memfd
from program import environment, start_ioasidctl

A = "0000:01:00.0"
B = "0000:02:00.0"
FOLDER = os.path.dirname(os.path.abspath(__file__))
VMM = os.path.join(FOLDER, "cloud-hypervisor")
CLIENT = os.environ["IOASID_CLOUD_HYPERVISOR_CLIENT"]


def target(name):
    return f"/memfd:{name} (deleted)"


def events(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def wait_for(stream, event):
    """The line of the VMM that tells of an event, and those before it."""
    text = ""
    while not text or not any(found["event"] == event for found in events(text)):
        line = stream.readline()
        if not line:
            raise tap.Failure(f"there is no {event} in: {text}")
        text += line
    return events(text)[-1]


def test_at_boot_by_the_command_line():
    with claiming_daemon((A, B)) as daemon, tempfile.TemporaryDirectory() as folder:
        api = os.path.join(folder, "api")
        child = start_ioasidctl(daemon, "run", "--mode", "open", A, B, "--", sys.executable, VMM, "--platform",
                                "iommufd=on,iommufd_fd={iommufd}", "--device", "fd={fd:01:00.0}", "fd={fd:02:00.0}",
                                "--api-socket", api)
        booted = wait_for(child.stdout, "booted")
        tap.equal([booted["iommufd"], booted["devices"]],
                  [target("iommufd"), [target(f"device-{A}"), target(f"device-{B}")]])
        wait_for(child.stdout, "listening")
        child.kill()
        child.communicate(timeout=TIMEOUT)
        tap.equal(daemon.leases[0].recv(1), b"", "the lease ends with it")


def test_by_the_api_from_a_shell():
    """As the manual page has it: the shell holds the claim, the VMM and send-device inherit the descriptors."""
    script = '''
        "$0" "$VMM" --platform iommufd=on,iommufd_fd=$1 --device fd=$2 --api-socket "$API" > "$OUT" &
        tail -f --pid=$! "$OUT" | grep -q -m 1 listening
        "$CLIENT" send-device "$API" card $3 && ! "$CLIENT" send-device "$API" card $3 &&
            ! "$CLIENT" send-device "$API" x -1
        echo "sent $?"
        kill $!
        cat "$OUT"'''
    with claiming_daemon((A, B)) as daemon, tempfile.TemporaryDirectory() as folder:
        os.environ.update(VMM=VMM, CLIENT=CLIENT, API=os.path.join(folder, "api"), OUT=os.path.join(folder, "out"))
        open(os.environ["OUT"], "w", encoding="ascii").close()
        child = start_ioasidctl(daemon, "run", "--mode", "open", A, B, "--", "/bin/sh", "-c", script, sys.executable,
                                "{iommufd}", "{fd:01:00.0}", "{fd:02:00.0}")
        out, complaint = child.communicate(timeout=TIMEOUT)
        tap.contains(out, "sent 0", complaint)
        found = {event["event"]: event for event in events(out)}
        tap.equal([found["booted"]["iommufd"], found["booted"]["devices"]],
                  [target("iommufd"), [target(f"device-{A}")]])
        tap.equal([found["added"]["id"], found["added"]["device"]], ["card", target(f"device-{B}")])
        tap.contains(complaint, "answered vm.add-device with 500")
        tap.contains(complaint, "answered vm.add-device with 400")


def test_by_the_api_from_libioasid():
    with claiming_daemon((A,)) as daemon, tempfile.TemporaryDirectory() as folder:
        daemon.methods["AddDevice"] = lambda _: Reply(
            {"claim": "c1", "groups": [], "lockouts": [],
             "devices": [{"name": B, "group": 30, "fd": 0, "nodes": []}]}, fds=[memfd("device-" + B)])
        daemon.methods["RemoveDevice"] = Reply()
        api = os.path.join(folder, "api")
        child = subprocess.Popen([CLIENT, "hotplug", daemon.path, api, "card", A, B, sys.executable, VMM, "--platform",
                                  "iommufd=on,iommufd_fd=3", "--device", "fd=4", "--api-socket", api],
                                 env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        booted = wait_for(child.stdout, "booted")
        tap.equal([booted["iommufd"], booted["devices"]], [target("iommufd"), [target(f"device-{A}")]])
        wait_for(child.stdout, "listening")
        child.stdin.write("add\n")
        child.stdin.flush()
        tap.equal(wait_for(child.stdout, "added")["device"], target(f"device-{B}"))
        child.stdin.write("remove\n")
        child.stdin.flush()
        wait_for(child.stdout, "removed")
        child.communicate(timeout=TIMEOUT)
        tap.equal(child.returncode, 0)
        tap.equal(daemon.called(), ["Claim", "Acknowledge", "AddDevice", "Acknowledge", "RemoveDevice", "Release"])
        tap.equal(daemon.called("Claim"), [{"devices": [A], "mode": "open"}])


if __name__ == "__main__":
    tap.run(dict(globals()))
