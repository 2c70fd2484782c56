# SPDX-License-Identifier: MIT
# To be sourced by test scripts that get <build folder> <source folder>. Sets build, source, folder (temporary, removed
# at the end), compiler and compiler_cpp (those of the build), python, version.
set -eu
build=$(cd "$1" && pwd)
source=$(cd "$2" && pwd)
python=/usr/bin/python3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
# skip: ends with the status that ctest knows as "skipped".
skip() {
    echo "skipped: $*"
    exit 77
}
# cached <name>: a value of the build's CMake cache.
cached() { [ ! -e "$build/CMakeCache.txt" ] || sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
is_on() { case $(cached "$1") in ON | TRUE | 1 | YES) return 0 ;; *) return 1 ;; esac; }
# quietly <command ...>: shows what the command says only when it fails.
quietly() {
    "$@" > "$folder/quietly.log" 2>&1 || {
        cat "$folder/quietly.log" >&2
        fail "$*"
    }
}
# version: major.minor, what the soname and the newest node of the map carry.
version=$(sed -n 's/^#define EBM_VERSION_\(MAJOR\|MINOR\) //p' "$source/include/ebm/version.h" | paste -sd.)

compiler=$(cached CMAKE_C_COMPILER)
compiler=${compiler:-cc}
case $compiler in
    *clang*) compiler_cpp=clang++ ;;
    *) compiler_cpp=g++ ;;
esac
