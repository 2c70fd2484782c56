#!/bin/sh
# SPDX-License-Identifier: MIT
# How long a process takes that loads libebm.so, asks for its version and makes a model, beyond one that calls the
# BLAS alone. Tells the difference; fails only when a program does. Usage: test_startup.sh <build folder> <source
# folder>
. "$2/tests/support/script.sh"
[ -z "$(cached EBM_SANITIZE)" ] && is_on EBM_BUILD_SHARED || skip "needs a plain shared library"

cat > "$folder/blas.c" <<'END'
float cblas_sdot(int n, const float *x, int x_step, const float *y, int y_step);
int main(void) {
    float one = 1;
    return cblas_sdot(1, &one, 1, &one, 1) != 1;
}
END
cat > "$folder/host.c" <<'END'
#include <ebm/ebm.h>
int main(void) {
    ebm_model *model;
    const int64_t width = 128;
    int failed = ebm_version_string()[0] == 0 || ebm_mlp_create(NULL, 2, 1, &width, EBM_ACT_SILU, &model) != EBM_OK;
    if (!failed) {
        ebm_model_destroy(model);
    }
    return failed;
}
END
cat > "$folder/compare.py" <<'END'
import os, statistics, sys, time

def milliseconds(program):
    start = time.perf_counter()
    child = os.posix_spawn(program, [program], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"{program} failed")
    return 1000 * (time.perf_counter() - start), 1000 * (usage.ru_utime + usage.ru_stime)

pairs = [(milliseconds(sys.argv[1]), milliseconds(sys.argv[2])) for _ in range(100)]
for number, clock in enumerate(("elapsed", "processor")):
    host, blas = ([times[number] for times in column] for column in zip(*pairs))
    difference = statistics.median(a - b for a, b in zip(host, blas))
    print(f"{clock}: libebm {statistics.median(host):.2f} ms, BLAS alone {statistics.median(blas):.2f} ms, "
          f"median difference {difference:.2f} ms, difference of the least {min(host) - min(blas):.2f} ms")
END
blas=$(readelf -dW "$build/lib/libebm.so" | sed -n 's/.*(NEEDED).*\[\(.*blas.*\)\]/\1/p' | head -n 1)
blas=$(ldd "$build/lib/libebm.so" | awk -v name="$blas" '$1 == name { print $3 }')
quietly "$compiler" "$folder/blas.c" "$blas" -o "$folder/blas"
quietly "$compiler" -I"$source/include" "$folder/host.c" -L"$build/lib" -lebm -Wl,-rpath,"$build/lib" -o "$folder/host"
OPENBLAS_NUM_THREADS=1 "$python" "$folder/compare.py" "$folder/host" "$folder/blas"
