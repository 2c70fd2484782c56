/* SPDX-License-Identifier: MIT */
/*
 * The loops of core/simd.h, written once for all widths. The file that includes this has defined EBM__LANES,
 * EBM__WIDTH_NAME, what stands in core/simd_vector.h, and:
 *   v_mul_even(a, b)               the 64-bit products of the low halves of quads
 *   v_pack(a, b)                   the low halves of quads: of every four lanes two are a's, then two are b's
 *   v_xor3, v_sqrt                 a ^ b ^ c; the square root, correctly rounded
 *   v_min(a, b), v_max(a, b)       a < b ? a : b and a > b ? a : b, so b where either is NaN
 *   v_load_double(p)               half as many floats, as doubles
 *   v_low_double(a), v_high_double(a)  the first half of the lanes, and the second, as doubles
 *   v_load_part(p, n), v_store_part(p, n, v)  the first n lanes alone, 0 < n < EBM__LANES; zeros are loaded for
 *                                  the rest
 *   v_select_negative(s, a, b)     a where the sign bit of s is set, else b
 *   v_select_less(p, q, a, b)      a where p < q, else b, also where either is NaN
 */
#include "core/simd_tables.h"

#include "core/simd_random.h"

#include "core/simd_sums.h"

#include "core/simd_langevin.h"

#include "core/simd_dynamics.h"

#include "core/simd_activate.h"

static const ebm__simd table = {.name = EBM__WIDTH_NAME,
                                .uniforms = uniforms,
                                .normals = normals,
                                .fill = fill_with,
                                .finite = all_finite,
                                .sum_of_squares = sum_of_squares,
                                .langevin = langevin,
                                .ratios = ratios,
                                .leap = leap,
                                .straight = straight,
                                .damp = damp,
                                .baoab = baoab,
                                .activate = activate};
