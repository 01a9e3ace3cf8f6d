#!/usr/bin/env python3
"""The commands in a program's first comment, so that the tests run what a reader would type.

    commands.py [--build] FILE      run them (--build: only those that compile)
    commands.py --list FILE         print them
A command is a line of the first comment that starts, after the comment's own mark, with "$ ".
A markdown file's commands are the lines that start with "$ " or "make " in its blocks without a language; not those
that run these tests.
"""
import re
import subprocess
import sys


def commands(path):
    lines = open(path).read().split("\n")
    if path.endswith(".md"):
        found, inside = [], False
        for line in lines:
            if line.startswith("```"):
                inside = line.strip() == "```" and not inside
            elif inside and re.match(r"(\$ |make )", line) and not re.search(r"make (test|campaign|bench)", line):
                found.append(line.removeprefix("$ ").split("  #")[0].rstrip())
        return found
    found, carried = [], ""
    for line in lines:
        if not re.match(r"\s*(/\*|\*|//|!)", line):
            break
        text = re.sub(r"^\s*(/\*+|\*/|\*|//|!)\s?", "", line).strip()
        if carried or text.startswith("$ "):
            text = carried + text.removeprefix("$ ")
            if text.endswith("\\"):
                carried = text[:-1]
                continue
            found.append(re.sub(r"\s*\*/$", "", text))
            carried = ""
    return found


def main():
    arguments = sys.argv[1:]
    option = arguments.pop(0) if arguments[0].startswith("--") else ""
    found = commands(arguments[0])
    if not found:
        sys.exit(f"{arguments[0]}: no commands in its first comment")
    for command in found:
        if option == "--build" and not re.match(r"\S*(cc|gcc|g\+\+|c\+\+|clang|gfortran)\b", command):
            continue
        print("$", command, flush=True)
        if option == "--list":
            continue
        status = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL).returncode
        if status:
            sys.exit(f"{arguments[0]}: status {status} from: {command}")


main()
