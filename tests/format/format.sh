#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# format.sh ROOT CLANG_FORMAT: fails and says where code is not what .clang-format says. Each version of clang-format formats
# otherwise, so it is skipped (77) where there is none of version 14.
set -u
case $("$2" --version 2>/dev/null) in
*"version 14."*) ;;
*)
    echo "skipped: there is no clang-format of version 14"
    exit 77
    ;;
esac
cd "$1" || exit 1
find include tests examples benchmarks \( -name '*.hpp' -o -name '*.ipp' -o -name '*.cpp' \) -print0 |
    xargs -0 -n 100 "$2" --dry-run --Werror --ferror-limit=3
