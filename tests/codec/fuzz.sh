#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# fuzz.sh CLANG WORK-DIR SECONDS [COMPILER-OPTION...]: builds fuzz.cpp with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer and runs
# it for so long. What it finds stays in WORK-DIR, and what it has learned, for the next run. Exits with 77 when Clang has no libFuzzer.
set -u

tests=$(cd "$(dirname "$0")/.." && pwd)
clang=$1
mkdir -p "$2/corpus" && work=$(cd "$2" && pwd) || exit 1
seconds=$3
shift 3

[ -x "$clang" ] || { echo "skipped: there is no Clang"; exit 77; }
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' > "$work/nothing.cpp"
"$clang" -fsanitize=fuzzer,address,undefined "$work/nothing.cpp" -o "$work/nothing" > /dev/null 2>&1 || { echo "skipped: $clang has no libFuzzer"; exit 77; }

# Enumerations and bools within plain types are taken as they come.
"$clang" -std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize=enum,bool -fno-sanitize-recover=all "-I$tests" "$@" \
    "$tests/codec/fuzz.cpp" -o "$work/fuzz" -pthread || exit 1
cd "$work" && exec ./fuzz -max_total_time="$seconds" -max_len=600 -rss_limit_mb=1000 -malloc_limit_mb=64 -timeout=10 -print_final_stats=1 corpus
