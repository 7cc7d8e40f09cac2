"""The command lines that the README promises are those that scenarios run, word for word.

usage: readme.py SOURCE_ROOT

In the README's block, "# SCENARIO: …" names the scenario of the lines below it. A scenario writes ADDRESS as a variable,
"qemu-system-x86_64 …" as the rig's own wrapper of it, and the words that depend on the kernel as $(dma_words …).
"""

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


def main():
    root = sys.argv[1]
    with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
        pairs = list(promised(file.read()))
    print(f"1..{len(pairs) + 1}")
    failed = not pairs
    print(f"{'not ' if failed else ''}ok 1 - the README has command lines")
    for number, (scenario, command) in enumerate(pairs, start=2):
        path = os.path.join(root, "tests/vm/scenarios", f"{scenario}.sh")
        lines = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                lines = list(commands_of(file.read()))
        good = is_run(command, lines)
        failed = failed or not good
        print(f"{'' if good else 'not '}ok {number} - {scenario} runs: {command}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
