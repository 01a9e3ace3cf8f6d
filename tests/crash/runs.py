"""What the checks in this directory share: the job of job.c is run, and what it said is judged."""
import concurrent.futures, errno, os, shutil, subprocess, tempfile, threading

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.join(ROOT, "build/tests/crash")
LIBRARY = os.environ.get("CRASH_LIBRARY", os.path.join(ROOT, "target/release"))  # where the libpark.so.0 is that is judged
WORKERS = int(os.environ.get("CRASH_WORKERS", os.cpu_count() or 2))
CAMPAIGN = "PARK_CAMPAIGN" in os.environ
BIG = 2 << 20  # of 8 bytes each: as much as it takes to measure how fast the medium is (Speed in src/core/store/writer.rs)
SLOW = {"FAULT_SLOW": 2000}  # so slow that from the second save on it is written to while the loop still copies


class Wrong(Exception):
    """What a user was promised did not hold."""


def build():
    os.makedirs(BUILD, exist_ok=True)
    here, strict = os.path.join(ROOT, "tests/crash"), "-std=c11 -Wextra -pedantic -pthread".split()

    def compiled(name, *arguments):
        # Put there whole: another check may be running the one that is there.
        with tempfile.TemporaryDirectory(dir=BUILD) as place:
            subprocess.run(["cc", "-O1", "-g", "-Wall", "-Werror", f"-I{ROOT}/include", f"-I{ROOT}/tests", "-o", f"{place}/{name}", *arguments], check=True)
            os.replace(f"{place}/{name}", f"{BUILD}/{name}")

    for name in ("job", "broken"):
        compiled(name, *strict, f"{here}/{name}.c", f"-L{LIBRARY}", "-lpark")
    compiled("faults.so", "-Wextra", "-shared", "-fPIC", f"{here}/faults.c", "-ldl", "-pthread")


def workplace(base=None):
    """A directory to work in, gone at the end of the program. In memory where there is enough: only the power loss needs a disk."""
    base = base or os.environ.get("CRASH_PLACE") or BUILD
    os.makedirs(base, exist_ok=True)
    place = os.path.realpath(tempfile.mkdtemp(prefix="crash-", dir=base))
    import atexit
    atexit.register(shutil.rmtree, place, True)
    return place


def environment(faults=None):
    env = {**os.environ, "LD_LIBRARY_PATH": LIBRARY}
    if faults is not None:
        env["LD_PRELOAD"] = os.path.join(BUILD, "faults.so")
        env.update({key: str(value) for key, value in faults.items()})
    return env


def command(directory, steps, options):
    return [os.path.join(BUILD, "job"), directory, str(steps), *(f"{key}={value}" for key, value in options.items())]


class Outcome:
    """What a run said, and how it ended."""

    def __init__(self, said, status):
        self.said, self.status = said, status
        self.restored = self.end = self.refused = None
        self.fresh, self.saved, self.failed, self.logs = False, [], [], []
        for line in said.splitlines():
            word, _, rest = line.partition(" ")
            if word == "fresh":
                self.fresh = True
            elif word == "restored":
                self.restored = int(rest)
            elif word == "copied":
                pass
            elif word == "saved":
                self.saved.append(int(rest.split()[0]))
            elif word == "failed":
                self.failed.append(rest)
            elif word == "log":
                self.logs.append(rest)
            elif word == "refused":
                self.refused = rest
            elif word == "end":
                self.end = tuple(rest.split())
            else:
                raise Wrong(f"it says: {line}")

    @property
    def began(self):
        """The step that it went on from."""
        return 0 if self.fresh else self.restored

    @property
    def acknowledged(self):
        return max(self.saved, default=0)


def run(directory, steps, options={}, faults=None, timeout=30, wrapper=()):
    if faults is not None:
        faults = {"FAULT_DIR": directory, **faults}
    done = subprocess.run([*wrapper, *command(directory, steps, options)], env=environment(faults), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout)
    return Outcome(done.stdout, done.returncode)


_undisturbed = {}


def undisturbed(steps, options):
    """What an undisturbed run ends with, without any checkpoint."""
    sizes = options.get("size", 700), options.get("big", 0)
    if (steps, sizes) not in _undisturbed:
        with tempfile.TemporaryDirectory(dir=BUILD) as place:
            outcome = run(os.path.join(place, "ckpt"), steps, {"size": sizes[0], "big": sizes[1], "every": 10 * steps})
        if outcome.status != 0 or not outcome.fresh or outcome.saved:
            raise Wrong(f"the undisturbed run: {outcome.status}\n{outcome.said}")
        _undisturbed[steps, sizes] = outcome.end
    return _undisturbed[steps, sizes]


def check_end(outcome, steps, options):
    """It ran to its end, and the results are bit-identical to those of an undisturbed run."""
    if outcome.status != 0:
        raise Wrong(f"exit status {outcome.status}")
    begun = len([step for step in range((outcome.began or 0) + 1, steps + 1) if step % options.get("every", 5) == 0])
    if outcome.end and len(outcome.saved) + len(outcome.failed) != begun:
        raise Wrong(f"of {begun} saves {len(outcome.saved)} were told as done and {len(outcome.failed)} as failed")
    if outcome.end != undisturbed(steps, options):
        raise Wrong(f"it ended with {outcome.end}, an undisturbed run with {undisturbed(steps, options)}")


def check_whole(outcome):
    """What it found is whole: a checkpoint that is not must not be seen."""
    if any("not whole" in text for text in outcome.logs):
        raise Wrong("a checkpoint was seen that is not whole")


def check_restart(directory, steps, options, acknowledged, whole=True, **more):
    """Run again, it goes on from no older a step than the last acknowledged one, to the same results."""
    again = run(directory, steps, options, **more)
    try:
        if again.began is None:
            raise Wrong("not restored")
        if again.began < acknowledged:
            raise Wrong(f"restored step {again.began}, but step {acknowledged} was told as saved")
        if whole:
            check_whole(again)
        check_end(again, steps, options)
        check_tidy(directory, options.get("keep", 2))
    except Wrong as wrong:
        raise Wrong(f"run again: {wrong}; it said:\n{again.said}") from None
    return again


def check_tidy(directory, keep):
    """Nothing is left lying about: the generations that are kept and one that is not yet retired, each with its own files."""
    names = set(os.listdir(directory))
    manifests = {name.split(".")[0] for name in names if name.endswith(".safetensors")}
    files = {name.split(".")[0] for name in names if name.endswith(".files")}
    other = {name for name in names if not name.endswith((".safetensors", ".files"))} - {"lock", "spare"}
    if len(manifests) > keep + 2 or files - manifests or other:
        raise Wrong(f"the directory holds {sorted(names)}")


def cause(name):
    return os.strerror(getattr(errno, name))


def at_work(process):
    """What a job says, line by line; it is killed when it hangs."""
    watch = threading.Timer(30, process.kill)
    watch.start()
    yield from process.stdout
    watch.cancel()


def each(what, items, check, workers=WORKERS):
    """Calls check(item) for all items, so many at once; prints what is wrong. Returns whether nothing is."""
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(check, item): item for item in items}
        for future in concurrent.futures.as_completed(futures):
            try:
                future.result()
            except (Wrong, subprocess.TimeoutExpired) as problem:
                wrong += 1
                if wrong <= 20:
                    print(f"not ok {what} {futures[future]}: {problem}", flush=True)
    print(f"{what}: {len(futures)}, {wrong} wrong", flush=True)
    return not wrong


def fresh(place, name, template=None):
    directory = os.path.join(place, name)
    shutil.rmtree(directory, ignore_errors=True)
    if template:
        shutil.copytree(template, directory)
    return directory
