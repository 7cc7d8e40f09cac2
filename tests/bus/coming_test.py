#!/usr/bin/env python3
"""The bus is late, stops, restarts, is absent or is somebody else's: no claim ends by that, and the socket goes on."""
import os
import signal
import time

import bus
import client
import harness
import wire
from claims import claim as socket_claim, close_all as socket_close_all
from client import CLAIM, close_all, fails
from hosts import ALONE, EDU, device, policy, rule, small_host


def processor_time(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_late():
    """F7: ready without a bus; on the bus within two seconds once there is one"""
    system = bus.Bus()
    try:
        with bus.Broker(system, small_host(), policy(rule())) as daemon:
            with daemon.connect() as socket:
                socket_close_all(socket_claim(socket, ALONE))
            before = processor_time(daemon.process.pid)
            time.sleep(2)
            assert processor_time(daemon.process.pid) - before < 0.1    # it waits, and does not spin
            system.start()
            daemon.wait_name(2)
            with system.connect() as peer:
                assert peer.plan(EDU)["allowed"]
    finally:
        system.__exit__()


def test_restart():
    """A restart of the bus ends no claim, and the name comes back within two seconds; five times, killed or stopped"""
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon:
        peer = system.connect()
        path, details = peer.claim(EDU)
        close_all(peer.open_device(path, EDU))
        peer.acknowledge(path)
        close_all(details, "lease")
        with daemon.connect() as socket:
            held = socket_claim(socket, ALONE)
            before = None
            for number in range(5):
                system.stop(signal.SIGKILL if number % 2 else signal.SIGTERM)
                assert [entry["state"] for entry in socket.ask("ListClaims")["claims"]] == ["held", "held"]
                system.start()
                daemon.wait_name(2)
                with system.connect() as again:
                    assert again.get(path, CLAIM, "State") == "held"
                    assert {name.rsplit("/", 1)[1] for name in again.objects() if "/claim/" in name} == \
                        {details["id"], held["claim"]}
                files = daemon.open_files()
                assert before in (None, files), (before, files)
                before = files
            socket_close_all(held)
        peer.close()
        with system.connect() as again:
            again.watch()
            os.close(details["lease"])
            again.wait_signal("InterfacesRemoved", lambda message: message.body[0] == path)


def test_restart_while_offered():
    """An offer outlives the bus: its client acknowledges over the next one. What is not offered yet is given up"""
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon:
        peer = system.connect()
        path, details = peer.claim(EDU)
        daemon.control({"hang": {"step": "probe"}})
        peer.start(client.NAME, client.ROOT, client.MANAGER, "Claim", "asa{sv}", [[ALONE], {}])
        daemon.control({"await": {"hung": 1}})
        system.stop(signal.SIGKILL)
        peer.close()
        daemon.control({"unhang": True})
        system.start()
        daemon.wait_name(2)
        with system.connect() as peer, daemon.connect() as socket:
            close_all(peer.open_device(path, EDU))
            peer.acknowledge(path)
            assert peer.get(path, CLAIM, "State") == "held"
            while len(socket.ask("ListClaims")["claims"]) > 1:
                time.sleep(0.01)
            close_all(details)


def test_stopped():
    """A bus that does not run any more holds up nobody on the socket, not even at the end of the daemon"""
    with bus.Bus() as system, bus.Broker(system, small_host(), policy(rule())) as daemon, system.connect() as peer:
        peer.watch()
        system.process.send_signal(signal.SIGSTOP)
        try:
            with daemon.connect() as socket:
                slowest = 0
                for _ in range(300):
                    begin = time.monotonic()
                    socket_close_all(socket_claim(socket, ALONE))
                    while socket.ask("ListClaims")["claims"]:
                        pass
                    slowest = max(slowest, time.monotonic() - begin)
                assert slowest < 2, slowest
            begin = time.monotonic()
            daemon.process.terminate()
            assert daemon.process.wait(10) == 0
            assert time.monotonic() - begin < 2
        finally:
            system.process.send_signal(signal.SIGCONT)


def test_descriptors_stuck_in_the_queue():
    """Descriptors of a device that the bus does not take are not kept past the offer: the connection is given up"""
    host = small_host()
    host["devices"] += [device(f"0000:{number // 32:02x}:{number % 32:02x}.0", "1234:0001", "00ff00", None)
                        for number in range(32 * 16, 32 * 250)]
    with bus.Bus() as system, bus.Broker(system, host, policy(rule())) as daemon, system.connect() as peer, \
            daemon.connect() as socket:
        path, details = peer.claim(ALONE)
        before = daemon.open_files()
        # In front of the descriptor, more than a socket takes; all of it is in the daemon's socket when it goes on.
        text, = peer.call(client.NAME, client.ROOT + "/device", client.INTROSPECTABLE, "Introspect")
        with open("/proc/sys/net/core/wmem_max", encoding="ascii") as file:
            room = 2 * min(int(file.read()), 8 << 20)
        daemon.process.send_signal(signal.SIGSTOP)
        for _ in range(room // len(text) + 10):
            peer.start(client.NAME, client.ROOT + "/device", client.INTROSPECTABLE, "Introspect")
        peer.start(client.NAME, path, CLAIM, "OpenDevice", "s", [ALONE])
        peer.call(*client.DRIVER, "GetId")
        system.process.send_signal(signal.SIGSTOP)
        daemon.process.send_signal(signal.SIGCONT)
        try:
            while len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before:
                time.sleep(0.01)    # until the copy that is to be sent is there, and stays
            close_all(details)
            while claims := socket.ask("ListClaims")["claims"]:
                assert claims[0]["state"] in ("offered", "releasing"), claims
                time.sleep(0.01)
            assert "the bus did not deliver its descriptors" in daemon.log_text()
        finally:
            system.process.send_signal(signal.SIGCONT)
        # The bus sees the end of the old connection first.
        with system.connect() as other:
            while True:
                try:
                    assert other.plan(ALONE)["allowed"]
                    break
                except client.Failure as failure:
                    assert failure.name.endswith(("NoReply", "ServiceUnknown")), failure


def test_thrown_out():
    """A bus that throws the daemon out again and again is not run against: once a second, after the first few times"""
    import socket as sockets
    import tempfile
    with tempfile.TemporaryDirectory(prefix="ioasidd-bus-") as folder:
        os.chmod(folder, 0o755)
        listener = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        listener.bind(folder + "/socket")
        os.chmod(folder + "/socket", 0o777)
        listener.listen()
        listener.settimeout(10)
        daemon = bus.Broker(type("Nowhere", (), {"address": f"unix:path={folder}/socket", "process": None}),
                            small_host(), policy(rule()))
        with daemon:
            times = []
            for _ in range(7):
                connection, _ = listener.accept()
                times.append(time.monotonic())
                connection.close()
            assert times[6] - times[5] > 0.9 and times[5] - times[4] > 0.9, times
            with daemon.connect() as socket:
                socket_close_all(socket_claim(socket, ALONE))
        listener.close()


def test_absent():
    """--no-bus: no connection to any bus"""
    with bus.Bus() as system:
        daemon = bus.Broker(system, small_host(), policy(rule()), "--no-bus")
        daemon.wait_name = lambda timeout=10: None
        with daemon, system.connect() as peer:
            names = peer.call(*client.DRIVER, "ListNames")[0]
            assert client.NAME not in names and len([name for name in names if name.startswith(":")]) == 1, names


def test_name_is_taken():
    """Where another process has the name the daemon waits for it, and goes on on the socket"""
    harness.needs_root()
    import pwd
    nobody = pwd.getpwnam("nobody").pw_uid
    with bus.Bus() as system:
        first = system.connect(nobody)
        assert first.call(*client.DRIVER, "RequestName", "su", [client.NAME, 4]) == [1]
        daemon = bus.Broker(system, small_host(), policy(rule()))
        daemon.wait_name = lambda timeout=10: None
        with daemon, daemon.connect() as socket:
            assert socket.ask("GetStatus")
            while "another process is org.ioasid1" not in daemon.log_text():
                time.sleep(0.02)
            first.close()
            bus.Broker.wait_name(daemon, 2)
            with system.connect() as peer:
                assert peer.plan(ALONE)["allowed"]


def test_restart_of_the_daemon():
    """A restart of the daemon: its objects come back, claims and all"""
    with bus.Bus() as system:
        daemon = bus.Broker(system, small_host(), policy(rule()), managed=True)
        daemon.keep_host()
        with daemon, system.connect() as peer:
            path, details = peer.claim(EDU)
            close_all(peer.open_device(path, EDU))
            peer.acknowledge(path)
            close_all(details, "lease")
            daemon.kill()
            fails("DBus.ServiceUnknown", peer.get_all, path, CLAIM)
            assert daemon.start() is None
            assert peer.get(path, CLAIM, "State") == "held" and peer.get(path, CLAIM, "Owner") == os.geteuid()
            assert "lease" not in wire.plain(peer.claim_call(path, "Resume")[0])
            assert peer.claim_call(path, "Release") == ["free", ""]
            os.close(details["lease"])


if __name__ == "__main__":
    harness.run([value for name, value in list(globals().items()) if name.startswith("test_")])
