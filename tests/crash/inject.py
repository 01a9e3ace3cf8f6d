#!/usr/bin/env python3
"""Every fault at every I/O call of saving, retention and resume: inject.py [--every K] [VARIANT...]

A job runs with one fault, then again without. It must not be killed by it, must go on from no older a step than was told as
saved, end with the very results of an undisturbed run, and say path and cause of what failed. `--every K` takes each K-th call
for the errors, another K-th for each of them; kills and torn writes are at every call. "slow" is on a medium that is written to
while the loop still copies: its runs are long, so it takes each K-th for kills too, and each 6 K-th for the errors at what is no write."""
import os, re, sys

from runs import BIG, SLOW, WORKERS, Wrong, build, cause, check_end, check_restart, check_tidy, each, fresh, run, undisturbed, workplace

STEPS = 30                      # six saves; two generations are kept
VARIANTS = {                    # options of the job, and of the fault library
    "copy": ({}, {}),
    "place": ({"mode": "place"}, {}),
    "own": ({"own": 1}, {}),
    "buffered": ({"own": 1}, {"FAULT_DIRECT": 0}),
    "one": ({"keep": 1}, {}),
    "slow": ({"big": BIG, "nap": 3000}, SLOW),
}
DEATHS = ["kill", "torn"]
PASSING = ["short", "EINTR"]    # what a program is to take in its stride
ERRORS = ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EFBIG"]
LASTING = ["ENOSPC", "EIO", "EROFS"]
# What may fail without a word when all comes out right without it: hints, looks, another way is taken, and closing what was flushed before.
HINTS = {"close", "fadvise", "sync_file_range", "lease", "fcntl", "fstatfs", "stat", "open"}


def calls(trace):
    """[(call, kind, struck, path)]"""
    found = []
    for line in open(trace):
        number, call, kind, struck, path = line.rstrip("\n").split(" ", 4)
        if number != "0":
            found.append((call, int(kind), int(struck), path))
    return found


def overlapped(trace):
    """How many saves had something written before the loop went on."""
    count = writes = 0
    for line in open(trace):
        writes += line.split()[1] == "pwrite"
        if line.startswith("0 said 0 0 copied"):
            count += writes > 0
        if line.startswith("0 said"):
            writes = 0
    return count


class Scenario:
    """A run that is to be disturbed: from an empty directory, or resumed in one that a kill has left behind."""

    def __init__(self, place, variant, resumed):
        self.place, self.variant, self.resumed = place, variant, resumed
        self.name = f"{variant}, {'resumed' if resumed else 'from the start'}"
        options, self.library = VARIANTS[variant]
        self.options = {"wait": 1, **options}
        self.library = {"FAULT_SYNC": "skip", **self.library}
        self.template, self.floor = None, 0
        self.saves, self.overlapped = [], []
        if resumed:
            # Killed in the middle of its last save, so that remains lie about.
            self.template = os.path.join(place, f"template-{variant}")
            counted = self.count(self.template)
            last = max(n for n, call in enumerate(counted, 1) if call[0] == "pwrite")
            fresh(place, f"template-{variant}")
            outcome = run(self.template, STEPS - 5, self.options, {**self.library, "FAULT": "torn", "FAULT_AT": last})
            if outcome.status != -9 or outcome.acknowledged < 10:
                raise Wrong(f"{self.name}: the template: {outcome.status} {outcome.said}")
            self.floor = outcome.acknowledged
        self.counted = self.count(fresh(place, f"count-{variant}", self.template))
        self.total = len(self.counted)

    def count(self, directory):
        trace = directory + ".trace"
        if os.path.exists(trace):
            os.remove(trace)
        steps = STEPS if directory != self.template else STEPS - 5
        outcome = run(directory, steps, self.options, {**self.library, "FAULT_TRACE": trace})
        check_end(outcome, steps, self.options)
        if outcome.failed or outcome.refused or outcome.began != self.floor and self.floor and directory != self.template:
            raise Wrong(f"{self.name}, undisturbed: {outcome.said}")
        self.summary = {}
        for call in calls(trace):
            self.summary[call[0]] = self.summary.get(call[0], 0) + 1
        return calls(trace)

    def check(self, item):
        fault, at, lasting = item
        directory = fresh(self.place, f"{self.variant}-{self.resumed}-{fault}-{at}-{lasting}", self.template)
        trace = directory + ".trace"
        faults = {**self.library, "FAULT": fault, "FAULT_AT": at, "FAULT_TRACE": trace}
        if lasting:
            faults["FAULT_ON"] = 1
        outcome = run(directory, STEPS, self.options, faults)
        struck = [call for call in calls(trace) if call[2]]
        self.saves.append(len(outcome.saved) + len(outcome.failed))
        self.overlapped.append(overlapped(trace))
        try:
            floor = self.judge(fault, outcome, struck, directory)
            least = max(floor, outcome.acknowledged)
            if fault == "rot":
                # What the disk has lost cannot be restored: the one before it can.
                least -= self.options.get("every", 5)
            # On a medium that is broken for good, what was told as failed cannot be taken away.
            whole = fault != "rot" and (fault, lasting) != ("EIO", True)
            # Flushing it shows nothing either, and takes most of its time.
            check_restart(directory, STEPS, {**self.options, "nap": 0}, least, whole, faults={"FAULT_SYNC": "skip"})
        except Wrong as wrong:
            where = f"{struck[0][0]} {struck[0][3]}" if struck else "nothing"
            raise Wrong(f"struck {where}: {wrong}\n    the disturbed run said:\n{outcome.said}") from None
        fresh(self.place, os.path.basename(directory))
        os.remove(trace)

    def judge(self, fault, outcome, struck, directory):
        if fault in DEATHS:
            if struck and outcome.status != -9:
                raise Wrong(f"exit status {outcome.status}, it was to die")
            return self.floor
        if outcome.status not in (0, 3):
            raise Wrong(f"the host ended with {outcome.status}")
        told = outcome.failed + outcome.logs + ([outcome.refused] if outcome.refused else [])
        if fault in PASSING or fault == "rot":
            if outcome.failed or outcome.refused:
                raise Wrong("it gave up")
        elif struck and (outcome.failed or outcome.refused or not all(call[0] in HINTS for call in struck)):
            if not any(directory in text and cause(fault) in text for text in told):
                raise Wrong(f"nothing tells path and cause ({cause(fault)})")
        if outcome.refused is None:
            check_end(outcome, STEPS, self.options)
            if outcome.began is None or outcome.began < self.floor and not any(cause(fault) in text for text in outcome.logs):
                raise Wrong(f"it went on from {outcome.began}, and {self.floor} was saved")
        return self.floor


def main():
    arguments, every = sys.argv[1:], 1
    if arguments[:1] == ["--every"]:
        every, arguments = int(arguments[1]), arguments[2:]
    build()
    place = workplace()
    undisturbed(STEPS, {})
    good = True
    for variant in arguments or VARIANTS:
        for resumed in (False, True):
            scenario = Scenario(place, variant, resumed)
            print(f"{scenario.name}: {scenario.total} calls: {scenario.summary}", flush=True)
            slow = variant == "slow"
            step, rarely, writes = every if slow else 1, every * 6 if slow else every, [at for at, call in enumerate(scenario.counted, 1) if call[0] == "pwrite"]
            items = [(fault, at, False) for fault in DEATHS for at in range(1, scenario.total + 1, step)]
            items += [("rot", at, False) for at in writes[::step]]
            rest = [(fault, False) for fault in PASSING + ERRORS] + [(fault, True) for fault in LASTING]
            for offset, (fault, lasting) in enumerate(rest):
                chosen = {*range(1 + offset % rarely, scenario.total + 1, rarely), *(writes[offset % every::every] if slow else [])}
                items += [(fault, at, lasting) for at in sorted(chosen)]
            good &= each(f"faults, {scenario.name}", items, scenario.check, 2 * WORKERS if slow else WORKERS)
            if slow:
                told, saves = sum(scenario.overlapped), sum(scenario.saves)
                print(f"{told} of {saves} saves were written while the loop still copied, the first of a run never is")
                good &= told >= saves / 4
    sys.exit(not good)


main()
