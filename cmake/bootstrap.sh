#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# sh cmake/bootstrap.sh demo    installs what is missing, builds the examples and shows what the library does
# sh cmake/bootstrap.sh test    installs what is missing, builds and runs the whole test suite, also under sanitizers
set -u

usage() {
    echo "usage: sh cmake/bootstrap.sh demo|test" >&2
    exit 2
}
[ $# -eq 1 ] || usage
what=$1
case $what in demo | test) ;; *) usage ;; esac
cd "$(dirname "$0")/.." || exit 1

say() { printf '\n== %s\n' "$*"; }
die() {
    printf '\nbootstrap: %s\n' "$*" >&2
    exit 1
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Prints the packages of Debian that are missing; "boost" stands for whatever brings Boost's headers.
missing_packages() {
    command -v "${CXX:-g++}" >/dev/null 2>&1 || echo g++
    command -v cmake >/dev/null 2>&1 || echo cmake
    command -v ninja >/dev/null 2>&1 || echo ninja-build
    [ -f /usr/include/boost/version.hpp ] || echo boost
    is_installed libfmt-dev || echo libfmt-dev
    is_installed zlib1g-dev || echo zlib1g-dev
    if [ "$what" = test ]; then
        is_installed catch2 || echo catch2
        command -v gdb >/dev/null 2>&1 || echo gdb
        command -v spin >/dev/null 2>&1 || echo spin
        command -v python3 >/dev/null 2>&1 || echo python3
        command -v strace >/dev/null 2>&1 || echo strace
        command -v valgrind >/dev/null 2>&1 || echo valgrind
    fi
}

# A package that others only name has no candidate: `apt-cache show` knows it, and nobody can install it.
can_be_installed() { apt-cache policy "$1" 2>/dev/null | grep -q '^ *Candidate: [^(]'; }

install_packages() {
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1; then
        as_root=sudo
    else
        die "these packages are missing, and installing them needs root or sudo:" "$@"
    fi
    apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300"
    say "installing" "$@"
    $apt update || die "the list of packages could not be read; installing needs the network"
    packages=
    for package in "$@"; do
        if [ "$package" = boost ]; then
            package=libboost-dev  # Debian 12: 1.74; the newer one beside it knows Boost.PFR
            if can_be_installed libboost1.81-dev; then package=libboost1.81-dev; fi
        fi
        can_be_installed "$package" || die "the package '$package' cannot be had here; install what it holds and run this again"
        packages="$packages $package"
    done
    # shellcheck disable=SC2086
    $apt install --no-install-recommends $packages || die "could not install:$packages"
}

install_missing() {
    if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
        for tool in "${CXX:-c++}" cmake ninja; do
            command -v "$tool" >/dev/null 2>&1 && continue
            die "'$tool' is missing, and packages are installed by this script on Debian and Ubuntu only. Install:
    a C++20 compiler (GCC 12, Clang 16 or later), CMake 3.24 or later, Ninja,
    the development files of Boost (1.74 or later; headers are enough), fmt (8 or later) and zlib,
    for the tests also Catch2 (2.13 or 3); gdb, if you like to see where a test hangs; spin, python3, strace and valgrind, without which
    some of them are left out.
Fedora: gcc-c++ cmake ninja-build boost-devel fmt-devel zlib-devel catch-devel libasan libubsan libtsan gdb python3 strace valgrind
Arch: gcc cmake ninja boost fmt zlib catch2 gdb python strace valgrind
Then run this again."
        done
        return
    fi
    missing=$(missing_packages)
    # shellcheck disable=SC2086
    [ -z "$missing" ] || install_packages $missing
}

check_cmake() {
    version=$(cmake --version | sed -n '1s/.*version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    # shellcheck disable=SC2086
    set -- $version
    if [ "${1:-0}" -lt 3 ] || { [ "$1" -eq 3 ] && [ "${2:-0}" -lt 24 ]; }; then
        die "CMake 3.24 or later is needed, this is ${1:-?}.${2:-?}; install a newer one and run this again"
    fi
}

# build PRESET TARGET
build() {
    say "building: $1"
    cmake --preset "$1" >"build/$1.log" 2>&1 || {
        cat "build/$1.log"
        die "could not configure the build '$1'"
    }
    grep 'procpool: ' "build/$1.log"  # what is left out or fetched
    cmake --build --preset "$1" --target "$2" -j "$jobs" || die "the build '$1' failed"
}

install_missing
check_cmake
mkdir -p build
jobs=$(nproc 2>/dev/null || echo 2)
if command -v ccache >/dev/null 2>&1 && [ -z "${CMAKE_CXX_COMPILER_LAUNCHER:-}" ]; then
    CMAKE_CXX_COMPILER_LAUNCHER=ccache
    CCACHE_SLOPPINESS=pch_defines,time_macros
    export CMAKE_CXX_COMPILER_LAUNCHER CCACHE_SLOPPINESS
fi

if [ "$what" = demo ]; then
    build demo all
    exec sh cmake/demo.sh build/demo
fi

build release all
build asan procpool_tests
build tsan procpool_tests
# One run over the three builds, so that there is one summary.
mkdir -p build/all
echo 'subdirs("../release" "../asan" "../tsan")' >build/all/CTestTestfile.cmake
say "testing"
log=$PWD/build/all/tests.log
ctest --test-dir build/all -j "$jobs" --output-on-failure --no-label-summary --timeout 300 --output-log "$log"
result=$?
if [ $result -ne 0 ]; then
    say "what failed, once more"
    grep -vE '^ +Start +[0-9]+: | Passed +[0-9.]+ sec$' "$log"
fi
exit $result
