#!/usr/bin/env python3
"""Writes the interfaces of an introspection file as C strings, without their comments: embed_interfaces.py INPUT
OUTPUT."""
import re
import sys

source, target = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = re.sub(r"<!--.*?-->", "", file.read(), flags=re.S)
interfaces = re.findall(r'<interface name="([^"]+)">.*?</interface>', text, re.S)
with open(target, "w", encoding="utf-8") as file:
    file.write('#include "faces/bus/bus_introspection.h"\n\n'
               'const struct bus_interface_text bus_interface_texts[] = {\n')
    for name in interfaces:
        body = re.search(r'[ \t]*<interface name="%s">.*?</interface>' % re.escape(name), text, re.S).group(0)
        file.write(f'\t{{ "{name}",\n')
        for line in body.splitlines():
            if line.strip():
                escaped = line.replace("\\", "\\\\").replace('"', '\\"')
                file.write(f'\t  "{escaped}\\n"\n')
        file.write("\t},\n")
    file.write("\t{ NULL, NULL },\n};\n")
