#!/usr/bin/env python3
"""Asks the contestants in turn, each in a process of its own, and prints how park compares.

    benches/map/compare.py [--quick] [--plain] [PART ...]       parts: efficiency small idle abort stream

Robust on a machine that others use: rounds are short, each asks every contestant in a random order, and ratios are of
answers of the same round. An answer is quiet when the contestant's threads waited for a processor for less than 2 % of the
time; others are asked again, twice at most, and left out where at least a quarter are quiet. As root the contestants
run under SCHED_RR, which nothing else uses: others do not disturb them (--plain: not so). Between its turns a
contestant is stopped by SIGSTOP: one that spins while idle does not slow the next. Aborts are measured under the normal
scheduler, at its highest priority.

Prints on stdout rows as benches/run.sh wants them, what|value|beside|ratio|target|verdict, and on stderr what goes on.
With --tables FILE what all contestants did goes there as Markdown tables.
"""
import atexit
import os
import random
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "../../build/bench/map")
PROCESSORS = len(os.sched_getaffinity(0))
QUIET = 0.02

options = [a for a in sys.argv[1:] if a.startswith("--")]
arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
tables_file = arguments.pop(0) if "--tables" in options else None
quick = "--quick" in options
plain = "--plain" in options
parts = arguments or ["efficiency", "small", "idle", "abort", "stream"]


def real_time():
    """The command that gives a contestant the processors first, if that is allowed."""
    command = ["chrt", "-r", "1"]
    try:
        allowed = subprocess.run(command + ["true"], stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        allowed = False
    return command if allowed and not plain else []


RR = real_time()
STEPS = max(
    float(subprocess.run(RR + [f"{BUILD}/serial", "calibrate"], capture_output=True, check=True).stdout) for _ in range(3)
)


def nice():
    """In a contestant that is not to be real-time: the normal scheduler, before others, if that is allowed."""
    try:
        os.setsid()
        with open("/proc/self/autogroup", "w") as file:
            file.write("-20")
        os.nice(-20)
    except OSError:
        pass


class Contestant:
    alive = set()

    def __init__(self, name, program, way, real_time=True, **environment):
        self.name = name
        self.process = subprocess.Popen(
            (RR if real_time else []) + [f"{BUILD}/{program}", way, str(STEPS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=None if real_time or plain else nice,
            env={k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "KMP_", "GOMP_", "PARK_"))} | environment,
        )
        self.process.send_signal(signal.SIGSTOP)
        self.alive.add(self)

    def ask(self, question):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(question.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode()
        self.process.send_signal(signal.SIGSTOP)
        if not answer:
            sys.exit(f"compare.py: {self.name} ended when asked: {question}")
        return answer.strip()

    def end(self):
        self.alive.discard(self)
        self.process.kill()
        self.process.wait()


@atexit.register
def end_all():  # a stopped process would stay for ever
    for each in list(Contestant.alive):
        each.end()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


PEERS = {
    "OpenMP static, gcc": ("gomp", "static"),
    "OpenMP dynamic,1, gcc": ("gomp", "dynamic,1"),
    "OpenMP guided, gcc": ("gomp", "guided"),
    "OpenMP static, clang": ("libomp", "static"),
    "OpenMP dynamic,1, clang": ("libomp", "dynamic,1"),
    "OpenMP guided, clang": ("libomp", "guided"),
    "TBB auto": ("tbb", "TBB auto"),
    "std::execution::par": ("tbb", "std::par"),
    "rayon from outside": ("rayon", "rayon from outside"),
    "rayon, caller in pool": ("rayon", "rayon, caller in pool"),
}
SPINNERS = {
    "OpenMP static, gcc, spinning": ("gomp", "static"),
    "OpenMP static, clang, spinning": ("libomp", "static"),
}
PARK = {"park_map": ("park", "park_map"), "park_for": ("park", "park_for")}
PARK_SPINNING = {"park_map, spinning": ("park", "park_map, spinning")}
HAS_PARK = os.path.exists(f"{BUILD}/park")
if not HAS_PARK:
    PARK = PARK_SPINNING = {}

running = {}


def contestant(name):
    if name not in running:
        program, way = (PEERS | SPINNERS | PARK | PARK_SPINNING | {"serial": ("serial", "serial")})[name]
        spin = {"OMP_WAIT_POLICY": "active", "KMP_BLOCKTIME": "infinite"} if name in SPINNERS else {}
        running[name] = Contestant(name, program, way, **spin)
        wrong = running[name].ask("check")
        if wrong != "0":
            sys.exit(f"compare.py: {name}: {wrong} items were not run exactly once")
    return running[name]


def say(text):
    print(f"benches/map: {text}", file=sys.stderr, flush=True)


def row(what, value="", beside="", ratio=None, target="", met=None):
    verdict = "" if met is None else "met" if met else "NOT met"
    print("|".join([what, value, beside, "" if ratio is None else f"{ratio:.3f}", target, verdict]), flush=True)


tables = []


def table(title, head, lines):
    """A Markdown table of all contestants, for the file."""
    lines = [head, *lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * w for w in widths])
    text = "".join("| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths)) + " |\n" for line in lines)
    tables.append(f"## {title}\n\n{text}")


def quartiles(values):
    values = sorted(values)
    return values[len(values) // 4], values[(3 * len(values)) // 4]


class Times:
    """Answers of one contestant to one question, a round each: value and whether it was quiet."""

    def __init__(self):
        self.values, self.quiet = [], []

    def usable(self):
        """Which rounds count."""
        enough = sum(self.quiet) * 4 >= len(self.quiet)
        return [q or not enough for q in self.quiet]

    def kept(self):
        return [v for v, use in zip(self.values, self.usable()) if use]

    def median(self):
        return statistics.median(self.kept())

    def least(self):
        return min(self.values)


def ask_quietly(name, question):
    """value, quiet: the answer in which the threads waited least, of at most three."""
    best = None
    for _ in range(3):
        value, waited = map(float, contestant(name).ask(question).split())
        share = waited / (PROCESSORS * (value if question.startswith("map") else float(question.split()[1]) * 1e6))
        if best is None or share < best[1]:
            best = value, share
        if share < QUIET:
            break
    return best[0], best[1] < QUIET


def fastest(answers):
    return min(answers[n].least() for n in answers if n != "serial")


def rounds(names, questions, seconds, least):
    """Asks everybody everything, in random order, round after round until the time is over. A peer that is far from the
    best is asked one to three times only."""
    asked_of = {q: {n: Times() for n in names} for q in questions}
    for name in names:
        contestant(name)
    end, count = time.monotonic() + seconds, 0
    while count < least or time.monotonic() < end:
        for question in questions:
            answers = asked_of[question]
            far = {0: 1e9, 1: 3, 2: 3}.get(count, 1.5)
            asked = [n for n in names if n not in PEERS or count == 0 or answers[n].least() < far * fastest(answers)]
            for name in random.sample(asked, len(asked)):
                value, quiet = ask_quietly(name, question)
                asked_of[question][name].values.append(value)
                asked_of[question][name].quiet.append(quiet)
        count += 1
    asked = sum(len(t.quiet) for answers in asked_of.values() for t in answers.values())
    still = sum(sum(t.quiet) for answers in asked_of.values() for t in answers.values())
    say(f"{count} rounds, {100 * still / asked:.0f} % of the answers quiet")
    return asked_of


def paired(over, under):
    """over / under, of the rounds in which both count: the median and the quartiles."""
    both = [
        a / b for a, b, x, y in zip(over.values, under.values, over.usable(), under.usable()) if x and y
    ] or [over.median() / under.median()]
    return (statistics.median(both), *quartiles(both))


# ---- parallel efficiency ---------------------------------------------------------------------------------


def efficiency():
    columns = contestant("serial").ask("columns").split("|")
    questions = [f"map {i}" for i in range(len(columns))]
    names = ["serial", *PEERS, *PARK]
    times = rounds(names, questions, 16 if quick else 230, 5)
    serial = {q: times[q]["serial"].median() for q in questions}

    def of(question, name):
        return serial[question] / (PROCESSORS * times[question][name].median())

    best = {q: max(of(q, name) for name in PEERS) for q in questions}
    table(
        "Parallel efficiency",
        ["serial / (processors x t)", *columns, "the worst, of the best peer's"],
        [
            [name, *(f"{of(q, name):.3f}" for q in questions), f"{min(of(q, name) / best[q] for q in questions):.3f}"]
            for name in [*PEERS, *PARK]
        ],
    )
    for question, title in zip(questions, columns):
        answers = times[question]
        peer = max(PEERS, key=lambda name: of(question, name))
        beside = f"{peer}: {of(question, peer):.3f}"
        if not PARK:
            row(f"efficiency, {title}", "", beside)
        for name in PARK:
            ratio, low, high = paired(answers[peer], answers[name])
            least = answers[peer].least() / answers[name].least()
            row(
                f"efficiency, {title}: {name}",
                f"{of(question, name):.3f}",
                f"{beside}; quartiles {low:.3f} {high:.3f}, of the least {least:.3f}",
                ratio,
                ">= 0.98",
                ratio >= 0.98,
            )
    for name in PARK:
        for question, title in zip(questions, columns):
            if title.startswith(("10 us", "1 ms", "10 ms")):
                ratio, low, high = paired(times[question]["serial"], times[question][name])
                row(
                    f"{name} beside twice the serial speed, {title}",
                    f"{times[question][name].median() / 1e6:.2f} ms",
                    f"serial {serial[question] / 1e6:.2f} ms; quartiles {low / PROCESSORS:.3f} {high / PROCESSORS:.3f}",
                    ratio / PROCESSORS,
                    ">= 0.97",
                    ratio / PROCESSORS >= 0.97,
                )


# ---- small maps --------------------------------------------------------------------------------------------


def small():
    names = [*PEERS, *SPINNERS, *PARK, *PARK_SPINNING]
    question = f"empty {2 if quick else 5}"
    answers = rounds(names, [question], 1.5 if quick else 20, 5)[question]
    tbb = answers["TBB auto"]
    for name in PARK:
        ratio, low, high = paired(answers[name], tbb)
        row(
            f"two empty items, back to back: {name}",
            f"{answers[name].median():.0f} ns, least {answers[name].least():.0f}",
            f"TBB auto: {tbb.median():.0f} ns, least {tbb.least():.0f}; quartiles {low:.2f} {high:.2f}",
            ratio,
            "<= 1.5",
            ratio <= 1.5,
        )

    after = {q: beyond_the_ideal(names, q) for q in ("after", "uneven")}
    for question, what in ("after", "2 ms serial"), ("uneven", "1 to 3 ms serial"):
        beyond, every, used = after[question]

        def text(name):
            low, high = quartiles(every[name])
            return f"{statistics.median(every[name]):.1f} us ({low:.1f} to {high:.1f})"

        def compare(name, peer, most):
            ratio, low, high = paired(beyond[name], beyond[peer])
            row(
                f"two 50 us items after {what}, beyond the ideal: {name}",
                text(name),
                f"{peer}: {text(peer)}; quartiles {low:.2f} {high:.2f}",
                ratio,
                f"<= {most}" if question == "after" else "",
                ratio <= most if question == "after" else None,
            )

        # After uneven gaps there is nothing to foresee: what is left is the kernel's wake-up, as with TBB. No target.
        for name in PARK:
            compare(name, "TBB auto", 0.7)
        for name in PARK_SPINNING:
            compare(name, min(SPINNERS, key=lambda n: beyond[n].median()), 2)
        tbb = statistics.median(used["TBB auto"])
        for name in PARK:
            mine = statistics.median(used[name])
            what_for = "  the processor time that this takes beyond the work"
            row(f"{what_for}: {name}", f"{mine:.0f} us", f"TBB auto: {tbb:.0f} us", mine / tbb, "<= 1.5", mine <= 1.5 * tbb)

    def cells(name):
        for _, every, used in after.values():
            yield f"{statistics.median(every[name]):.1f}"
            yield "{:.1f} to {:.1f}".format(*quartiles(every[name]))
            yield f"{statistics.median(used[name]):.0f}"

    empty = ["two empty items, ns", "least"]
    beyond = ["after 2 ms: us beyond the ideal", "quartiles", "processor us", "after 1 to 3 ms", "quartiles", "processor us"]
    table(
        "Small maps",
        ["", *empty, *beyond],
        [[n, f"{answers[n].median():.0f}", f"{answers[n].least():.0f}", *cells(n)] for n in names],
    )


def beyond_the_ideal(names, question):
    """Of two 50 us items after serial work. Of each round the median, so that one slow wake-up in some tens does not count, and
    rounds can be paired; all of them; the processor time that was used beyond the work, in us."""
    beyond, every, used = {n: Times() for n in names}, {n: [] for n in names}, {n: [] for n in names}
    end, count = time.monotonic() + (2 if quick else 20), 0
    while count < 3 or time.monotonic() < end:
        for name in random.sample(names, len(names)):
            processor, *values = map(float, contestant(name).ask(f"{question} 10").split())
            values = [v / 1000 for v in values]
            every[name] += values
            used[name].append(processor)
            beyond[name].values.append(statistics.median(values))
            beyond[name].quiet.append(True)
        count += 1
    return beyond, every, used


def idle():
    names = [*PARK, *PARK_SPINNING, *PEERS, *SPINNERS]
    share = {}
    for _ in range(1 if quick else 5):
        for name in names:
            share.setdefault(name, []).append(int(contestant(name).ask("idle")) / 1000)
    burnt = {name: statistics.median(values) for name, values in share.items()}
    for name in PARK:
        row(f"processor time in 200 ms idle: {name}", f"{burnt[name]:.2f} ms", "", None, "<= 1 ms", burnt[name] <= 1)
    table("Idle", ["processor time in the 200 ms after a map", "ms"], [[name, f"{burnt[name]:.2f}"] for name in names])


def abort():
    # Not under SCHED_RR: there the workers would keep the thread that aborts from running.
    repetitions = 15 if quick else 100
    for name in [*PARK, "TBB auto"]:
        asked = Contestant(name, *(PEERS | PARK)[name], real_time=False)
        answers = [tuple(map(int, asked.ask("abort").split())) for _ in range(repetitions)]
        asked.end()
        late, end = [a[0] for a in answers], [a[1] / 1e6 for a in answers]
        row(
            f"1 ms items begun after an abort returned: {name}",
            f"most {max(late)}, mean {statistics.mean(late):.2f}",
            f"the map returned after {statistics.median(end):.2f} ms, at most {max(end):.2f}; {repetitions} maps",
            None,
            "<= 2" if name in PARK else "",
            max(late) <= 2 if name in PARK else None,
        )


def stream():
    peers = {
        "channel of 64": "stream_peers",
        "channel of 1": "stream_peers",
        "rings": "stream_peers",
        "TBB pipeline, as completed": "stream_tbb",
        "TBB pipeline, ordered": "stream_tbb",
    }
    as_completed, ordered = "park_imap, as completed", "park_imap, ordered"
    mine = {as_completed: "stream_park", ordered: "stream_park"} if os.path.exists(f"{BUILD}/stream_park") else {}
    if not mine and "stream" not in arguments:
        return say("no park_imap yet")
    asked = {name: Contestant(name, program, name) for name, program in (peers | mine).items()}

    # A peer has one thread a processor besides the one that takes the results, as park has. One fewer is shown too: it is
    # better for empty items, and half as fast for others.
    empty, busy = f"stream 0 {200000 if quick else 1000000}", f"stream 1000 {5000 if quick else 20000}"
    times = {question: {} for question in (empty, busy)}
    count = 0
    end = time.monotonic() + (6 if quick else 40)
    while count < 3 or time.monotonic() < end:
        for question, answers in times.items():
            ways = [(n, k) for n in asked for k in ([PROCESSORS] if n.startswith(("TBB", "park")) else [PROCESSORS, PROCESSORS - 1])]
            for name, threads in random.sample(ways, len(ways)):
                answer = answers.setdefault((name, threads), Times())
                answer.values.append(float(asked[name].ask(f"{question} {threads}").split()[0]))
                answer.quiet.append(True)
        count += 1

    def text(question, name, threads=PROCESSORS):
        answer = times[question][name, threads]
        low, high = quartiles(answer.values)
        return f"{name}: {answer.median():.1f} ns ({low:.1f} to {high:.1f})"

    def compare(what, question, name, peer, most):
        ratio, low, high = paired(times[question][name, PROCESSORS], times[question][peer, PROCESSORS])
        beside = f"{text(question, peer)}; quartiles {low:.2f} {high:.2f}"
        row(f"{what}: {name}", text(question, name).split(": ")[1], beside, ratio, f"<= {most}", ratio <= most)

    if mine:
        compare("an empty item of a stream", empty, as_completed, "channel of 64", 1.5)
        compare("an empty item of a stream", empty, ordered, "rings", 1.2)
        for name in mine:
            compare("a 1 us item of a stream", busy, name, "rings", 1.05)
    def first(name, n):
        return statistics.median(int(asked[name].ask(f"first {n}")) for _ in range(11 if quick else 51)) / 1000

    tbb = "TBB pipeline, as completed"
    for name in mine:
        few, many = first(name, 1000), first(name, 1000000)
        row(
            f"time to the first result: {name}",
            f"{few:.2f} us of 1000, {many:.2f} us of 1e6",
            f"{tbb}: {first(tbb, 1000):.2f} us",
            None,
            "<= 2 us (0.2 of TBB's 10)",
            max(few, many) <= 2,
        )
    lines = []
    for name, threads in times[empty]:
        both = [text(q, name, threads).split(": ")[1] for q in (empty, busy)]
        soon = f"{first(name, 1000):.2f} us" if threads == PROCESSORS else ""
        lines.append([name, f"{threads}", *both, soon])
    table("Streams", ["ns an item", "threads", "empty", "1 us", "first result of 1000"], sorted(lines))
    for name in mine:
        items = 10**7 if quick else 10**8
        grown = int(asked[name].ask(f"memory {items}"))
        row(f"memory grown over {items:.0e} items: {name}", f"{grown} kB", "", None, "<= 256 kB", grown <= 256)
    for each in asked.values():
        each.end()


for part in parts:
    say(part)
    globals()[part]()
if tables_file:
    with open(tables_file, "w") as file:
        file.write("\n".join(tables))
