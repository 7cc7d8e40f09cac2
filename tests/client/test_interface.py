"""What is published: the symbols of libioasid, the manual page, the completion."""

import os
import re
import subprocess

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
    return {verb: re.findall(r"^ +(?:-., )?(--[a-z-]+)", ioasidctl(None, verb, "--help").stdout, re.M) for verb in verbs}


def symbols():
    """[name@version] that the library defines, and those that it needs, from its dynamic symbol table."""
    text = subprocess.run(["readelf", "--dyn-syms", "--wide", LIBRARY], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in text.splitlines() if re.match(r" *\d+: ", line)]
    return [row[7] for row in rows if len(row) > 7 and row[6] not in ("UND", "ABS")]


def test_the_library_exports_what_the_header_declares():
    header = re.sub(r"/\*.*?\*/", "", read("include", "ioasid.h"), flags=re.S)
    declared = set(re.findall(r"\b(ioasid_[a-z_]+)\(", header))
    tap.true(len(declared) > 20, f"the header declares functions: {declared}")
    exported = symbols()
    tap.equal(sorted(exported), sorted(f"{name}@@LIBIOASID_0" for name in declared))


def test_the_library_needs_json_c_and_no_other():
    text = subprocess.run(["readelf", "--dynamic", "--wide", LIBRARY], capture_output=True, text=True, check=True).stdout
    needed = [name.split(".so")[0] for name in re.findall(r"\(NEEDED\).*\[(.*)\]", text)]
    runtime = {"libc", "libasan", "libubsan", "ld-linux-x86-64", "ld-linux-aarch64"}    # the compiler's own
    tap.equal(sorted(set(needed) - runtime), ["libjson-c"])
    tap.contains(text, "[libioasid.so.0]")


def test_the_manual_page_has_every_verb_option_and_exit_status():
    page = read("client", "ioasidctl.8")
    for verb, options in tables().items():
        tap.contains(page, f".It Cm {verb}", "the verb's own paragraph")
        for option in options:
            tap.contains(page, f"Fl -{option[2:]}", f"an option of {verb}")
    for status in range(8):
        tap.contains(page, f".It {status}\n", "the exit status")
    for placeholder in ("{iommufd}", "{ioasid}", "{fd:DEVICE}", "{lease}"):
        tap.contains(page, placeholder)


def complete(*words):
    """What bash offers for the last of these words."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); '
              '_ioasidctl ioasidctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(["bash", "-c", script, "bash", os.path.join(SOURCE, "client", "ioasidctl.bash"), *words],
                            env=environment(PATH=os.path.dirname(IOASIDCTL) + ":" + os.environ["PATH"]),
                            capture_output=True, text=True, timeout=TIMEOUT)
    tap.equal([result.returncode, result.stderr], [0, ""], str(words))
    return [word.strip() for word in result.stdout.split("\n") if word.strip()]


def test_the_completion_knows_every_verb_and_option():
    known = tables()
    tap.equal(sorted(complete("ioasidctl", "")), sorted(known))
    tap.equal(complete("ioasidctl", "rel"), ["release"])
    for verb, options in known.items():
        tap.equal(sorted(complete("ioasidctl", verb, "-")), sorted(options), verb)
    tap.equal(complete("ioasidctl", "plan", "--mode", ""), ["attached", "open"])
    tap.equal(complete("ioasidctl", "--json", "sta"), ["status"])


if __name__ == "__main__":
    tap.run(dict(globals()))
