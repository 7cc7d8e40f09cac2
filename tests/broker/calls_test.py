#!/usr/bin/env python3
"""The text of calls: what is refused before a method sees it, and text of all languages: calls_test.py IOASIDD
SIMULATOR [TEST]…"""
import json

from claims import claim, close_all, wait_free
from harness import Daemon, run
from hosts import EDU, policy, rule, small_host

TESTS = []


def test(function):
    TESTS.append(function)
    return function


@test
def calls_that_mean_two_things():
    """what one reader takes for one thing and another for another is refused, by its place, before any method sees
    it"""
    status = b'"method":"org.ioasid1.GetStatus"'
    plan = b'"method":"org.ioasid1.Plan"'
    texts = [b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf",
             b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\x80", b"\xff"]
    frames = [(b'{"method":"' + text + b'"}', "line 1, column 12") for text in texts]
    frames += [(b'{' + plan + b',"parameters":{"devices":["' + text + b'"]}}', "line 1, column 56") for text in texts]
    frames += [(b'{' + plan + b',"parameters":{"' + text + b'":1}}', "line 1, column 45") for text in texts]
    frames += [
        (b'{"method":"org.ioasid1.GetStatus\\u0000x"}', '"method"'),
        (b'{"method":"\\u0000"}', '"method"'),
        (b'{"method\\u0000x":"org.ioasid1.GetStatus"}', "column 9"),
        (b'{' + plan + b',"parameters":{"devices\\u0000x":["01:01.0"]}}', "column 52"),
        (b'{"method":"x\\ud800"}', "surrogate"),
        (b'{' + status + b',' + status + b'}', 'column 35: duplicate key "method"'),
        (b'{' + status + b',"m\\u0065thod":"x"}', 'duplicate key "method"'),
        (b'{' + status + b',"more":false,\n"more":false}', 'line 2, column 1: duplicate key "more"'),
        (b'{' + status + b',"parameters":{},"parameters":{}}', 'duplicate key "parameters"'),
        (b'{' + plan + b',"parameters":{"devices":["01:01.0"],"devices":["01:02.0"]}}', 'duplicate key "devices"'),
        (b'{' + plan + b',"parameters":{"devices":[{"a":1,"a":2}]}}', 'duplicate key "a"'),
        (b'{' + status + b',"x":1}', 'unknown member "x"'),
        (b'{' + status + b',"onway":true}', 'unknown member "onway"'),
        (b'{' + status + b',"parameters":7}', '"parameters"'), (b'{"parameters":{}}', 'missing "method"'),
        (b'{"method":null}', '"method" is not a string'),
        (b'{' + status + b'} // x', "unexpected data"), (b'/**/{' + status + b'}', "column 1"),
        (b'{' + status + b',}', "comma"),
    ]
    frames += [(b'{' + status + b',"' + flag + b'":' + value + b'}', f'"{flag.decode()}" is neither true nor false')
               for flag in (b"oneway", b"more", b"upgrade")
               for value in (b'"yes"', b'"true"', b"1", b"0", b"null", b"[]", b"{}", b"1.5")]
    with Daemon(small_host(), policy()) as daemon, daemon.connect() as bystander:
        for frame, place in frames:
            with daemon.connect() as peer:
                peer.send(frame + b"\0")
                reply = peer.receive()
                assert reply and reply["error"] == "org.ioasid1.ProtocolError", (frame, reply)
                assert place in reply["parameters"]["message"], (frame, reply)
                assert peer.receive() is None, frame
        for frame in (b'{' + status + b',"oneway":false,"more":false,"upgrade":false,"parameters":null}',
                      b'\t{ "more" : true,\r\n"method":"org.ioasid1.GetStat\\u0075s"} '):
            bystander.send(frame + b"\0")
            assert "claims" in bystander.receive()["parameters"]
        for number in (b"1e3", b"1.0", b"-1", b"65536", b"-9223372036854775808", b"18446744073709551615", b"9" * 400,
                       b"-" + b"9" * 30, b"1e999",
                       b'"1"', b"true", b"[1]"):
            bystander.send(b'{' + plan + b',"parameters":{"devices":["01:01.0"],"numa_node":' + number + b"}}\0")
            assert bystander.receive() == {"error": "org.varlink.service.InvalidParameter",
                                           "parameters": {"parameter": "numa_node"}}, number


# Characters of each length, the first and last of each among them, alone and side by side, at the ends and inside.
LANGUAGES = ["Größe", "\u00e4", "\u07ff", "\u0800", "規則", "\u20ac", "\ud7ff", "\ue000", "\ufffd", "\U00010000",
             "\U0010ffff",
             "😀", "aä", "äa", "€😀ä", "Правило № 1", "قاعدة", "x" * 60 + "é", "é" + "x" * 60]


@test
def text_of_all_languages():
    """names and reasons in any language go through policy, calls, answers, events, the lease and a restart as they
    are"""
    names = [f"{number} {name}" for number, name in enumerate(LANGUAGES)]
    rules = [rule(name, device={"id": [f"ffff:{number:04x}"]}) for number,
             name in enumerate(names)] + [rule("für alle 😀")]
    managed = Daemon(small_host(), json.dumps(policy(*rules), ensure_ascii=False), managed=True)
    managed.keep_host()
    with managed as daemon:
        peer, watcher = daemon.connect(), daemon.connect()
        watcher.send(b'{"method":"org.ioasid1.Monitor","more":true}\0')
        reply = claim(peer, EDU)
        daemon.manager.wait_for_names([f"context-{reply['claim']}", f"lease-{reply['claim']}"])
        assert [entry["rule"] for entry in peer.ask("ListClaims")["claims"]] == ["für alle 😀"]
        assert [entry["name"] for entry in peer.ask("GetPolicy")["rules"]][:-1] == names
        for text in LANGUAGES:
            frame = json.dumps({"method": "org.ioasid1.Plan", "parameters": {"devices": [text]}}, ensure_ascii=False)
            peer.send(frame.encode() + b"\0")
            assert peer.receive()["error"].startswith("org."), text
        daemon.kill()
        assert daemon.start() is None, daemon.log_text()
        with daemon.connect() as peer:
            assert [entry["rule"] for entry in peer.ask("ListClaims")["claims"]] == ["für alle 😀"]
            frame = {"method": "org.ioasid1.Revoke",
                     "parameters": {"claim": reply["claim"], "grace": 86400000, "reason": "für €😀"}}
            peer.send(json.dumps(frame, ensure_ascii=False).encode() + b"\0")
            assert peer.receive() == {"parameters": {}}
            close_all(reply)
            wait_free(peer, reply["claim"])


if __name__ == "__main__":
    run(TESTS)
