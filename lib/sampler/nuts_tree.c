/* SPDX-License-Identifier: MIT */
#include "sampler/nuts_tree.h"

#include <string.h>

bool ebm__branches_turn(int64_t dim, const ebm__branch *left, const ebm__branch *right) {
    return ebm__simd_used()->straight(dim, left, right) == 0;
}

bool ebm__open_branches_add(const ebm__open_branches *open, int64_t leaf, bool is_last, const float *w,
                            ebm__branch *joined) {
    int64_t dim = open->dim;
    size_t bytes = (size_t)dim * sizeof *w;
    int level = 0;
    *joined = (ebm__branch){.sum = w, .begin = w, .end = w};
    for (; (leaf >> level & 1) != 0; level++) {
        const float *waiting = open->memory + level * 3 * dim;
        /* A single momentum is its own sum and both its ends: it is kept once. */
        const ebm__branch left = {.sum = waiting,
                                  .begin = level == 0 ? waiting : waiting + dim,
                                  .end = level == 0 ? waiting : waiting + 2 * dim};
        if (ebm__branches_turn(dim, &left, joined)) {
            return false;
        }
        for (int64_t i = 0; i < dim; i++) {
            open->sum[i] = left.sum[i] + joined->sum[i];
        }
        joined->sum = open->sum;
        joined->begin = left.begin;
    }
    if (!is_last) {
        float *waiting = open->memory + level * 3 * dim;
        memcpy(waiting, joined->sum, bytes);
        if (level > 0) {
            memcpy(waiting + dim, joined->begin, bytes);
            memcpy(waiting + 2 * dim, w, bytes);
        }
    }
    return true;
}
