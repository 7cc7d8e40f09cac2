#!/usr/bin/python3
"""Writes a file's text as a C string: embed.py INPUT OUTPUT NAME."""

import sys

source, output, name = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = file.read()
with open(output, "w", encoding="utf-8") as file:
    # One array of bytes: a string literal of that length is more than ISO C promises.
    print(f'#include "report.h"\n\nconst char {name}[] = {{', file=file)
    for line in text.splitlines(keepends=True):
        print("\t" + ", ".join(str(byte) for byte in line.encode()) + ",", file=file)
    print("\t0\n};", file=file)
