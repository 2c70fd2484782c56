# SPDX-License-Identifier: MIT
# From lines `bench case who value unit` to a Markdown table of medians. "x" says how many times faster the library is
# than what stands to its left.
function median(key,    n, i, j, t, v) {
    n = split(values[key], v, " ")
    for (i = 2; i <= n; i++) {
        for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) {
            t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
        }
    }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function has(who) { return (row SUBSEP who) in values }
function of(who) { return median(row SUBSEP who) }
function number(value) { return value == "" ? "" : sprintf(value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value) }
function is_time() { return unit[row] == "ms" }
function times(mine, other) { return other == "" ? "" : sprintf("%.2f", is_time() ? other / mine : mine / other) }

# What nothing of this kind can be faster than: for Langevin steps, the host's callback and then the library's pass of
# normals and update; for training, the matrix products; for the start, that of the BLAS.
function least_work() {
    if (has("gemm")) { return of("gemm") }
    if (has("blas")) { return of("blas") }
    if (has("pass")) { return 1 / (1 / of("pass") + 1 / of("callback")) }
    return ""
}
function print_row(label, mine, with_peers,    floor, peer, i) {
    floor = with_peers ? least_work() : ""
    printf "| %s | %s | %s | %s | %s |", label, unit[row], number(mine), number(floor), times(mine, floor)
    for (i = 1; i <= 3; i++) {
        peer = with_peers && has(peers[i]) ? of(peers[i]) : ""
        printf " %s | %s |", number(peer), times(mine, peer)
    }
    print ""
}
# What kernels do outside the callback. "x": how many passes over the states with noise that is.
function print_kernels(    r, titled) {
    for (r = 1; r <= n_rows; r++) {
        row = rows[r]
        if (!has("own")) { continue }
        if (!titled++) {
            print ""
            print "| | unit | own work, a coordinate | noise pass | x | one chain, 10-D, a step |"
            print "|---|---|---|---|---|---|"
        }
        printf "| %s | ns | %s | %s | %s | %s |\n", row, number(of("own")), number(of("noise-pass")),
            number(of("ratio")), number(of("one-chain"))
    }
}
BEGIN { split("torch autograd numpy", peers, " ") }
NF == 5 && $1 !~ /^#/ {
    row = $1 " " $2
    if (!(row in unit)) { rows[++n_rows] = row; unit[row] = $5 }
    values[row, $3] = values[row, $3] " " $4
}
END {
    print "| | unit | libebm | floor | x | torch, by hand | x | torch, autograd | x | numpy | x |"
    print "|---|---|---|---|---|---|---|---|---|---|---|"
    for (r = 1; r <= n_rows; r++) {
        row = rows[r]
        if (row == "inner_loops normals") {
            for (i = split("avx512 avx2 baseline", widths, " "); i >= 1; i--) {
                if (has(widths[i])) { print_row("normals, " widths[i], of(widths[i]), 0) }
            }
        } else if (has("library")) {
            print_row(row, of("library"), 1)
        }
    }
    for (r = 1; r <= n_rows; r++) {
        row = rows[r]
        if (has("mala")) { sub("langevin", "mala", row); label = row; row = rows[r]; print_row(label, of("mala"), 0) }
    }
    print_kernels()
}
