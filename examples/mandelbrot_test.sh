# SPDX-License-Identifier: BSL-1.0
# sh mandelbrot_test.sh PROGRAM: the picture has the right format and size, and does not depend on who rendered it.
set -u
program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
cd "$folder" || exit 1

fail() {
    echo "FAILED: $*"
    exit 1
}
hex() { od -An -v -tx1 | tr -d ' \n'; }

"$program" 310 170 -w 1 -o one.png >printed || fail "with one worker"
"$program" 310 170 -w 3 -o three.png >/dev/null || fail "with three workers"
cmp one.png three.png || fail "one worker and three render different pictures"
grep -q 'one.png: 310 x 170, workers: 1, .* rows/s' printed || fail "it printed: $(cat printed)"

# Signature, IHDR of 13 bytes, width, height, 8 bits of red, green and blue each.
[ "$(head -c 29 one.png | hex)" = 89504e470d0a1a0a0000000d4948445200000136000000aa0802000000 ] || fail "not the head of a PNG"
[ "$(tail -c 12 one.png | hex)" = 0000000049454e44ae426082 ] || fail "not the end of a PNG"

"$program" 310 170 -o picture.ppm >/dev/null || fail "as PPM"
[ "$(head -n 1 picture.ppm)" = "P6 310 170 255" ] || fail "not the head of a PPM"
[ "$(wc -c <picture.ppm)" -eq $((15 + 3 * 310 * 170)) ] || fail "not the size of a PPM"

# The same pixels in both: the PNG's data, unpacked, is the PPM's with a zero before each row. gzip unpacks it behind a gzip header,
# since only the checksum at the end differs.
length=$((0x$(tail -c +34 one.png | head -c 4 | hex)))
{
    printf '\037\213\010\000\000\000\000\000\000\003'
    tail -c +44 one.png | head -c $((length - 6))
} | gzip -dc 2>/dev/null >pixels
[ "$(wc -c <pixels)" -eq $((170 * (1 + 3 * 310))) ] || fail "the PNG has $(wc -c <pixels) bytes of pixels"
row=0
while [ $row -lt 170 ]; do
    tail -c +$((row * 931 + 2)) pixels | head -c 930
    row=$((row + 1))
done >from_png
tail -c +16 picture.ppm | cmp - from_png || fail "PNG and PPM show different pictures"

"$program" 10 >/dev/null 2>errors
[ $? -eq 2 ] || fail "a width alone was accepted"
grep -q usage: errors || fail "no usage"
"$program" 10 10 -o nowhere/picture.png >/dev/null 2>errors
[ $? -eq 1 ] || fail "an unwritable file was no error"
grep -q 'cannot write nowhere/picture.png' errors || fail "no message"
