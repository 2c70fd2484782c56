#!/bin/sh
# SPDX-License-Identifier: MIT
# Effective draws per gradient of NUTS, beside Stan's where Rscript and rstan are installed (Debian: r-cran-rstan,
# r-cran-rcppeigen, r-cran-rcppparallel, r-base-dev, libboost-dev, libtbb-dev), as one Markdown table: medians over
# seeds, and the range of what counts. Stan compiles its models for minutes first; quick leaves it out.
# Usage: sh tests/bench/nuts.sh [quick] <build folder>
set -eu
here=$(cd "$(dirname "$0")" && pwd)
quick=
if [ "${1:-}" = quick ]; then
    quick=quick
    shift
fi
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
# shellcheck disable=SC2086 # $quick is a word or nothing
"$1/tests/bench_nuts" $quick > "$lines"
if [ -n "$quick" ]; then
    :
elif Rscript -e 'library(rstan)' > /dev/null 2>&1; then
    Rscript "$here/nuts_stan.R" 16 >> "$lines"
else
    echo "Rscript or rstan is not installed: Stan is left out" >&2
fi

echo "| NUTS, 4 chains x (1,000 + 1,000) | seeds | gradients, warm-up / after | least bulk ESS, tail ESS | bulk ESS per gradient |"
echo "|---|---|---|---|---|"
for problem in eight-schools gaussian-100; do
    for who in libebm stan; do
        awk -v p=$problem -v w=$who '
            function median(c,    n, i, j, t, v) {
                n = 0
                for (i = 1; i <= rows; i++) { v[++n] = cell[i, c] + 0 }
                for (i = 2; i <= n; i++) {
                    for (j = i; j > 1 && v[j] < v[j - 1]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
                }
                low = v[1]; high = v[n]
                return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
            }
            $1 == p && $2 == w { rows++; for (c = 4; c <= 8; c++) { cell[rows, c] = $c } }
            END {
                if (rows > 0) {
                    printf "| %s, %s | %d | %.0f / %.0f | %.0f, %.0f |", p, w, rows, median(4), median(5), median(6), median(7)
                    m = median(8)
                    printf " %.3f (%.3f to %.3f) |\n", m, low, high
                }
            }' "$lines"
    done
done
