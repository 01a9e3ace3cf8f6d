#!/usr/bin/env python3
"""What other programs may do to a job that listens, and may not: control.py [NAME...]. Each test has a job of its own.

build/tests/control_job (tests/control/job.c) must be there.
"""
import contextlib
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

PATIENCE = 30.0
JOB = os.path.abspath("build/tests/control_job")
PLACE = tempfile.mkdtemp(prefix="park-control-")
os.environ["PARK_RUNTIME_DIR"] = PLACE
os.environ.pop("PARK_LISTEN", None)


class Job:
    def __init__(self, *arguments, where="-", **more):
        self.process = subprocess.Popen([JOB, where, *map(str, arguments)], stdout=subprocess.PIPE, text=True, **more)
        self.path = self.process.stdout.readline().strip()
        assert self.path.startswith("/"), self.path

    def memory(self):
        """MiB that are resident."""
        return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{self.process.pid}/status").read())[1]) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self, code=0, how="abort"):
        """Tells it to end; its exit code must be this one. Returns how often it went round."""
        if how:
            Client(self).ask(how)
        out, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == code, self.process.returncode
        assert not os.path.exists(self.path)
        return int(out)


@contextlib.contextmanager
def a_job(*arguments, code=86, how="abort", **more):
    job = Job(*arguments, **more)
    try:
        yield job
        job.end(code, how)
    finally:
        job.process.kill()


class Closed(Exception):
    pass


class Client:
    def __init__(self, job, timeout=PATIENCE):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout if timeout == 0 else None)                               # with a timeout, connecting does not wait
        self.socket.connect(job.path)
        self.socket.settimeout(timeout)
        self.bytes = b""
        self.events = []
        self.last = 0

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def request(self, method, **params):
        self.last += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}) + "\n")
        return self.last

    def line(self):
        while b"\n" not in self.bytes:
            try:
                got = self.socket.recv(1 << 16)
            except (ConnectionResetError, BrokenPipeError):
                got = b""
            if not got:
                raise Closed
            self.bytes += got
        line, self.bytes = self.bytes.split(b"\n", 1)
        return json.loads(line)

    def reply(self):
        while True:
            message = self.line()
            assert message["jsonrpc"] == "2.0"
            if "id" in message:
                return message
            assert message["method"] == "event"
            self.events.append(message["params"])

    def event(self):
        if self.events:
            return self.events.pop(0)
        message = self.line()
        assert message["method"] == "event", message
        return message["params"]

    def event_of(self, kind):
        while True:
            event = self.event()
            if event["kind"] == kind:
                return event

    def ask(self, method, **params):
        """The result; an error is raised."""
        number = self.request(method, **params)
        reply = self.reply()
        assert reply["id"] == number, reply
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["result"]

    def refused(self, code, words, method, **params):
        try:
            result = self.ask(method, **params)
        except Refused as refused:
            assert refused.args[0]["code"] == code and words in refused.args[0]["message"], refused.args
        else:
            raise AssertionError(f"{method} {params} is not refused: {result}")

    def is_closed(self):
        try:
            while True:
                self.line()
        except Closed:
            return True

    def close(self):
        self.socket.close()


class Refused(Exception):
    pass


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.01)


# ---- what it does --------------------------------------------------------------------------------

def every_method_does_what_the_documentation_says():
    with a_job(code=85, how="stop") as job:
        client = Client(job)
        assert client.ask("ping") == {}
        until(lambda: client.ask("info")["state"] == "running", "the loop")                     # it listens before it computes
        info = client.ask("info")
        assert (info["name"], info["pid"], info["state"]) == ("secret heat", job.process.pid, "running")
        assert info["protocol"] == 1 and info["exit_code"] is None and info["best"] is None and info["reason"] == ""
        assert info["argv0"] == JOB and info["cwd"] == os.getcwd() and info["up"] > 0 and 0 <= info["idle"] < PATIENCE
        assert info["methods"] == ["echo", "refuse", "sleep", "turn"] and info["signals"] == ["later", "soon"]
        assert info["progress"]["units"] == "rounds" and info["progress"]["total"] == 0
        assert info["checkpoint"] == {"when": None, "saved": None}
        assert info["variables"][0] == {"name": "alpha", "type": "f64", "count": 1, "min": 0.0, "max": 0.5, "read_only": False,
                                        "units": "m/s", "description": "how \"fast\""}
        assert [v["type"] for v in info["variables"]] == ["f64", "i64", "bool", "text", "f64s", "f64s"]
        names = ["alpha", "count", "on", "name", "many"]
        values = {"alpha": 0.1, "count": 5, "on": False, "name": "first", "many": [1.0, 2.0, 3.0, 4.0]}
        assert client.ask("get", names=names) == values
        changed = {"alpha": 0.3, "count": -2, "on": True, "name": "näxt\n\"x\"", "many": [1, 2.5, -1e300, 4], "progress_delta": 0.5}
        assert client.ask("set", values=changed) == {}
        assert client.ask("get", names=[*names, "progress_delta"]) == changed
        client.refused(-8, "'alpha': 0.7 is outside 0 to 0.5", "set", values={"alpha": 0.7, "count": 1})
        client.refused(-9, "'nothing'", "set", values={"alpha": 0.2, "nothing": 1})
        client.refused(-20, "'count'", "set", values={"alpha": 0.2, "count": "seven"})
        client.refused(-8, "4 elements", "set", values={"many": [1]})
        assert client.ask("get", names=["alpha", "count"]) == {"alpha": 0.3, "count": -2}      # all or none
        assert client.ask("invoke", name="echo", values={"x": 3, "text": "t"}) == {"x": 3.0, "text": "t"}
        client.refused(-8, "'refuse': not on a Monday", "invoke", name="refuse")
        client.refused(-9, "'nothing'", "invoke", name="nothing")
        assert client.ask("signal", name="soon", values={"x": 0.25}) == {"x": 0.25}
        assert client.ask("signal", name="later", values={"x": 0.5}) == {"x": 0.5}
        client.refused(-9, "'nothing'", "signal", name="nothing")
        assert client.ask("pause") == {} and client.ask("info")["state"] == "paused"
        assert client.ask("get", names=["count"]) == {"count": -2}                             # served while paused
        assert client.ask("resume") == {} and client.ask("info")["state"] == "running"
        assert client.ask("checkpoint") == {}
        saved = client.ask("info")["checkpoint"]
        assert saved["saved"] is True and abs(saved["when"] - time.time()) < PATIENCE
        client.refused(-32601, "\"exec\"", "exec")
        client.refused(-32602, "\"values\"", "get", values={})
        client.refused(-32602, "timeout", "get", timeout=-1)
        client.refused(-32602, "null", "set", values={"alpha": None})
        client.refused(-32602, "object", "set", values={"alpha": {}})
        client.refused(-32602, "array", "set", values={"many": [1, "2"]})
        client.refused(-32602, "names", "get", names="alpha")
        client.refused(-9, "\"pigs\"", "subscribe", events=["log", "pigs"])
        client.refused(-11, "1048576 elements", "get", names=["large"])                                   # and the connection lives
        client.ask("ping")


def a_number_arrives_with_all_its_bits():
    with a_job() as job:
        client = Client(job)
        draw = random.Random(1)
        for number in [0.1, 5e-324, 2.2250738585072014e-308, 1e300, 123456789.12345679, 0.30000000000000004,
                       *(draw.uniform(-1, 1) * 10.0 ** draw.randint(-300, 299) for _ in range(40))]:
            client.ask("set", values={"many": [number, 0, 0, 0]})
            assert struct.pack("d", client.ask("get", names=["many"])["many"][0]) == struct.pack("d", number), number


def events_come_in_order_to_those_who_want_them():
    with a_job(60, 200) as job:
        all_of_them, some = Client(job), Client(job)
        assert len(all_of_them.ask("subscribe")["events"]) == 12
        assert some.ask("subscribe", events=["paused"]) == {"events": ["paused"]}
        assert some.ask("subscribe", events=["resumed", "join"]) == {"events": ["join", "paused", "resumed"]}
        some.ask("pause")
        some.ask("resume")
        assert [some.event()["kind"] for _ in range(2)] == ["paused", "resumed"]
        assert some.ask("unsubscribe", events=["join", "paused"]) == {"events": ["resumed"]}
        assert some.ask("unsubscribe") == {"events": []}
        first = all_of_them.event()
        assert first["kind"] == "join" and first["best"] > 0 and first["bytes"] == 8 and first["units"] == "rounds"
        last, kinds = first, set()
        while not {"progress", "improved", "paused", "resumed"} <= kinds:
            event = all_of_them.event()
            assert event["sequence"] > last["sequence"] and event["kind"] != "join"
            if event["kind"] == "improved":
                assert event["best"] < last["best"]
            kinds.add(event["kind"])
            last = event
        Client(job).ask("checkpoint")
        assert all_of_them.event_of("checkpoint")["status"] == 0


def a_request_without_an_id_is_done_and_not_answered():
    with a_job() as job:
        client = Client(job)
        client.send('{"jsonrpc":"2.0","method":"set","params":{"values":{"alpha":0.4}}}\n{"jsonrpc":"2.0","method":"nothing"}\n')
        client.send('{"jsonrpc":"2.0","method":"set","params":{"values":{"alpha":7}}}\n{"jsonrpc":"2.0","method":"set","params":[]}\n')
        assert client.ask("get", names=["alpha"]) == {"alpha": 0.4}
        client.send('{"jsonrpc":"2.0","id":null,"method":"ping"}\n{"jsonrpc":"2.0","id":"ä","method":"ping"}\r\n{"jsonrpc":"2.0","id":1.5,"method":"ping"}\n')
        assert [client.reply()["id"] for _ in range(3)] == [None, "ä", 1.5]


def who_asks_and_goes_is_heard():
    with a_job() as job:
        client = Client(job)
        client.request("set", values={"alpha": 0.35})
        client.close()
        until(lambda: Client(job).ask("get", names=["alpha"]) == {"alpha": 0.35}, "the value")
        client = Client(job)                                                                    # as `nc -N` does
        client.request("get", names=["alpha"])
        client.socket.shutdown(socket.SHUT_WR)
        assert client.reply()["result"] == {"alpha": 0.35} and client.is_closed()


def the_documentation_holds():
    """The ten lines of Python in docs/control.md, run as they stand."""
    program = re.search(r"```python\n(.*?)```", open("docs/control.md").read(), re.S)[1]
    assert len(program.strip().split("\n")) <= 12
    # Told to end by itself: what it prints is seen then.
    with a_job(3, code=0, how=None):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        assert "secret heat" in done.stdout and "'kind': 'join'" in done.stdout and "'kind': 'progress'" in done.stdout, done.stdout


# ---- exactly one reply ---------------------------------------------------------------------------

def every_request_is_answered_once_though_the_job_ends():
    """Many clients ask all the while; the job ends in the middle, by itself, by an abort, or by a stop."""
    draw = random.Random(2)
    for how in [None, "abort", "stop"] * 2:
        job = Job(0.5 if how is None else 60)
        sent, got = [0] * 20, [0] * 20

        def speak(index):
            client = Client(job)
            pending = set()
            try:
                while True:
                    for _ in range(draw.randint(1, 5)):
                        method = draw.choice(["get", "ping", "info", "pause", "resume", "checkpoint"])
                        pending.add(client.request(method, **({"names": ["alpha"]} if method == "get" else {})))
                        sent[index] += 1
                    while pending and (len(pending) > 40 or draw.random() < 0.5):
                        pending.remove(client.reply()["id"])                 # raises when it is answered twice
                        got[index] += 1
            except (BrokenPipeError, ConnectionResetError, Closed):
                pass
            try:
                while True:
                    pending.remove(client.reply()["id"])
                    got[index] += 1
            except Closed:
                pass

        threads = [threading.Thread(target=speak, args=(index,)) for index in range(20)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        if how is None:
            job.end(0, None)
        else:
            end_by(job, how)
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        # What was on its way when the socket was closed is answered by that.
        print(f"# {how}: {sum(got)} of {sum(sent)} answered before the connection was closed")
        assert sum(got) >= 100


def end_by(job, how):
    client = Client(job)
    client.request(how)
    with contextlib.suppress(Closed):
        client.reply()
    job.process.communicate(timeout=PATIENCE)
    assert job.process.returncode == {"abort": 86, "stop": 85}[how]


def a_request_that_waits_is_answered_when_the_process_ends_well():
    job = Job(1)
    client = Client(job)
    client.ask("pause")
    numbers = {client.request("get", names=["alpha"]) for _ in range(20)}
    assert {client.reply()["id"] for _ in range(20)} == numbers                                  # also while paused
    client.ask("abort")
    job.end(86, None)


# ---- those who mean no good ------------------------------------------------------------------------

def serves_on(job, clients=1):
    for _ in range(clients):
        client = Client(job)
        assert client.ask("get", names=["count"])["count"] == 5
        client.close()


GARBAGE = [b"\n", b"garbage\n", b"{\n", b"[]\n", b"[[[]]]\n", b"\"text\"\n", b"7\n", b"null\n", b"\x00\n", b"\xff\xfe\xfd\n", b"{}\n",
           b'{"jsonrpc":"2.0"}\n', b'{"jsonrpc":"1.0","id":1,"method":"ping"}\n', b'{"jsonrpc":"2.0","id":{},"method":"ping"}\n',
           b'{"jsonrpc":"2.0","id":1,"method":7}\n', b'{"jsonrpc":"2.0","id":1e999,"method":"ping"}\n',
           b'{"jsonrpc":"2.0","id":"' + b"i" * 300 + b'","method":"ping"}\n', b"[" * 100000 + b"\n", b'{"a":' * 50000 + b"\n",
           b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b"[" * 40 + b"]" * 40 + b"}\n"]


def garbage_is_answered_and_then_costs_the_connection():
    with a_job() as job:
        for garbage in GARBAGE:
            client = Client(job)
            client.send(garbage)
            error = client.reply()["error"]
            assert error["code"] in (-32700, -32600), (garbage[:50], error)
            client.ask("ping")                                                                  # once is a mistake
            client.close()
        client = Client(job)
        for _ in range(16):
            client.send(b"garbage\n")
            assert client.reply()["error"]["code"] == -32700
        assert client.is_closed()                                                               # sixteen times is not
        serves_on(job)


def nothing_that_is_sent_ends_the_job():
    """Requests with random damage, from many connections."""
    draw = random.Random(3)
    good = [json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) for method, params in [
        ("get", {"names": ["alpha"]}), ("set", {"values": {"alpha": 0.1, "many": [1, 2, 3, 4]}}), ("invoke", {"name": "echo", "values": {"x": 1}}),
        ("signal", {"name": "soon", "values": {"text": "t"}}), ("subscribe", {"events": ["log"]}), ("info", {}), ("get", {"timeout": 1e300})]]
    with a_job() as job:
        for _ in range(60):
            client = Client(job)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(draw.randint(1, 8)):
                    line = bytearray(draw.choice(good).encode())
                    for _ in range(draw.randint(1, 6)):
                        at = draw.randrange(len(line))
                        line[at:at + draw.randint(0, 3)] = bytes(draw.choice(b'"{}[]:,\\0e-+.\x00\xff tn') for _ in range(draw.randint(0, 3)))
                    client.send(bytes(line).replace(b"\n", b"") + b"\n")
            client.close()
        serves_on(job)
        client = Client(job)
        client.ask("set", values={"count": 5})


def a_line_has_an_end():
    with a_job() as job:
        client = Client(job)
        allowed = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
        client.send(allowed.rjust(1 << 20) + b"\n")
        assert client.reply()["result"] == {}
        client = Client(job)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(b"x" * ((1 << 20) + 20000))
        try:
            assert client.reply()["error"]["code"] == -11
        except Closed:
            pass
        assert client.is_closed()
        halves = [Client(job) for _ in range(30)]
        for half in halves:
            half.send(b'{"jsonrpc":"2.0","id":1,"met')
        serves_on(job, 3)
        for half in halves:                                                                     # who is slow is not refused
            half.send(b'hod":"ping"}\n')
        for half in halves:
            assert half.reply()["result"] == {}


def half_lines_together_are_bounded():
    with a_job() as job:
        before = job.memory()
        clients = [Client(job) for _ in range(60)]
        for client in clients:
            client.socket.setblocking(False)
        # As much as the job takes; it reads slowly, so that takes a while.
        end = time.monotonic() + 4
        left = {client: 1 << 20 for client in clients}
        while time.monotonic() < end:
            for client in list(left):
                try:
                    left[client] -= client.socket.send(b"x" * min(left[client], 1 << 16)) if left[client] else 0
                except BlockingIOError:
                    pass
                except OSError:
                    del left[client]
            time.sleep(0.01)
        serves_on(job)
        grown = job.memory() - before
        print(f"# {grown:.1f} MiB more for 60 half lines")
        assert grown < 40


def too_many_clients_are_refused_and_silent_ones_make_room():
    with a_job() as job:
        held = [Client(job) for _ in range(256)]
        for client in held:
            client.ask("ping")
        late = Client(job)
        assert late.reply()["error"]["code"] == -11 and late.is_closed()
        held[7].close()
        until(lambda: can_ask(job), "a free place")
        time.sleep(10.5)
        for client in held[100:]:
            if client is not held[7]:
                client.ask("ping")
        late = [Client(job) for _ in range(20)]
        for client in late:
            client.ask("ping")                                                                  # in the place of the silent
        held[200].ask("ping")
        lost = sum(is_lost(client) for client in held[:7] + held[8:])
        assert lost == 19, lost
        assert job.descriptors() < 300
        for client in held + late:
            client.close()


def can_ask(job):
    client = Client(job)
    try:
        return client.ask("ping") == {}
    except (Refused, Closed, AssertionError, BrokenPipeError):
        return False
    finally:
        client.close()


def is_lost(client):
    return bool(select.select([client.socket], [], [], 0)[0]) and not client.socket.recv(1)


def requests_of_one_client_are_bounded():
    """The job is stuck: it comes to no ready point for a while. Information is to be had all the same."""
    with a_job() as job:
        client, other = Client(job), Client(job)
        client.request("invoke", name="sleep", values={"x": 1.5})
        until(lambda: other.ask("info")["state"] == "running", "the job")
        for _ in range(99):
            client.request("set", values={"alpha": 0.2})
        other.refused(-7, "withdrawn", "set", values={"alpha": 0.45}, timeout=0.2)
        assert other.ask("ping") == {}
        replies = [client.reply() for _ in range(100)]
        assert sorted(reply["id"] for reply in replies) == list(range(1, 101))
        full = [reply["error"]["code"] for reply in replies if "error" in reply]
        assert full == [-11] * 36, full
        assert client.ask("get", names=["alpha"]) == {"alpha": 0.2}


def who_does_not_read_is_cut_off():
    with a_job(60, 20000) as job:
        deaf, well = Client(job), Client(job)
        for client in (deaf, well):
            client.ask("subscribe", events=["improved"])
        before = job.memory()
        count = 0
        end = time.monotonic() + 4
        while time.monotonic() < end:
            kind = well.event()["kind"]
            count += kind == "improved"
            if kind == "cut_off":                                                               # the job is faster than any client
                well.ask("subscribe", events=["improved"])
        print(f"# {count / 4:.0f} events a second to who reads; {job.memory() - before:.1f} MiB more")
        assert count > 1000 and job.memory() - before < 60
        serves_on(job)


def two_hundred_at_once():
    """They come at the same moment, each with a request of its own."""
    with a_job() as job:
        replies, barrier = [], threading.Barrier(200)

        def come(index):
            barrier.wait()
            client = Client(job)
            replies.append(client.ask("invoke", name="echo", values={"x": index})["x"])
            client.close()

        threads = [threading.Thread(target=come, args=(index,)) for index in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(replies) == list(range(200))
        until(lambda: job.descriptors() < 20, "closed descriptors")


def lines_of(*requests):
    return b"".join(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n" for method, params in requests)


@contextlib.contextmanager
def two_hundred(job, flood):
    """Clients that subscribe, stall, flood and vanish."""
    over = threading.Event()

    def storm():
        clients = [None] * 200
        while not over.is_set():
            for index, client in enumerate(clients):
                kind = index % 4
                try:
                    if client is None:
                        client = clients[index] = Client(job, timeout=0)
                        if kind < 2:
                            client.request("subscribe")
                    if kind == 0:
                        client.socket.recv(1 << 16)
                    elif kind == 2:
                        client.send(flood)
                    elif kind == 3:
                        client.send(flood[:250])                                                # its end is half a line
                        client.close()
                        clients[index] = None
                except BlockingIOError:
                    pass
                except OSError:
                    clients[index] = None
            time.sleep(0.001)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def two_hundred_who_subscribe_stall_flood_and_vanish():
    """One who stays asks twice a second, as `park watch` does. What it waits for is counted in requests of the others that come before
    its own."""
    turns = [("invoke", {"name": "turn"})] * 3
    with a_job(120, 500) as job:
        lasting = Client(job)
        times, passed = [], []
        with two_hundred(job, 20 * lines_of(*turns, ("set", {"values": {"alpha": 0.2}}), ("info", {}), ("get", {}))):
            time.sleep(2)
            early = job.memory()
            began = time.monotonic()
            while time.monotonic() < began + 8.5:                                               # then it has stayed
                begin = time.monotonic()
                serves_on(job)
                times.append(time.monotonic() - begin)
                time.sleep(0.1)
            for _ in range(7):
                before = lasting.ask("invoke", name="turn")["turns"]
                passed.append(lasting.ask("invoke", name="turn")["turns"] - before - 1)
                time.sleep(0.5)
            late = job.memory()
        times, passed = sorted(times), sorted(passed)
        print(f"# one who comes is answered in {times[len(times) // 2] * 1e3:.0f} ms (median), {times[-1] * 1e3:.0f} ms (most); "
              f"before one who stays come {passed[3]:.0f} (median), {passed[-1]:.0f} (most); memory {early:.1f}, then {late:.1f} MiB")
        assert times[-1] < PATIENCE / 3
        assert passed[3] < 200
        assert late - early < 20
        until(lambda: job.descriptors() < 20, "closed descriptors")


# ---- who is somebody else -------------------------------------------------------------------------

STRANGER = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
path, directory = sys.argv[1:]
for what in (lambda: os.listdir(directory), lambda: os.stat(path)):
    try: print("got", what())
    except OSError: pass
job = socket.socket(socket.AF_UNIX)
job.settimeout(5)
try:
    job.connect(path)
    job.sendall(b'{"jsonrpc":"2.0","id":1,"method":"info"}\\n')
    print("got", job.recv(1000))
except OSError as error: print(type(error).__name__)
print("names", [line for line in open("/proc/net/unix") if "secret" in line])
"""


def stranger(job):
    return subprocess.run([sys.executable, "-c", STRANGER, job.path, os.path.dirname(job.path)], capture_output=True, text=True, timeout=PATIENCE)


def another_user_gets_neither_the_socket_nor_the_name():
    if os.geteuid() != 0:
        print("not run: only root can become another user")
        return
    with a_job() as job:
        done = stranger(job)
        assert done.stdout == "PermissionError\nnames []\n", done
    # Where he may enter and connect, he is sent away without a word.
    open_place = tempfile.mkdtemp(prefix="park-open-")
    os.chmod(open_place, 0o777)
    try:
        with a_job(where=open_place + "/socket") as job:
            os.chmod(job.path, 0o777)
            done = stranger(job)
            assert "secret heat" not in done.stdout and "names []" in done.stdout, done
            assert "got b''" in done.stdout or "ConnectionResetError" in done.stdout or "BrokenPipeError" in done.stdout, done
            serves_on(job)
    finally:
        shutil.rmtree(open_place)


def root_is_another_user():
    if os.geteuid() != 0:
        print("not run: only root can start a job as another user")
        return
    place = tempfile.mkdtemp(prefix="park-theirs-")
    os.chown(place, 65534, 65534)
    job = Job(where=place + "/socket", user=65534, group=65534, extra_groups=[])
    try:
        client = Client(job)
        with contextlib.suppress(BrokenPipeError):
            client.request("info")
        assert client.is_closed()
    finally:
        job.process.kill()
        job.process.communicate()
        shutil.rmtree(place)


# ---- dead and stuck jobs ---------------------------------------------------------------------------

def a_killed_job_leaves_nothing_for_long():
    jobs = [Job() for _ in range(5)]
    for job in jobs:
        job.process.kill()
        job.process.communicate()
    assert len(os.listdir(PLACE)) == 5
    with a_job() as job:
        assert os.listdir(PLACE) == [os.path.basename(job.path)]


def clients_of_a_killed_job_are_told():
    job = Job()
    client = Client(job)
    client.ask("subscribe")
    job.process.kill()
    job.process.communicate()
    assert client.is_closed()
    os.remove(job.path)


def a_job_without_descriptors_serves_those_it_has():
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

    with a_job(preexec_fn=few) as job:
        client = Client(job)
        client.ask("ping")
        others = [Client(job) for _ in range(40)]
        time.sleep(1.5)
        used = processor_time(job)
        assert client.ask("ping") == {}
        time.sleep(1)
        assert processor_time(job) - used < 0.6                                                 # it does not spin
        for other in others:
            other.close()
        until(lambda: can_ask(job), "a descriptor")


def processor_time(job):
    fields = open(f"/proc/{job.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    chosen = [test for test in TESTS if not sys.argv[1:] or test.__name__ in sys.argv[1:]]
    failed = not chosen
    for test in chosen:
        begin = time.monotonic()
        for left in os.listdir(PLACE):
            os.remove(f"{PLACE}/{left}")
        try:
            test()
            print(f"ok {test.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception as error:
            failed = True
            traceback.print_exc(file=sys.stdout)
            print(f"not ok {test.__name__}: {type(error).__name__} {error}", flush=True)
    shutil.rmtree(PLACE, ignore_errors=True)
    sys.exit(failed)


TESTS = [
    every_method_does_what_the_documentation_says,
    a_number_arrives_with_all_its_bits,
    events_come_in_order_to_those_who_want_them,
    a_request_without_an_id_is_done_and_not_answered,
    who_asks_and_goes_is_heard,
    the_documentation_holds,
    every_request_is_answered_once_though_the_job_ends,
    a_request_that_waits_is_answered_when_the_process_ends_well,
    garbage_is_answered_and_then_costs_the_connection,
    nothing_that_is_sent_ends_the_job,
    a_line_has_an_end,
    half_lines_together_are_bounded,
    too_many_clients_are_refused_and_silent_ones_make_room,
    requests_of_one_client_are_bounded,
    who_does_not_read_is_cut_off,
    two_hundred_at_once,
    two_hundred_who_subscribe_stall_flood_and_vanish,
    another_user_gets_neither_the_socket_nor_the_name,
    root_is_another_user,
    a_killed_job_leaves_nothing_for_long,
    clients_of_a_killed_job_are_told,
    a_job_without_descriptors_serves_those_it_has,
]

if __name__ == "__main__":
    main()
