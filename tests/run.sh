#!/bin/bash
# Passes everything: tests/run.sh. Those whose name contains NAME: tests/run.sh NAME. Full counts: tests/run.sh --campaign.
# One line a check; what failed is shown; everything is kept in build/test-logs.
cd "$(dirname "$0")/.." || exit 1

campaign=; [ "$1" = --campaign ] && { campaign=1; export PARK_CAMPAIGN=1; shift; }
select=$1
logs=build/test-logs
mkdir -p $logs build/tests/crash
: >$logs/results
began=$SECONDS

# ---- checks ----------------------------------------------------------------------------------------

names=() commands=()
add() { # NAME COMMAND: to be run by the next `pass`, when selected
    [[ $1 == *"$select"* ]] || return 0
    names+=("$1") commands+=("$2")
}

one() { # NAME COMMAND
    local log=$logs/${1//\//.}.log start=$SECONDS verdict=ok
    timeout -k 10 "${limit:-600}" bash -c "$2" >"$log" 2>&1 </dev/null
    case $? in
    0) ;;
    77) [ -n "$campaign" ] && verdict="not ok" || verdict="not run" ;; # not here, and its output says why; a campaign takes no excuse
    *) verdict="not ok" ;;
    esac
    echo "$verdict" >>$logs/results
    { flock 9
      echo "$verdict $1 ($((SECONDS - start)) s)"
      case $verdict in
      ok) ;;
      "not run") grep '^not run' "$log" | sed 's/^/    /' ;;
      *) echo "    \$ $2"; { grep '^not ok' "$log" || tail -n 40 "$log"; } | sed 's/^/    /' ;;
      esac
    } 9>$logs/lock
}

pass() { # JOBS: runs what was added
    local i
    for i in "${!names[@]}"; do
        while [ "$(jobs -rp | wc -l)" -ge "$1" ]; do wait -n; done
        one "${names[i]}" "${commands[i]}" &
    done
    wait
    names=() commands=()
}

# ---- the library, three times ----------------------------------------------------------------------

machine=$(rustc -vV | sed -n 's/^host: //p')
sources=$(rustc --print sysroot)/lib/rustlib/src/rust/library

library() { # VARIANT: where it is
    case $1 in plain) echo target/release ;; *) echo "build/$1/$machine/release" ;; esac
}

# What builds each: the sanitizers are stable rustc's own, asked for by RUSTC_BOOTSTRAP.
cargo_plain="make --no-print-directory lib"
cargo_asan="RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo build -p park --release --target $machine --target-dir build/asan"
cargo_tsan="RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=thread cargo build -p park --release -Zbuild-std --target $machine --target-dir build/tsan"

# How a C test is built and run in each variant. PARK_TEST_UNDER tells a test that time and memory are not its own.
strict="-std=c11 -Wall -Wextra -Werror -pedantic -g -pthread -Iinclude -Itests"
host() { # VARIANT SOURCE: the command that builds it into build/tests
    local dir compiler
    dir=$(library "$1")
    case $1 in
    plain) compiler="cc -O1" ;;
    asan) compiler="cc -O1 -fsanitize=address -fno-omit-frame-pointer" ;;
    tsan) compiler="clang-19 -O1 -fsanitize=thread" ;;
    esac
    echo "$compiler $strict $2 -o $(program "$1" "$2") -L$dir -lpark -lm -ldl -Wl,-rpath,$PWD/$dir"
}
program() { echo "build/tests/$(basename "$2" .c).$1"; } # VARIANT SOURCE

valgrind="PARK_TEST_UNDER=valgrind valgrind --quiet --fair-sched=yes --error-exitcode=99 --leak-check=full --show-leak-kinds=all \
--errors-for-leak-kinds=all --num-callers=30 --suppressions=tests/valgrind.supp"
asan=tests/asan.py
tsan="PARK_TEST_UNDER=tsan TSAN_OPTIONS=exitcode=99"

# A detector must report what was planted for it, in the words that stand in the program's first comment.
must_report() { # VARIANT DETECTOR SOURCE RUN
    local words
    words=$(sed -n "s/^ \* expect $2: //p" "$3")
    echo "$(host "$1" "$3") || exit 1; $4 $(program "$1" "$3") >build/tests/$(basename "$3" .c).$2.out 2>&1
          status=\$?; cat build/tests/$(basename "$3" .c).$2.out; test \$status -ne 0 && grep -qF '$words' build/tests/$(basename "$3" .c).$2.out"
}

behaviour=$(ls tests/*.c | grep -v -e '^tests/stress\.c$' -e '^tests/storm_maps\.c$')

# ---- Rust ------------------------------------------------------------------------------------------

add build/library "$cargo_plain"
add build/asan "$cargo_asan && ln -sf libpark.so $(library asan)/libpark.so.0"
if [ ${#names[@]} -lt 2 ]; then # a selection wants today's libraries all the same
    bash -c "$cargo_plain && $cargo_asan" >$logs/build.log 2>&1 || { cat $logs/build.log; exit 1; }
    ln -sf libpark.so "$(library asan)/libpark.so.0"
fi
# No test at all is no success.
some_pass="tee build/tests/cargo.out && grep -q 'test result: ok. [1-9]' build/tests/cargo.out"
add cargo/test "set -o pipefail; cargo test 2>&1 | $some_pass"
for tool in loom shuttle; do
    add cargo/$tool "set -o pipefail; SHUTTLE_SILENCE_WARNINGS=1 RUSTFLAGS='--cfg $tool' cargo test -p park --profile model --lib $tool --target-dir build/$tool 2>&1 | $some_pass"
    add cargo/$tool-weakened "tests/weaken.py $tool"
done
fuzz() { # TARGET LONGEST-INPUT SANITIZER RUNS: with a corpus that stays, from the seeds
    echo "mkdir -p build/fuzz/$1-corpus && RUSTC_BOOTSTRAP=1 cargo fuzz run -s $3 --target-dir build/fuzz-$3 $1 build/fuzz/$1-corpus fuzz/seeds/$1 -- \
        -dict=fuzz/$1.dict -max_len=$2 -len_control=0 -runs=$4 -print_final_stats=1 -artifact_prefix=build/fuzz/"
}
add fuzz/reader "$(fuzz reader 2048 address 100000)"
add fuzz/protocol "$(fuzz protocol 1024 address 25000)"
if [ -n "$campaign" ]; then # what reads is safe Rust: without a sanitizer ten times as much is run in the same time
    add fuzz/reader-many "$(fuzz reader 2048 none 10000000)"
    add fuzz/protocol-many "$(fuzz protocol 1024 none 2500000)"
fi
add cargo/clippy "cargo clippy --all-targets -- -D warnings"
add cargo/fmt "cargo fmt --check"
add cargo/doc "RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --no-deps --document-private-items"
limit=$([ -n "$campaign" ] && echo 3600 || echo 1500) pass 1

# ---- the header ------------------------------------------------------------------------------------

version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
mkdir -p build/header
generator="cargo run --quiet --release --locked --manifest-path tests/header/generator/Cargo.toml --target-dir build/generator --"
add header/drift "$generator verify"
add header/drift-is-seen "sed 's/PARK_BUSY/PARK_LAZY/' include/park.h >build/header/changed.h; ! $generator verify build/header/changed.h"
pass 1

warnings="-Wall -Wextra -pedantic -Werror -Iinclude -DCARGO_VERSION='\"$version\"'"
link="-Ltarget/release -lpark -Wl,-rpath,$PWD/target/release"
through() { # NAME COMPILER-AND-STANDARD-OF-ONE OF-TWO LINKER
    local at=build/header/$1
    add "header/$1" "$2 $warnings -c tests/header/one.c -o $at.one.o && $3 $warnings -c tests/header/two.c -o $at.two.o &&
        $4 $at.one.o $at.two.o -o $at $link && $at"
}
for compiler in gcc clang; do
    plus=${compiler/gcc/g++} plus=${plus/clang/clang++}
    for std in c89 c99 c11 c17 c2x; do
        through $compiler-$std "$compiler -std=$std" "$compiler -std=$std" $compiler
    done
    for std in c++98 c++11 c++14 c++17 c++20 c++2b; do
        through $compiler-$std "$plus -x c++ -std=$std" "$plus -x c++ -std=$std" $plus
    done
    through $compiler-c-calls-c++ "$compiler -std=c89" "$plus -x c++ -std=c++20" $plus
    through $compiler-c++-calls-c "$plus -x c++ -std=c++98" "$compiler -std=c17" $plus
done
for what in vocabulary documented numbers exports cffi ctypesgen swig planted; do
    add header/$what "build/venv/bin/python tests/header/header.py $what"
done
add header/soname "readelf -d target/release/libpark.so | grep -q 'SONAME.*\[libpark\.so\.0\]'"
add header/nodelete "readelf -d target/release/libpark.so | grep -q NODELETE"
add header/static-library "gcc $warnings tests/header/one.c tests/header/two.c -o build/header/static target/release/libpark.a -pthread -ldl -lm &&
    ! readelf -d build/header/static | grep -q libpark && build/header/static"
# Installed, then moved elsewhere, it still builds a program by pkg-config alone.
add header/install "rm -rf build/prefix build/moved && make --no-print-directory install PREFIX=$PWD/build/prefix && mv build/prefix build/moved &&
    export PKG_CONFIG_PATH=$PWD/build/moved/lib/pkgconfig && test \"\$(pkg-config --modversion park)\" = $version &&
    gcc -DCARGO_VERSION='\"$version\"' tests/header/one.c tests/header/two.c -o build/header/installed \$(pkg-config --cflags --libs park) &&
    LD_LIBRARY_PATH=build/moved/lib build/header/installed"
pass 2

# ---- what users rely on, in C ----------------------------------------------------------------------

for source in $behaviour; do
    add "c/$(basename "$source" .c)" "$(host plain "$source") && $(program plain "$source")"
done
pass 2
for source in $behaviour; do
    tool=$valgrind
    # A forked child has lost the threads that held the memory it was copied with: its leaks say nothing.
    [ "$source" = tests/fork.c ] && tool=${valgrind/--leak-check=full/--leak-check=no}
    add "valgrind/$(basename "$source" .c)" "$(host plain "$source") && $tool $(program plain "$source")"
    add "asan/$(basename "$source" .c)" "$(host asan "$source") && $asan $(program asan "$source")"
done
for source in tests/faults/*.c; do
    name=$(basename "$source" .c)
    grep -q 'expect valgrind' "$source" && add "valgrind/fault/$name" "$(must_report plain valgrind "$source" "$valgrind")"
    grep -q 'expect asan' "$source" && add "asan/fault/$name" "$(must_report asan asan "$source" "$asan")"
done
pass 2

# ---- the file of a checkpoint, read without park ---------------------------------------------------

add checkpoint/format "build/venv/bin/python tests/format.py"
# ---- what other programs may do to a job that listens ------------------------------------------------

add control/protocol "gcc -O1 -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -pedantic -g -Iinclude tests/control/job.c -o build/tests/control_job \
    -Ltarget/release -lpark -Wl,-rpath,$PWD/target/release && tests/control.py"
pass 1

# ---- maps, from other languages --------------------------------------------------------------------

to_park="-Ltarget/release -lpark -Wl,-rpath,$PWD/target/release"
for std in c++98 c++17; do
    add c++/$std "g++ -std=$std -Wall -Wextra -pedantic -Werror -Wno-long-long -g -Iinclude -Itests tests/cxx.cpp -o build/tests/cxx.$std $to_park -pthread && build/tests/cxx.$std"
done
add fortran/api "gfortran -std=f2018 -Wall -Wextra -Werror -g -Jbuild/tests include/park.f90 tests/fortran_api.f90 -o build/tests/fortran_api $to_park && build/tests/fortran_api"
add map/fortran "gfortran -O2 -std=f2018 -frecursive -Wall -Wextra -Jbuild/tests tests/map_fortran.f90 -o build/tests/map_fortran $to_park &&
    build/tests/map_fortran"
# What gfortran does to large local arrays must be found.
add map/fortran-race "gfortran -O2 -std=f2018 -Jbuild/tests tests/map_fortran.f90 -o build/tests/map_racing $to_park &&
    build/tests/map_racing >build/tests/map_racing.out 2>&1; test \$? -eq 1 && grep -q 'items differ' build/tests/map_racing.out"
add map/c++ "g++ -std=c++17 -Wall -Wextra -Werror -Iinclude tests/map_cxx.cpp -o build/tests/map_cxx $to_park -pthread && build/tests/map_cxx"
add map/c++-stray "build/tests/map_cxx stray >build/tests/map_stray.out 2>&1; test \$? -eq 134 && grep -q 'foreign exception' build/tests/map_stray.out"
pass 1

# ---- the storm -------------------------------------------------------------------------------------

many=1000000 some=200000 few=4000
[ -n "$campaign" ] && many=10000000 some=1000000 few=50000
storm="$(host plain tests/stress.c) && $(program plain tests/stress.c)"
add stress/plain "$storm $many"
add stress/asan "$(host asan tests/stress.c) && $asan $(program asan tests/stress.c) $some"
add stress/valgrind "$(host plain tests/stress.c) && $valgrind $(program plain tests/stress.c) $few"
limit=3000 pass 1
for fault in "lose:improved [0-9]* after" "twice:2 replies" "swap:event 1 after" "half:half a set" "best:park_best has" "grow:memory grew"; do
    add "stress/fault/${fault%%:*}" "$storm 20000 ${fault%%:*} >build/tests/stress.${fault%%:*}.out 2>&1
        status=\$?; cat build/tests/stress.${fault%%:*}.out; test \$status -eq 1 && grep -q '${fault#*:}' build/tests/stress.${fault%%:*}.out"
done
pass 1

# ---- the storm over maps ---------------------------------------------------------------------------

many=400000 some=40000 few=400
[ -n "$campaign" ] && many=1000000 some=100000 few=10000
storm="$(host plain tests/storm_maps.c) && $(program plain tests/storm_maps.c)"
add storm_maps/plain "$storm $many"
add storm_maps/asan "$(host asan tests/storm_maps.c) && $asan $(program asan tests/storm_maps.c) $some"
add storm_maps/valgrind "$(host plain tests/storm_maps.c) && $valgrind $(program plain tests/storm_maps.c) $few"
limit=3000 pass 1
for fault in "lose:runs >= 1" "twice:runs >= 1" "again:<= 1 +" "swap:index" "stay:inside"; do
    add "storm_maps/fault/${fault%%:*}" "$storm 5000 ${fault%%:*} >build/tests/storm_maps.${fault%%:*}.out 2>&1
        status=\$?; cat build/tests/storm_maps.${fault%%:*}.out; test \$status -eq 1 && grep -q '${fault#*:}' build/tests/storm_maps.${fault%%:*}.out"
done
pass 1

# ---- checkpoints, and all that can happen to them ----------------------------------------------------

# Everything in tests/crash says what it does in its first comment. The campaign takes every call and every bit, and the control
# experiments at full counts: that each of these can fail.
add crash/broken "$(host plain tests/crash/broken.c) && $(program plain tests/crash/broken.c)"
add crash/limits "tests/crash/limits.py"
if [ -n "$campaign" ]; then
    add crash/faults "tests/crash/inject.py"
    add crash/replay "tests/crash/replay.py"
    add crash/kill "tests/crash/kill.py 1000"
    losses=200
else
    add crash/faults "tests/crash/inject.py --every 12"
    add crash/replay "tests/crash/replay.py --every 6"
    add crash/kill "tests/crash/kill.py 100"
    losses=8
fi
add crash/replay-without-flushes "tests/crash/replay.py --drop"
for kind in ext4 xfs; do
    add crash/power-$kind "tests/crash/power.py $kind --count $losses"
    add crash/power-$kind-without-flushes "tests/crash/power.py $kind --control --count $((losses < 100 ? losses : 100))"
done
[ -n "$campaign" ] && add crash/weakened "tests/crash/weaken.py"
# The campaign has the time for none of them to wait: most of it they wait for the disk.
limit=7200 pass $([ -n "$campaign" ] && echo 2 || echo 1)

# ---- ThreadSanitizer, where std can be built with it -----------------------------------------------

if [ -d "$sources" ]; then
    add build/tsan "$cargo_tsan && ln -sf libpark.so $(library tsan)/libpark.so.0"
    limit=1500 pass 1
    for source in $behaviour; do
        add "tsan/$(basename "$source" .c)" "$(host tsan "$source") && $tsan $(program tsan "$source")"
    done
    add stress/tsan "$(host tsan tests/stress.c) && $tsan $(program tsan tests/stress.c) $some"
    add tsan/fault/race "$(must_report tsan tsan tests/faults/race.c "$tsan")"
    limit=3000 pass 1
elif [[ -z $select || tsan == *"$select"* ]]; then
    echo "not run: ThreadSanitizer (needs rust-src)"
fi

# ---- examples and README, by the commands that a reader types ---------------------------------------

for source in examples-c/*.c examples-c/*.f90 examples-c/*.cpp; do
    [ -e "$source" ] && add "example/$(basename "$source")" "tests/commands.py $source"
done
pass 2
add fit/build "make --no-print-directory build/fit"
pass 1
add slurm/job "tests/commands.py --build examples-c/heat.c && tests/slurm.sh"
for dataset in ENSO Gauss1 Thurber MGH09; do
    add fit/$dataset "tests/fit.sh $dataset"
done
[ -e README.md ] && add readme/commands "tests/commands.py README.md"
pass 2

# ---- the park command ------------------------------------------------------------------------------

add cli/terminal "tests/cli.py"
# What make install puts there works, and make uninstall takes all of it away.
add cli/install "rm -rf build/cli && make --no-print-directory install PREFIX=$PWD/build/cli && build/cli/bin/park --version | grep -qx 'park $version' &&
    bash -c 'source build/cli/share/bash-completion/completions/park && complete -p park' &&
    make --no-print-directory uninstall PREFIX=$PWD/build/cli && test -z \"\$(find build/cli -type f -o -type l)\""
pass 1

# ---- the end ---------------------------------------------------------------------------------------

passed=$(grep -c '^ok' $logs/results) failed=$(grep -c '^not ok' $logs/results) absent=$(grep -c '^not run' $logs/results)
section() { # TITLE LOG...: the figures, with the commit and the date, in the place of the last ones
    local title=$1 name commit
    shift
    commit=$(git describe --always --dirty) # before the file is changed
    touch RESULTS.md
    awk -v title="## $title" '/^## /{ours = ($0 == title)} !ours' RESULTS.md | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >build/RESULTS.md
    {
        cat build/RESULTS.md
        [ -s build/RESULTS.md ] && echo
        printf '## %s\n\n`make campaign`, commit %s, %s, %s cores.\n' "$title" "$commit" "$(date -u +%F)" "$(nproc)"
        for name in "$@"; do
            [ -s "$logs/$name.log" ] && printf '\n%s:\n```\n%s\n```\n' "${name/./, }" "$(cat "$logs/$name.log")"
        done
    } >RESULTS.md
}
if [ -n "$campaign" ]; then
    if [[ -z $select || $select == stress ]]; then
        section "The storm" {stress,storm_maps}.{plain,asan,valgrind,tsan}
        [ -d "$sources" ] || printf '\nnot run: ThreadSanitizer (needs rust-src)\n' >>RESULTS.md
    fi
    if [[ -z $select || $select == fuzz ]]; then
        for name in fuzz.{reader,protocol}{,-many}; do
            grep -E '^(INFO: Seed|Done|stat::)' $logs/$name.log >$logs/figures.$name.log
        done
        section "What reads bytes of others, fuzzed" figures.fuzz.{reader,protocol}{,-many}
    fi
    [[ -z $select || $select == crash ]] &&
        section "Checkpoints under torture" crash.{broken,limits,faults,replay,replay-without-flushes,kill,power-{ext4,xfs},power-{ext4,xfs}-without-flushes,weakened}
fi
echo "logs: $logs; $((SECONDS - began)) s"
echo "tests: $passed passed, $failed failed$([ "$absent" -gt 0 ] && echo ", $absent NOT RUN here (see above)")"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
