#!/bin/bash
# fit.sh DATASET: examples-c/fit.c finds what NIST certifies, left alone and interrupted twice, with the same last bits,
# whatever the number of workers.
# build/fit must be there (examples-c/fit.c, first comment).
fit=$PWD/build/fit data=$PWD/examples-c/nist/$1.dat
place=$(mktemp -d build/fit-XXXXXX) || exit 1
trap 'rm -rf "$OLDPWD/$place"' EXIT
cd "$place" || exit 1

expect() { # STATUS ARGUMENTS...: runs fit
    local wanted=$1 status
    shift
    "$fit" --quiet "$@" "$data"
    status=$?
    [ $status = "$wanted" ] || { echo "status $status instead of $wanted from: fit --quiet $* $data"; exit 1; }
}

expect 0 -c whole.ckpt >whole
# Aborted, then stopped, then left to end. Saved all the time: the abort costs what was not yet on the medium.
expect 86 -c parts.ckpt -k 0 --workers 1 --abort-after 60
expect 85 -c parts.ckpt -k 0 --workers 4 --stop-after 150
expect 0 -c parts.ckpt --workers 2 >parts
cat whole
bits() { grep -E '^ *(b[0-9]|chi-square)' "$1"; }
[ -n "$(bits whole)" ] && [ "$(bits whole)" = "$(bits parts)" ] || { diff <(bits whole) <(bits parts); exit 1; }

# A test that cannot fail is worse than none: with another last measurement it must not agree with NIST.
awk '{lines[NR] = $0; if (NF) last = NR} END {for (i = 1; i <= NR; i++) if (i == last) {split(lines[i], v); print v[1] * 1.01, v[2]} else print lines[i]}' \
    "$data" >other.dat
cmp -s other.dat "$data" && exit 1
data=other.dat
expect 1 -c other.ckpt
