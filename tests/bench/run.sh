#!/bin/sh
# SPDX-License-Identifier: MIT
# All benchmarks side by side, in turn, several times; medians as one Markdown table.
# Usage: [ROUNDS=3] sh tests/bench/run.sh [quick] [build folder]   (quick: one short round; without a folder,
# build/bench is made)
# shellcheck disable=SC2086 # $quick is a word or nothing
set -eu
here=$(cd "$(dirname "$0")" && pwd)
quick=
if [ "${1:-}" = quick ]; then
    quick=quick
    shift
fi
build=${1:-}
if [ -z "$build" ]; then
    build=$here/../../build/bench
    cmake -S "$here/../.." -B "$build" -DEBM_BUILD_EXAMPLES=OFF > /dev/null
    cmake --build "$build" -j "$(nproc)" > /dev/null
fi
programs=$build/tests
rounds=${ROUNDS:-3}
[ -n "$quick" ] && rounds=1

python=python3
[ -x /usr/bin/python3 ] && python=/usr/bin/python3
versions='import numpy, torch; print("numpy", numpy.__version__ + ", torch", torch.__version__)'
peers=$("$python" -c "$versions" 2> /dev/null || true)
[ -z "$peers" ] && echo "numpy or torch is not installed: they are left out" >&2

# peer <threads> <script> <arguments>. A thread of OpenMP that spins while it waits takes the processor from the BLAS.
peer() {
    n=$1
    script=$here/$2
    shift 2
    [ -z "$peers" ] ||
        OMP_NUM_THREADS=$n OPENBLAS_NUM_THREADS=$n OMP_WAIT_POLICY=passive "$python" "$script" "$@" $quick
}

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
export OPENBLAS_NUM_THREADS=1 # the library's threads do the work
round=0
while [ $round -lt $rounds ]; do
    echo "round $((round + 1)) of $rounds" >&2
    "$programs/bench_normals" $quick
    "$programs/bench_langevin" $quick
    "$programs/bench_kernels" $quick
    peer 1 bench_langevin_peers.py
    for threads in 1 2; do
        "$programs/bench_training" $threads $quick
        peer $threads bench_training_peers.py $threads
        "$programs/bench_conv" $threads $quick
        peer $threads bench_conv_peers.py $threads
    done
    if [ -e "$build/lib/libebm.so" ]; then
        sh "$here/bench_startup.sh" "$build" $quick
    fi
    round=$((round + 1))
done > "$lines"

blas=$(ldd "$programs/bench_training" | awk '$1 ~ /blas/ { print $3 }' | head -n 1)
blas=$(readlink -f "${blas:-none}" || true)
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
echo "CPU: ${cpu:-$(uname -m)}, $(nproc) threads. BLAS: ${blas:-linked in}. ${peers:-No peers}. Rounds: $rounds."
echo
awk -f "$here/table.awk" "$lines"
echo
sh "$here/nuts.sh" $quick "$build"
