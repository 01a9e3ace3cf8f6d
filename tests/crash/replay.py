#!/usr/bin/env python3
"""Power loss without a disk: replay.py [--drop] [--every K]

A job's calls are recorded (faults.c), and after each of them the worst is taken that POSIX lets a power loss leave behind: of
each file what was not flushed is gone, or random blocks of it have arrived, or it has arrived and its name has not, and of the
names in a directory any of those changed since its last flush. The job is then run on what is left. Nothing that was told as
saved may be lost.

--drop: the control: the flushes are dropped, and then nearly all must be lost."""
import os, random, sys

from runs import Wrong, build, cause, check_end, check_restart, each, fresh, run, undisturbed, workplace

STEPS, SIZE, BLOCK = 30, 700, 512
VARIANTS = {"copy": ({}, {}), "place": ({"mode": "place"}, {}), "own, buffered": ({"own": 1}, {"FAULT_DIRECT": 0})}


def recorded(path):
    """The operations in their order: (what, ...)."""
    data, at, found = open(path, "rb").read(), 0, []

    def line():
        nonlocal at
        end = data.index(b"\n", at)
        text, at = data[at:end].decode(), end + 1
        return text

    def take(length):
        nonlocal at
        at += length
        return data[at - length:at]

    while at < len(data):
        word, _, rest = line().partition(" ")
        if word == "said":
            found.append((word, take(int(rest)).decode()))
        elif word == "write":
            fd, offset, length = map(int, rest.split())
            found.append((word, fd, offset, take(length)))
        elif word == "open":
            fd, flags, path = rest.split(" ", 2)
            found.append((word, int(fd), int(flags), path))
        elif word == "rename":
            found.append((word, rest, line()))
        elif word in ("cut", "room"):
            found.append((word, *map(int, rest.split())))
        elif word in ("flush", "close"):
            found.append((word, int(rest)))
        elif word in ("unlink", "mkdir"):
            found.append((word, rest))
        else:
            raise Wrong(f"recorded: {word} {rest}")
    return found


class File:
    """A file or directory. `stable`: what is on the medium, `pending`: what was done to it since its last flush."""

    def __init__(self, is_directory=False):
        self.is_directory = is_directory
        self.stable = {} if is_directory else b""
        self.now = {} if is_directory else bytearray()
        self.pending = []

    def flush(self):
        self.stable, self.pending = dict(self.now) if self.is_directory else bytes(self.now), []

    def left(self, how, chance):
        """What a power loss leaves of a file's bytes."""
        if how == "stable":
            return self.stable
        if how == "now":
            return bytes(self.now)
        # Old and new mixed, block by block: either may be missing; a length of either.
        length = chance.choice([len(self.stable), len(self.now)])
        old, new = self.stable.ljust(length, b"\0")[:length], bytes(self.now).ljust(length, b"\0")[:length]
        return b"".join((old if chance.random() < 0.5 else new)[at:at + BLOCK] for at in range(0, length, BLOCK))

    def names(self, how, chance):
        """What a power loss leaves of a directory's names: some of the changes since the last flush, a rename whole or not at all."""
        if how == "now":
            return dict(self.now)
        names = dict(self.stable)
        if how == "mixed":
            for change in self.pending:
                if chance.random() < 0.5:
                    for name, file in change:
                        names.pop(name, None) if file is None else names.__setitem__(name, file)
        return names


class Disk:
    def __init__(self, root):
        self.root, self.top, self.open, self.acknowledged = root, File(True), {}, 0
        self.exists = False

    def find(self, path):
        """(directory, name)"""
        parts = [part for part in os.path.relpath(path, self.root).split("/") if part != "."]
        above = self.top
        for part in parts[:-1]:
            above = above.now[part]
        return above, parts[-1] if parts else None

    def change(self, directory, *changes):
        for name, file in changes:
            directory.now.pop(name, None) if file is None else directory.now.__setitem__(name, file)
        directory.pending.append(changes)

    def do(self, operation):
        word, *rest = operation
        if word == "said":
            for line in rest[0].splitlines():
                if line.startswith("saved "):
                    self.acknowledged = max(self.acknowledged, int(line.split()[1]))
        elif word == "open":
            fd, flags, path = rest
            if os.path.normpath(path) != path and path.endswith(".."):
                self.open[fd] = File(True)      # the directory above, which is not watched
                return
            above, name = self.find(path)
            file = self.top if name is None else above.now.get(name)
            if file is None and flags & os.O_CREAT:
                file = File()
                self.change(above, (name, file))
            if file is not None and flags & os.O_TRUNC:
                file.now.clear()
            self.open[fd] = file
        elif word == "close":
            self.open.pop(rest[0], None)
        elif word == "write":
            fd, offset, data = rest
            file = self.open[fd]
            if len(file.now) < offset:
                file.now.extend(bytes(offset - len(file.now)))
            file.now[offset:offset + len(data)] = data
        elif word == "cut":
            file, length = self.open[rest[0]], rest[1]
            file.now[length:] = bytes(max(0, length - len(file.now)))
        elif word == "room":
            file, length = self.open[rest[0]], rest[1]
            file.now.extend(bytes(max(0, length - len(file.now))))
        elif word == "flush":
            self.open[rest[0]].flush()
        elif word == "rename":
            (one, old), (other, new) = self.find(rest[0]), self.find(rest[1])
            if one is not other:
                raise Wrong(f"renamed between directories: {rest}")
            self.change(one, (old, None), (new, one.now[old]))
        elif word == "unlink":
            above, name = self.find(rest[0])
            self.change(above, (name, None))
        elif word == "mkdir":
            above, name = self.find(rest[0])
            if name is not None:
                self.change(above, (name, File(True)))

    def lost(self, how, chance, into):
        """Makes what a power loss leaves, at `into`. `how`: of the bytes, and of the names."""
        bytes_left, names_left = how

        def make(directory, path):
            os.makedirs(path)
            for name, file in directory.names(names_left, chance).items():
                if file.is_directory:
                    make(file, os.path.join(path, name))
                else:
                    with open(os.path.join(path, name), "wb") as out:
                        out.write(file.left(bytes_left, chance))

        make(self.top, into)


WAYS = [("stable", "stable"), ("stable", "now"), ("mixed", "mixed"), ("mixed", "now"), ("now", "stable"), ("now", "mixed")]


def main():
    every = int(sys.argv[sys.argv.index("--every") + 1]) if "--every" in sys.argv else 1
    drop, good, judged, lost = "--drop" in sys.argv, True, 0, 0
    build()
    place = workplace()
    undisturbed(STEPS, {"size": SIZE})
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    for variant, (options, library) in VARIANTS.items():
        options = {"size": SIZE, **options}
        directory, record = fresh(place, "recorded"), os.path.join(place, "record")
        if os.path.exists(record):
            os.remove(record)
        check_end(run(directory, STEPS, options, {**library, "FAULT_SYNC": "drop" if drop else "skip", "FAULT_RECORD": record}), STEPS, options)
        operations = recorded(record)
        disk, items = Disk(directory), []

        # The states are made one after the other, the jobs run some at once.
        states = os.path.join(place, "states")
        for number, operation in enumerate(operations):
            disk.do(operation)
            for which, how in enumerate(WAYS):
                if (number + which) % every:
                    continue
                if drop and (how != ("stable", "stable") or operation[0] != "said" or not disk.acknowledged):
                    continue
                into = os.path.join(states, f"{number}-{which}")
                disk.lost(how, random.Random(seed + number * 7 + which), into)
                items.append((into, disk.acknowledged, f"after {number} of {len(operations)}, {operation[0]} {operation[1] if operation[0] != 'write' else ''}: bytes {how[0]}, names {how[1]}"))

        def check(item):
            into, acknowledged, _ = item
            check_restart(into, STEPS, options, acknowledged)
            fresh(states, os.path.basename(into))

        if drop:
            for item in items:
                judged += 1
                try:
                    check(item)
                except Wrong:
                    lost += 1
        else:
            good &= each(f"power losses, {variant}, {len(operations)} calls", items, check)
        fresh(place, "states")
    if drop:
        print(f"without flushes {lost} of {judged} lost what was told as saved")
        good = judged >= 10 and lost >= 0.95 * judged
    sys.exit(not good)


main()
