# Sourced by the benches: a table of rows separated by | on stdin, aligned.
table() {
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

# Which code, when, on what, beside how much else: the line above a table.
measured_at() { # DIRECTORY-OF-PARK
    local commit
    commit=$(git -C "$1" rev-parse --short HEAD 2>/dev/null || echo "no commit yet")
    git -C "$1" diff --quiet HEAD -- src Cargo.toml 2>/dev/null || commit="$commit with changes"
    echo "commit $commit, $(date -u +'%Y-%m-%d %H:%M') UTC, $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), load average before it $(cut -d' ' -f1 /proc/loadavg)"
}

# Installs Debian packages, or says the line to run.
install_packages() { # WHO PACKAGE...
    local who=$1 line root=
    shift
    line="apt-get update && apt-get install -y --no-install-recommends $*"
    [ "$(id -u)" = 0 ] || root="sudo -n"
    echo "$who: installing Debian packages: $*"
    mkdir -p build/bench
    DEBIAN_FRONTEND=noninteractive $root sh -c "$line" >build/bench/apt.log 2>&1 </dev/null || {
        echo "$who: cannot install. Run this once, then again:  sudo sh -c '$line'"
        return 1
    }
}
