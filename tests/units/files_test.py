#!/usr/bin/env python3
"""What is installed for the host, read by those who read it there: files_test.py BUILD SOURCE"""
import glob
import os
import re
import subprocess

from tap import BUILD, SOURCE, Installed, Skip, ask, need, run

# Of the build's prefix; "E" is its folder of settings.
INSTALLED = """
lib/systemd/system/ioasidd.socket lib/systemd/system/ioasidd.service lib/systemd/system/ioasid-executor.socket
lib/systemd/system/ioasid-executor@.service lib/systemd/system/ioasidd-reserve.service
lib/systemd/system/ioasidd-reserve.path
lib/systemd/catalog/ioasidd.catalog lib/sysusers.d/ioasidd.conf lib/tmpfiles.d/ioasidd.conf
lib/udev/rules.d/60-ioasidd.rules
lib/dracut/modules.d/60ioasidd/module-setup.sh lib/dracut/modules.d/60ioasidd/ioasidd-pre-udev.sh
share/initramfs-tools/hooks/ioasidd share/initramfs-tools/scripts/init-top/ioasidd
share/dbus-1/system.d/org.ioasid1.conf share/dbus-1/system-services/org.ioasid1.service
share/polkit-1/actions/org.ioasid1.policy
share/man/man8/ioasidd.8
libexec/ioasidd/reserve libexec/ioasidd/ioasid-executor sbin/ioasidd
E/apparmor.d/ioasidd E/apparmor.d/ioasid-executor
""".split()


def option(name):
    import json
    options = json.loads(ask("meson", "introspect", BUILD, "--buildoptions"))
    return next(entry["value"] for entry in options if entry["name"] == name)


def all_there():
    """every file is where the host looks for it, and ninja uninstall leaves nothing behind"""
    prefix = option("prefix")
    settings = os.path.join(prefix, option("sysconfdir"))
    with Installed() as tree:
        wanted = {os.path.join(settings, path[2:]) if path.startswith("E/") else os.path.join(prefix, path)
                  for path in INSTALLED}
        assert not wanted - tree.files(), sorted(wanted - tree.files())
        assert os.path.join(settings, "ioasidd/policy.d") in tree.folders()
        for path in ("libexec/ioasidd/reserve", "share/initramfs-tools/hooks/ioasidd",
                     "share/initramfs-tools/scripts/init-top/ioasidd"):
            assert os.stat(tree.root + os.path.join(prefix, path)).st_mode & 0o777 == 0o755, path
        for path in tree.files():
            status = os.lstat(tree.root + path)
            assert os.path.islink(tree.root + path) or not status.st_mode & 0o022, f"{path}: others can write to it"
        ask("ninja", "-C", BUILD, "uninstall", env={**os.environ, "DESTDIR": tree.root})
        left = tree.files() | tree.folders()
        assert not left, sorted(left)


def no_word_left():
    """no file has a word in it that the build was to replace"""
    with Installed() as tree:
        for path in tree.files():
            if os.path.islink(tree.root + path) or "/units/" in path:
                continue
            with open(tree.root + path, "rb") as file:
                content = file.read()
            if b"\0" not in content:
                found = re.findall(rb"@[a-z]+_[a-z_]+@|@[a-z]*bindir@", content)
                assert not found, (path, found)


def units_are_valid():
    """systemd reads every unit without a complaint"""
    need("systemd-analyze")
    with Installed() as tree:
        folder = os.path.dirname(tree.find("/ioasidd.socket"))
        # Programs are looked for where the unit says that they are.
        for name in glob.glob(os.path.join(folder, "*.service")):
            with open(name, encoding="utf-8") as file:
                text = file.read()
            with open(name, "w", encoding="utf-8") as file:
                file.write(re.sub(r"^(Exec\w+=\+?)/", rf"\1{tree.root}/", text, flags=re.M))
        units = sorted(name.replace("@.", "@1.") for name in glob.glob(os.path.join(folder, "*"))
                       if os.path.isfile(name))
        result = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True,
                                check=False, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"})
        # That a socket with Accept= has no instance yet is what it is for.
        own = [line for line in (result.stdout + result.stderr).splitlines()
               if "ioasid" in line and "ioasid-executor@internal.service not loaded" not in line]
        assert not own, "\n".join(own)
        assert len(units) >= 6


def newer_settings_only_there():
    """settings that systemd 252 does not know are installed for newer ones only"""
    version = int(re.match(r"\d+", ask("pkg-config", "--modversion", "libsystemd")).group())
    with Installed() as tree:
        for file, since in (("newer-systemd.conf", 254), ("preserve-descriptors.conf", 257)):
            found = [path for path in tree.files() if path.endswith(f"ioasidd.service.d/{file}")]
            assert len(found) == (version >= since), (version, found)
        for path in tree.files():
            if path.endswith((".service", ".socket", ".path")) and "/systemd/system/" in path:
                with open(tree.root + path, encoding="utf-8") as file:
                    assert "FileDescriptorStorePreserve" not in file.read(), path


def user_and_folder():
    """systemd-sysusers makes the user and systemd-tmpfiles the folder"""
    need("systemd-sysusers")
    with Installed() as tree:
        os.makedirs(tree.root + "/etc", exist_ok=True)
        if os.geteuid() != 0:
            raise Skip("only root can make users in a folder")
        ask("systemd-sysusers", f"--root={tree.root}", tree.find("/sysusers.d/ioasidd.conf"))
        with open(tree.root + "/etc/passwd", encoding="utf-8") as file:
            entry = next(line for line in file if line.startswith("ioasidd:")).strip().split(":")
        assert entry[6].endswith("nologin") and int(entry[2]) > 0, entry
        ask("systemd-tmpfiles", f"--root={tree.root}", "--create", tree.find("/tmpfiles.d/ioasidd.conf"))
        status = os.stat(tree.root + "/run/ioasidd")
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (int(entry[2]), int(entry[3]), 0o755)


def apparmor():
    """AppArmor's parser takes both profiles"""
    need("apparmor_parser")
    if not os.path.exists("/etc/apparmor.d/abi/3.0"):
        raise Skip("AppArmor's abstractions are missing")
    with Installed() as tree:
        for name in ("ioasidd", "ioasid-executor"):
            path = tree.find(f"/apparmor.d/{name}")
            result = subprocess.run(["apparmor_parser", "--skip-kernel-load", "--skip-cache", path],
                                    capture_output=True,
                                    text=True, check=False)
            assert result.returncode == 0 and "arning" not in result.stderr, result.stderr
            names = ask("apparmor_parser", "--names", path).split()
            assert names == [name], names


def udev_rules():
    """udev's rules are written as udev reads them: keys, operators, jumps; and by its own reader where it can be had"""
    keys = (r"(ACTION|SUBSYSTEM|KERNEL|DRIVER|OWNER|GROUP|MODE|SYMLINK|PROGRAM|TEST(\{0\d{3}\})?|GOTO|LABEL|OPTIONS|"
            r"ENV\{\w+\}|ATTR\{\w+\}|IMPORT\{db\})")
    with Installed() as tree:
        path = tree.find("/60-ioasidd.rules")
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file.read().replace("\\\n", "").splitlines() if line and line[0] != "#"]
        labels, jumps = [], []
        for line in lines:
            rest = line
            while rest:
                match = re.match(rf'{keys}(==|!=|=|\+=|:=)"([^"]*)"(, *)?', rest)
                assert match, f"{line}: {rest}"
                key, value = match[1], match[4]
                labels += [value] if key == "LABEL" else []
                jumps += [value] if key == "GOTO" else []
                rest = rest[match.end():]
        assert set(jumps) == set(labels) and len(labels) == len(set(labels)), (jumps, labels)
        verify = subprocess.run(["udevadm", "verify", "--help"], capture_output=True, check=False)
        if verify.returncode == 0:
            ask("udevadm", "verify", "--no-style", path)


def scripts():
    """the scripts are valid for every shell that may run them"""
    with Installed() as tree:
        prefix = tree.root + option("prefix")
        small = [tree.find("/libexec/ioasidd/reserve"), f"{prefix}/share/initramfs-tools/hooks/ioasidd",
                 f"{prefix}/share/initramfs-tools/scripts/init-top/ioasidd", tree.find("/ioasidd-pre-udev.sh")]
        for path in small:
            ask("sh", "-n", path)
            ask("busybox", "sh", "-n", path)
        ask("bash", "-n", tree.find("/60ioasidd/module-setup.sh"))


def dracut_module():
    """the module for dracut puts rules, script, hook and VFIO into the initramfs, if anything is reserved"""
    with Installed() as tree:
        module = tree.find("/60ioasidd/module-setup.sh")
        with open(module, encoding="utf-8") as file:
            text = file.read().replace(os.path.join(option("prefix"), "libexec/ioasidd/reserve"),
                                       f"{tree.root}/reserve")
        with open(module, "w", encoding="utf-8") as file:
            file.write(text)
        words = "instmods inst_rules inst_multiple inst_simple inst_hook dwarn"
        script = "".join(f'{word}() {{ echo "{word} $*"; }}\n' for word in words.split())
        script += f'initdir={tree.root}/init moddir={os.path.dirname(module)}; . {module}; '
        script += 'check && installkernel && install'

        def dracut(reserve):
            with open(f"{tree.root}/reserve", "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\n{reserve}\n")
            os.chmod(f"{tree.root}/reserve", 0o755)
            return ask("bash", "-euc", script)
        assert "inst_hook" not in dracut("exit 0")
        assert "dwarn" in dracut("exit 1")
        out = dracut('mkdir -p "$2"; echo rule >"$2/60-ioasidd-reserve.rules"')
        assert "inst_rules 60-ioasidd.rules" in out and "instmods vfio_pci" in out, out
        assert f"inst_hook pre-udev 10 {os.path.dirname(module)}/ioasidd-pre-udev.sh" in out, out
        assert os.path.exists(f"{os.path.dirname(module)}/ioasidd-pre-udev.sh")
        with open(f"{tree.root}/init/etc/modules-load.d/ioasidd.conf", encoding="utf-8") as file:
            assert file.read() == "vfio_pci\n"


def dbus_activation():
    """who calls org.ioasid1 on the bus starts the unit"""
    with Installed() as tree:
        with open(tree.find("/system-services/org.ioasid1.service"), encoding="utf-8") as file:
            text = file.read()
        assert "Name=org.ioasid1\n" in text and "SystemdService=ioasidd.service\n" in text, text


if __name__ == "__main__":
    run([all_there, no_word_left, units_are_valid, newer_settings_only_there, user_and_folder, apparmor, udev_rules,
         scripts,
         dracut_module, dbus_activation])
