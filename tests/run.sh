#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds everything with warnings as errors, and runs all tests: with gcc and clang, under sanitizers,
# with both kinds of BLAS. Usage: sh tests/run.sh [quick]   (quick: one build, no sanitizers)
set -eu
cd "$(dirname "$0")/.."
. examples/debian_packages.sh

install_packages build-essential cmake ninja-build pkg-config libblas-dev libopenblas0-pthread libjansson-dev libpng-dev \
    libcmocka-dev clang libclang-rt-14-dev llvm abigail-tools strace gfortran \
    python3 python3-numpy python3-pytest python3-matplotlib python3-sklearn locales

# Tests of the library's own threads must not fight with those of the BLAS.
export OPENBLAS_NUM_THREADS=1
jobs=$(nproc)
out=build/tests

# build <folder> <compiler> <ctest arguments> -- <cmake options>: configures, builds, tests.
build() {
    folder=$out/$1; compiler=$2; tests=$3; shift 4
    echo "== $folder: $compiler $*"
    CC=$compiler cmake -S . -B "$folder" -G Ninja -DEBM_WERROR=ON "$@" > "$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
    cmake --build "$folder" -j "$jobs" >> "$folder.log" 2>&1 || { tail -n 60 "$folder.log"; exit 1; }
    # shellcheck disable=SC2086
    ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$jobs" $tests
}

mkdir -p "$out"
build gcc gcc "" --
[ "${1:-}" = quick ] && exit 0
# Long runs of what the other statistical tests run shortly: once is enough, compilers differ in the first steps or not at all.
long="large_energies|targets|funnel|bounds_exact|kernels_exact|objectives_recover|tempering$|kernels_moments|trainer_fit"
build clang clang "-L unit|statistical -E $long" --
build o2 gcc "-L unit|statistical -E $long" -- -DCMAKE_BUILD_TYPE=RelWithDebInfo -DEBM_BUILD_EXAMPLES=OFF # as distributions build
build asan clang "-L unit|fault|fuzz" -- -DEBM_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=RelWithDebInfo -DEBM_BUILD_EXAMPLES=OFF
# What fails or counts allocations is thousands of whole runs, too slow here; the other builds have it.
build tsan gcc "-L unit|fault -E io_|out_of_memory|no_allocation" -- -DEBM_SANITIZE=thread -DCMAKE_BUILD_TYPE=RelWithDebInfo -DEBM_BUILD_EXAMPLES=OFF

# The same tests once more on the other BLAS: libblas.so.3 is a link that the dynamic loader can be pointed past.
for blas in /usr/lib/*/blas /usr/lib/*/openblas-pthread; do
    [ -e "$blas/libblas.so.3" ] || continue
    echo "== $out/gcc with $blas"
    LD_LIBRARY_PATH=$blas ctest --test-dir "$out/gcc" --output-on-failure -j "$jobs" -L "unit"
done
