# What `.ci/run` stands on: the runner, the tools of this machine, and how they are had. Sourced, not run.
# shellcheck shell=bash

export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0 RUST_BACKTRACE=1
# Lines are what a report needs; the rest of the debug information is most of the build folder.
export CARGO_PROFILE_DEV_DEBUG=line-tables-only
unset RUSTFLAGS RUSTDOCFLAGS MIRIFLAGS CARGO_TARGET_DIR
export PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

root=$PWD
logs=$root/target/ci
# Wine: a C: drive of our own, that of the tests, and no chatter.
export WINEPREFIX=$root/target/tmp/wine WINEDEBUG=-all
# The oldest Rust that must do, from the one place that says it.
msrv=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
[[ $msrv == *.*.* ]] || msrv=$msrv.0

windows=x86_64-pc-windows-gnu
windows32=i686-pc-windows-msvc
i686=i686-unknown-linux-gnu
s390x=s390x-unknown-linux-gnu
bare=x86_64-unknown-none
macs='aarch64-apple-darwin x86_64-apple-darwin'

# The linkers of the cross targets. A static i686 program needs no foreign loader.
export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=i686-linux-gnu-gcc
export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_RUSTFLAGS='-Ctarget-feature=+crt-static'
export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc

have() {
    local tool
    for tool; do command -v "$tool" >/dev/null || return 1; done
}
skip() { echo "SKIPPED: $*"; }
die() {
    echo "error: $*" >&2
    exit 1
}

# Each answers whether a thing that may be missing is here.
has_target() { [[ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]]; }
has_miri() { cargo +nightly miri --version >/dev/null 2>&1; }
has_mingw() { has_target $windows && have x86_64-w64-mingw32-gcc x86_64-w64-mingw32-g++; }
has_wine() { has_mingw && have wine; }
has_i686() { has_target $i686 && have i686-linux-gnu-gcc; }
has_s390x() { has_target $s390x && have s390x-linux-gnu-gcc qemu-s390x; }

has_header() { echo "#include <$1>" | c++ -std=c++17 -fsyntax-only -x c++ - 2>/dev/null; }
# Its third version, or its second.
has_catch2() { has_header catch2/catch_test_macros.hpp || has_header catch2/catch.hpp; }

# What the tests may not skip, by the names that they use: all that is not left out above.
required() {
    local list=cargo-fuzz,libfuzzer,zip,unzip,gcc,g++,clang,clang++,nm,valgrind,asan,lsan,clients,registry,cc,c++,cmake,ctest,pkg-config,readelf
    if has_header gtest/gtest.h; then list+=,gtest; fi
    if has_catch2; then list+=,catch2; fi
    if has_mingw; then list+=,x86_64-w64-mingw32-gcc,x86_64-w64-mingw32-g++; fi
    if has_wine; then list+=,wine; fi
    if has_i686; then list+=,i686-linux-gnu-gcc; fi
    if has_s390x; then list+=,s390x-linux-gnu-gcc; fi
    if has_miri && has_target $windows; then list+=,miri; fi
    echo "$list"
}

# apt, as root or by a sudo that asks nothing. The lists are fetched once, and only if needed.
apt() {
    local sudo=()
    [[ $EUID == 0 ]] || sudo=(sudo -n)
    have apt-get || return 1
    if [[ ! -e $logs/apt-updated ]]; then
        "${sudo[@]}" apt-get -qq update </dev/null && touch "$logs/apt-updated" || return 1
    fi
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --no-install-recommends -y "$@" </dev/null
}

# Clang with its sanitizers: these are a package of their own in some releases, named after its version.
clang_works() {
    have clang clang++ && echo 'int main() { return 0; }' |
        clang++ -fsanitize=address -x c++ - -o "$logs/a.out" 2>/dev/null
}
apt_clang() {
    apt clang
    clang_works || apt "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
}

# The tests that Miri, Wine and the sanitizer can run: those that start no other programs. The others
# leave themselves out under Miri, in their first attribute.
core_tests() {
    local file
    for file in tests/*.rs; do
        grep -zq '#!\[cfg([^]]*not(miri)' "$file" || echo "--test=$(basename "$file" .rs)"
    done
}

# The tests of some names.
only() { printf -- '--test=%s\n' "$@"; }

# All features but the command's, which those do without: its dependencies are compiled for each machine and sanitizer.
core='--features=export,audit,serde,allocator-api2-04,arbitrary'

# Sums what the test harness said. Nextest tells of the same tests once more, in its own words.
summary() {
    cat "$logs"/*.log | awk '/^test result: / {
        for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) passed += $(i - 1); if ($i ~ /^failed/) failed += $(i - 1) }
    } END { printf "%d %d\n", passed, failed }'
}

# Steps that have a build folder of their own: they run beside the others.
aside='asan tsan models miri miri_targets miri_clients'

# The build folders that no step needs after this one. The gate removes them: all of them together are more than many a
# machine has room for.
spent() {
    local target
    case $1 in
    asan | tsan | models | peers | msrv | package) echo "target/$1" ;;
    docs) echo target/doc target/private-docs ;;
    macos) for target in $macs; do echo "target/$target"; done ;;
    wine) echo "target/$windows" "target/$windows32" ;;
    i686) echo "target/$i686" ;;
    s390x) echo "target/$s390x" ;;
    miri_targets) echo target/miri ;;
    esac
}

# Runs a step in a shell of its own: `set -e` holds within it, and it can be stopped when it hangs. How long it took is
# left in a file; and if it failed, its name and status.
run_step() {
    local step=$1 began=$SECONDS status=0
    timeout --kill-after=10 "${STEP_TIMEOUT:-2400}" bash .ci/run --step "$step" </dev/null &
    wait $! || status=$?
    printf '%5ds  %5ds  %s\n' $((SECONDS - began)) "$(processor_time "$logs/$step.times")" "$step" >>"$logs/ran"
    [[ $status == 0 ]] || echo "$step $status" >>"$logs/failed"
    # shellcheck disable=SC2046
    [[ -z ${sparing:-} ]] || rm -rf $(spent "$step")
}

# The seconds that a shell's children used, from what `times` said at its end.
processor_time() {
    awk 'NR == 2 { for (i = 1; i <= 2; i++) { split($i, part, /[ms]/); sum += part[1] * 60 + part[2] } } END { printf "%d", sum }' "$1" 2>/dev/null
}

# Runs steps in two lanes, each until one fails in either; the last line is the sum of all tests.
run_steps() {
    local step lane=() beside=() other passed failed status=0
    rm -rf "$logs" && mkdir -p "$logs"
    for step; do
        if [[ " $aside " == *" $step "* ]]; then beside+=("$step"); else lane+=("$step"); fi
    done
    # What is installed is for all.
    if [[ ${lane[0]:-} == install ]]; then
        run_in_sight install
        lane=("${lane[@]:1}")
    fi
    run_beside "${beside[@]}" &
    other=$!
    # shellcheck disable=SC2064
    trap "kill $other 2>/dev/null || true" EXIT
    run_in_sight "${lane[@]}"
    [[ ! -e $logs/failed ]] || kill "$other" 2>/dev/null || true
    wait "$other" || true
    for step in "${beside[@]}"; do
        [[ ! -e $logs/$step.log ]] || { echo "== $step, beside the others" && cat "$logs/$step.log"; }
    done

    echo "== ran, and processor time"
    cat "$logs/ran"
    printf '%5ds  in all\n' "$SECONDS"
    grep -h '^SKIPPED: ' "$logs"/*.log | sort -u || true
    read -r passed failed < <(summary)
    if [[ -e $logs/failed ]]; then
        read -r step status <"$logs/failed"
        echo "FAILED: $step (status $status; 124 is a timeout)"
        # A step that fails without a test, as a lint, counts as one.
        [[ $failed != 0 ]] || failed=1
    fi
    echo "$passed passed, $failed failed"
    return "$status"
}

run_in_sight() {
    local step
    for step; do
        [[ ! -e $logs/failed ]] || break
        echo "== $step"
        run_step "$step" 2>&1 | tee "$logs/$step.log"
    done
}

# Whoever stops it stops the step that runs.
run_beside() {
    local step
    trap 'kill $(jobs -p) 2>/dev/null; exit 1' TERM
    for step; do
        [[ ! -e $logs/failed ]] || break
        run_step "$step" >"$logs/$step.log" 2>&1
    done
}
