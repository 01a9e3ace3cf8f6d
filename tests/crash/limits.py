#!/usr/bin/env python3
"""What the system refuses: limits.py

A limit on the size of files, a full disk, a directory that cannot be written or is taken away: the job is told path and cause,
goes on, and its older checkpoint stays."""
import os, shutil, subprocess, sys, time

from runs import Wrong, at_work, build, cause, check_end, check_restart, check_tidy, command, each, environment, fresh, run, undisturbed, workplace, Outcome

STEPS, SIZE = 30, 20_000
OPTIONS = {"size": SIZE, "wait": 1}
FILE = SIZE * 8


def told(outcome, path, name):
    if outcome.status not in (0, 3):
        raise Wrong(f"the host ended with {outcome.status}:\n{outcome.said}")
    texts = outcome.failed + outcome.logs + ([outcome.refused] if outcome.refused else [])
    if not any(path in text and cause(name) in text for text in texts):
        raise Wrong(f"nothing tells path and cause ({path}, {cause(name)}):\n{outcome.said}")


def half_done(place, name, options=OPTIONS):
    """A directory with checkpoints up to step 15."""
    directory = fresh(place, name)
    outcome = run(directory, 15, options)
    if outcome.saved != [5, 10, 15]:
        raise Wrong(outcome.said)
    return directory


def file_size(item):
    mode, limit = item
    options = {**OPTIONS, "mode": mode}
    directory = half_done(PLACE, f"fsize-{mode}-{limit}", options)
    outcome = run(directory, STEPS, {**options, "fsize": limit})
    told(outcome, directory, "EFBIG")
    if outcome.began != 15 or outcome.saved or len(outcome.failed) != 3:
        raise Wrong(outcome.said)
    check_end(outcome, STEPS, options)
    check_restart(directory, STEPS, options, 15)


def fill(path):
    out = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(out, bytes(4096)):
            pass
    except OSError:
        pass
    os.close(out)


def full_disk(item):
    """In a tmpfs of its own: room for so many files; the disk becomes full while the job runs, and has room again."""
    mode, room = item
    options = {**OPTIONS, "mode": mode, "nap": 20_000}
    point = os.path.join(PLACE, f"full-{mode}-{room}")
    os.makedirs(point)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={4 << 20}", "none", point]
    if subprocess.run(mount, stderr=subprocess.PIPE).returncode:
        raise Wrong("a tmpfs cannot be mounted")
    try:
        directory = half_done(point, "ckpt", options)
        # What stands there as a spare has its blocks already: a save that needs no more works on a full disk.
        spare = os.path.join(directory, "spare")
        if room == "none" and os.path.exists(spare):
            os.remove(spare)
        fill(f"{point}/filler")
        process = subprocess.Popen(command(directory, STEPS * 2, options), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = []
        for line in at_work(process):
            lines.append(line)
            if line.startswith(("failed", "saved")) and len([l for l in lines if l.startswith(("failed", "saved"))]) == 3:
                os.remove(f"{point}/filler")
        outcome = Outcome("".join(lines), process.wait(60))
        check_end(outcome, STEPS * 2, options)
        if outcome.began != 15 or outcome.saved[-1:] != [STEPS * 2]:
            raise Wrong(f"with room again it does not save:\n{outcome.said}")
        if room == "none":
            told(outcome, directory, "ENOSPC")
        check_restart(directory, STEPS * 2, options, STEPS * 2)
    finally:
        subprocess.run(["umount", "-l", point])


UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []


def read_only(item):
    """A directory without the right to write: from the begin on, and while the job runs."""
    when, mode = item
    options = {**OPTIONS, "mode": mode}
    directory = fresh(PLACE, f"read-only-{when}-{mode}")
    outcome = run(directory, 15, options)
    if UNPRIVILEGED:
        for path, names, files in os.walk(directory):
            for name in [path, *(os.path.join(path, file) for file in files)]:
                os.chown(name, 65534, 65534)
    if when == "from the begin on":
        os.chmod(directory, 0o500)
        os.remove(os.path.join(directory, "lock")) if os.path.exists(os.path.join(directory, "lock")) else None
        outcome = run(directory, STEPS, options, wrapper=UNPRIVILEGED)
        told(outcome, directory, "EACCES")
    else:
        process = subprocess.Popen([*UNPRIVILEGED, *command(directory, STEPS, {**options, "nap": 20_000})], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = []
        for line in at_work(process):
            lines.append(line)
            if line.startswith("restored"):
                os.chmod(directory, 0o500)
        outcome = Outcome("".join(lines), process.wait(60))
        told(outcome, directory, "EACCES")
        check_end(outcome, STEPS, options)
    os.chmod(directory, 0o700)
    if UNPRIVILEGED:
        for path, names, files in os.walk(directory):
            for name in [path, *(os.path.join(path, file) for file in files)]:
                os.chown(name, 0, 0)
    check_restart(directory, STEPS, options, 15)


def taken_away(mode):
    """The directory is removed under the job: it goes on, is told, and a new start makes a new one."""
    options = {**OPTIONS, "mode": mode}
    directory = half_done(PLACE, f"taken-{mode}", options)
    process = subprocess.Popen(command(directory, STEPS, {**options, "nap": 20_000}), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in at_work(process):
        lines.append(line)
        if line.startswith("restored"):
            shutil.rmtree(directory)
    outcome = Outcome("".join(lines), process.wait(60))
    told(outcome, directory, "ENOENT")
    check_end(outcome, STEPS, options)
    check_end(run(directory, STEPS, options), STEPS, options)


def one_save_a_run(mode):
    """A job in a batch queue: each run restores, saves once and ends. Old checkpoints must not pile up."""
    options = {"size": 700, "mode": mode, "own": 1}
    directory = fresh(PLACE, f"queue-{mode}")
    for steps in range(5, 65, 5):
        outcome = run(directory, steps, options)
        if outcome.status or outcome.began != steps - 5:
            raise Wrong(outcome.said)
        check_tidy(directory, 2)


def without_a_pause(mode):
    """Saves at every step: old checkpoints must not pile up meanwhile, either."""
    options, most, keep = {"size": 700, "mode": mode, "every": 1}, 0, 2
    directory = fresh(PLACE, f"no-pause-{mode}")
    process = subprocess.Popen(command(directory, 1000, options), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if os.path.isdir(directory):
            most = max(most, sum(name.endswith(".safetensors") for name in os.listdir(directory)))
    # One to be retired and one that was saved meanwhile; a name more while the directory is read.
    if process.returncode or not keep <= most <= keep + 3:
        raise Wrong(f"exit status {process.returncode}, {most} checkpoints stood there at once, {keep} are to be kept")
    check_tidy(directory, keep)


def refused(item):
    """What cannot be a directory of checkpoints."""
    what, path, name = item
    path = os.path.join(PLACE, path)
    outcome = run(path, STEPS, OPTIONS)
    told(outcome, path, name)
    if outcome.status != 3:
        raise Wrong(outcome.said)


build()
# A tmpfs for everybody: in a mount namespace of one's own.
if os.environ.get("CRASH_NAMESPACE") != "1":
    unshare = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.execvpe("unshare", [*unshare, sys.executable, *sys.argv], {**os.environ, "CRASH_NAMESPACE": "1"})
PLACE = workplace()
os.chmod(PLACE, 0o755)
undisturbed(STEPS, OPTIONS)
undisturbed(STEPS * 2, OPTIONS)
open(os.path.join(PLACE, "file"), "w").close()
MODES = ["copy", "place"]
good = each("a limit on the size of files", [(mode, limit) for mode in MODES for limit in (1, 512, 4096, 8192, FILE // 2, FILE)], file_size)
good &= each("read-only", [(when, mode) for when in ("from the begin on", "while it runs") for mode in MODES], read_only)
good &= each("taken away", MODES, taken_away)
good &= each("one save a run", MODES, one_save_a_run)
good &= each("saves without a pause", MODES, without_a_pause)
good &= each("refused", [("a file", "file", "ENOTDIR"), ("nowhere", "nowhere/ckpt", "ENOENT"), ("below a file", "file/ckpt", "ENOTDIR")], refused)
if os.environ.get("CRASH_NAMESPACE") == "1":
    good &= each("a full disk", [(mode, room) for mode in MODES for room in ("spare", "none")], full_disk)
else:
    print("not run: a full tmpfs: no mount namespace here (unshare --mount)")
    sys.exit(77 if good else 1)
sys.exit(not good)
