#!/usr/bin/env python3
"""Holds the source tree against the house rules: check.py ROOT POLICY_ARCHIVE.

One TAP line for each rule. A module is a .c file and the .h file of the same name beside it; module A stands on module
B if any file of A includes the header of B. A module must not stand on itself by any detour, folders include only
downward, the policy core calls nothing that touches the host, and files and functions stay small.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]).resolve()
POLICY_ARCHIVE = sys.argv[2] if len(sys.argv) > 2 else None

TOP_LEVEL = {"daemon", "client", "policy", "units", "include", "tests", "meson.build", "README.md", "LICENSE",
             "NEWS.md",
             "CONTRIBUTING.md", "SECURITY.md"}
FILE_LINES, FUNCTION_LINES, COLUMNS = 600, 80, 120

MODULES_MAX = 25
# What a kind of device is to the policy core, and what the executor does with it.
SAME_NAME = {"main", "words", "device_kind"}

POLICY = {"policy/" + folder for folder in ("util", "model", "rules", "plan", "decide", "check", "report")}
BASE = {"daemon/base", "policy/util", "policy/model", "policy/plan", "policy/rules", "include"}
EXECUTOR = {"daemon/executor/" + folder for folder in ("os", "devices", "survey", "sandbox", "workers", "router")}
BROKER = {"daemon/broker/" + folder for folder in ("system", "state", "host", "core", "claims", "arbiter", "observers",
                                                   "faces", "faces/varlink", "faces/bus")}
TOOL = {"client/tool/" + folder for folder in ("core", "machine", "view", "offline", "verbs")}


def broker(*folders):
    return BASE | {"policy/decide", "policy/report"} | {"daemon/broker/" + folder for folder in folders}


def tool(*folders):
    return {"client", "client/library", "policy/util", "policy/model", "policy/report", "include"} | {
        "client/tool/" + folder for folder in folders}


# Which folder may include from which: what is below it. A folder may always include from itself.
MAY_INCLUDE = {
    "include": set(),
    "policy/util": {"include"},
    "policy/model": {"policy/util", "include"},
    "policy/plan": {"policy/model", "policy/util", "include"},
    "policy/rules": {"policy/plan", "policy/model", "policy/util", "include"},
    # Siblings that never include each other: that is what makes the executor's second opinion a second opinion.
    "policy/decide": {"policy/rules", "policy/plan", "policy/model", "policy/util", "include"},
    "policy/check": {"policy/rules", "policy/plan", "policy/model", "policy/util", "include"},
    "policy/report": {"policy/decide", "policy/rules", "policy/model", "policy/util", "include"},
    "daemon/base": BASE - {"daemon/base"},
    # What runs plans, over a table of host calls: nothing of either program that has one.
    "daemon/plans": BASE | {"policy/check"},
    "daemon/executor/os": BASE,
    "daemon/executor/devices": BASE | {"daemon/executor/os"},
    "daemon/executor/survey": BASE | {"daemon/executor/os", "daemon/executor/devices"},
    "daemon/executor/sandbox": BASE | {"daemon/executor/os"},
    "daemon/executor/workers": BASE | {"policy/check", "daemon/plans", "daemon/executor/os", "daemon/executor/devices",
                                       "daemon/executor/survey"},
    "daemon/executor/router": BASE | {"policy/check", "daemon/plans", "daemon/executor/os", "daemon/executor/devices",
                                      "daemon/executor/sandbox", "daemon/executor/workers"},
    "daemon/executor": BASE | EXECUTOR,
    "daemon/simulator": {"daemon/base", "daemon/plans"} | POLICY | {"include"},
    "daemon/broker/system": BASE,
    "daemon/broker/state": BASE,
    "daemon/broker/host": broker("system"),
    "daemon/broker/core": broker("system", "state", "host"),
    "daemon/broker/claims": broker("system", "state", "host", "core"),
    "daemon/broker/arbiter": broker("system", "state", "host", "core", "claims"),
    "daemon/broker/observers": broker("system", "core", "arbiter"),
    "daemon/broker/faces": broker("core", "arbiter"),
    "daemon/broker/faces/varlink": broker("system", "core", "arbiter", "observers", "faces"),
    "daemon/broker/faces/bus": broker("system", "core", "arbiter", "observers", "faces"),
    "daemon/broker": BASE | BROKER,
    "client": {"policy/util", "include"},
    "client/library": {"client", "policy/util", "include"},
    "client/tool/core": tool(),
    "client/tool/machine": tool("core"),
    "client/tool/view": tool("core"),
    # Of the daemon it has the reader of policy files: what is checked is what is refused.
    "client/tool/offline": tool("core") | {"daemon/base", "policy/decide", "policy/rules"},
    "client/tool/verbs": tool("core", "machine", "view", "offline"),
    "client/tool": TOOL,
}
# Of libc the core may use memory, strings and formatting into them. Names that reach the host are listed.
IMPURE = re.compile(
    r"^(open(at)?(64)?|creat|read|write|close|socket|connect|send\w*|recv\w*|ioctl|fcntl(64)?|poll|select|epoll_\w+|"
    r"f?printf|v?f?printf_chk|puts|putchar|perror|fopen(64)?|fread|fwrite|fputs|getenv|secure_getenv|setenv|time|"
    r"clock_\w+|gettimeofday|localtime\w*|getpw\w+|getgr\w+|getuid|geteuid|getpid|fork|exec\w*|system|rand|random|"
    r"srand\w*|getrandom|exit|_exit|abort|signal|sigaction|mmap|stat|fstat|lstat|opendir|readdir|syslog|sleep|"
    r"usleep|nanosleep|pthread_\w+|json_object_(from_f\w+|to_f\w+)|stdout|stderr|stdin)$")

results = []


def check(name, problems):
    results.append((name, problems))


def sources(*endings):
    # What is being written elsewhere in the tree (a build folder, an editor's file) is not part of it.
    out = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if out.returncode == 0 and out.stdout:
        names = out.stdout.splitlines()
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()
                 and not path.relative_to(ROOT).parts[0].startswith((".", "build"))]
    return sorted(name for name in names if name.endswith(endings) and (ROOT / name).is_file())


def includes(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', text, re.M):
        target = (ROOT / name).parent / match.group(1)
        if target.exists():
            yield str(target.resolve().relative_to(ROOT))


def module_of(name):
    return name.rsplit(".", 1)[0]


def product_files():
    return [name for name in sources(".c", ".h") if name.split("/")[0] in ("include", "policy", "daemon", "client")]


def check_cycles():
    graph = {}
    for name in product_files():
        edges = graph.setdefault(module_of(name), set())
        edges.update(module_of(target) for target in includes(name))
        edges.discard(module_of(name))
    problems, done, path = [], set(), []

    def visit(module):
        if module in path:
            problems.append(" -> ".join(path[path.index(module):] + [module]))
            return
        if module in done:
            return
        path.append(module)
        for target in sorted(graph.get(module, ())):
            visit(target)
        path.pop()
        done.add(module)

    for module in sorted(graph):
        visit(module)
    check("no module stands on itself", problems)


def folder_of(name):
    for folder in sorted(MAY_INCLUDE, key=len, reverse=True):
        if name.startswith(folder + "/"):
            return folder
    return None


def check_direction():
    problems = []
    for name in product_files():
        folder = folder_of(name)
        if folder is None:
            problems.append(f"{name}: in no known folder")
            continue
        for target in includes(name):
            other = folder_of(target)
            if other != folder and other not in MAY_INCLUDE[folder]:
                problems.append(f"{name} includes {target}")
    check("includes go only downward", problems)


def check_folders():
    """What may be included has no cycle, so that every folder has a place; and no folder is a heap."""
    problems, place = [], {}

    def height(folder, above):
        if folder in above:
            problems.append(" -> ".join(above[above.index(folder):] + (folder,)))
            return 0
        if folder not in place:
            place[folder] = 1 + max((height(other, above + (folder,)) for other in MAY_INCLUDE[folder]), default=0)
        return place[folder]

    for folder in MAY_INCLUDE:
        height(folder, ())
    check("no folder stands on itself", problems)
    modules = {}
    for name in product_files():
        modules.setdefault(name.rsplit("/", 1)[0], set()).add(module_of(name))
    check(f"no folder has more than {MODULES_MAX} modules",
          [f"{folder}: {len(found)}" for folder, found in sorted(modules.items()) if len(found) > MODULES_MAX])
    places = {}
    for module in sorted({module_of(name) for name in product_files()}):
        places.setdefault(module.rsplit("/", 1)[1], []).append(module)
    check("no two modules have one name", [" and ".join(found) for name, found in sorted(places.items())
                                           if len(found) > 1 and name not in SAME_NAME])


# What a decision is made of. Outside the core it is asked for as a whole: decide() and plan_is_covered().
DECIDES = re.compile(r"\b(policy_rule_for|policy_never|coverage_\w+|pool_choose|"
                     r"judge_(device|devices|limits|one_rule|lockouts|find_lockouts|kernel))\s*\(")


def check_one_place_decides():
    problems = []
    for name in product_files():
        if name.startswith("policy/"):
            continue
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            if DECIDES.search(line):
                problems.append(f"{name}:{number}: decides by itself: {line.strip()}")
    check("only the policy core decides", problems)


# What changes something on the host. Workers do that, not the main process of the executor.
CHANGES_HOST = re.compile(r"\b(node_acl_(grant|revoke)|sysfs_write|acl_set_\w+|prlimit|ioctl|mount|chmod|chown)\s*\(|"
                          r"\blinux_calls\b")


def check_router():
    problems = [f"{name}:{number}: {line.strip()}" for name in product_files()
                if name.startswith("daemon/executor/router/")
                for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
                if CHANGES_HOST.search(line)]
    check("the executor's main process does nothing to the host itself", problems)


def check_purity():
    problems = []
    if POLICY_ARCHIVE:
        out = subprocess.run(["nm", "-A", "--undefined-only", POLICY_ARCHIVE], capture_output=True, text=True,
                             check=True)
        for line in out.stdout.splitlines():
            symbol = line.split()[-1].split("@")[0]
            plain = symbol.removeprefix("__").removesuffix("_chk")
            if IMPURE.match(symbol) or IMPURE.match(plain):
                problems.append(line.strip())
    else:
        problems.append("no archive of the policy core was given")
    check("the policy core touches nothing but its arguments", problems)


def check_sizes():
    files, functions = [], []
    for name in sources(".c", ".h", ".py", ".sh"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        if len(lines) >= FILE_LINES:
            files.append(f"{name}: {len(lines)} lines")
        if not name.endswith(".c"):
            continue
        start = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                if number - start + 1 >= FUNCTION_LINES:
                    functions.append(f"{name}:{start}: {number - start + 1} lines")
                start = None
    check(f"every file has fewer than {FILE_LINES} lines", files)
    check(f"every function has fewer than {FUNCTION_LINES} lines", functions)


def check_format():
    names = sources(".c", ".h")
    # Scenarios have command lines as a person types them, which no line break makes clearer.
    wide = [f"{name}:{number}" for name in names + sources("meson.build", ".py")
            for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
            if len(line) > COLUMNS]
    check(f"no line has more than {COLUMNS} characters", wide)
    # Other versions see some lines otherwise.
    version = subprocess.run(["clang-format-14", "--version"], capture_output=True, text=True, check=True).stdout
    out = subprocess.run(["clang-format-14", "--dry-run", *(ROOT / name for name in names)], capture_output=True,
                         text=True, cwd=ROOT)
    problems = sorted({line.split(": ", 1)[0] for line in out.stderr.splitlines() if "[-Wclang-format" in line})
    check("C is laid out as .clang-format has it", problems if out.returncode == 0 else [version, out.stderr])


def check_heads():
    problems = []
    for name in product_files():
        if name.endswith(".h") and not (ROOT / name).read_text(encoding="utf-8").startswith("/*"):
            problems.append(f"{name}: does not open with what it is for")
    check("every header opens with what it is for", problems)


def check_top_level():
    names = {name.split("/")[0] for name in sources("")}
    extra = {name for name in names if name not in TOP_LEVEL and not name.startswith(".")}
    check("the top level has nothing beyond the house", sorted(extra) + sorted(TOP_LEVEL - names))


def main():
    check_cycles()
    check_direction()
    check_folders()
    check_one_place_decides()
    check_purity()
    check_router()
    check_sizes()
    check_format()
    check_heads()
    check_top_level()
    print(f"1..{len(results)}")
    for number, (name, problems) in enumerate(results, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if any(problems for _, problems in results) else 0


if __name__ == "__main__":
    sys.exit(main())
