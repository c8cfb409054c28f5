# SPDX-License-Identifier: BSL-1.0
# sh 123_manager_test.sh PROGRAM: it prints what its original in Python prints.
set -u
expected='process 0 has counted 6 words
process 1 has counted 4 words
process 2 has counted 8 words
be: 2
the: 2
to: 3'

# same WHO TEXT
same() {
    [ "$2" = "$expected" ] && return
    printf '%s prints\n%s\ninstead of\n%s\n' "$1" "$2" "$expected"
    exit 1
}
same "$1" "$("$1")"
if command -v python3 >/dev/null 2>&1; then
    same 123_manager.py "$(python3 "$(dirname "$0")/123_manager.py")"
fi
