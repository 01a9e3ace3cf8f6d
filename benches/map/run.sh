#!/bin/bash
# Measures park's loops and streams beside OpenMP, oneTBB, std::execution::par, rayon and crossbeam. Everything, some 6 minutes: benches/map/run.sh.
# In 40 s: benches/map/run.sh --quick. Parts: benches/map/run.sh efficiency small idle abort stream. Of another build:
# PARK=directory benches/map/run.sh (not kept). Without real-time priority: --plain (see compare.py).
# Shows two tables, and keeps them in benches/map/RESULTS.md with commit, date and machine. Nothing fails when a target is not met.
cd "$(dirname "$0")/../.." || exit 1
benches/map/build.sh || exit 1
into=build/bench/map
park=${PARK:-.}

commit=$(git -C "$park" rev-parse --short HEAD 2>/dev/null || echo "no commit yet")
git -C "$park" diff --quiet HEAD -- src Cargo.toml 2>/dev/null || commit="$commit with changes"
machine="$(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
load=$(cut -d' ' -f1 /proc/loadavg)

benches/map/compare.py --tables $into/tables "$@" >$into/rows || { cat $into/rows; exit 1; }

table() { # rows separated by | on stdin, aligned
    awk -F'|' '
        BEGIN { split("what|value|beside|ratio|target|verdict", head, "|"); for (c = 1; c <= 6; c++) width[c] = length(head[c]) }
        { for (c = 1; c <= 6; c++) { cell[NR, c] = $c; if (length($c) > width[c]) width[c] = length($c) } }
        function row(r, c, text) { for (c = 1; c <= 6; c++) printf "| %-" width[c] "s ", r ? cell[r, c] : head[c]; print "|" }
        END {
            row(0)
            for (c = 1; c <= 6; c++) { printf "|"; for (i = -2; i < width[c]; i++) printf "-" }
            print "|"
            for (r = 1; r <= NR; r++) row(r)
        }'
}

{
    cat <<'TEXT'
# park's loops beside others

Made by `benches/map/run.sh`. Contestants run in turn, many short rounds; ratios are medians over rounds, of answers of the same round, with
their quartiles. Values are medians. Efficiency is serial time / (processors x parallel time). "The best" is the best peer of that column.

TEXT
    echo "commit $commit, $(date -u +'%Y-%m-%d %H:%M') UTC, $machine, load average before it $load${1:+, $*}"
    printf '\n## Targets\n\n'
    table <$into/rows
    echo
    cat $into/tables
} >$into/RESULTS.md

sed -n '/^commit/,$p' $into/RESULTS.md
[ -n "$PARK" ] || cp $into/RESULTS.md benches/map/RESULTS.md
