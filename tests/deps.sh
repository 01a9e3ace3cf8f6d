#!/bin/bash
# Installs what `make test` needs beyond Rust, gcc and make, and says what it installs.
# Without the right to install it prints the one line to run, and fails. Nothing is ever skipped.
cd "$(dirname "$0")/.." || exit 1
mkdir -p build

# tool that must be there : Debian's package that brings it
needed=(
    g++:g++                              # the header through C++
    clang:clang                          # the header through a second compiler
    gfortran:gfortran                    # examples-c/*.f90, include/park.f90
    valgrind:valgrind                    # every C test under memcheck
    swig:swig                            # the header through SWIG
    pkg-config:pkg-config                # the installed park.pc
    /usr/include/nlopt.h:libnlopt-dev    # examples-c/nlopt.c
    python3:python3                      # tests/header, tests/crash
    pgrep:procps                         # tests/slurm.sh, tests/cli.py
    /usr/sbin/mkfs.ext4:e2fsprogs        # tests/crash/power.py
    /usr/sbin/mkfs.xfs:xfsprogs          # tests/crash/power.py
    tmux:tmux                            # tests/cli.py
)
# ThreadSanitizer wants a compiler whose runtime speaks to rustc's, and std built from source.
if [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ]; then
    needed+=(clang-19:clang-19 /usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.tsan-x86_64.a:libclang-rt-19-dev)
fi

have() { case "$1" in /*) [ -e "$1" ] ;; *) command -v "$1" >/dev/null ;; esac }

missing() {
    for item in "${needed[@]}"; do have "${item%%:*}" || echo "${item#*:}"; done
    # ensurepip is what python3 -m venv lacks on a bare Debian
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

packages=$(missing | xargs)
if [ -n "$packages" ]; then
    line="apt-get update && apt-get install -y --no-install-recommends $packages"
    if [ "$(id -u)" = 0 ]; then
        root=
    elif sudo -n true 2>/dev/null; then
        root="sudo -n"
    else
        echo "tests/deps.sh: cannot install as this user. Run this once, then make test again:"
        echo "    sudo sh -c '$line'"
        exit 1
    fi
    echo "tests/deps.sh: installing Debian packages: $packages"
    DEBIAN_FRONTEND=noninteractive $root sh -c "$line" >build/deps.log 2>&1 </dev/null
    if [ -n "$(missing)" ]; then
        tail -n 20 build/deps.log
        echo "tests/deps.sh: still missing: $(missing | xargs)"
        exit 1
    fi
fi

# The parsers of tests/header, in a place of their own.
python=build/venv/bin/python
modules="pycparser==2.22 cffi==1.17.1 ctypesgen==1.1.1 setuptools==80.9.0"
if [ "$(cat build/venv/modules 2>/dev/null)" != "$modules" ]; then
    echo "tests/deps.sh: installing Python packages into build/venv: $modules"
    rm -rf build/venv
    { python3 -m venv build/venv && $python -m pip install --quiet --disable-pip-version-check $modules; } || {
        echo "tests/deps.sh: pip could not install $modules"
        exit 1
    }
    echo "$modules" >build/venv/modules
fi

if ! command -v cargo-fuzz >/dev/null; then
    echo "tests/deps.sh: installing cargo-fuzz"
    cargo install --quiet --locked cargo-fuzz --version 0.13.2 || {
        echo "tests/deps.sh: cargo could not install cargo-fuzz"
        exit 1
    }
fi

for component in clippy-driver rustfmt; do
    command -v $component >/dev/null || {
        echo "tests/deps.sh: $component is missing. Run: rustup component add clippy rustfmt"
        exit 1
    }
done
