#!/usr/bin/env python3
"""Runs a program that was built for AddressSanitizer, and judges its report: asan.py COMMAND...

LeakSanitizer takes what a global or a running thread points to for wanted, and park's tables of handles are globals: a
message or a handler that was never freed would pass. So it is told to look into neither, and what is meant to stay is left out here, block by
block: LeakSanitizer's own suppressions would leave out all that these blocks point to as well.
"""
import os
import re
import subprocess
import sys

MEANT_TO_STAY = [
    "in push<park::ffi::registry::Entry<",   # the tables keep their rows for the handles to come
    "in push<usize, alloc::alloc::Global>",  # and the lists of their free rows
    "crossbeam_epoch",                         # rayon's own garbage collector, one for the process
    "in __add_to_environ stdlib",              # the environment, of a test that changes it
    "_IO_file_doallocate libio",               # stdio's own buffers
]

environment = dict(
    os.environ,
    PARK_TEST_UNDER="asan",
    # exitcode=0: a report does not hide the program's own status; it is read below.
    ASAN_OPTIONS="detect_leaks=1:exitcode=0:fast_unwind_on_malloc=0",
    LSAN_OPTIONS="use_globals=0:use_stacks=0:use_registers=0",
)
done = subprocess.run(sys.argv[1:], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
text = done.stderr

errors = re.findall(r"ERROR: AddressSanitizer.*|ERROR: LeakSanitizer has.*|.*DEADLYSIGNAL.*", text)
leaks = [block for block in re.split(r"\n(?=Direct leak|Indirect leak|\n)", text) if re.match(r"(Direct|Indirect) leak", block)]
leaks = [block for block in leaks if not any(known in block for known in MEANT_TO_STAY)]

if errors:
    print(text)
else:
    print(re.split(r"\n=+\n==\d+==ERROR: LeakSanitizer", text)[0])
    for block in leaks:
        print(block, "\n")
print(f"asan: status {done.returncode}, {len(errors)} errors, {len(leaks)} leaks")
sys.exit(99 if errors or leaks else done.returncode % 256)
