#!/bin/bash
# Measures a checkpoint of 256 MiB beside memcpy, O_DIRECT, write+fsync+rename and HDF5, some 4 minutes: benches/checkpoint/run.sh [ROUNDS].
# Once as it is, and once more behind the kernel's throttle (root), for a disk that is not as fast as memory.
# On another disk: PLACE=directory benches/checkpoint/run.sh (not kept). Needs 2 GB there.
# Shows its tables, and keeps them in benches/checkpoint/RESULTS.md with commit, date and machine. Nothing fails when a target is not met.
cd "$(dirname "$0")/../.." || exit 1
. benches/table.sh
from=benches/checkpoint into=build/bench/checkpoint
place=${PLACE:-$into/work}
mkdir -p $into "$place"

# ---- build ---------------------------------------------------------------------------------------------

[ -e /usr/include/hdf5/serial/hdf5.h ] || install_packages $from/run.sh libhdf5-dev || exit 1
[ -e target/release/libpark.so.0 ] || make --no-print-directory lib || exit 1
cargo build --quiet --release --manifest-path $from/sums/Cargo.toml --target-dir build/bench/sums || exit 1
gcc -O2 -Wall -Wextra -Iinclude -I/usr/include/hdf5/serial $from/checkpoint.c -o $into/checkpoint build/bench/sums/release/libsums.a \
    -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -Ltarget/release -lpark -Wl,-rpath,"$PWD/target/release" -lm -ldl -pthread || exit 1

# ---- measure -------------------------------------------------------------------------------------------

at=$(measured_at .)
$into/checkpoint "$place" "${1:-9}" >$into/rows || { cat $into/rows; exit 1; }

# The kernel lets bursts through: what is set comes out at some 2.5 times of it for 256 MiB.
rate=1000000000 blkio=/sys/fs/cgroup/blkio/park-bench
device=$(stat -c '%Hd:%Ld' "$place")
: >$into/throttled-rows
if mkdir -p $blkio 2>/dev/null && echo "$device $rate" >$blkio/blkio.throttle.write_bps_device; then
    (echo $BASHPID >$blkio/cgroup.procs && exec $into/checkpoint "$place" "${1:-9}") >$into/throttled-rows || exit 1
    rmdir $blkio
fi
rm -rf "$place"

{
    cat <<'TEXT'
# What a checkpoint costs, beside others

Made by `benches/checkpoint/run.sh`: 256 MiB of doubles, rewritten before each. Contestants run in turn, in random order; ratios are medians over
rounds, of answers of the same round, with their quartiles; those of rates are rate to rate. park's time includes checksums, the
flush of the file, its name and the flush of the directory; the other ways have no checksums.

TEXT
    echo "$at, $(df --output=fstype . | tail -n 1)"
    echo
    table <$into/rows
    echo
    if [ -s $into/throttled-rows ]; then
        printf 'The same, with the device throttled by the kernel (%s bytes a second set, after bursts):\n\n' $rate
        table <$into/throttled-rows
    else
        echo "Not run: the same on a slower disk, which needs root and cgroup v1's blkio."
    fi
} >$into/RESULTS.md
sed -n '/^commit/,$p' $into/RESULTS.md
[ -n "$PLACE" ] || cp $into/RESULTS.md $from/RESULTS.md
