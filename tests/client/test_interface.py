"""What is published: the symbols of libioasid, the manual page, the completion."""

import os
import re
import subprocess
import tempfile

import host
import tap
from fake_daemon import TIMEOUT
from program import IOASIDCTL, environment, ioasidctl

SOURCE = os.environ["IOASID_SOURCE"]
LIBRARY = os.environ["IOASID_LIBRARY"]


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def tables():
    """All verbs, and the options of each, as the help knows them."""
    text = ioasidctl(None, "--help").stdout
    verbs = re.findall(r"^  ([a-z]+) ", text.split("\nVerbs:\n")[1].split("\nOptions:\n")[0], re.M)
    option = re.compile(r"^ +(?:-., )?(--[a-z-]+)", re.M)
    return {verb: option.findall(ioasidctl(None, verb, "--help").stdout) for verb in verbs}


def readelf(what):
    return subprocess.run(["readelf", what, "--wide", LIBRARY], capture_output=True, text=True, check=True).stdout


def symbols():
    """The symbols that the library defines, as name@@version, from its dynamic symbol table."""
    text = readelf("--dyn-syms")
    rows = [line.split() for line in text.splitlines() if re.match(r" *\d+: ", line)]
    return [row[7] for row in rows if len(row) > 7 and row[6] not in ("UND", "ABS")]


def test_the_library_exports_what_the_header_declares():
    header = re.sub(r"/\*.*?\*/", "", read("include", "ioasid.h"), flags=re.S)
    declared = set(re.findall(r"\b(ioasid_[a-z_]+)\(", header))
    tap.true(len(declared) > 20, f"the header declares functions: {declared}")
    exported = symbols()
    tap.equal(sorted(exported), sorted(f"{name}@@LIBIOASID_0" for name in declared))


def test_the_library_needs_json_c_and_no_other():
    text = readelf("--dynamic")
    needed = [name.split(".so")[0] for name in re.findall(r"\(NEEDED\).*\[(.*)\]", text)]
    runtime = {"libc", "libasan", "libubsan", "ld-linux-x86-64", "ld-linux-aarch64"}    # the compiler's own
    tap.equal(sorted(set(needed) - runtime), ["libjson-c"])
    tap.contains(text, "[libioasid.so.0]")


def test_the_manual_page_has_every_verb_option_and_exit_status():
    page = read("client", "ioasidctl.8")
    verbs = page.split(".Ss Verbs\n")[1].split(".Ss Options\n")[0]
    for verb, options in tables().items():
        tap.contains(verbs, f".It Cm {verb}", "the verb's own paragraph")
        for option in options:
            tap.contains(page, f"Fl -{option[2:]}", f"an option of {verb}")
    for status in range(8):
        tap.contains(page, f".It {status}\n", "the exit status")
    for placeholder in ("{iommufd}", "{ioasid}", "{container}", "{group:DEVICE}", "{fd:DEVICE}", "{lease}"):
        tap.contains(page, placeholder)


def complete(*words, folder=os.path.dirname(IOASIDCTL)):
    """What bash offers for the last of these words."""
    script = ('source "$1"; shift; COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMPREPLY=(); IFS=$" \t\n:"; '
              'COMP_WORDS=($COMP_LINE); [[ $COMP_LINE == *" " ]] && COMP_WORDS+=(""); unset IFS; '
              'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _ioasidctl; printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(["bash", "-c", script, "bash", os.path.join(SOURCE, "client", "ioasidctl.bash"), *words],
                            env=environment(PATH=folder + ":" + os.environ["PATH"]),
                            capture_output=True, text=True, timeout=TIMEOUT)
    tap.equal([result.returncode, result.stderr], [0, ""], str(words))
    return [word.strip() for word in result.stdout.split("\n") if word.strip()]


def test_the_completion_knows_every_verb_and_option():
    known = tables()
    tap.equal(sorted(complete("ioasidctl", "")), sorted(known))
    tap.equal(complete("ioasidctl", "rel"), ["release"])
    for verb, options in known.items():
        tap.equal(sorted(complete("ioasidctl", verb, "-")), sorted(options), verb)
    tap.equal(complete("ioasidctl", "plan", "--mode", ""), ["attached", "open", "node"])
    tap.equal(complete("ioasidctl", "--json", "sta"), ["status"])
    tap.equal(complete("ioasidctl", "run", "a", "--", "/bin/fals"), ["/bin/false"])


def test_the_completion_offers_devices():
    with host.daemon() as daemon, tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "ioasidctl"), "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\nexec "{IOASIDCTL}" --socket "{daemon.path}" "$@"\n')
        os.chmod(file.name, 0o755)
        tap.equal(complete("ioasidctl", "plan", "0000:01:01", folder=folder), ["01.0"], "from the last colon on")
        tap.equal(sorted(complete("ioasidctl", "claim", "", folder=folder)),
                  sorted(device["name"] for device in host.DEVICES))


if __name__ == "__main__":
    tap.run(dict(globals()))
