#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# tidy.sh ROOT CLANG_TIDY: fails when clang-tidy finds something of .clang-tidy's list in what the compiled library is made from and
# in an example. Skipped (77) without clang-tidy 14 or later.
set -u
major=$("$2" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
if [ "${major:-0}" -lt 14 ]; then
    echo "skipped: there is no clang-tidy 14 or later"
    exit 77
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
echo '#include <procpool/source.hpp>' >"$folder/source.cpp"
failed=0
for source in "$folder/source.cpp" "$1/examples/010_hello.cpp"; do
    "$2" --quiet --config-file="$1/.clang-tidy" "$source" -- -std=c++20 -DPROCPOOL_COMPILED -I"$1/include" || failed=1
done
exit $failed
