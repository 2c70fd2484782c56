#!/bin/sh
# SPDX-License-Identifier: MIT
# Compiles exceptions.cpp against the build's static library, under AddressSanitizer where that works, and runs it.
# Usage: test_exceptions.sh <build folder> <source folder>
set -eu
build=$1; source=$2
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

library=$build/lib/libebm.a
[ -e "$library" ] || { echo "skipped: no static library in this build"; exit 77; }
case $(cached CMAKE_C_COMPILER) in
    *clang*) compiler=clang++ ;;
    *) compiler=g++ ;;
esac
command -v "$compiler" > /dev/null || { echo "skipped: no $compiler"; exit 77; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sanitizers=$(cached EBM_SANITIZE)
if [ -z "$sanitizers" ]; then
    echo 'int main() { delete new int; }' > "$folder/probe.cpp"
    if "$compiler" -fsanitize=address "$folder/probe.cpp" -o "$folder/probe" 2> /dev/null && "$folder/probe" 2> /dev/null; then
        sanitizers=address
    fi
fi
echo "$compiler, sanitizers: ${sanitizers:-none}"

libraries="$(cached BLAS_blas_LIBRARY) $(cached EBM_CBLAS_LIBRARY | grep -v NOTFOUND || true)"
case $(cached EBM_WITH_IO) in ON|TRUE|1|YES) libraries="$libraries $(pkg-config --libs jansson)" ;; esac
# shellcheck disable=SC2086
"$compiler" -std=c++11 -Wall -Wextra -Wshadow -Werror -g ${sanitizers:+-fsanitize=$sanitizers} -DEBM_STATIC \
    -I"$source/include" "$source/tests/fault/exceptions.cpp" -o "$folder/exceptions" "$library" $libraries -lpthread -lm
OPENBLAS_NUM_THREADS=1 "$folder/exceptions"
