#!/usr/bin/env python3
"""The snapshots' JSON Schema against those that ship and those that are wrong: schema_test.py SOURCE."""
import json
import re
import sys
from pathlib import Path

import jsonschema

SOURCE = Path(sys.argv[1])
SCHEMA = SOURCE / "policy" / "snapshot.schema.json"
# Wrong snapshots that are well-formed JSON and that a schema has no words for: the schema has to accept each of them,
# so
# that this list stays short.
BEYOND_A_SCHEMA = {
    "double-device", "double-key", "function-of-a-virtual-function", "more-virtual-functions-than-possible",
    "parent-missing-device", "parent-no-bridge", "parent-of-itself", "parents-in-a-circle", "physical-function-missing",
    "use-of-unknown-device", "use-pid-without-holder", "vfio-node-of-bridge", "vfio-node-twice",
    "vfio-node-without-driver",
}

# Keys that only snapshots of version 1 have.
VERSION_1 = {"address"}


def strip(text):
    """The text without comments."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', lambda match: match.group(1) or " ", text, flags=re.S)


def load(path):
    """The snapshot of a file; None where it is no JSON text."""
    try:
        return json.loads(strip(path.read_bytes().decode("utf-8")))
    except (ValueError, RecursionError):
        return None


def descriptions(value, definitions, path):
    """Where a key has no description."""
    for name, item in value.get("properties", {}).items():
        reference = definitions.get(item.get("$ref", "").rsplit("/", 1)[-1], {})
        if "description" not in item and "description" not in reference and name not in ("kind",):
            yield f"{path}.{name}"
        yield from descriptions(item, definitions, f"{path}.{name}")


def main():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    hosts = SOURCE / "tests" / "hosts"
    shipped = sorted(hosts.glob("*.json")) + [path for path in sorted((hosts / "machines").glob("*.json"))
                                             if path.name.count(".") == 1]
    problems = [] if len(shipped) >= 9 else ["too few snapshots ship"]
    for path in shipped:
        problems += [f"{path.name}: {error.json_path}: {error.message}" for error in validator.iter_errors(load(path))]
    results = [("every snapshot that ships validates", problems)]
    accepted, refused = set(), 0
    for path in sorted((SOURCE / "tests" / "simulator" / "hosts").glob("*.json")):
        snapshot = load(path)
        if snapshot is None:
            continue
        if validator.is_valid(snapshot):
            accepted.add(path.stem)
        else:
            refused += 1
    problems = [f"{name}: the schema accepts it" for name in sorted(accepted - BEYOND_A_SCHEMA)]
    problems += [f"{name}: is listed as beyond a schema, and is not" for name in sorted(BEYOND_A_SCHEMA - accepted)]
    if refused < 35:
        problems.append(f"only {refused} snapshots were refused")
    results.append(("every wrong snapshot that a schema can catch is refused by it", problems))
    problems = list(descriptions(schema, schema["$defs"], "$"))
    for name, definition in schema["$defs"].items():
        problems += descriptions(definition, schema["$defs"], name)
    results.append(("every key has a description", problems))
    for key, tables in (("device", (("report/snapshot_json.c", "device_fields"), ("model/pci_function.c", "fields"))),
                        ("use", (("report/snapshot_json.c", "use_fields"),))):
        keys = set()
        for source, table in tables:
            text = (SOURCE / "policy" / source).read_text(encoding="utf-8")
            text = text.split(f" {table}[] = {{")[1].split("};")[0]
            keys |= set(re.findall(r'\.key = "(\w+)"', text))
        known = set(schema["$defs"][key]["properties"]) - VERSION_1
        results.append((f"the keys of a {key} are those that are read", sorted(keys ^ known) if keys else ["none"]))
    print(f"1..{len(results)}")
    for number, (name, problems) in enumerate(results, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if any(problems for _, problems in results) else 0


if __name__ == "__main__":
    sys.exit(main())
