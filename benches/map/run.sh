#!/bin/bash
# Measures park's loops and streams beside OpenMP, oneTBB, std::execution::par, rayon and crossbeam. Everything, some 6 minutes: benches/map/run.sh.
# In 40 s: benches/map/run.sh --quick. Parts: benches/map/run.sh efficiency small idle abort stream. Of another build:
# PARK=directory benches/map/run.sh (not kept). Without real-time priority: --plain (see compare.py).
# Shows two tables, and keeps them in benches/map/RESULTS.md with commit, date and machine. Nothing fails when a target is not met.
cd "$(dirname "$0")/../.." || exit 1
. benches/table.sh
benches/map/build.sh || exit 1
into=build/bench/map
park=${PARK:-.}

at=$(measured_at "$park")
benches/map/compare.py --tables $into/tables "$@" >$into/rows || { cat $into/rows; exit 1; }

{
    cat <<'TEXT'
# park's loops beside others

Made by `benches/map/run.sh`. Contestants run in turn, many short rounds; ratios are medians over rounds, of answers of the same round, with
their quartiles. Values are medians. Efficiency is serial time / (processors x parallel time). "The best" is the best peer of that column.

TEXT
    echo "$at${1:+, $*}"
    printf '\n## Targets\n\n'
    table <$into/rows
    echo
    cat $into/tables
} >$into/RESULTS.md

sed -n '/^commit/,$p' $into/RESULTS.md
[ -n "$PARK" ] || cp $into/RESULTS.md benches/map/RESULTS.md
