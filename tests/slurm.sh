#!/bin/bash
# examples-c/job.sbatch as Slurm would run it, with an srun and an scontrol of our own: SIGTERM comes in the middle, the job
# goes back into the queue by itself, and ends with the digits of one that was left alone.
# build/heat must be there (examples-c/heat.c, first comment).
root=$PWD
place=$(mktemp -d build/slurm-XXXXXX) || exit 1
trap 'rm -rf "$root/$place"' EXIT
cd "$place" || exit 1
mkdir bin build
ln -s "$root/build/heat" build/heat

# The same script, a shorter simulation.
cat >bin/srun <<'END'
#!/bin/bash
[ "$*" = "build/heat 1000000" ] || exit 99
exec build/heat 15000 </dev/null
END
cat >bin/scontrol <<'END'
#!/bin/bash
echo "$@" >>requeued
END
chmod +x bin/*
export PATH=$PWD/bin:$PATH SLURM_JOB_ID=4711

fail() { echo "$*"; cat slurm.out; exit 1; }
digits() { grep -o '[0-9.e+-]* in the middle' "$1" | tail -n 1; }

run() { # RESTARTS PERCENT: runs the script; SIGTERM comes at so many percent, if any. Its exit code is that of this.
    local script percent
    rm -f requeued
    SLURM_RESTART_COUNT=$1 bash "$root/examples-c/job.sbatch" >>slurm.out 2>&1 &
    script=$!
    if [ -n "$2" ]; then
        until percent=$(grep -oE '^ *[0-9]+%' slurm.out | tail -n 1 | tr -d ' %'); [ "${percent:-0}" -ge "$2" ]; do
            kill -0 $script || fail "it ended before $2%"
            sleep 0.02
        done
        kill -TERM "$(pgrep -P $script)" || fail "no step to signal"
    fi
    wait $script
}

run 0 || fail "exit code $? of a job that is left alone"
[ ! -e requeued ] || fail "a job that is done was put back"
whole=$(digits slurm.out)
: >slurm.out
restarts=0
for percent in 15 35 55; do
    run $restarts $percent
    code=$?
    [ $code = 85 ] || fail "exit code $code at $percent%"
    [ "$(cat requeued)" = "requeue $SLURM_JOB_ID" ] || fail "it was not put back"
    restarts=$((restarts + 1))
done
run $restarts || fail "exit code $? of the last run"
[ ! -e requeued ] || fail "it was put back when it was done"
cat slurm.out
[ "$(grep -c 'heat: info: signal 15 (SIGTERM): stop' slurm.out)" = 3 ] || fail "the log does not tell of three signals"
[ -n "$whole" ] && [ "$(digits slurm.out)" = "$whole" ] || fail "$whole, but with interruptions $(digits slurm.out)"

# There is an end to it.
: >slurm.out
run 100 10
[ $? = 85 ] && [ ! -e requeued ] || fail "it was put back the hundredth time"
