#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# sh cmake/bootstrap.sh demo    installs what is missing, builds the examples and shows what the library does
# sh cmake/bootstrap.sh demo mpi    the same for a pool on several machines: three emulated ones
# sh cmake/bootstrap.sh test    installs what is missing, builds and runs the whole test suite, also header-only and under sanitizers
# sh cmake/bootstrap.sh try NAME    builds and runs the tests whose names contain NAME, for a debugger; installs nothing
set -u

usage() {
    echo "usage: sh cmake/bootstrap.sh demo [mpi] | test | try NAME" >&2
    exit 2
}
what=${1:-}
case $what:$# in demo:1 | test:1 | try:2) ;; demo:2) what=demo_$2 ;; *) usage ;; esac
case $what in demo | demo_mpi | test | try) ;; *) usage ;; esac
cd "$(dirname "$0")/.." || exit 1

say() { printf '\n== %s\n' "$*"; }
die() {
    printf '\nbootstrap: %s\n' "$*" >&2
    exit 1
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

mpi_packages() {
    is_installed openmpi-bin || echo openmpi-bin
    is_installed libopenmpi-dev || echo libopenmpi-dev
    command -v ip >/dev/null 2>&1 || echo iproute2
}

# Prints the packages of Debian that are missing and that nothing works without.
missing_packages() {
    command -v "${CXX:-g++}" >/dev/null 2>&1 || echo g++
    command -v cmake >/dev/null 2>&1 || echo cmake
    command -v ninja >/dev/null 2>&1 || echo ninja-build
    is_installed libfmt-dev || echo libfmt-dev
    is_installed zlib1g-dev || echo zlib1g-dev
    if [ "$what" = test ]; then
        is_installed catch2 || echo catch2
    elif [ "$what" = demo_mpi ]; then
        mpi_packages
    fi
}

# Prints those that more is tested with; what the package manager does not have is left out.
useful_packages() {
    [ "$what" = test ] || return 0
    for tool in doxygen gdb pkg-config python3 spin strace valgrind; do
        command -v $tool >/dev/null 2>&1 || echo $tool
    done
    if [ ! -f /usr/include/boost/version.hpp ]; then  # Asio is of use from 1.77 on
        if can_be_installed libboost1.81-dev; then echo libboost1.81-dev; else echo libboost-dev; fi
    fi
    for library in libcereal-dev libeigen3-dev liblmdb-dev libprotobuf-dev libsqlite3-dev libxxhash-dev nlohmann-json3-dev protobuf-compiler systemtap-sdt-dev; do
        is_installed $library || echo $library
    done
    mpi_packages
    command -v clang-format-14 >/dev/null 2>&1 || echo clang-format-14  # other versions format otherwise
    command -v chromium >/dev/null 2>&1 || echo chromium  # on Ubuntu it is no package of this system
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
        if can_be_installed "$package"; then
            packages="$packages $package"
        elif missing_packages | grep -qx "$package"; then
            die "the package '$package' cannot be had here; install what it holds and run this again"
        else
            echo "bootstrap: the package '$package' cannot be had here: what needs it is left out"
        fi
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
    the development files of fmt (8 or later) and zlib, for the tests also Catch2 (2.13 or 3);
    Open MPI, for the pool on several machines and \`demo mpi\`;
    gdb, if you like to see where a test hangs; Boost, cereal, Chromium, Eigen, LMDB, nlohmann-json, protobuf, SystemTap's sdt.h, xxHash, clang-format 14, doxygen,
    pkg-config, python3, spin, strace and valgrind, without which some tests are left out.
Fedora: gcc-c++ cmake ninja-build fmt-devel zlib-devel catch-devel libasan libubsan libtsan boost-devel chromium lmdb-devel protobuf-compiler protobuf-devel xxhash-devel doxygen gdb openmpi-devel pkgconf python3 strace systemtap-sdt-devel valgrind
Arch: gcc cmake ninja fmt zlib catch2 boost chromium lmdb protobuf xxhash doxygen gdb openmpi pkgconf python strace valgrind
Then run this again."
        done
        return
    fi
    missing="$(missing_packages) $(useful_packages)"
    # shellcheck disable=SC2086
    [ -z "${missing# }" ] || install_packages $missing
}

check_cmake() {
    version=$(cmake --version | sed -n '1s/.*version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    # shellcheck disable=SC2086
    set -- $version
    if [ "${1:-0}" -lt 3 ] || { [ "$1" -eq 3 ] && [ "${2:-0}" -lt 24 ]; }; then
        die "CMake 3.24 or later is needed, this is ${1:-?}.${2:-?}; install a newer one and run this again"
    fi
}

# build PRESET TARGET...
build() {
    preset=$1
    shift
    say "building: $preset"
    cmake --preset "$preset" >"build/$preset.log" 2>&1 || {
        cat "build/$preset.log"
        die "could not configure the build '$preset'"
    }
    grep 'procpool: ' "build/$preset.log"  # what is left out or fetched
    cmake --build --preset "$preset" --target "$@" -j "$jobs" || die "the build '$preset' failed"
}

# Prints the targets that have the tests whose names contain $1; of those that one finds there, none needs more than `watch`.
targets_of() {
    echo procpool_watch
    case $1 in "examples: "*) echo "procpool_example_${1#*: }" ;; "coverage: "*) echo procpool_test_coverage ;; esac
    name=$(printf %s "$1" | sed 's/^[a-z]*: //; s/ - \(processes\|threads\|inline\)$//')
    {
        grep -F -- "$name" tests/*/*_test.cpp | grep -E ':(TEMPLATE_)?(TEST_CASE|ON_[A-Z_]+)\(' | cut -d/ -f2
        find "tests/${1%%:*}" -name '*_test.cpp' 2>/dev/null | cut -d/ -f2
    } | sort -u | sed 's/^/procpool_test_/'
}

[ "$what" = try ] || install_missing
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

if [ "$what" = demo_mpi ]; then
    build demo procpool_example_145_machines
    exec bash cmake/demo_mpi.sh build/demo
fi

if [ "$what" = try ]; then
    # shellcheck disable=SC2046
    build debug $(targets_of "$2")
    pattern=$(printf %s "$2" | sed 's/[][\\.*^$+?(){}|]/\\&/g')
    exec ctest --test-dir build/debug -j "$jobs" -R "$pattern" --output-on-failure --no-label-summary --no-tests=error
fi

build release all
build header_only procpool_tests procpool_examples
build asan procpool_tests
build tsan procpool_tests
# One run over all builds, so that there is one summary. With three tests for two processors, since many wait for a while.
mkdir -p build/all
echo 'subdirs("../release" "../header_only" "../asan" "../tsan")' >build/all/CTestTestfile.cmake
say "testing"
log=$PWD/build/all/tests.log
ctest --test-dir build/all -j $((jobs + (jobs + 1) / 2)) --output-on-failure --no-label-summary --timeout 300 --output-log "$log"
result=$?
if [ $result -ne 0 ]; then
    say "what failed, once more"
    grep -vE '^ +Start +[0-9]+: | Passed +[0-9.]+ sec$' "$log"
fi
exit $result
