/* SPDX-License-Identifier: MIT */
#include "sampler/nuts_tree.h"

#include <string.h>

/* The criterion wants six products; each is summed in lanes of its own, so that they become vectors. */
enum { LANES = 4, PRODUCTS = 6 };

typedef struct products {
    double lane[PRODUCTS][LANES];
} products;

static void add_products(products *p, int k, double begin, double middle_right, double middle_left, double end,
                         double left_sum, double right_sum) {
    double whole = left_sum + right_sum;
    double left_and_next = left_sum + middle_right;
    double right_and_last = right_sum + middle_left;
    p->lane[0][k] += begin * whole;
    p->lane[1][k] += end * whole;
    p->lane[2][k] += begin * left_and_next;
    p->lane[3][k] += middle_right * left_and_next;
    p->lane[4][k] += middle_left * right_and_last;
    p->lane[5][k] += end * right_and_last;
}

bool ebm__branches_turn(int64_t dim, const ebm__branch *left, const ebm__branch *right) {
    products p = {{{0}}};
    int64_t i = 0;
    for (; i + LANES <= dim; i += LANES) {
        for (int k = 0; k < LANES; k++) {
            add_products(&p, k, (double)left->begin[i + k], (double)right->begin[i + k], (double)left->end[i + k],
                         (double)right->end[i + k], (double)left->sum[i + k], (double)right->sum[i + k]);
        }
    }
    for (int k = 0; i < dim; i++, k++) {
        add_products(&p, k, (double)left->begin[i], (double)right->begin[i], (double)left->end[i],
                     (double)right->end[i], (double)left->sum[i], (double)right->sum[i]);
    }
    bool straight = true;
    for (int j = 0; j < PRODUCTS; j++) {
        straight = straight && (p.lane[j][0] + p.lane[j][2]) + (p.lane[j][1] + p.lane[j][3]) > 0;
    }
    return !straight;
}

bool ebm__open_branches_add(const ebm__open_branches *open, int64_t leaf, bool is_last, const float *w,
                            ebm__branch *joined) {
    int64_t dim = open->dim;
    size_t bytes = (size_t)dim * sizeof *w;
    int level = 0;
    memcpy(open->sum, w, bytes);
    *joined = (ebm__branch){.sum = open->sum, .begin = w, .end = w};
    for (; (leaf >> level & 1) != 0; level++) {
        const float *waiting = open->memory + level * 3 * dim;
        const ebm__branch left = {.sum = waiting, .begin = waiting + dim, .end = waiting + 2 * dim};
        if (ebm__branches_turn(dim, &left, joined)) {
            return false;
        }
        for (int64_t i = 0; i < dim; i++) {
            open->sum[i] += left.sum[i];
        }
        joined->begin = left.begin;
    }
    if (!is_last) {
        float *waiting = open->memory + level * 3 * dim;
        memcpy(waiting, open->sum, bytes);
        memcpy(waiting + dim, joined->begin, bytes);
        memcpy(waiting + 2 * dim, w, bytes);
    }
    return true;
}
