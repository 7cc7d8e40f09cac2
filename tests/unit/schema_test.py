#!/usr/bin/env python3
"""The policy's JSON Schema against what ships and what is wrong: schema_test.py SCHEMA POLICY_FOLDER BAD_FOLDER."""
import json
import re
import sys
from pathlib import Path

import jsonschema

SCHEMA, POLICIES, BAD = (Path(argument) for argument in sys.argv[1:4])

# Wrong policies that are well-formed JSON and that a schema has no words for: each is refused by ioasidd only, and the
# schema has to accept it, so that this list stays short.
BEYOND_A_SCHEMA = {
    "address-glob-backwards", "address-glob-open", "duplicate-key", "duplicate-key-escaped",
    "duplicate-key-in-rule", "group-unknown", "lockout-names-itself", "memlock-text-out-of-range",
    "operators-unknown-user", "pool-unknown",
    "reserve-nested-set", "reserve-pool-by-driver", "reserve-unknown-pool", "revoke-grace-too-long", "rule-name-twice",
    "unit-glob-open",
    "user-text-out-of-range", "user-unknown",
}


def strip(text):
    """The text without comments: every other byte stays where it was."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', lambda match: match.group(1) or " ", text, flags=re.S)


def refuse(constant):
    raise ValueError(constant)


def load(path):
    """The policy of a file; None where it is no JSON text."""
    try:
        return json.loads(strip(path.read_bytes().decode("utf-8")), parse_constant=refuse)
    except (ValueError, RecursionError):
        return None


def table(name):
    """The rows of a table in rule_fields.h: what each says of its key."""
    text = (POLICIES / "rules" / "rule_fields.h").read_text(encoding="utf-8")
    rows = re.search(rf"#define {name}\(X\)(.*?[^\\])\n", text, re.S).group(1)
    return {key: re.split(r",\s*", more) for key, more in re.findall(r"X\((\w+), (.*?)\)", rows)}


def main():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    results = []

    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    results.append(("the schema is one", []))
    shipped = [path for path in sorted(POLICIES.glob("*.json")) if not path.name.endswith(".schema.json")]
    problems = [] if len(shipped) >= 2 else ["there are no policies that ship"]
    for path in shipped:
        problems += [f"{path.name}: {error.json_path}: {error.message}" for error in validator.iter_errors(load(path))]
    results.append(("every policy that ships validates", problems))
    problems, refused, accepted = [], 0, set()
    for path in sorted(BAD.glob("*.json")):
        policy = load(path)
        if policy is None and path.read_bytes().strip() != b"null":
            continue
        if validator.is_valid(policy):
            accepted.add(path.stem)
        else:
            refused += 1
    problems += [f"{name}: the schema accepts it" for name in sorted(accepted - BEYOND_A_SCHEMA)]
    problems += [f"{name}: is listed as beyond a schema, and is not" for name in sorted(BEYOND_A_SCHEMA - accepted)]
    if refused < 90:
        problems.append(f"only {refused} policies were refused")
    results.append(("every wrong policy that a schema can catch is refused by it", problems))

    def walk(value, path):
        if isinstance(value, dict):
            if "properties" in value and path[-1:] not in (["if"], ["then"], ["limits"]):
                for name, item in value["properties"].items():
                    told = item if isinstance(item, dict) else {"description": "forbidden"}
                    reference = schema["$defs"].get(told.get("$ref", "").rsplit("/", 1)[-1], {})
                    if "description" not in told and "description" not in reference:
                        yield "/".join([*path, name])
            for name, item in value.items():
                yield from walk(item, [*path, name])
        elif isinstance(value, list):
            for item in value:
                yield from walk(item, path)

    results.append(("every key has a description", list(walk(schema, []))))
    rule = schema["$defs"]["rule"]["properties"]
    fields = table("RULE_FIELDS")
    denied = [part["then"]["properties"] for part in schema["$defs"]["rule"]["allOf"]
              if part["if"]["properties"].get("effect") == {"const": "deny"}]
    for name, ours, theirs in [
            ("a rule's keys", fields, rule), ("a rule's limits", table("RULE_LIMITS"), rule["limits"]["properties"]),
            ("the keys of revoke", table("RULE_REVOKE"), rule["revoke"]["properties"]),
            ("the keys that a rule has to have", [key for key, row in fields.items() if row[0] == "true"],
             schema["$defs"]["rule"]["required"]),
            ("the keys that a rule that denies can't have", [key for key, row in fields.items() if row[1] == "true"],
             denied[0])]:
        results.append((f"{name} are those that ioasidd reads",
                        sorted(set(ours) ^ set(theirs)) if ours else ["none found"]))
    print(f"1..{len(results)}")
    for number, (name, problems) in enumerate(results, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if any(problems for _, problems in results) else 0


if __name__ == "__main__":
    sys.exit(main())
