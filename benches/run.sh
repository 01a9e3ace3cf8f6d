#!/bin/bash
# Measures park beside what a user would pick instead. Everything: benches/run.sh. Parts: benches/run.sh instructions time pause event cost rate clients.
# Shows one table, and keeps it in benches/RESULTS.md with commit and date: a part that was not run keeps its older rows.
# These are measurements, not tests: nothing fails when a target is not met.
cd "$(dirname "$0")/.." || exit 1
. benches/table.sh

parts="instructions time pause event cost rate clients"
chosen=${*:-$parts}
for part in $chosen; do
    [[ " $parts " == *" $part "* ]] || { echo "benches/run.sh: there is no part $part. There are: $parts"; exit 2; }
done

bench=build/bench
mkdir -p $bench/work

# ---- what is needed --------------------------------------------------------------------------------

missing=
command -v valgrind >/dev/null || missing="$missing valgrind"
[ -e /usr/share/doc/libboinc-app-dev/copyright ] || missing="$missing libboinc-app-dev"
if [ -n "$missing" ]; then
    install_packages benches/run.sh $missing || exit 1
fi
[ -e target/release/libpark.so.0 ] || make --no-print-directory lib || exit 1

# ---- build: the commands that stand in the programs' first lines ---------------------------------

for source in benches/*.c; do
    commands=$(awk '/^ \*   (gcc|mkdir) / || more { print substr($0, 3); more = /\\$/ }' "$source")
    bash -ec "$commands" || { echo "benches/run.sh: cannot build $source"; exit 1; }
done

# ---- measure -------------------------------------------------------------------------------------------

collected() { # LOOP N: instructions of N iterations
    (cd $bench/work && valgrind --tool=callgrind --toggle-collect="$1" --callgrind-out-file=/dev/null ../hotpath "$1" "$2" 2>&1) |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

per_iteration() { # LOOP
    local few many
    few=$(collected "$1" 100000) many=$(collected "$1" 300000)
    echo $(((many - few) / 200000))
}

verdict() { if [ "$1" -le "$2" ]; then echo met; else echo "NOT met"; fi; }

# The empty functions of the same shape are call, PLT, xor, ret: 4 each. What they take beyond is arguments, test and loop.
instructions() {
    local bare empty ready pair boinc shape_ready shape_pair
    bare=$(per_iteration loop_bare) empty=$(per_iteration loop_empty)
    ready=$(per_iteration loop_ready) pair=$(per_iteration loop_pair) boinc=$(per_iteration loop_boinc)
    shape_ready=$(per_iteration loop_shape_ready) shape_pair=$(per_iteration loop_shape_pair)
    local in_ready=$((ready - shape_ready + 4)) in_pair=$((pair - shape_pair + 8))
    echo "instructions: an empty call|$((empty - bare))||||"
    # BOINC's two functions have nothing but the conversion, the division and the test around them: 3 and 2.
    echo "instructions: BOINC's pair|$((boinc - bare - 5)) in call, PLT and function|$((boinc - bare)) with arguments and test, $boinc with the loop|||"
    echo "instructions: park_ready|$in_ready in call, PLT and function|||<= 11|$(verdict $in_ready 11)"
    echo "  with arguments and test|$((ready - bare))|||<= 11|$(verdict $((ready - bare)) 11)"
    echo "instructions: park_progress + park_ready|$in_pair in call, PLT and function|||<= 24|$(verdict $in_pair 24)"
    echo "  with arguments and test|$((pair - bare))|||<= 24|$(verdict $((pair - bare)) 24)"
}

measure() { # PART
    case $1 in
    instructions) instructions ;;
    time) (cd $bench/work && ../hotpath time) ;;
    rate) $bench/rate ;;
    clients) $bench/clients 3 ;;
    *) $bench/latency "$1" ;;
    esac
}

for part in $chosen; do
    echo "benches/run.sh: $part" >&2
    at=$(measured_at .)
    measure "$part" >$bench/rows || { cat $bench/rows; echo "benches/run.sh: $part failed"; exit 1; }
    { echo "$at"; cat $bench/rows; } >$bench/part.$part
done

# ---- show ------------------------------------------------------------------------------------------------

for part in $chosen; do tail -n +2 $bench/part.$part; done | table

{
    cat <<'TEXT'
# Results

Made by `make bench`. The machine is shared and noisy: trust the ratios, which are of contestants that ran interleaved in one run.
Where a verdict depends on time, it is of medians or least times of many repetitions.
TEXT
    for part in $parts; do
        [ -e $bench/part.$part ] || continue
        printf '\n## %s\n\n%s\n\n' "$part" "$(head -n 1 $bench/part.$part)"
        tail -n +2 $bench/part.$part | table
    done
} >$bench/RESULTS.md
cp $bench/RESULTS.md benches/RESULTS.md
