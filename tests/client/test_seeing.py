"""ioasidctl status, list and show: their text, their JSON, and that a table fits 80 columns whatever stands in it."""

import os
import pty
import select

import host
import tap
from fake_daemon import TIMEOUT, Reply
from program import IOASIDCTL, environment, ioasidctl, output_json

import subprocess


def on_terminal(daemon, *arguments, **env):
    """What ioasidctl writes where standard output is a terminal."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([IOASIDCTL, "--socket", daemon.path, *arguments], stdin=subprocess.DEVNULL, stdout=theirs,
                             env=environment(**dict({"TERM": "xterm", "NO_COLOR": None}, **env)))
    os.close(theirs)
    text = b""
    while select.select([ours], [], [], TIMEOUT)[0]:
        try:
            data = os.read(ours, 65536)
        except OSError:
            break   # the other end is closed
        text += data
    os.close(ours)
    child.wait(TIMEOUT)
    return text.decode().replace("\r\n", "\n")


def test_status_in_words():
    with host.daemon() as daemon:
        result = ioasidctl(daemon, "status")
        tap.equal([result.returncode, result.stderr], [0, ""])
        tap.equal(result.stdout,
                  f"ioasidd   0.1.0 at {daemon.path}\n"
                  "kernel    6.12.0: iommufd yes, VFIO device nodes yes, VFIO groups no\n"
                  "interface iommufd: this kernel has iommufd and VFIO device nodes\n"
                  "policy    3 rules, digest 0123456789abcdef\n"
                  "          /etc/ioasidd/policy.d/50-alice.json\n"
                  "devices   5 in 2 IOMMU groups\n"
                  "claims    1\n")


def test_status_says_which_interface_and_why():
    for interface, iommufd, words in (("group", False, "as this kernel has no iommufd"),
                                      ("group", True, "has iommufd but no VFIO device nodes"),
                                      (None, False, "neither iommufd with VFIO device nodes nor VFIO groups")):
        kernel = dict(host.STATUS["kernel"], iommufd=iommufd, vfio_cdev=False, vfio_group=interface is not None)
        with host.daemon(status=dict(host.STATUS, interface=interface, kernel=kernel)) as daemon:
            tap.contains(ioasidctl(daemon, "status").stdout, words)


def test_status_warns_of_unsafe_settings():
    kernel = dict(host.STATUS["kernel"], unsafe_interrupts=True, noiommu=True)
    with host.daemon(status=dict(host.STATUS, kernel=kernel)) as daemon:
        result = ioasidctl(daemon, "status")
        tap.contains(result.stdout, "unsafe interrupts are allowed")
        tap.contains(result.stdout, "no-IOMMU mode is on")


def test_status_in_json_is_the_daemons_reply():
    with host.daemon() as daemon:
        result = ioasidctl(daemon, "status", "--json")
        tap.equal([result.returncode, output_json(result)], [0, host.STATUS])


def test_list_draws_groups_as_trees():
    with host.daemon() as daemon:
        result = ioasidctl(daemon, "list")
        tap.equal([result.returncode, result.stderr], [0, ""])
        tap.equal(result.stdout, """\
IOMMU group 7: held by claim c1, attached/iommufd
└─ 0000:00:1c.0     [8086:a110]  PCI bridge            pcieport       bridge
   ├─ 0000:01:00.0  [1234:11e8]  unclassified device   vfio-pci       held
   └─ 0000:01:01.0  [144d:a80a]  NVM Express control…  -              locked out
IOMMU group 9: free
└─ 0000:00:1f.6     [8086:15b8]  Ethernet controller   e1000e         free
no IOMMU group: these cannot be claimed
└─ 0000:00:1f.3     [1234:11e8]  audio device          snd_hda_intel  free
""")


def test_list_is_drawn_without_claims_where_they_can_not_be_had():
    with host.daemon() as daemon:
        for answer in (None, Reply({"claims": 7}), Reply({"claims": [{"id": "c1", "mode": 7}]})):
            daemon.methods["ListClaims"] = answer
            result = ioasidctl(daemon, "list")
            tap.equal([result.returncode, result.stderr], [0, ""])
            tap.contains(result.stdout, "IOMMU group 7: held by claim c1\n")


def test_list_names_claims_in_full():
    claim = "3cb03068ff5242e8ca561fb4e3f86d21aaaaaaa"
    with host.daemon([dict(host.CARD, claim=claim), dict(host.DISK, claim=claim)]) as daemon:
        result = ioasidctl(daemon, "list")
        tap.contains(result.stdout, f"IOMMU group 7: held by claim {claim}\n")
    with host.daemon([dict(host.CARD, claim="c1"), dict(host.DISK, claim="c2")]) as daemon:
        result = ioasidctl(daemon, "list")
        tap.contains(result.stdout, "locked out by c2", "what the heading does not say")


def test_list_in_ascii():
    with host.daemon() as daemon:
        result = ioasidctl(daemon, "list", env=environment(LC_ALL="C"))
        result.stdout.encode("ascii")
        tap.contains(result.stdout, "   |- 0000:01:00.0")
        tap.contains(result.stdout, "   `- 0000:01:01.0")


def test_list_of_siblings_with_bridges_between_them():
    devices = [host.device("b0", group=1, bridge=True), host.device("b1", group=1, bridge=True, parent="b0"),
               host.device("d1", group=1, parent="b1"), host.device("d2", group=1, parent="b0"),
               host.device("e", group=1)]
    with host.daemon(devices, []) as daemon:
        lines = ioasidctl(daemon, "list").stdout.splitlines()
        tap.equal([line.split("[")[0].rstrip() for line in lines],
                  ["IOMMU group 1", "├─ b0", "│  ├─ b1", "│  │  └─ d1", "│  └─ d2", "└─ e"])


def test_list_fits_80_columns_whatever_the_names_are():
    long = "x" * 300
    wide = "\u7db2" * 200     # two columns each
    devices = [host.device("0000:01:00.0", class_text=long, driver=long, claim=long, state="quarantined", group=1),
               host.device("0000:02:00.0", class_text=wide, driver=wide, vendor_id=long, group=1 << 40),
               host.device(long, class_text="\n\t\x1b[31m" * 50, driver="\u202e" * 40, claim=wide, locked_out=True)]
    devices += [host.device(f"0000:{i:02x}:00.0", parent=f"0000:{i - 1:02x}:00.0", group=1) for i in range(2, 12)]
    with host.daemon(devices, [{"number": 1, "state": long}]) as daemon:
        for locale in ("C.UTF-8", "C"):
            result = ioasidctl(daemon, "list", env=environment(LC_ALL=locale))
            tap.equal(result.returncode, 0, locale)
            for line in result.stdout.splitlines():
                columns = sum(2 if character == "\u7db2" else 1 for character in line)
                tap.true(columns <= 80, f"{columns} columns: {line}")
                tap.equal(line, line.rstrip(), "no space at the end")
            tap.lacks(result.stdout, "\x1b", locale)
            tap.lacks(result.stdout, "\u202e", locale)


def test_list_shows_short_names_in_full():
    with host.daemon([host.device("0000:01:00.0", driver="e1000", class_text="Ethernet controller")]) as daemon:
        tap.contains(ioasidctl(daemon, "list").stdout, "0000:01:00.0  [1234:11e8]  Ethernet controller  e1000  free")


def test_list_of_nothing():
    with host.daemon([], []) as daemon:
        tap.equal(ioasidctl(daemon, "list").stdout, "No devices.\n")


def test_list_in_json():
    with host.daemon() as daemon:
        result = ioasidctl(daemon, "--json", "list")
        tap.equal([result.returncode, output_json(result)], [0, {"groups": host.GROUPS, "devices": host.DEVICES}])


def test_colours_are_for_terminals_that_want_them():
    with host.daemon() as daemon:
        tap.contains(on_terminal(daemon, "list"), "\x1b[1mIOMMU group 7: held by claim c1, attached/iommufd\x1b[0m")
        tap.lacks(on_terminal(daemon, "list", NO_COLOR="1"), "\x1b")
        tap.lacks(on_terminal(daemon, "list", TERM="dumb"), "\x1b")
        tap.contains(on_terminal(daemon, "list", NO_COLOR=""), "\x1b[1m")
        tap.lacks(ioasidctl(daemon, "list").stdout, "\x1b")


def test_show_of_a_device_by_any_form_of_its_address():
    with host.daemon() as daemon:
        texts = {ioasidctl(daemon, "show", name).stdout for name in ("0000:01:00.0", "01:00.0", "0000:01:00.0")}
        tap.equal(len(texts), 1, "all forms name the same")
        text = texts.pop()
        for part in ("device             0000:01:00.0", "state              held by claim c1",
                     "vendor:device      1234:11e8, subsystem 1af4:1100", "driver             vfio-pci",
                     "IOMMU group        7", "behind             0000:00:1c.0", "reset by           flr\n",
                     "\n                   bus\n", "VFIO node          vfio0"):
            tap.contains(text, part)


def test_show_of_devices_says_what_is_special():
    with host.daemon() as daemon:
        tap.contains(ioasidctl(daemon, "show", "00:1c.0").stdout, "cannot be claimed, stays on its driver")
        tap.contains(ioasidctl(daemon, "show", "01:01.0").stdout, "locked out, not requested")
        tap.contains(ioasidctl(daemon, "show", "00:1f.3").stdout, "none: cannot be claimed")
        tap.contains(ioasidctl(daemon, "show", "00:1f.6").stdout, "nothing: cannot be reset")


def test_show_of_a_claim():
    with host.daemon() as daemon:
        text = ioasidctl(daemon, "show", "c1", env=environment(TZ="UTC")).stdout
        for part in ("claim              c1", "state              held",
                     "mode               attached\ninterface          iommufd",
                     "rule               alice drives the test card", "process            4711",
                     "since              2025-10-09 08:53:20 +0000",
                     "devices            0000:01:00.0", "locked out         0000:01:01.0"):
            tap.contains(text, part)


def test_show_of_a_group():
    with host.daemon() as daemon:
        for arguments in (["9"], ["group", "9"]):
            text = ioasidctl(daemon, "show", *arguments).stdout
            tap.contains(text, "IOMMU group 9: free\n└─ 0000:00:1f.6")
            tap.lacks(text, "group 7")


def test_show_in_json():
    with host.daemon() as daemon:
        tap.equal(output_json(ioasidctl(daemon, "show", "-j", "01:00.0")), {"device": host.CARD})
        tap.equal(output_json(ioasidctl(daemon, "show", "-j", "c1")), {"claim": host.CLAIMS[0]})
        tap.equal(output_json(ioasidctl(daemon, "show", "-j", "group", "9")),
                  {"group": host.GROUPS[1], "devices": [host.NETWORK]})


def test_show_of_what_is_not_there():
    with host.daemon() as daemon:
        for arguments, part in ((["0000:09:00.0"], "no such device 0000:09:00.0"), (["c2"], "no such claim c2"),
                                (["group", "8"], "no such IOMMU group 8")):
            result = ioasidctl(daemon, "show", *arguments)
            tap.equal([result.returncode, result.stdout], [5, ""])
            tap.contains(result.stderr, "ioasidctl: " + part)
            result = ioasidctl(daemon, "show", "--json", *arguments)
            error = output_json(result)["error"]
            tap.equal([result.returncode, error["status"], error["blockers"], result.stderr], [5, 5, [], ""])
            tap.contains(error["message"], part)


def test_S9_json_has_no_control_characters():
    nasty = "\x1b[2J\x07\x7f\x85\u202e\u2028\U000e0041 \u00e4\u7db2 \"\\"
    with host.daemon([host.device("0000:01:00.0", class_text=nasty)]) as daemon:
        result = ioasidctl(daemon, "show", "01:00.0", "--json")
        tap.equal(output_json(result)["device"]["class_text"], nasty, "it is the same after reading it")
        tap.contains(result.stdout, "\u00e4\u7db2")
        for character in "\x1b\x07\x7f\x85\u202e\u2028\U000e0041":
            tap.lacks(result.stdout, character)


if __name__ == "__main__":
    tap.run(dict(globals()))
