"""--snapshot: a file takes the daemon's place, whatever is in it."""

import json
import os
import tempfile

import tap
from program import IOASIDCTL, ioasidctl, output_json

SOURCE = os.environ["IOASID_SOURCE"]
HOSTS = os.path.join(SOURCE, "tests", "hosts")
BAD = os.path.join(SOURCE, "tests", "simulator", "hosts")
DESKTOP = os.path.join(HOSTS, "machines", "desktop-gpu-with-usb.json")
SERVER = os.path.join(HOSTS, "machines", "server-256-virtual-functions.json")
FULL = os.path.join(HOSTS, "machines", "desktop-gpu-with-usb.take.policy.json")
NVME = "0000:02:00.0"


def ask(*arguments, snapshot=DESKTOP, **more):
    return ioasidctl(None, *arguments, "--snapshot", snapshot, **more)


class Folder(tempfile.TemporaryDirectory):
    """A folder to write policies into."""

    def __enter__(self):
        self.path = super().__enter__()
        return self

    def write(self, name, *rules, text=None):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps({"rules": list(rules)}) if text is None else text)
        return path


def rule(name, device="*", **more):
    return {"name": name, "effect": "allow", "device": {"address": [device]}, "lockout": "unused", "reset": "try",
            **more}


def verdict(*arguments, **more):
    """The exit status, and the rule of the first device."""
    result = ask("plan", "--json", *arguments, **more)
    return result.returncode, output_json(result)["plan"]["devices"][0]["rule"]


def test_every_wrong_snapshot_is_refused_with_its_place():
    names = sorted(os.listdir(BAD))
    tap.true(len(names) > 60, f"there are wrong snapshots: {len(names)}")
    for name in names:
        path = os.path.join(BAD, name)
        result = ask("list", snapshot=path)
        tap.equal([result.returncode, result.stdout], [1, ""], name)
        tap.contains(" ".join(result.stderr.split()), f"ioasidctl: {path}:", name)
        error = output_json(ask("list", "--json", snapshot=path))["error"]
        tap.equal(error["status"], 1, name)
        tap.true(error["message"].startswith(path + ":"), error["message"])


def test_what_is_no_file_is_refused_and_holds_nobody_up():
    with Folder() as folder:
        fifo, large = os.path.join(folder.path, "fifo"), os.path.join(folder.path, "large")
        os.mkfifo(fifo)
        with open(large, "wb") as file:
            file.truncate(64 * 1024 * 1024 + 1)
        for path, why in ((fifo, "not a regular file"), (folder.path, "not a regular file"), (large, "larger than"),
                          (os.path.join(folder.path, "none"), "No such file")):
            for arguments in (("list",), ("plan", "01:00.0"), ("graph",), ("show", "01:00.0")):
                result = ask(*arguments, snapshot=path)
                tap.equal(result.returncode, 1, path)
                tap.contains(" ".join(result.stderr.split()), why, path)
        result = ask("plan", NVME, "--policy", fifo)
        tap.equal(result.returncode, 1)
        tap.contains(result.stderr, "not a regular file")


def test_no_daemon_is_asked():
    result = ask("list", "--socket", "/nonexistent/socket")
    tap.equal(result.returncode, 2)
    tap.contains(result.stderr, "cannot be combined")
    tap.contains(ask("list").stdout, "IOMMU group 1: in use\n")
    tap.contains(ask("show", NVME).stdout, "0000:02:00.0")
    tap.contains(ask("show", "group", "1").stdout, "0000:01:00.3")
    tap.equal(ask("show", "1234567890").returncode, 5)
    tap.equal(ioasidctl(None, "plan", NVME, "--policy", FULL).returncode, 2)


def test_the_first_rule_for_the_subject_decides():
    with Folder() as folder:
        policy = folder.write("p.json", rule("a", subject={"user": ["somebody-elsewhere"]}),
                              rule("b", subject={"user": [4711]}), rule("c", subject={"unit": ["vm-*.service"]}))
        for arguments, wanted in ((("--as", "somebody-elsewhere"), "a"), (("--as", "4711"), "b"),
                                  (("--as", "4712", "--unit", "vm-7.service"), "c"), (("--as", "4712"), None),
                                  (("--as", "nobody-has-this-name"), None),
                                  (("--as", "4712", "--unit", "web.service"), None)):
            status, name = verdict("0000:01:00.1", "--policy", policy, *arguments)
            tap.equal([status, name], [3 if wanted is None else 4, wanted], str(arguments))
        for wrong in ("4294967295", "99999999999999999999"):
            tap.equal(ask("plan", NVME, "--policy", policy, "--as", wrong).returncode, 2, wrong)
        tap.equal(ask("plan", NVME, "--policy", policy, "--as", "").returncode, 2)
        tap.equal(ask("plan", NVME, "--policy", policy, "--unit", "x" * 300, "--as", "1").returncode, 2)


def test_unknown_users_are_told_and_wrong_policies_refused():
    with Folder() as folder:
        policy = folder.write("p.json", rule("a", subject={"user": ["somebody-elsewhere"], "group": ["elsewhere"]}))
        text = " ".join(ask("plan", NVME, "--policy", policy, "--as", "4711").stderr.split())
        tap.contains(text, "no user somebody-elsewhere on this machine")
        tap.contains(text, "no group elsewhere on this machine")
        wrong = folder.write("wrong.json", text='{ "rules": [\n  { "nam": "x" } ] }')
        result = ask("plan", NVME, "--policy", wrong)
        tap.equal([result.returncode, result.stdout], [1, ""])
        tap.contains(" ".join(result.stderr.split()), f"{wrong}:2:5:")
        tap.equal(ask("plan", NVME, "--policy", os.path.join(folder.path, "none")).returncode, 1)


def test_folders_mask_and_files_do_not():
    with Folder() as folder:
        folder.write("etc/50-a.json", rule("etc"))
        folder.write("usr/50-a.json", rule("usr"))
        folder.write("usr/90-b.json", rule("last"))
        folder.write("usr/ignored.txt", text="no policy")
        only = folder.write("only.json", rule("only"))
        etc, usr = os.path.join(folder.path, "etc"), os.path.join(folder.path, "usr")
        tap.equal(verdict("0000:01:00.1", "--policy", etc, "--policy", usr)[1], "etc")
        tap.equal(verdict("0000:01:00.1", "--policy", usr, "--policy", etc)[1], "usr")
        tap.equal(verdict("0000:01:00.1", "--policy", usr, "--policy", only)[1], "usr", "sorted by name")
        tap.equal(verdict("0000:01:00.1", "--policy", only)[1], "only")
        os.unlink(os.path.join(etc, "50-a.json"))
        os.symlink("/dev/null", os.path.join(etc, "50-a.json"))
        tap.equal(verdict("0000:01:00.1", "--policy", etc, "--policy", usr)[1], "last", "masked by /dev/null")
        with open(os.path.join(usr, "90-b.json"), "w", encoding="utf-8"):
            pass
        tap.equal(verdict("0000:01:00.1", "--policy", etc, "--policy", usr), (3, None), "all are masked")


def test_a_graph_of_a_machine_shows_uses_and_folds_functions():
    whole = ask("graph").stdout
    tap.contains(whole, "fatal: a file system on it is mounted")
    text = ask("graph", "18:01.2", "--policy", SERVER.replace(".json", ".tenants.policy.json"), "--as", "4711",
               snapshot=SERVER).stdout
    tap.contains(text, '"functions of 0000:af:00.1" [label="64 virtual functions')
    tap.contains(text, "ASKED FOR")
    tap.true(text.count("\n") < 80, "it is a picture still")


def test_the_verbs_that_take_no_snapshot_say_so():
    for verb in ("status", "claim", "run", "release", "doctor", "snapshot"):
        tap.equal(ask(verb).returncode, 2, verb)


if __name__ == "__main__":
    assert os.access(IOASIDCTL, os.X_OK)
    tap.run(dict(globals()))
