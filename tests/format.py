#!/usr/bin/env python3
"""A checkpoint is what README.md and docs/checkpoints.md say: the README's own lines read it, safetensors reads it, its
checksums are where they are said to be, and one that was made by hand is restored."""
import ctypes, json, os, re, shutil, struct, subprocess, sys, tempfile, zlib

import numpy
from safetensors.numpy import load_file

park = ctypes.CDLL("target/release/libpark.so")
park.park_handler_new.restype = ctypes.c_void_p
TYPES = {"f8": 1, "i8": 2, "f4": 7, "i1": 8, "i2": 9, "i4": 10, "u1": 11, "u2": 12, "u4": 13, "u8": 14, "c8": 15, "c16": 16}
SAVE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
LOAD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)


def snippet():
    """The README's lines, as they stand there."""
    [code] = re.findall(r"^```python\n(.*?)^```", open("README.md").read(), re.M | re.S)
    scope = {}
    exec(code, scope)
    return scope["read_checkpoint"]


class Job:
    def __init__(self, arrays, directory):
        self.handle = ctypes.c_void_p(park.park_handler_new(b"numpy"))
        self.arrays = arrays  # they must live as long
        self.loaded = None
        for name, array in arrays.items():
            shape = (ctypes.c_int64 * array.ndim)(*array.shape)
            self.call("park_protect_shape", name.encode(), ctypes.c_void_p(array.ctypes.data), TYPES[array.dtype.str[1:]],
                      ctypes.c_int64(array.ndim), shape)
        self.alpha = ctypes.c_double(1 / 3)
        self.call("park_expose_f64", b"alpha", ctypes.byref(self.alpha), ctypes.c_double(-9), ctypes.c_double(9))
        self.save = SAVE(lambda job, sink, user: park.park_sink_put(ctypes.c_void_p(sink), b"its own", ctypes.c_int64(7)))
        self.load = LOAD(self.take)
        self.call("park_protect_custom", b"custom", self.save, self.load, None, None)
        self.call("park_checkpoint_dir", directory.encode(), ctypes.c_int64(5))
        self.call("park_set_units", b"steps")
        self.call("park_attach")

    def take(self, job, data, length, user):
        self.loaded = ctypes.string_at(data, length)
        return 0

    def call(self, function, *arguments):
        status = getattr(park, function)(self.handle, *arguments)
        if status < 0:
            text = ctypes.create_string_buffer(1000)
            park.park_last_error(self.handle, text, ctypes.c_int64(1000))
            sys.exit(f"{function}: {status}: {text.value.decode()}")
        return status

    def checkpoint(self):
        self.call("park_progress", ctypes.c_double(3), ctypes.c_double(7))
        self.call("park_improved", ctypes.c_double(0.25), b"best", ctypes.c_int64(4))
        self.call("park_checkpoint_now")
        self.call("park_checkpoint_wait", ctypes.c_double(60))

    def end(self):
        self.call("park_detach")
        self.call("park_handler_free")


def some_arrays():
    arrays = {kind: numpy.arange(30).astype(kind).reshape(5, 3, 2) for kind in TYPES}
    arrays["c16"] *= 1j + 2
    arrays["scalar"] = numpy.array(1 / 3)
    arrays["empty"] = numpy.zeros((0, 4), "f4")
    arrays["größe \"2\""] = numpy.linspace(0, 1, 70000)
    return arrays


def equal(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def written_by_hand(path, arrays, about, kinds):
    """A file as docs/checkpoints.md tells it; arrays as they stand there, complex ones as pairs."""
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    begin, tensors = 0, {}
    for name in order:
        array = arrays[name]
        dtype = array.dtype.kind.upper() + str(8 * array.dtype.itemsize)
        tensors[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, begin + array.nbytes]}
        begin += array.nbytes
    sums = {name: f"{zlib.crc32(array.tobytes()):08x}" for name, array in arrays.items()}
    generation = str(int(os.path.basename(path).split(".")[0]))
    about = dict(about, **{"park.crc32": json.dumps(sums), "park.kinds": json.dumps(kinds), "park.generation": generation,
                           "park.header_crc32": "00000000"})
    text = json.dumps({"__metadata__": about, **tensors}, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 4096)
    head = struct.pack("<Q", len(text)) + text
    head = head.replace(b'"park.header_crc32":"00000000"', b'"park.header_crc32":"%08x"' % zlib.crc32(head))
    with open(path, "wb") as file:
        file.write(head + b"".join(arrays[name].tobytes() for name in order))


def main():
    directory = tempfile.mkdtemp(dir="build/tests")
    first = os.path.join(directory, "000001.safetensors")
    read_checkpoint = snippet()
    arrays = some_arrays()
    job = Job(arrays, directory)
    job.checkpoint()
    job.end()

    found, about = read_checkpoint(first)
    assert set(found) == set(arrays) | {"custom", "park.best"}, set(found)
    assert all(equal(found[name], array) for name, array in arrays.items())
    assert found["custom"].tobytes() == b"its own" and found["park.best"].tobytes() == b"best"
    assert (about["park.job"], about["park.done"], about["park.total"], about["park.units"]) == ("numpy", "3", "7", "steps")
    assert json.loads(about["park.exposed"]) == {"alpha": 1 / 3} and float(about["park.best_value"]) == 0.25
    print("ok the README's lines read it")

    by_package = load_file(first)
    for name, array in found.items():
        plain = array.view(array.real.dtype).reshape(*array.shape, 2) if array.dtype.kind == "c" else array
        assert equal(by_package[name], plain), name
    print("ok safetensors reads it")

    data = open(first, "rb").read()
    begin = 8 + int.from_bytes(data[:8], "little")
    assert begin % 4096 == 0
    at = data.index(b'"park.header_crc32":"') + 21
    assert int(data[at:at + 8], 16) == zlib.crc32(data[:at] + b"00000000" + data[at + 8:begin])
    for byte in range(begin, len(data), 9973):
        broken = os.path.join(directory, "broken")
        with open(broken, "wb") as file:
            file.write(data[:byte] + bytes([data[byte] ^ 4]) + data[byte + 1:])
        try:
            read_checkpoint(broken)
        except AssertionError as error:
            assert "is damaged" in str(error)
        else:
            sys.exit(f"byte {byte} was changed and nobody noticed")
    print("ok its checksums hold what is said of them")

    # A new version of the program has an array twice as long: somebody converts the file.
    changed = dict(found, f8=numpy.repeat(found["f8"], 2, axis=0))
    pairs = {name: a.view(a.real.dtype).reshape(*a.shape, 2) if a.dtype.kind == "c" else a for name, a in changed.items()}
    written_by_hand(os.path.join(directory, "000002.safetensors"), pairs, about, json.loads(about["park.kinds"]))
    now = {name: numpy.zeros_like(changed[name]) for name in arrays}
    job = Job(now, directory)
    job.alpha.value = 0
    assert job.call("park_restore") == 0
    assert all(equal(now[name], changed[name]) for name in now)
    assert job.loaded == b"its own" and job.alpha.value == 1 / 3
    job.end()
    shutil.rmtree(directory)
    print("ok one that was made by hand is restored")


main()
