#!/usr/bin/env python3
"""How much of a host the units leave open: exposure_test.py BUILD SOURCE"""
import os
import re
import subprocess

from tap import BUILD, SOURCE, ask, need, run

# Exposure by systemd-analyze security, times ten.
BROKER, EXECUTOR = 7, 22


def unit(name):
    return os.path.join(BUILD, "units", name)


def settings(name):
    """{key: [value, …]} of a unit, in its order."""
    found = {}
    with open(unit(name), encoding="utf-8") as file:
        for line in file:
            if match := re.match(r"([A-Za-z]+)=(.*)$", line):
                found.setdefault(match[1], []).append(match[2])
    return found


def expect_exposure(name, most):
    need("systemd-analyze")
    ask("systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={most}", unit(name))
    # A threshold that is not looked at would say the same.
    strict = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=1",
                             unit(name)],
                            capture_output=True, check=False)
    assert strict.returncode != 0


def broker():
    """the broker's exposure is at most 0.7"""
    expect_exposure("ioasidd.service", BROKER)


def executor():
    """the executor's exposure is at most 2.2"""
    expect_exposure("ioasid-executor@.service", EXECUTOR)


def broker_has_nothing():
    """the broker has no capability, no device node, no network and no /sys"""
    found = settings("ioasidd.service")
    for key, value in (("CapabilityBoundingSet", ""), ("AmbientCapabilities", ""), ("User", "ioasidd"),
                       ("PrivateDevices", "yes"),
                       ("PrivateNetwork", "yes"), ("DevicePolicy", "closed"), ("InaccessiblePaths", "/sys"),
                       ("NoNewPrivileges", "yes")):
        assert found.get(key) == [value], (key, found.get(key))
    assert "DeviceAllow" not in found and "SupplementaryGroups" not in found


def executor_has_its_own():
    """the executor has the capabilities of its workers and the devices of VFIO, iommufd and vhost-vdpa, and reads
    disks"""
    found = settings("ioasid-executor@.service")
    with open(os.path.join(SOURCE, "daemon/executor/sandbox/confine.c"), encoding="utf-8") as file:
        roles = file.read().split("} roles[", 1)[1].split("};", 1)[0]
    wanted = set(re.findall(r"\bCAP_\w+", roles))
    assert set(" ".join(found["CapabilityBoundingSet"]).split()) == wanted, (found["CapabilityBoundingSet"], wanted)
    assert found["DeviceAllow"] == ["/dev/iommu rw", "/dev/vfio/vfio rw", "char-vfio rw", "char-vfio-dev rw",
                                    "char-vhost-vdpa rw", "block-* r"], found["DeviceAllow"]


def filter_calls(name):
    """The calls that a unit's filter names, groups taken apart."""
    calls, groups = set(), [word for value in settings(name)["SystemCallFilter"] for word in value.split()]
    while groups:
        word = groups.pop()
        if word.startswith("@"):
            text = ask("systemd-analyze", "syscall-filter", word)
            groups += [line.strip() for line in text.splitlines()[1:] if line.strip()
                       and not line.strip().startswith("#")]
        else:
            calls.add(word)
    return calls


def filters_agree():
    """what the executor's own filters allow its unit's filter allows, too"""
    need("systemd-analyze")
    with open(os.path.join(SOURCE, "daemon/executor/sandbox/call_filter.c"), encoding="utf-8") as file:
        text = file.read()
    tables = text.split("} plain[]", 1)[1].split("};", 1)[0] + text.split("} limited[]", 1)[1].split("};", 1)[0]
    own = set(re.findall(r'\{ "(\w+)",', tables))
    assert len(own) > 100
    missing = own - filter_calls("ioasid-executor@.service")
    assert not missing, sorted(missing)


def nobody_gets_more():
    """neither filter has a call that makes more of a process than it is"""
    need("systemd-analyze")
    bad = {"ptrace", "process_vm_writev", "process_vm_readv", "pidfd_getfd", "open_by_handle_at", "mount", "unshare",
           "setns", "chroot", "pivot_root", "bpf", "perf_event_open", "init_module", "finit_module", "kexec_load",
           "setuid", "setresuid", "setgroups", "chown", "fchown", "chmod", "fchmod", "mknod", "link", "symlink",
           "io_uring_setup", "userfaultfd", "keyctl", "add_key", "personality", "openat2", "iopl", "ioperm"}
    for name in ("ioasidd.service", "ioasid-executor@.service"):
        found = filter_calls(name) & bad
        assert not found, (name, sorted(found))
    assert not filter_calls("ioasidd.service") & {"ioctl", "execveat", "kill", "capset", "prlimit", "setxattr", "clone",
                                                  "clone3"}
    assert settings("ioasid-executor@.service")["RestrictNamespaces"] == ["yes"]


if __name__ == "__main__":
    run([broker, executor, broker_has_nothing, executor_has_its_own, filters_agree, nobody_gets_more])
