#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmarks run, and every measurement is a positive number. Never fails on time.
# Usage: test_bench.sh <build> <source>
set -eu
table=$(mktemp)
trap 'rm -f "$table"' EXIT
sh "$2/tests/bench/run.sh" quick "$1" > "$table"
cat "$table"

fail() {
    echo "$1" >&2
    exit 1
}
for row in "normals, baseline" "langevin gaussian-2" "langevin gaussian-10" "langevin gaussian-100" \
    "langevin double-well-2" "langevin double-well-100" "langevin eight-gaussians-2" "mala gaussian-2" \
    "kernels langevin" "kernels mala" "kernels hmc" "kernels nuts" \
    "training 784-256-256-1/1T" "training 784-256-256-1/2T" "training 2-128-128-1/1T" "training 2-128-128-1/2T" \
    "conv 28x28-32-64-128,x/1T" "conv 28x28-32-64-64-128,theta/2T"; do
    grep -q "^| $row |" "$table" || fail "there is no row of $row"
done
if [ -e "$1/lib/libebm.so" ]; then
    grep -q "^| startup process |" "$table" || fail "there is no row of the start-up"
fi
awk -F'|' '/^\| [a-z]/ {
    for (i = 4; i < NF; i++) {
        if ($i !~ /^ *$/ && !($i + 0 > 0)) { print "not a positive number: " $i " in " $0; bad = 1 }
    }
    if (!($4 + 0 > 0)) { print "no figure of the library: " $0; bad = 1 }
} END { exit bad }' "$table" >&2 || fail "the table is wrong"
