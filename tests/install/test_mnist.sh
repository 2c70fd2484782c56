#!/bin/sh
# SPDX-License-Identifier: MIT
# The example mnist: interrupted it stops, started again it goes on and finishes; on images of bars that are made here.
# Usage: test_mnist.sh <build folder> <source folder>
. "$2/tests/support/script.sh"
[ -z "$(cached EBM_SANITIZE)" ] || skip "too slow under a sanitizer"
mnist=$build/examples/mnist
[ -x "$mnist" ] || skip "the example was not built: it needs libpng and EBM_WITH_IO"
export OPENBLAS_NUM_THREADS=1
cd "$folder"

# bars <file> <images>: idx; image i has rows of ink where bits of i are.
bars() {
    "$python" -c '
import struct, sys
n = int(sys.argv[2])
rows = lambda i: b"".join((b"\xff" if i >> (r // 3) & 1 else b"\x00") * 28 for r in range(28))
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack(">iiii", 2051, n, 28, 28) + b"".join(rows(i) for i in range(n)))' "$1" "$2"
}
bars train 1064
bars test 64
mkdir out

"$mnist" train test test out 1000000 1 1 > first.log 2> first.err &
process=$!
tries=0
until grep -q "gradient" first.err; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] && kill -0 $process || fail "no progress: $(cat first.err)"
    sleep 0.2
done
kill -INT $process
wait $process || fail "interrupted, it says: $(cat first.err)"
grep -q "interrupted" first.log || fail "it was not interrupted: $(cat first.log)"
steps=$(tail -n 1 out/training.csv | cut -d, -f1)
[ "$steps" -ge 10 ] || fail "it was interrupted after step 10, and its log ends at $steps"

# An epoch is one step here.
quietly "$mnist" train test test out $((steps + 2)) 1 1
[ "$(tail -n 1 out/training.csv | cut -d, -f1)" = $((steps + 2)) ] || fail "it did not go on from step $steps"
[ -s out/samples.png ] && [ -s out/chains.png ] && [ -s out/mnist.safetensors ] || fail "files are missing"
[ "$(wc -c < out/samples.f32)" = $((1000 * 784 * 4)) ] || fail "samples.f32 has not 1,000 images"
