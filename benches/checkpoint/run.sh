#!/bin/bash
# Measures a checkpoint of 256 MiB beside memcpy, O_DIRECT, write+fsync+rename and HDF5, some 2 minutes: benches/checkpoint/run.sh [ROUNDS].
# On another disk: PLACE=directory benches/checkpoint/run.sh (not kept). Needs 2 GB there.
# Shows one table, and keeps it in benches/checkpoint/RESULTS.md with commit, date and machine. Nothing fails when a target is not met.
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
} >$into/RESULTS.md
sed -n '/^commit/,$p' $into/RESULTS.md
[ -n "$PLACE" ] || cp $into/RESULTS.md $from/RESULTS.md
