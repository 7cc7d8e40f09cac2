#!/usr/bin/env python3
"""How many claims and releases a second go over the bus, with one client and with four: speed.py IOASIDD SIMULATOR
CYCLES.

The bus is dbus-daemon; each takes four calls, with two descriptors and with one. Run by meson test --benchmark -v
bus-claims.
"""
import os
import subprocess
import sys
import time

import bus
import harness
from hosts import device, policy, rule, small_host

CYCLES = os.path.abspath(sys.argv.pop(3))
NUMBER = 2000


def measure(clients):
    host = small_host()
    host["devices"] += [device(f"0000:10:{number:02x}.0", "1234:11e8", "00ff00", 100 + number)
                        for number in range(clients)]
    with bus.Bus() as system, bus.Broker(system, host, policy(rule())) as daemon:
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": system.address}
        begin, work = time.monotonic(), processor_time(daemon)
        running = [subprocess.Popen([CYCLES, f"0000:10:{number:02x}.0", str(NUMBER // clients)], env=environment,
                                    stdout=subprocess.PIPE, text=True) for number in range(clients)]
        times = sorted(float(line) / 1000 for process in running for line in process.communicate()[0].splitlines())
        taken, work = time.monotonic() - begin, processor_time(daemon) - work
        assert len(times) == NUMBER and all(process.returncode == 0 for process in running)
    print(f"{clients} client{'s' if clients > 1 else ''}: {NUMBER / taken:.0f} claims and releases a second, p50 "
          f"{times[NUMBER // 2]:.2f} ms, p99 {times[NUMBER * 99 // 100]:.2f} ms; "
          f"the broker worked {work / NUMBER * 1e6:.0f} µs "
          "for each", flush=True)


def processor_time(daemon):
    with open(f"/proc/{daemon.process.pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


if __name__ == "__main__":
    harness.IOASIDD, harness.SIMULATOR = (os.path.abspath(path) for path in sys.argv[1:3])
    for clients in (1, 4):
        measure(clients)
