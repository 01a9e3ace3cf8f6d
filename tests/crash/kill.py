#!/usr/bin/env python3
"""kill -9 at random moments: kill.py [COUNT]

A job that saves all the time is killed, and started again in the same directory, until it is done; then a new one begins. Each
start must go on from no older a step than was told as saved, and each end must be bit-identical to an undisturbed run."""
import os, random, signal, subprocess, sys, threading, time

from runs import BIG, CAMPAIGN, Outcome, SLOW, Wrong, WORKERS, build, check_end, check_tidy, check_whole, command, each, environment, fresh, undisturbed, workplace

SIZE, STEPS = 60_000, 400       # half a megabyte, in which a kill finds the middle of a write
VARIANTS = [{"every": 2}, {"every": 2, "mode": "place"}, {"every": 3, "own": 1}, {"every": 1, "keep": 1}, {"every": 1, "big": BIG}]


def chain(item):
    """Kills one job so many times."""
    place, number, kills, seed = item
    chance, floor, done, saves = random.Random(seed), 0, 0, 0
    options = {"size": SIZE, **VARIANTS[number % len(VARIANTS)]}
    directory = fresh(place, f"chain-{number}")
    faults = {"FAULT_DIR": directory, **SLOW} if "big" in options else None
    while done < kills:
        process = subprocess.Popen(command(directory, STEPS, options), env=environment(faults), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        # The first moments are those of resume and its tidying, which are to be met as often as the saves.
        timer = threading.Timer(chance.choice([0.02, 0.1, 0.3]) * chance.random(), process.kill)
        timer.start()
        said = process.communicate(timeout=120)[0]
        timer.cancel()
        outcome = Outcome(said, process.returncode)
        try:
            if outcome.began is not None and outcome.began < floor:
                raise Wrong(f"restored step {outcome.began}, but step {floor} was told as saved")
            if outcome.failed or outcome.refused:
                raise Wrong("a save or a restore failed")
            check_whole(outcome)
            floor = max(floor, outcome.acknowledged)
            saves += len(outcome.saved)
            if process.returncode == -9:
                done += 1
            else:
                check_end(outcome, STEPS, options)
                check_tidy(directory, options.get("keep", 2))
                floor, directory = 0, fresh(place, f"chain-{number}")
        except Wrong as wrong:
            raise Wrong(f"after {done} kills: {wrong}; {sorted(os.listdir(directory))}; it said:\n{said}") from None
    totals.append((done, saves))


totals = []
build()
count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000 if CAMPAIGN else 100
undisturbed(STEPS, {"size": SIZE})
place, chains, seed = workplace(), 10, random.randrange(1 << 30)
print(f"seed {seed}")
good = each("chains of kills", [(place, number, (count + chains - 1) // chains, seed + number) for number in range(chains)], chain)
print(f"{sum(kills for kills, _ in totals)} kills, {sum(saves for _, saves in totals)} saves told before them")
sys.exit(not good)
