#!/bin/sh
# SPDX-License-Identifier: MIT
# A whole process that loads the library and gets an answer from it, beside one that only loads the BLAS, milliseconds;
# and the size of the stripped shared library. Usage: bench_startup.sh <build folder> [quick]
set -eu
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "$0")/../.." && pwd)
batches=40
[ "${2:-}" = quick ] && batches=2
runs=3 # in a batch: few, so that some batch passes without waiting for others
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/library.c" <<'END'
#include <ebm/ebm.h>
int main(void) {
    ebm_model *model;
    float x[2] = {0, 1};
    double energy[1];
    if (ebm_double_well_create(0, 2, 1.0, &model) != EBM_OK || ebm_model_energy(model, 1, x, energy) != EBM_OK) {
        return 1;
    }
    ebm_model_destroy(model);
    return energy[0] != 1.0;
}
END
cat > "$folder/blas.c" <<'END'
void cblas_sscal(int n, float a, float *x, int step);
int main(void) {
    float x = 1;
    cblas_sscal(1, 2.0F, &x, 1);
    return x != 2.0F;
}
END
blas=$(sed -n 's/^EBM_CBLAS_LIBRARY:[A-Z]*=//p;s/^BLAS_[a-z]*_LIBRARY:[A-Z]*=//p' "$build/CMakeCache.txt" |
    grep '^/' || true)
compiler=${CC:-cc}
"$compiler" -O2 -I"$source/include" "$folder/library.c" -o "$folder/library" \
    -L"$build/lib" -lebm -Wl,-rpath,"$build/lib"
# shellcheck disable=SC2086
"$compiler" -O2 "$folder/blas.c" -o "$folder/blas" ${blas:--lblas}

# batch <program>: microseconds for one run, the mean of a batch.
batch() {
    start=$(date +%s%N)
    i=0
    while [ $i -lt $runs ]; do
        "$1"
        i=$((i + 1))
    done
    echo $((($(date +%s%N) - start) / 1000 / runs))
}

least_library=1000000000
least_blas=1000000000
batch "$folder/library" > /dev/null # the files are in memory from now on
b=0
while [ $b -lt $batches ]; do
    t=$(batch "$folder/library"); [ "$t" -lt "$least_library" ] && least_library=$t
    t=$(batch "$folder/blas"); [ "$t" -lt "$least_blas" ] && least_blas=$t
    b=$((b + 1))
done
for who in library blas; do
    eval "t=\$least_$who"
    awk "BEGIN { printf \"startup process $who %.3f ms\\n\", $t / 1000 }"
done

strip -o "$folder/stripped.so" "$build/lib/libebm.so"
awk "BEGIN { printf \"startup stripped library %.1f KB\\n\", $(wc -c < "$folder/stripped.so") / 1000 }"
