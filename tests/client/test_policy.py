"""ioasidctl policy: what is wrong with files is said with its place, the rules in force are shown, a reload is told."""

import json
import os
import pwd
import shutil
import tempfile

import host
import tap
from fake_daemon import FakeDaemon, Reply
from program import ioasidctl, output_json

USER = pwd.getpwuid(os.geteuid()).pw_name
GOOD = {"rules": [{"name": "cards", "effect": "allow", "subject": {"user": [USER]}, "device": {"id": ["1234:11e8"]}}]}
RULE = {"name": "cards", "effect": "allow", "file": "/etc/p.json", "line": 3, "everybody": False,
        "users": [os.geteuid()], "groups": [4000000001], "units": ["vm-*.service"], "what": "id 1234:11e8",
        "how": "attached; locks out nothing; reset require"}
POLICY = {"files": ["/etc/p.json"], "digest": "00", "hidden": 2, "rules": [RULE],
          "never": [{"what": "class 0106", "why": "boot disks", "file": "/etc/p.json", "line": 9}]}


class Folder:
    """A folder with policy files. A context manager."""

    def __init__(self, **files):
        self.path = tempfile.mkdtemp(prefix="ioasid-policy-")
        os.chmod(self.path, 0o755)
        for name, text in files.items():
            self.write(name + ".json", text)

    def write(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text if isinstance(text, str) else json.dumps(text, indent=1))
        os.chmod(path, 0o644)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def check(*arguments):
    return ioasidctl(None, "policy", "check", *arguments)


def test_a_valid_policy():
    with Folder(a=GOOD) as folder:
        result = check(folder.path)
        tap.equal([result.returncode, result.stdout, result.stderr],
                  [0, "The policy is valid: 1 rule in 1 file, 0 warnings.\n", ""])
        tap.equal(check(os.path.join(folder.path, "a.json")).returncode, 0)
        reply = output_json(check(folder.path, "--json"))
        tap.equal([reply["valid"], reply["diagnostics"], reply["policy"]["rules"]], [True, [], 1])


def test_every_error_has_its_place():
    text = '{"rules": [\n {"name": "a", "effect": "alow"},\n {"name": "b", "colour": "red"}]}'
    with Folder(a=text) as folder:
        result = check(folder.path)
        path = os.path.join(folder.path, "a.json")
        tap.equal(result.returncode, 1)
        tap.contains(result.stdout, f"{path}:2:")
        tap.contains(result.stdout, f"{path}:3:")
        tap.contains(result.stdout, ": error: ")
        tap.contains(result.stdout, "ioasidd rejects all of it.")
        reply = output_json(check(path, "--json"))
        tap.equal([reply["valid"], reply["policy"]], [False, None])
        tap.equal({item["line"] for item in reply["diagnostics"] if item["error"]}, {2, 3})
        tap.equal(all(item["file"] == path and item["column"] > 0 for item in reply["diagnostics"]), True)


def test_warnings_are_no_errors():
    again = {"rules": GOOD["rules"] + [dict(GOOD["rules"][0], name="again")]}
    with Folder(a=again) as folder:
        result = check(folder.path)
        tap.equal(result.returncode, 0)
        tap.contains(result.stdout, ": warning: ")
        tap.contains(result.stdout, "2 rules in 1 file, 1 warning.")
        os.chmod(os.path.join(folder.path, "a.json"), 0o664)
        tap.contains(check(folder.path).stdout, "chmod go-w it")


def test_users_that_nobody_is():
    with Folder(a={"rules": [dict(GOOD["rules"][0], subject={"user": ["no-such-user-here"]})]}) as folder:
        result = check(folder.path)
        tap.equal(result.returncode, 1)
        tap.contains(result.stdout, "no-such-user-here")


def test_F_what_is_no_policy_file_is_refused():
    with Folder(a=GOOD) as folder, Folder(b=GOOD) as other:
        fifo = os.path.join(folder.path, "fifo.json")
        os.mkfifo(fifo)
        tap.equal(check(folder.path).returncode, 1)
        tap.contains(check(fifo).stdout, "not a regular file")
        os.unlink(fifo)
        link = os.path.join(folder.path, "link.json")
        os.symlink(os.path.join(other.path, "b.json"), link)
        result = check(folder.path)
        tap.equal(result.returncode, 1)
        tap.contains(result.stdout, f"{link}: error: is a link out of the policy folders")
        os.unlink(link)
        os.symlink("/dev/null", link)
        tap.equal(check(folder.path).returncode, 0, "a link to /dev/null masks")
        os.unlink(link)
        large = folder.write("large.json", "{}" + " " * (1 << 20))
        result = check(folder.path)
        tap.equal(result.returncode, 1)
        tap.contains(result.stdout, large)
        os.unlink(large)
        for text, part in (("\ufeff{}", "byte order mark"), ("{\x00}", "0x00"), ("[" * 40, "deep")):
            folder.write("bad.json", text)
            result = check(folder.path)
            tap.equal(result.returncode, 1)
            tap.contains(result.stdout, part)
    result = check("/nonexistent/policy.json")
    tap.equal(result.returncode, 1)
    tap.contains(result.stdout, "/nonexistent/policy.json: error: ")


def test_an_earlier_folder_masks():
    with Folder(a="{ broken") as usr, Folder(a=GOOD) as etc:
        tap.equal(check(etc.path, usr.path).returncode, 0)
        tap.equal(check(usr.path, etc.path).returncode, 1)


def test_a_policy_for_another_machine():
    rules = [dict(GOOD["rules"][0], subject={"user": ["only-there"]}),
             {"name": "nothing", "effect": "allow", "device": {"id": ["dead:beef"]}}]
    machine = {"devices": [{"name": "0000:00:03.0", "vendor_id": "1234", "device_id": "11e8", "class": "00ff00",
                            "group": 1}]}
    with Folder(a={"rules": rules}) as folder, Folder(machine=machine) as other:
        snapshot = os.path.join(other.path, "machine.json")
        result = check("--snapshot", snapshot, folder.path)
        tap.equal(result.returncode, 0, result.stdout + result.stderr)
        tap.contains(result.stdout, "there is no user only-there on this machine")
        tap.contains(result.stdout, "warning: the rule \"nothing\" matches no device of the snapshot")
        tap.lacks(result.stdout, "\"cards\" matches no device")
        tap.equal(check(folder.path).returncode, 1, "here it is an error")
        for what in ("show", "reload"):
            tap.equal(ioasidctl(None, "policy", what, "--snapshot", snapshot).returncode, 2)


def test_the_rules_in_force():
    with FakeDaemon({"GetPolicy": Reply(POLICY)}) as daemon:
        result = ioasidctl(daemon, "policy", "show")
        tap.equal([result.returncode, result.stdout], [0, f"""\
1 rule, tried in this order: the first match decides. Without a match, the claim is denied.
  1. allow "cards" (/etc/p.json:3)
     who:  user {USER}, group 4000000001, unit vm-*.service
     what: id 1234:11e8
     how:  attached; locks out nothing; reset require
2 more cannot apply to you; operators see them.
Never granted:
  class 0106: boot disks (/etc/p.json:9)
"""])
        tap.equal(output_json(ioasidctl(daemon, "policy", "show", "--json")), POLICY)


def test_a_reload_is_told():
    new = dict(RULE, name="disks")
    replies = [POLICY, dict(POLICY, rules=[dict(RULE, how="open"), new])]

    reply = {"files": ["/etc/p.json"], "rules": 2, "digest": "01",
             "warnings": [{"file": "/etc/p.json", "line": 7, "column": 2, "error": False, "message": "never decides"}],
             "no_longer_granted": [{"claim": "c1", "device": "0000:01:00.0", "reason": "it is denied"}]}
    daemon = FakeDaemon({"ReloadPolicy": Reply(reply)})
    daemon.methods["GetPolicy"] = lambda *_: Reply(replies.pop(0))
    with daemon:
        result = ioasidctl(daemon, "policy", "reload")
        tap.equal([result.returncode, result.stdout], [0, """\
/etc/p.json:7:2: warning: never decides
The policy was reloaded; in force: 2 rules in 1 file.
  changed: rule "cards" (/etc/p.json:3)
  new: rule "disks" (/etc/p.json:3)
These claims continue, but the new policy no longer grants them:
  claim c1, 0000:01:00.0: it is denied
  To end one: `ioasidctl release CLAIM`
"""])
    daemon = FakeDaemon({"ReloadPolicy": Reply(reply), "GetPolicy": Reply(POLICY)})
    with daemon:
        tap.equal(output_json(ioasidctl(daemon, "policy", "reload", "--json")), reply)


def test_a_reload_that_is_refused():
    places = [{"file": "/etc/p.json", "line": 2, "column": 5, "error": True, "message": "unknown key"}]
    error = Reply({"message": "the policy files have errors", "diagnostics": places}, error="org.ioasid1.PolicyInvalid")
    with FakeDaemon({"ReloadPolicy": error, "GetPolicy": Reply(POLICY)}) as daemon:
        result = ioasidctl(daemon, "policy", "reload")
        tap.equal([result.returncode, result.stdout], [1, ""])
        tap.contains(result.stderr, "/etc/p.json:2:5: error: unknown key\n")
        tap.contains(result.stderr, "the previous one stays in force")
        reply = output_json(ioasidctl(daemon, "policy", "reload", "--json"))
        tap.equal([reply["error"]["status"], reply["error"]["diagnostics"]], [1, places])


def test_the_command_line():
    with FakeDaemon({}) as daemon:
        for arguments in (["policy"], ["policy", "chek"], ["policy", "show", "more"], ["policy", "reload", "x"],
                          ["policy", "show", "--mode", "open"]):
            tap.equal(ioasidctl(daemon, *arguments).returncode, 2, str(arguments))
        tap.equal(daemon.called(), [])


def test_S9_strings_of_files_can_not_steer_the_terminal():
    with Folder(a='{"\x1b]0;owned\x07": 1}') as folder:
        text = check(folder.path).stdout
        tap.lacks(text, "\x1b")
        tap.lacks(text, "\x07")


if __name__ == "__main__":
    tap.run(dict(globals()))
