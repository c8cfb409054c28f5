# SPDX-License-Identifier: BSL-1.0
# sh 172_sweep_test.sh PROGRAM: the sweep takes more than two seconds, is interrupted after one each time, and gets done.
set -u
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
expected='point 77: the model has no solution there
the best of 100 points is 42'
rounds=0
until printed=$(timeout -s INT 1 "$1" "$folder/journal"); do
    rounds=$((rounds + 1))
    if [ "$rounds" -gt 60 ]; then
        echo "it does not get done"
        exit 1
    fi
done
if [ "$rounds" -eq 0 ] || [ "$printed" != "$expected" ]; then
    printf 'after %s interruptions it prints\n%s\ninstead of\n%s\n' "$rounds" "$printed" "$expected"
    exit 1
fi
