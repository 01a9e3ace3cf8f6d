#!/usr/bin/env python3
"""What a user of the park command relies on, at a terminal (tmux) and in scripts, with the example programs as jobs.

    tests/cli.py [TEST...]     target/release must be built
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.dom.minidom
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PARK = os.path.join(ROOT, "target/release/park")
PLACE = tempfile.mkdtemp(prefix="park-cli-")
RUN = os.path.join(PLACE, "run")
TMUX = ["tmux", "-S", os.path.join(PLACE, "tmux"), "-f", "/dev/null"]
ENSO = os.path.join(ROOT, "examples-c/nist/ENSO.dat")
PATIENCE = 60
started = []

os.environ.update(PARK_RUNTIME_DIR=RUN, LANG="C.UTF-8", LC_ALL="C.UTF-8", PATH=os.path.dirname(PARK) + ":" + os.environ["PATH"])
os.environ.pop("PARK_LISTEN", None)


class Wrong(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Wrong(what)


def until(condition, what):
    """What the condition returned, once it holds."""
    end = time.time() + PATIENCE
    while time.time() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise Wrong(f"{what}: not within {PATIENCE} s")


def park(*arguments, status=0, **more):
    """What `park ARGUMENTS` prints; its exit code must be as told."""
    done = subprocess.run([PARK, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, cwd=PLACE, **more)
    check(done.returncode == status, f"park {arguments}: exit code {done.returncode}, not {status}: {done.stdout}{done.stderr}")
    check(status == 0 or done.stderr.startswith(("park: ", "error: ")) or not done.stderr, f"no sentence: {done.stderr}")
    return done.stdout + done.stderr


class Job:
    """A program that runs as a job, in a directory of its own."""

    def __init__(self, program, *arguments, place=None):
        self.place = place or tempfile.mkdtemp(dir=PLACE)
        command = [os.path.join(ROOT, "build", program), *map(str, arguments)]
        self.process = subprocess.Popen(command, cwd=self.place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(self.process)
        self.pid = self.process.pid
        until(lambda: os.path.exists(f"{RUN}/{self.pid}.sock") and self.info()["state"] == "running", f"{program} runs")

    def info(self):
        return json.loads(park("info", self.pid, "--json"))

    def state(self):
        return self.info()["state"]

    def exit_code(self):
        return self.process.wait(PATIENCE)

    def end(self):
        self.process.kill()
        self.process.wait()


def fit(*more):
    return Job("fit", "--quiet", "--new", "--population", 200, "--generations", 1000000, *more, ENSO)


class Screen:
    """A command in a terminal. What it leaves behind, and its exit code, can be seen after it has ended."""

    def __init__(self, command, columns=80, rows=24, locale="C.UTF-8"):
        self.name = f"s{time.monotonic_ns()}"
        script = f"stty -g >before; LC_ALL={locale} {command}; echo ended with $?; stty -g >after; cmp before after && echo terminal as before; sleep 1000"
        self.place = tempfile.mkdtemp(dir=PLACE)
        size = ["-x", str(columns), "-y", str(rows)]
        subprocess.run([*TMUX, "-u", "new-session", "-d", "-s", self.name, *size, "-c", self.place, script], check=True)

    def text(self):
        return subprocess.run([*TMUX, "capture-pane", "-p", "-t", self.name], capture_output=True, text=True, check=True).stdout

    def press(self, *keys):
        subprocess.run([*TMUX, "send-keys", "-t", self.name, *keys], check=True)

    def resize(self, columns, rows):
        subprocess.run([*TMUX, "resize-window", "-t", self.name, "-x", str(columns), "-y", str(rows)], check=True)

    def tells(self, what):
        """What tmux says of it."""
        return subprocess.run([*TMUX, "display-message", "-p", "-t", self.name, f"#{{{what}}}"], capture_output=True, text=True, check=True).stdout.strip()

    def process(self):
        """The one of the command."""
        return int(subprocess.run(["pgrep", "-P", self.tells("pane_pid"), "-x", "park"], capture_output=True, text=True, check=True).stdout)

    def shows(self, pattern):
        """Waits until the screen has what the pattern says; returns the whole of it."""
        try:
            return until(lambda: (lambda text: text if re.search(pattern, text) else None)(self.text()), f"'{pattern}' on the screen")
        except Wrong as wrong:
            raise Wrong(f"{wrong}\n{self.text()}") from None

    def ended_with(self, code):
        text = self.shows(f"ended with {code}\n")
        self.shows("terminal as before")
        check("\u2502" not in text, f"the screen is left behind:\n{text}")
        check(self.tells("cursor_flag") == "1" and self.tells("alternate_on") == "0", "the cursor is seen, and the screen is the usual one")
        return text


# ---- at a terminal ------------------------------------------------------------------------------------


def test_watch_shows_and_steers_fit():
    job = fit("--every", 1)
    screen = Screen("park watch fit-ENSO")
    text = screen.shows(r"fit-ENSO +running +best [89]\d\d")
    text = screen.shows(r"log scale|best over time")
    text = screen.shows(r"checkpoint saved")
    check(re.search(r"\d+%.*left.*of 1000000 generations", text), f"progress: {text}")
    check(re.search(r"[\u2801-\u28ff]{10}", screen.text()), "a curve is drawn")
    check(f"pid {job.pid}" in text and "p pause" in text, f"head and foot: {text}")
    check(all(len(line) <= 80 for line in text.split("\n")), "it fits")
    screen.press("p")
    screen.shows(r"fit-ENSO +paused")
    check(job.state() == "paused", "paused by a key")
    screen.press("r")
    screen.shows(r"fit-ENSO +running")
    screen.press("c")
    screen.press("s")
    screen.shows(r"Stop fit-ENSO\.\d+.*y yes")
    screen.press("n")
    screen.shows("p pause")
    check(job.state() == "running", "no is no")
    for columns, rows in [(40, 12), (20, 5), (1, 1), (120, 40)]:
        screen.resize(columns, rows)
        if columns >= 20:
            text = screen.shows(r"(?m)^ fit.*running")
            screen.shows(r"(?m)^ \S.*\d+%|\d+%")
    until(lambda: len(screen.text().split("\n")) >= 40 and "q leave" in screen.text(), "it grows with the terminal")
    screen.press("s")
    screen.shows("y yes")
    screen.press("y")
    text = screen.shows(r"fit-ENSO +stopped(.|\n)*The run is over: stopped.*exit code 85")
    check(re.search(r"[\u2801-\u28ff]{10}", text), "the curve stays")
    check(job.exit_code() == 85, "fit says the same")
    screen.press("q")
    screen.ended_with(85)


def test_the_scale_follows_the_values():
    job = fit()
    screen = Screen("park watch fit-ENSO")
    screen.shows("distance from 788.5[0-9]* over time, log scale")
    for caption in ["best over time ", "best over time, log scale", "both sides of 0", "distance from", "distance from"]:
        screen.press("y")
        screen.shows(caption)
    screen.press("q")
    screen.ended_with(0)
    check(job.state() == "running", "who leaves leaves the job alone")
    job.end()


def test_the_terminal_comes_back():
    job = fit()
    for number, code in [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]:
        screen = Screen("park watch fit-ENSO")
        screen.shows("fit-ENSO +running(.|\n)*\u2502")
        check(screen.tells("cursor_flag") == "0" and screen.tells("alternate_on") == "1", "it has the whole screen")
        os.kill(screen.process(), number)
        screen.ended_with(code)
    screen = Screen("park watch fit-ENSO")
    screen.shows("fit-ENSO +running")
    screen.press("C-c")
    text = screen.ended_with(130)
    check(re.match(r"fit-ENSO\.\d+: running; \d+ of 1000000 generations, best \d+\.\d+\s+ended with", text), f"one line is left: {text}")
    job.end()


def test_a_panic_gives_the_terminal_back():
    """By a test of the command's that does nothing but panic while it has the screen."""
    built = subprocess.run(["cargo", "test", "--package", "park-cli", "--bin", "park", "--no-run", "--message-format=json"], cwd=ROOT, capture_output=True, text=True, check=True)
    program = next(filter(None, (json.loads(line).get("executable") for line in built.stdout.splitlines())))
    screen = Screen(f"{program} --ignored --nocapture --exact watch::terminal::tests::a_panic_gives_the_terminal_back")
    check("on another thread" in screen.ended_with(101), screen.text())


def test_plain_terminals_are_served():
    job = fit()
    screen = Screen("park watch fit-ENSO", locale="C")
    text = screen.shows(r"fit-ENSO +running +best (.|\n)*\*\*")
    check(text.isascii(), f"only ASCII: {text}")
    screen.press("q")
    screen.ended_with(0)
    job.end()


def test_a_vanished_job_is_told():
    job = Job("heat", 100000000)
    screen = Screen("park watch heat")
    screen.shows("heat +running")
    job.end()
    screen.shows("heat +gone(.|\n)*did not say how it ended")
    screen.press("q")
    screen.ended_with(5)


# ---- in scripts ---------------------------------------------------------------------------------------


def test_heat_in_c_is_steered():
    job = Job("heat", 100000000)
    check(park("get", "heat", "alpha") == "0.2\n", "get of one is its value")
    park("set", "heat", "alpha=0.1", "progress_delta=0.5")
    check(set(park("get", "heat", "alpha", "progress_delta").split()) == {"alpha=0.1", "progress_delta=0.5"}, "get of two")
    check("'alpha': 0.7 is outside 0 to 0.25" in park("set", "heat", "alpha=0.7", "progress_delta=9", status=1), "the reason")
    check(park("get", "heat", "progress_delta") == "0.5\n", "all or none")
    check("'alpha' takes a number" in park("set", "heat", "alpha=fast", status=2), "what it takes")
    check("'beta'" in park("set", "heat", "beta=1", status=1), "no such variable")
    check("'nothing'" in park("invoke", "heat", "nothing", "a=1", status=1), "no such method")
    park("pause", "heat")
    check(job.state() == "paused", "paused")
    park("set", "heat", "alpha=0.15")
    check(json.loads(park("get", "heat", "alpha", "--json")) == {"alpha": 0.15}, "set while paused")
    park("resume", "heat", "--json")
    check(job.state() == "running", "resumed")
    park("checkpoint", "heat")
    check(found_checkpoint(job), "there is a checkpoint")
    steps = job.info()["progress"]["done"]
    park("stop", "heat")
    check(job.exit_code() == 85, "85: run me again")
    again = Job("heat", 100000000, place=job.place)
    check(until(lambda: again.info()["progress"]["done"], "its first step") >= steps, "it goes on where it was")
    park("abort", "heat", "--no-wait")
    check(again.exit_code() == 86, "86: aborted")


def found_checkpoint(job):
    """A file of a checkpoint: they are in directories."""
    return next((name for _, _, names in os.walk(job.place) for name in names if name.endswith(".safetensors")), None)


def test_heat_in_fortran_is_steered():
    job = Job("heat-f90", 100000000)
    park("pause", job.pid)
    park("set", job.pid, "alpha=0.05")
    check(float(park("get", job.pid, "alpha")) == 0.05, "set")
    park("checkpoint", job.pid)
    check(found_checkpoint(job), "there is a checkpoint")
    park("resume", job.pid)
    park("stop", job.pid)
    check(job.exit_code() == 85, "85: run me again")


def test_nlopt_is_steered():
    job = Job("nlopt", 24, 2000000000)
    watcher = subprocess.Popen([PARK, "watch", "nlopt"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    park("pause", "nlopt")
    check(job.state() == "paused", "paused")
    park("resume", "nlopt")
    check("checkpoint" in park("checkpoint", "nlopt", status=1), "it has none, and says why")
    park("stop", "nlopt")
    check(job.exit_code() == 86, "stopped without a checkpoint")
    lines = watcher.communicate(timeout=PATIENCE)[0]
    check(watcher.returncode == 86, "watch says how it ended")
    for words in ["running  0%", "of 2000000000 evaluations", "  paused\n", "  resumed\n", "exit code 86; "]:
        check(words in lines, f"'{words}' in {lines}")


def test_a_job_is_meant_by_name_or_pid():
    one, other = Job("heat", 100000000), Job("heat", 100000000)
    for command in (["pause", "heat"], ["info"], ["watch", "heat", "--plain"]):
        text = park(*command, status=3)
        check(f"heat.{one.pid} (running" in text and f"heat.{other.pid} (running" in text, text)
    for name in [one.pid, f"heat.{one.pid}", f"{RUN}/{one.pid}.sock"]:
        check(json.loads(park("info", name, "--json"))["pid"] == one.pid, str(name))
    check("no job 'hea' listens" in park("info", "hea", status=3), "not by a part of the name")
    check("nobody listens at ./nothing" in park("info", "./nothing", status=3), "nor at a path")
    park("pause", f"heat.{one.pid}")
    check((one.state(), other.state()) == ("paused", "running"), "the other is left alone")
    lines = park("ls").splitlines()
    check(lines[0].split() == ["NAME", "PID", "STATE", "PROGRESS", "BEST", "READY", "UP"] and len(lines) == 3, "\n".join(lines))
    check({info["pid"] for info in json.loads(park("ls", "--json"))} == {one.pid, other.pid}, "ls --json")
    one.end()
    check(park("info").startswith(f"job         heat.{other.pid}\n"), "the only one need not be named")
    other.end()


def test_dead_and_halted_jobs_are_told_apart():
    job = Job("heat", 100000000)
    os.kill(job.pid, signal.SIGSTOP)
    check(re.search(rf"\? +{job.pid} +does not answer", park("ls")), "halted")
    check("does not answer" in park("pause", job.pid, status=6), "halted")
    os.kill(job.pid, signal.SIGCONT)
    check("running" in park("ls"), "on again")
    job.end()
    check(os.path.exists(f"{RUN}/{job.pid}.sock"), "a killed job leaves its socket")
    check(park("ls") == "no job listens\n", "it is not listed")
    check(not os.path.exists(f"{RUN}/{job.pid}.sock"), "and its socket is gone")


def test_others_may_not_enter_the_directory():
    os.chmod(RUN, 0o755)
    try:
        check("chmod 700" in park("ls", status=6), "the reason")
    finally:
        os.chmod(RUN, 0o700)


SILENT = r"""
#include <park.h>
#include <unistd.h>
int main(void)
{
    park_handler *job = park_handler_new("silent");
    if (park_listen(job, NULL) || park_attach(job)) return 1;
    park_log(job, PARK_LOG_WARNING, "red \033[31m and clear \033[2J");
    sleep(1000);
    return 0;
}
"""


def test_a_job_that_calls_no_ready_is_shown_as_such():
    source = os.path.join(PLACE, "silent.c")
    with open(source, "w") as file:
        file.write(SILENT)
    program = os.path.join(PLACE, "silent")
    libraries = [f"-L{ROOT}/target/release", "-lpark", f"-Wl,-rpath,{ROOT}/target/release"]
    subprocess.run(["cc", f"-I{ROOT}/include", source, "-o", program, *libraries], check=True)
    job = Job(program)
    screen = Screen("park watch silent", 100)
    path = os.path.join(PLACE, "lines")
    with open(path, "w") as file:
        lines = subprocess.Popen([PARK, "watch", "silent"], stdout=file, stdin=subprocess.DEVNULL)
    started.append(lines)
    check("the time was up" in park("pause", "silent", "--timeout", 0.2, status=4), "nobody waits for ever")
    screen.shows("running, no ready point for [1-9][0-9]s")
    check(re.search(r"silent +\d+ +running, not ready .*1\ds ago", park("ls")), park("ls"))
    check("running, not ready" in park("info", "silent"), "info")
    until(lambda: "no ready point for 1" in open(path).read(), "a line that says so")
    job.end()
    check(lines.wait(PATIENCE) == 5, "it vanished")


def test_what_a_job_logs_cannot_harm_the_terminal():
    program = os.path.join(PLACE, "logging")
    source = SILENT.replace("sleep(1000);", "for (;;) { park_log(job, PARK_LOG_WARNING, \"red \\033[31m and clear \\033[2J\"); usleep(100000); if (park_ready(job)) break; }")
    with open(program + ".c", "w") as file:
        file.write(source)
    libraries = [f"-L{ROOT}/target/release", "-lpark", f"-Wl,-rpath,{ROOT}/target/release"]
    subprocess.run(["cc", "-w", f"-I{ROOT}/include", program + ".c", "-o", program, *libraries], check=True)
    job = Job(program)
    screen = Screen("park watch silent", 70)
    screen.shows(r"warning: red \?\[31m and clear \?\[2J\n")
    events = subprocess.run(["timeout", "1", PARK, "events", "silent"], capture_output=True).stdout
    check(b"\x1b" not in events and b"red ?[31m" in events, events)
    job.end()


# ---- events and pictures ------------------------------------------------------------------------------


def pixels(path):
    """Rows of the grey of an RGB PNG."""
    with open(path, "rb") as file:
        data = file.read()
    check(data.startswith(b"\x89PNG\r\n\x1a\n"), "a PNG")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    at, packed = 8, b""
    while at < len(data):
        length, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        packed += data[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    raw, stride, before, rows = zlib.decompress(packed), 3 * width, bytearray(3 * width), []
    for y in range(height):
        way, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride):
            a, b, c = line[x - 3] if x >= 3 else 0, before[x], before[x - 3] if x >= 3 else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[x] = (line[x] + [0, a, b, (a + b) // 2, paeth][way]) & 255
        rows.append(line[1::3])
        before = line
    return rows


def test_events_and_plots():
    job = fit()
    path = os.path.join(PLACE, "events.jsonl")
    with open(path, "w") as file:
        recorder = subprocess.Popen([PARK, "events", "fit-ENSO", "--json"], stdout=file)
        started.append(recorder)
        until(lambda: open(path).read().count('"improved"') > 30, "30 improvements")
    park("plot", "-o", "job.svg", "--size", "600x400")
    park("plot", "fit-ENSO", "-o", "job.png", "--size", "400x300", "--scale", "linear")
    check("ends neither in .png nor in .svg" in park("plot", "fit-ENSO", "-o", "job.gif", status=2), "other formats")
    check("no/such/x.svg" in park("plot", "fit-ENSO", "-o", "no/such/x.svg", status=6), "what cannot be written")
    park("abort", "fit-ENSO")
    check(recorder.wait(PATIENCE) == 86, "events says how it ended")
    events = [json.loads(line) for line in open(path)]
    numbers = [event["sequence"] for event in events]
    check(numbers == sorted(set(numbers)) and events[0]["kind"] == "join" and events[-1]["kind"] == "abort", "in order, join first, end last")
    bests = [event["best"] for event in events if event["kind"] == "improved"]
    check(bests == sorted(bests, reverse=True), "each is better")
    park("plot", "--from", "events.jsonl", "-o", "events.svg", "--title", "a < b")
    park("plot", "--from", "-", "-o", "stdin.svg", input=open(path).read())
    for name in ["job.svg", "events.svg"]:
        svg = xml.dom.minidom.parse(os.path.join(PLACE, name))
        corners = max(len(line.getAttribute("points").split()) for line in svg.getElementsByTagName("polyline"))
        words = [text.firstChild.data.strip() for text in svg.getElementsByTagName("text")]
        check(corners > 50, f"{name}: {corners} corners")
        check(len(words) > 6 and any("over time" in word for word in words), f"{name}: {words}")
    check("a < b: " in "".join(words), "the title")
    rows = pixels(os.path.join(PLACE, "job.png"))
    check((len(rows[0]), len(rows)) == (400, 300), "its size")
    dark = lambda part: sum(grey < 128 for grey in part)
    check(dark(rows[y][x] for y in range(30, 250) for x in range(5, 40)) > 20, "values are written at the left, with no font of the system's")
    check(dark(rows[y][x] for y in range(30, 270) for x in range(80, 390)) > 250, "a curve")
    with open(path, "a") as file:
        file.write("nonsense\n")
    check(f"line {len(events) + 1}: no event" in park("plot", "--from", "events.jsonl", "-o", "x.svg", status=2), "what is no event")


def test_the_shell_knows_the_command():
    script = 'source <(park completions bash) && complete -p park && COMP_WORDS=(park che) COMP_CWORD=1 && _park park che park && echo "${COMPREPLY[@]}"'
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout
    check("-F _park" in said and said.endswith("checkpoint\n"), said)
    for shell in ["zsh", "fish"]:
        check("checkpoint" in park("completions", shell), shell)
    check("Exit codes:" in park("--help") and "85" in park("--help"), "the exit codes are told")
    park("frobnicate", status=2)
    park("set", "heat", "alpha", status=2)
    check(subprocess.run("park --help | true", shell=True, capture_output=True).stderr == b"", "who has seen enough may go")


def main():
    tests = {name.removeprefix("test_"): test for name, test in globals().items() if name.startswith("test_")}
    wanted = sys.argv[1:] or tests
    for source in ["heat.c", "fit.c", "nlopt.c", "heat.f90"]:
        subprocess.run([f"{ROOT}/tests/commands.py", "--build", f"{ROOT}/examples-c/{source}"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    os.mkdir(RUN, 0o700)
    failed = 0
    try:
        for name in wanted:
            begin = time.time()
            try:
                tests[name]()
                print(f"ok {name} ({time.time() - begin:.1f} s)", flush=True)
            except Wrong as wrong:
                failed += 1
                print(f"not ok {name}: {wrong}", flush=True)
            finally:
                for process in started:
                    process.kill()
                    process.wait()
                started.clear()
                park("ls")
    finally:
        subprocess.run([*TMUX, "kill-server"], stderr=subprocess.DEVNULL)
        shutil.rmtree(PLACE)
    sys.exit(failed > 0)


main()
