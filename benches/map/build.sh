#!/bin/bash
# Builds park's loop and its peers into build/bench/map, installing what of Debian is missing. PARK: the directory of park (default:
# this one), of which include/park.h and target/release are used.
cd "$(dirname "$0")/../.." || exit 1
. benches/table.sh
park=$(realpath "${PARK:-.}")
from=benches/map into=build/bench/map
mkdir -p $into

# file that must be there : Debian's package that brings it
needed=(
    /usr/bin/g++:g++
    /usr/bin/clang:clang
    /usr/lib/llvm-14/lib/libomp.so:libomp-dev
    /usr/include/tbb/parallel_for.h:libtbb-dev
    /usr/bin/python3:python3
)
missing=
for item in "${needed[@]}"; do
    [ -e "${item%%:*}" ] || [ "${item#*:}" = libomp-dev -a -n "$(ls /usr/lib/llvm-*/lib/libomp.so 2>/dev/null)" ] || missing="$missing ${item#*:}"
done
if [ -n "$missing" ]; then
    install_packages $from $missing || exit 1
fi

set -e
flags="-O2 -Wall -Wextra -I$from"

# The items: one object file for everybody. Aligned, so that the loop is as fast in each program.
gcc $flags -fPIC -falign-functions=64 -falign-loops=64 -c $from/item.c -o $into/item.o
gcc $flags -c $from/contest.c -o $into/contest.o
common="$into/item.o $into/contest.o -lm -pthread"

gcc $flags $from/serial.c $common -o $into/serial
gcc $flags -fopenmp $from/openmp.c $common -o $into/gomp
clang $flags -fopenmp $from/openmp.c $common -o $into/libomp
g++ $flags -std=c++17 $from/tbb.cpp $common -ltbb -o $into/tbb
cargo build --release --quiet --locked --manifest-path $from/rayon/Cargo.toml --target-dir $into/rayon-target
gcc $flags $from/rayon.c $common -L$into/rayon-target/release -lpeers -Wl,-rpath,"$PWD/$into/rayon-target/release" -o $into/rayon

gcc $flags -c $from/stream.c -o $into/stream.o
streams="$into/item.o $into/stream.o -lm -pthread"
g++ $flags -std=c++17 $from/stream_tbb.cpp $streams -ltbb -o $into/stream_tbb
gcc $flags $from/stream_peers.c $streams -L$into/rayon-target/release -lpeers -Wl,-rpath,"$PWD/$into/rayon-target/release" -o $into/stream_peers

rm -f $into/park $into/stream_park
if grep -q 'park_map(' "$park/include/park.h"; then
    [ -e "$park/target/release/libpark.so" ] || make --no-print-directory -C "$park" lib
    ln -sf libpark.so "$park/target/release/libpark.so.0"
    gcc $flags -I"$park/include" $from/park.c $common -L"$park/target/release" -lpark -Wl,-rpath,"$park/target/release" -o $into/park
    if grep -q 'park_imap_array(' "$park/include/park.h"; then
        gcc $flags -I"$park/include" $from/stream_park.c $streams -L"$park/target/release" -lpark -Wl,-rpath,"$park/target/release" -o $into/stream_park
    fi
else
    echo "$from: $park has no park_map yet: the peers only" >&2
fi
