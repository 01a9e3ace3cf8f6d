#!/usr/bin/env python3
"""Power loss on a file system in a file: power.py ext4|xfs [--count N] [--control] [--expect-loss PERCENT]

A job saves on it all the time; at a random moment the file system is shut down without flushing its log (an ioctl: from then on
nothing reaches the disk), unmounted, mounted again, and the job started again: it must go on from no older a step than was told
as saved. --control drops the flushes (faults.c): at least 95 of 100 must lose something, or this shows nothing.
--expect-loss: of a weakened library so many of 100 must lose something.

Where loop mounts are not allowed it says so and ends with 77, which tests/run.sh counts and tells; the campaign takes it for a failure."""
import fcntl, os, random, struct, subprocess, sys, threading, time

from runs import BIG, Outcome, Wrong, build, check_whole, command, environment, fresh, run, undisturbed, workplace

SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are the same number
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
SIZE, STEPS = 30_000, 3000
VARIANTS = [{"size": SIZE, "every": 1, **more} for more in ({}, {"mode": "place"}, {"own": 1}, {"big": BIG})]


class Loop:
    """A file system in a file."""

    def __init__(self, kind, place):
        self.image, self.point, self.mounted = os.path.join(place, "image"), os.path.join(place, "mounted"), False
        os.makedirs(self.point)
        subprocess.run(["truncate", "-s", "400M", self.image], check=True)
        subprocess.run([*MAKE[kind], self.image], check=True)

    def mount(self):
        done = subprocess.run(["mount", "-o", "loop", self.image, self.point], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise OSError(done.stdout.strip())
        self.mounted = True

    def shut_down(self):
        at = os.open(self.point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(at, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(at)

    def unmount(self):
        for _ in range(200):
            if not self.mounted or subprocess.run(["umount", self.point], stderr=subprocess.DEVNULL).returncode == 0:
                self.mounted = False
                return
            time.sleep(0.02)
        raise OSError(f"{self.point} cannot be unmounted")


def loss(loop, directory, options, chance, faults):
    """Runs the job until the power fails. What it said."""
    process = subprocess.Popen(command(directory, STEPS, options), env=environment(faults), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    timer = threading.Timer(0.05 + 0.4 * chance.random(), loop.shut_down)
    timer.start()
    threading.Timer(0, lambda: (timer.join(), time.sleep(0.02), process.kill())).start()
    said = process.communicate(timeout=60)[0]
    timer.join()
    return Outcome(said, process.returncode)


def alone():
    """Runs on in a mount namespace of its own: in the copy that another program makes of this one's, a file system that was
    shut down would stay mounted, and be met again."""
    unshare = ["unshare", "--mount"]
    if "CRASH_NAMESPACE" not in os.environ and subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.execvpe("unshare", [*unshare, sys.executable, *sys.argv], {**os.environ, "CRASH_NAMESPACE": "1"})


def main():
    kind = sys.argv[1]
    value = lambda name, default: int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else default
    count, control, expected = value("--count", 10), "--control" in sys.argv, value("--expect-loss", 0)
    alone()
    build()
    undisturbed(STEPS, {"size": SIZE})
    place, seed = workplace(), random.randrange(1 << 30)
    chance, loop = random.Random(seed), Loop(kind, place)
    directory = os.path.join(loop.point, "ckpt")
    faults = {"FAULT_DIR": directory, "FAULT_SYNC": "drop"} if control else None
    try:
        loop.mount()
    except OSError as reason:
        print(f"not run: power loss on {kind}: no loop mount here: {reason}. Run it where that is allowed (as root, outside a container).")
        sys.exit(77)
    lost = saves = losses = ends = floor = 0
    options = VARIANTS[0]
    try:
        while losses < count:
            outcome = loss(loop, directory, options, chance, faults)
            loop.unmount()
            loop.mount()
            if outcome.end and outcome.end != undisturbed(STEPS, options):
                raise Wrong(f"it ended with {outcome.status} {outcome.end}")
            ends += bool(outcome.end)
            saves += len(outcome.saved)
            floor = max(floor, outcome.acknowledged)
            if not floor:
                continue        # too early to lose anything
            losses += 1
            # A look at what is there: a job of no steps.
            look = run(directory, 0, options, {"FAULT_DIR": directory, "FAULT_SYNC": "skip"})
            if look.refused:
                raise Wrong(f"after loss {losses} it cannot look: {look.said}")
            is_lost = look.began is None or look.began < floor
            lost += is_lost
            if not control and not expected:
                check_whole(look)
            if is_lost and not control and lost <= 5:
                print(f"not ok power loss {losses} on {kind}, {options}: step {floor} was told as saved; started again it said:\n{look.said[:2000]}", flush=True)
            floor = look.began
            if outcome.end or is_lost or control:
                # In the control each loss begins anew: what was lost once cannot be lost twice.
                fresh(loop.point, "ckpt")
                floor, options = 0, VARIANTS[losses % len(VARIANTS)]
                os.sync()
    finally:
        loop.unmount()
    print(f"{kind}{', flushes dropped' if control else ''}: {losses} power losses, {saves} saves told before them, {ends} runs came to their end, {lost} lost what was told (seed {seed})")
    if control:
        sys.exit(lost < 0.95 * losses)
    sys.exit(lost * 100 < expected * losses if expected else lost > 0)


main()
