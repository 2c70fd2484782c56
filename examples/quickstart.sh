#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds the library, trains an energy on real handwritten digits, draws new ones, and measures how
# good they are. Leaves pictures, the model and the report in a folder. Usage: sh examples/quickstart.sh [folder, default: out]
set -eu
cd "$(dirname "$0")/.."
. examples/debian_packages.sh
out=${1:-out}

install_packages build-essential cmake pkg-config libblas-dev libopenblas0-pthread libjansson-dev libpng-dev \
    python3-numpy python3-matplotlib python3-sklearn

mkdir -p "$out"
echo "Building libebm ..."
{ cmake -S . -B build/quickstart -DBUILD_TESTING=OFF && cmake --build build/quickstart -j "$(nproc)"; } > "$out/build.log" 2>&1 || {
    cat "$out/build.log" >&2
    exit 1
}

# The library's own threads do the work: those of the BLAS would only get in their way.
export OPENBLAS_NUM_THREADS=1
build/quickstart/examples/digits examples/data "$out"
/usr/bin/python3 examples/digits_report.py examples/data "$out" build/quickstart/lib/libebm.so
