"""What run's command does in the tests: says in JSON which descriptors, variables, limits and arguments it got."""

import json
import os
import resource
import sys


def describe(number):
    return {"target": os.readlink(f"/proc/self/fd/{number}"), "inheritable": os.get_inheritable(number)}


def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    fds = {}
    for number in range(min(limit, 1024)):
        try:
            fds[number] = describe(number)
        except OSError:
            continue    # not open
    print(json.dumps({
        "arguments": sys.argv[1:],
        "fds": fds,
        "pid": os.getpid(),
        "listen": {name: os.environ.get(name) for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")},
        "memlock": resource.getrlimit(resource.RLIMIT_MEMLOCK),
    }))
    sys.stdout.flush()
    if "wait" in sys.argv:
        sys.stdin.readline()
    sys.exit(42)


main()
