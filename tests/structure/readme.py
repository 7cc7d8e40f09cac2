"""The command lines that the README promises are those that scenarios run, word for word.

Those that install and remove it on a host are run by systemd-install, but for what makes a build and gets Debian's
packages.

usage: readme.py SOURCE_ROOT

In the README's block, "# SCENARIO: …" names the scenario of the lines below it. A scenario writes ADDRESS as a
variable,
"qemu-system-x86_64 …" as the rig's own wrapper of it, and the words that depend on the kernel as $(dma_words …).
"""

import glob
import os
import re
import sys

WRAPPED = ("qemu-system-x86_64", "/rig/nested/qemu")
# What dma_words of tests/vm/guest/lib.sh says, for each kind of kernel.
DMA_WORDS = ("{fd:ADDRESS} {iommufd} {ioasid}", "{fd:ADDRESS} --container={container}")


def promised(text):
    """(scenario, command line) of each line in the README's section."""
    section = text.split("## Programs, modes, kernels", 1)[1]
    block = re.search(r"```sh\n(.*?)```", section, re.S)[1]
    scenario = None
    for line in block.splitlines():
        if match := re.match(r"# ([a-z0-9-]+):", line):
            scenario = match[1]
        elif line.startswith("ioasidctl"):
            yield scenario, line


def commands_of(text):
    """The lines of a scenario as the README would write them."""
    text = text.replace("\\\n", " ")
    text = re.sub(r'"?\$(edu|disk|nic)"?', "ADDRESS", text).replace('"', "").replace("'", "")
    for words in DMA_WORDS:
        for line in text.replace("$(dma_words ADDRESS)", words).splitlines():
            yield re.sub(r"\s+", " ", line)


def is_run(command, lines):
    parts = [part.strip() for part in command.replace(*WRAPPED).split("…")]
    pattern = re.compile(".*".join(re.escape(part) for part in parts))
    return any(pattern.search(line) for line in lines)


def devices_without_id(root):
    """Lines that give QEMU a device's descriptor and no id, of which QEMU 11 dies."""
    for name in ("README.md", "client/*.8", "client/*.5", "tests/vm/scenarios/*.sh", "tests/vm/benchmarks/*.sh"):
        for path in glob.glob(os.path.join(root, name)):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    if re.search(r"vfio-pci,\S*\bfd=", line) and not re.search(r"vfio-pci,\S*\bid=", line):
                        yield f"{os.path.relpath(path, root)}: {line.strip()}"


def installing(text):
    """The lines of the README's section on installing, as the scenario has to have them."""
    section = text.split("## Installing it on a host", 1)[1].split("\n## ", 1)[0]
    for block in re.findall(r"```sh\n(.*?)```", section, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#.*", "", line)
            if not line.startswith(("apt ", "meson ")):
                yield line.replace("ninja -C build uninstall", "/rig/uninstall").replace("; update-initramfs -u", "")


def main():
    root = sys.argv[1]
    with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
        text = file.read()
    pairs = list(promised(text))
    print(f"1..{len(pairs) + 3}")
    with open(os.path.join(root, "tests/vm/scenarios/systemd-install.sh"), encoding="utf-8") as file:
        there = file.read().splitlines()
    lines = list(installing(text))
    missing = [line for line in lines if line not in there]
    failed = not pairs or len(lines) < 9 or bool(missing)
    for line in missing:
        print(f"# systemd-install does not run: {line}")
    print(f"{'not ' if not pairs else ''}ok 1 - the README has command lines")
    for number, (scenario, command) in enumerate(pairs, start=2):
        path = os.path.join(root, "tests/vm/scenarios", f"{scenario}.sh")
        lines = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                lines = list(commands_of(file.read()))
        good = is_run(command, lines)
        failed = failed or not good
        print(f"{'' if good else 'not '}ok {number} - {scenario} runs: {command}")
    print(f"{'not ' if len(lines) < 9 or missing else ''}ok {len(pairs) + 2} - what installs and removes it is run")
    bare = list(devices_without_id(root))
    for line in bare:
        print(f"# no id= in {line}")
    print(f"{'not ' if bare else ''}ok {len(pairs) + 3} - every descriptor that QEMU is given comes with an id")
    return 1 if failed or bare else 0


if __name__ == "__main__":
    sys.exit(main())
