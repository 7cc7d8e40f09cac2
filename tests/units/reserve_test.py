#!/usr/bin/env python3
"""What libexec's reserve does at boot, over a folder that looks like sysfs: reserve_test.py BUILD SOURCE

The rules are those that ioasidd prints. Each case is done by the shells that may run it: dash and busybox.
"""
import json
import os
import shutil
import subprocess
import tempfile

from tap import BUILD, ask, need, run

RESERVE = os.path.join(BUILD, "units", "reserve")
IOASIDD = os.path.join(BUILD, "daemon", "broker", "ioasidd")
SHELLS = [["dash"], ["busybox", "sh"]]


class Host:
    """A sysfs with PCI devices, and a policy."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ioasidd-reserve-")
        self.sys = os.path.join(self.folder, "sys")
        os.makedirs(os.path.join(self.sys, "bus/pci/devices"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def add(self, address, identity, class_code="0x020000", driver=None, below="", override="(null)", numa=-1,
            subsystem="0000:0000"):
        place = os.path.join(self.sys, "devices/pci0000:00", below, address)
        os.makedirs(place)
        files = {"class": class_code, "driver_override": override, "numa_node": numa,
                 "uevent": f"PCI_CLASS={class_code[2:]}\nPCI_ID={identity.upper()}\nPCI_SUBSYS_ID={subsystem.upper()}\n"
                           f"PCI_SLOT_NAME={address}"}
        for name, text in files.items():
            with open(os.path.join(place, name), "w", encoding="ascii") as file:
                file.write(f"{text}\n")
        if driver:
            os.makedirs(os.path.join(self.sys, "bus/pci/drivers", driver), exist_ok=True)
            os.symlink(os.path.join(self.sys, "bus/pci/drivers", driver), os.path.join(place, "driver"))
        os.symlink(place, os.path.join(self.sys, "bus/pci/devices", address))

    def rules(self, reserve, pools=None):
        """The file that ioasidd prints for this policy."""
        folder = os.path.join(self.folder, "policy")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "50.json"), "w", encoding="ascii") as file:
            json.dump({"pools": pools or {}, "reserve": reserve}, file)
        os.chmod(os.path.join(folder, "50.json"), 0o644)
        text = ask(IOASIDD, "--policy-dir", folder, "--print-udev-rules")
        path = os.path.join(self.folder, "60-ioasidd-reserve.rules")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def kept(self):
        """The addresses of the devices that are kept for vfio-pci."""
        found = []
        for address in sorted(os.listdir(os.path.join(self.sys, "bus/pci/devices"))):
            with open(os.path.join(self.sys, "bus/pci/devices", address, "driver_override"), encoding="ascii") as file:
                if file.read() == "vfio-pci\n":
                    found.append(address)
        return found


def fill(host):
    host.add("0000:00:01.0", "8086:3420", "0x060400")
    host.add("0000:01:00.0", "8086:10d3", below="0000:00:01.0")
    host.add("0000:01:00.1", "8086:10d3", below="0000:00:01.0", driver="e1000e")
    host.add("0000:00:02.0", "1234:11e8", "0x00ff00", numa=1, subsystem="1af4:1100")
    host.add("0000:00:03.0", "1b36:0010", "0x010802", override="other")
    host.add("0000:00:04.0", "1b36:0010", "0x010802")


def expect(wanted, reserve, pools=None):
    for shell in SHELLS:
        with Host() as host:
            fill(host)
            rules = host.rules(reserve, pools)
            ask(*shell, RESERVE, "now", rules, host.sys)
            assert host.kept() == wanted, (shell, reserve, host.kept(), open(rules, encoding="ascii").read())


def by_words_of_the_policy():
    """devices are kept by what the policy says of them: id, class, address, subsystem, NUMA node, port, pool, globs"""
    need("busybox")
    expect(["0000:01:00.0"], [{"id": ["8086:10d3"]}])
    expect(["0000:00:04.0"], [{"class": ["0108"]}])
    expect(["0000:00:02.0", "0000:00:04.0"], [{"address": ["0000:00:02.0", "0000:00:0[34].?"]}])
    expect(["0000:00:02.0"], [{"subsystem": ["1af4:*"]}])
    expect(["0000:00:02.0"], [{"numa_node": [1]}])
    expect(["0000:01:00.0"], [{"parent": ["0000:00:01.0"]}])
    expect(["0000:00:02.0", "0000:00:04.0"], [{"pool": ["some"]}],
           {"some": [{"id": ["1234:11e8"]}, {"id": ["1b36:*"]}]})
    expect(["0000:00:02.0", "0000:00:04.0", "0000:01:00.0"], [{"id": ["*"]}])
    expect(["0000:00:02.0", "0000:01:00.0"], [{"id": ["1b36:00[!1]0", "1234:*", "8086:10d[0-4]"]}])


def not_otherwise():
    """no bridge is kept, nothing that a driver has, nothing that another driver was chosen for; nothing without
    rules"""
    expect([], [{"id": ["8086:3420"]}])
    expect([], [{"address": ["0000:01:00.1", "0000:00:03.0"]}])
    expect([], [{"id": ["1234:11e8"], "class": ["0108"]}])
    expect([], [])
    with Host() as host:
        fill(host)
        for shell in SHELLS:
            ask(*shell, RESERVE, "now", os.path.join(host.folder, "no-such-file"), host.sys)
        assert host.kept() == []


def says_what_it_did():
    """what is kept is told, once"""
    with Host() as host:
        fill(host)
        rules = host.rules([{"id": ["1234:11e8"]}])
        assert ask("dash", RESERVE, "now", rules, host.sys) == "0000:00:02.0 is kept for vfio-pci\n"
        assert ask("dash", RESERVE, "now", rules, host.sys) == ""


def while_the_policy_changes():
    """a policy that changes while its devices are being reserved is looked at once more; one that never stops is an
    error"""
    for shell in SHELLS:
        with Host() as host:
            fill(host)
            first, second = (shutil.copy(host.rules([{"id": [identity]}]), os.path.join(host.folder, name))
                             for identity, name in (("1234:11e8", "first"), ("8086:10d3", "second")))
            # Stands for ioasidd: each call finds the policy that the one before has left, and changes it.
            printer, script = os.path.join(host.folder, "ioasidd"), os.path.join(host.folder, "reserve")
            with open(printer, "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\ncat {first}\n[ ! -e {second} ] || mv {second} {first}\n"
                           f"[ ! -e {host.folder}/restless ] || echo '# again' >>{first}\n")
            os.chmod(printer, 0o755)
            stand_in(printer, script)
            folder = os.path.join(host.folder, "rules.d")
            ask(*shell, script, "keep", folder, host.sys)
            assert host.kept() == ["0000:00:02.0", "0000:01:00.0"], (shell, host.kept())
            assert os.listdir(folder) == ["60-ioasidd-reserve.rules"]
            open(os.path.join(host.folder, "restless"), "w", encoding="ascii").close()
            result = subprocess.run([*shell, script, "keep", folder, host.sys], capture_output=True, text=True,
                                    check=False)
            assert result.returncode == 1 and "has changed" in result.stderr, result


def while_it_is_installed():
    """a program that is just being installed is asked again; one that fails is not"""
    for status, wanted in ((126, 0), (127, 0), (1, 1)):
        with Host() as host:
            fill(host)
            rules = shutil.copy(host.rules([{"id": ["1234:11e8"]}]), os.path.join(host.folder, "rules"))
            printer, script = os.path.join(host.folder, "ioasidd"), os.path.join(host.folder, "reserve")
            with open(printer, "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\n[ -e {host.folder}/asked ] || {{ touch {host.folder}/asked; exit {status}; }}\n"
                           f"cat {rules}\n")
            os.chmod(printer, 0o755)
            stand_in(printer, script)
            result = subprocess.run(["dash", script, "keep", os.path.join(host.folder, "rules.d"), host.sys],
                                    capture_output=True, text=True, check=False)
            assert result.returncode == wanted, (status, result)
            assert host.kept() == ([] if wanted else ["0000:00:02.0"]), (status, host.kept())


def stand_in(printer, script):
    """Writes a reserve that asks another program (or with other options) than the ioasidd that is installed."""
    with open(RESERVE, encoding="ascii") as file:
        text = file.read()
    calls = [line.split() for line in text.splitlines() if "/ioasidd --print-udev-rules" in line]
    assert len(calls) == 1
    with open(script, "w", encoding="ascii") as file:
        file.write(text.replace(next(word for word in calls[0] if word.endswith("/ioasidd")), printer))


def wrong_words():
    """what it does not understand it refuses, and rules that it does not know change nothing"""
    for words in ([], ["later"], ["rules"], ["now"], ["keep"]):
        assert subprocess.run(["dash", RESERVE, *words], capture_output=True, check=False).returncode == 2, words
    with Host() as host:
        fill(host)
        path = os.path.join(host.folder, "rules")
        for rule in ('ACTION=="add", SUBSYSTEM=="pci", NAME=="x", ATTR{driver_override}="vfio-pci"',
                     'ACTION=="add", SUBSYSTEM=="pci", RUN+="/bin/touch x", ATTR{driver_override}="vfio-pci"',
                     'ACTION=="add", SUBSYSTEM=="usb", ATTR{driver_override}="vfio-pci"',
                     '# ACTION=="add", SUBSYSTEM=="pci", ATTR{driver_override}="vfio-pci"'):
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{rule}\n")
            for shell in SHELLS:
                ask(*shell, RESERVE, "now", path, host.sys)
            assert host.kept() == [], rule


def write_rules(shell, folder, policy):
    """reserve rules FOLDER with a policy, as an installed ioasidd would be asked. (status, the file or None)"""
    script = os.path.join(folder, "reserve")
    stand_in(f"{IOASIDD} --policy-dir {policy}", script)
    out = os.path.join(folder, "rules.d")
    status = subprocess.run([*shell, script, "rules", out], capture_output=True, check=False).returncode
    path = os.path.join(out, "60-ioasidd-reserve.rules")
    assert [name for name in os.listdir(out) if name.startswith(".")] == []
    if not os.path.exists(path):
        return status, None
    with open(path, encoding="ascii") as file:
        return status, file.read()


def the_file():
    """the file of rules is there if anything is reserved, stays if the policy has errors, and goes with the last
    entry"""
    for shell in SHELLS:
        folder = tempfile.mkdtemp(prefix="ioasidd-reserve-")
        try:
            policy = os.path.join(folder, "policy")
            os.mkdir(policy)

            def put(text):
                with open(os.path.join(policy, "50.json"), "w", encoding="ascii") as file:
                    file.write(text)
                os.chmod(os.path.join(policy, "50.json"), 0o644)
            assert write_rules(shell, folder, policy) == (0, None)
            put('{ "reserve": [ { "id": ["8086:10d3"] } ] }')
            status, text = write_rules(shell, folder, policy)
            assert status == 0 and "8086:10D3" in text
            before = os.stat(os.path.join(folder, "rules.d/60-ioasidd-reserve.rules"))
            assert before.st_mode & 0o777 == 0o644
            write_rules(shell, folder, policy)
            after = os.stat(os.path.join(folder, "rules.d/60-ioasidd-reserve.rules"))
            assert after.st_ino == before.st_ino, "the same rules were written again"
            put('{ "reserve": [ { "id": ')
            status, still = write_rules(shell, folder, policy)
            assert status != 0 and still == text
            put("{}")
            assert write_rules(shell, folder, policy) == (0, None)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    run([by_words_of_the_policy, not_otherwise, says_what_it_did, while_the_policy_changes, while_it_is_installed,
         wrong_words, the_file])
