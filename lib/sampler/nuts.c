/* SPDX-License-Identifier: MIT */
/*
 * The No-U-Turn sampler (Hoffman and Gelman 2014) as Stan has it (Betancourt 2017): from fresh momenta the trajectory
 * is doubled, forward or backward at random, until it has turned round (see sampler/nuts_tree.h), diverges, or has
 * been doubled max_depth times. The next state is drawn from its points with weights exp(-H / T): among the points of
 * a doubling by those weights, and then the doubling's against the old trajectory's with the probability of its
 * weight over the old one's, which favours points far away (Betancourt 2017, sec. A.3.2). A doubling that is not
 * whole is thrown away.
 *
 * All chains of a piece take a leapfrog step together, whether they are in their first doubling or their tenth; a
 * chain whose trajectory is finished drops out of the batch.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/philox.h"
#include "model/model.h"
#include "sampler/bounds.h"
#include "sampler/dynamics.h"
#include "sampler/kernel.h"
#include "sampler/metric.h"
#include "sampler/nuts_tree.h"

enum { BACKWARD, FORWARD, SIDES };

/* One chain's trajectory. */
typedef struct tree {
    int32_t depth;    /* doublings made */
    int side;         /* where the present one grows */
    int64_t leaf;     /* how many points it has */
    int64_t n_leaves; /* how many points all have, but for the start */
    float eta;
    double start;      /* H / T */
    double log_weight; /* of the points up to the last doubling, relative to the start's */
    double new_log_weight;
    double acceptance; /* sum over the points of min(1, weight) */
    double energy;     /* at the doubling's candidate */
} tree;

/* One piece's working memory. The state that the step will leave is in sampler->x_next, energy and grad. */
typedef struct forest {
    ebm_sampler *sampler;
    ebm__chunk_report *report;
    int64_t first;
    double temperature;
    tree *trees;
    /* n x dim: both ends of the trajectories, the sum of momenta, the candidates of doublings */
    float *end_x[SIDES];
    float *end_w[SIDES];
    float *end_grad[SIDES];
    float *sum;
    float *candidate_x;
    float *candidate_grad;
    float *open;     /* n x max_depth x 3 dim: of ebm__open_branches */
    float *open_sum; /* dim */
    /* The batch: rows of the chains that still move. */
    int64_t n_rows;
    int64_t *row_chain; /* from 0, in the piece */
    float *x;
    float *w;
    float *grad;
    double *energy;
    double *square; /* |w|^2 */
    float *eta;  /* turned where the trajectory grows backward */
    float *half; /* eta / 2 */
    float *work; /* of ebm__leap */
} forest;

/*
 * Single draws of one chain: the point of a doubling, which doubling, which side. A trajectory has less than 2^20
 * points.
 */
enum { DRAW_POINT = 0, DRAW_DOUBLING = 1 << 22, DRAW_SIDE = 1 << 23, DRAW_BITS = 24 };

static double draw(const forest *f, int64_t chain, int64_t which) {
    const ebm_sampler *sampler = f->sampler;
    ebm__sequence sequence = {.seed = sampler->seed, .step = sampler->step, .stream = EBM__STREAM_TREE};
    return ebm__random_uniform(&sequence, (f->first + chain) * ((int64_t)1 << DRAW_BITS) + which);
}

static double log_sum(double a, double b) {
    double most = a > b ? a : b;
    return isinf(most) ? most : most + log1p(exp(-fabs(a - b)));
}

static ebm_status begin(ebm_sampler *sampler) {
    return ebm__kernel_begin(sampler, "NUTS", EBM__ACCEPTS | EBM__GRADIENT | EBM__REGROUPS);
}

static void copy_row(const forest *f, const float *from, int64_t from_row, float *to, int64_t to_row) {
    int64_t dim = f->sampler->dim;
    memcpy(to + to_row * dim, from + from_row * dim, (size_t)dim * sizeof *to);
}

/* The batch's row goes on from the end at which the next doubling grows. */
static void start_doubling(forest *f, int64_t row) {
    int64_t c = f->row_chain[row];
    tree *t = &f->trees[c];
    t->side = draw(f, c, DRAW_SIDE + t->depth) < 0.5 ? BACKWARD : FORWARD;
    t->leaf = 0;
    t->new_log_weight = -INFINITY;
    copy_row(f, f->end_x[t->side], c, f->x, row);
    copy_row(f, f->end_w[t->side], c, f->w, row);
    copy_row(f, f->end_grad[t->side], c, f->grad, row);
    f->eta[row] = t->side == FORWARD ? t->eta : -t->eta;
    f->half[row] = f->eta[row] / 2;
}

static void plant(forest *f, int64_t n) {
    ebm_sampler *sampler = f->sampler;
    int64_t dim = sampler->dim;
    size_t bytes = (size_t)(n * dim) * sizeof(float);
    const float *x = sampler->x + f->first * dim;
    const float *grad = sampler->grad + f->first * dim;
    memcpy(sampler->x_next + f->first * dim, x, bytes);
    ebm__draw_momenta(sampler, f->first, n, f->sum);
    ebm__draw_step_sizes(sampler, f->first, n, f->eta);
    for (int side = 0; side < SIDES; side++) {
        memcpy(f->end_x[side], x, bytes);
        memcpy(f->end_w[side], f->sum, bytes);
        memcpy(f->end_grad[side], grad, bytes);
    }
    ebm__row_squares(sampler, n, f->sum, f->square);
    f->report->grad_square = ebm__sum_of_squares(n * dim, grad);
    for (int64_t c = 0; c < n; c++) {
        double total = sampler->energy[f->first + c] + 0.5 * f->square[c];
        sampler->trajectory_energy[f->first + c] = total;
        f->trees[c] = (tree){.eta = f->eta[c], .start = total / f->temperature};
    }
    f->n_rows = n;
    for (int64_t row = 0; row < n; row++) {
        f->row_chain[row] = row;
        start_doubling(f, row);
    }
}

static void move_row(forest *f, int64_t from, int64_t to) {
    if (from != to) {
        f->row_chain[to] = f->row_chain[from];
        f->eta[to] = f->eta[from];
        f->half[to] = f->half[from];
        f->energy[to] = f->energy[from];
        f->square[to] = f->square[from];
        copy_row(f, f->x, from, f->x, to);
        copy_row(f, f->w, from, f->w, to);
        copy_row(f, f->grad, from, f->grad, to);
    }
}

/* Keeps the rows that `stays` wants to go on; what has dropped out is at its end. */
static void thin_out(forest *f, bool (*stays)(forest *f, int64_t row)) {
    int64_t kept = 0;
    for (int64_t row = 0; row < f->n_rows; row++) {
        if (stays(f, row)) {
            move_row(f, row, kept++);
        }
    }
    f->n_rows = kept;
}

/* Where it must not go a trajectory ends, and the point counts as one that would never be accepted. */
static bool is_inside(forest *f, int64_t row) {
    const float *x = f->x + row * f->sampler->dim;
    bool inside = ebm__is_inside(f->sampler, x);
    f->report->divergent += ebm__simd_used()->finite(f->sampler->dim, x) == 0;
    f->trees[f->row_chain[row]].n_leaves += inside ? 0 : 1;
    return inside;
}

/* Weighs the point that a row has come to. False where the trajectory ends here. */
static bool weigh(forest *f, int64_t row, tree *t) {
    int64_t c = f->row_chain[row];
    double log_weight = t->start - (f->energy[row] + 0.5 * f->square[row]) / f->temperature;
    int64_t point = t->n_leaves++;
    t->acceptance += ebm__acceptance(log_weight);
    if (isinf(f->energy[row])) {
        f->report->impossible++;
        return false;
    }
    if (!(log_weight >= -EBM__DIVERGENT)) {
        f->report->divergent++;
        return false;
    }
    t->new_log_weight = log_sum(t->new_log_weight, log_weight);
    if (t->leaf == 0 || draw(f, c, DRAW_POINT + point) < exp(log_weight - t->new_log_weight)) {
        t->energy = f->energy[row];
        copy_row(f, f->x, row, f->candidate_x, c);
        copy_row(f, f->grad, row, f->candidate_grad, c);
    }
    return true;
}

/*
 * A doubling is whole: its candidate may become the next state, and it becomes a part of the trajectory. False after
 * the last.
 */
static bool join(forest *f, int64_t row, tree *t, const ebm__branch *doubling) {
    ebm_sampler *sampler = f->sampler;
    int64_t dim = sampler->dim;
    int64_t c = f->row_chain[row];
    if (draw(f, c, DRAW_DOUBLING + t->depth) < ebm__acceptance(t->new_log_weight - t->log_weight)) {
        sampler->energy[f->first + c] = t->energy;
        copy_row(f, f->candidate_x, c, sampler->x_next, f->first + c);
        copy_row(f, f->candidate_grad, c, sampler->grad, f->first + c);
    }
    t->log_weight = log_sum(t->log_weight, t->new_log_weight);
    float *sum = f->sum + c * dim;
    const ebm__branch old = {.sum = sum, .begin = f->end_w[1 - t->side] + c * dim, .end = f->end_w[t->side] + c * dim};
    if (ebm__branches_turn(dim, &old, doubling) || ++t->depth == sampler->settings.max_depth) {
        return false;
    }
    for (int64_t i = 0; i < dim; i++) {
        sum[i] += doubling->sum[i];
    }
    copy_row(f, f->x, row, f->end_x[t->side], c);
    copy_row(f, f->w, row, f->end_w[t->side], c);
    copy_row(f, f->grad, row, f->end_grad[t->side], c);
    start_doubling(f, row);
    return true;
}

static bool grows(forest *f, int64_t row) {
    int64_t dim = f->sampler->dim;
    int64_t c = f->row_chain[row];
    tree *t = &f->trees[c];
    if (!weigh(f, row, t)) {
        return false;
    }
    const ebm__open_branches open = {
        .dim = dim, .memory = f->open + c * f->sampler->settings.max_depth * 3 * dim, .sum = f->open_sum};
    bool is_last = t->leaf + 1 == (int64_t)1 << t->depth;
    ebm__branch joined;
    if (!ebm__open_branches_add(&open, t->leaf++, is_last, f->w + row * dim, &joined)) {
        return false;
    }
    return !is_last || join(f, row, t, &joined);
}

static ebm_status evaluate(forest *f, int64_t n) {
    int64_t first = f->n_rows == n ? f->first : 0;
    for (int64_t row = 0; row < f->n_rows; row++) {
        f->square[row] = (f->trees[f->row_chain[row]].start + EBM__DIVERGENT) * f->temperature;
    }
    ebm_status status = ebm__kernel_evaluate(f->sampler, first, f->n_rows, f->x, f->square, f->energy, f->grad);
    if (status != EBM_OK && f->n_rows < n) {
        return ebm__fail_within(status, "of chains %" PRId64 " to %" PRId64 ", among the %" PRId64 " that still move: ",
                                f->first, f->first + n - 1, f->n_rows);
    }
    return status;
}

static ebm_status grow(forest *f, int64_t n) {
    while (f->n_rows > 0) {
        ebm__leaps leap = {.kick = f->half, .drift = f->eta, .grad = f->grad, .x = f->x, .w = f->w, .x_next = f->x,
                           .w_next = f->w};
        bool finite = ebm__leap(f->sampler, f->n_rows, &leap, f->work);
        if (!finite || ebm__sampler_has_bounds(f->sampler)) {
            thin_out(f, is_inside);
        }
        if (f->n_rows == 0) {
            break;
        }
        EBM__TRY(evaluate(f, n));
        leap.drift = NULL;
        leap.square = f->square;
        ebm__leap(f->sampler, f->n_rows, &leap, f->work);
        thin_out(f, grows);
    }
    return EBM_OK;
}

static void harvest(forest *f, int64_t n) {
    ebm_sampler *sampler = f->sampler;
    for (int64_t c = 0; c < n; c++) {
        double acceptance = f->trees[c].acceptance / (double)f->trees[c].n_leaves;
        f->report->acceptance += acceptance;
        f->report->accepted += acceptance;
        f->report->leaps += f->trees[c].n_leaves;
    }
    int64_t offset = f->first * sampler->dim;
    ebm__hold_masked(sampler, n, sampler->x + offset, sampler->x_next + offset);
}

enum { ROW_ARRAYS = 3 * SIDES + 6 };

static int64_t open_bytes(const ebm_sampler *sampler, int64_t n) {
    return n * sampler->settings.max_depth * 3 * sampler->dim * (int64_t)sizeof(float);
}

static int64_t memory_bytes(const ebm_sampler *sampler, int64_t n) {
    int64_t row = sampler->dim * (int64_t)sizeof(float);
    int64_t numbers = ebm__aligned(n * (int64_t)sizeof(tree)) + ebm__aligned(n * (int64_t)sizeof(int64_t)) +
                      2 * ebm__aligned(n * (int64_t)sizeof(double)) + 2 * ebm__aligned(n * (int64_t)sizeof(float));
    return ROW_ARRAYS * ebm__aligned(n * row) + ebm__aligned(open_bytes(sampler, n)) + ebm__aligned(row) + numbers +
           ebm__metric_work(sampler, n) * (int64_t)sizeof(float);
}

static void cut_memory(const ebm_sampler *sampler, int64_t n, char *memory, forest *f) {
    int64_t row = sampler->dim * (int64_t)sizeof(float);
    for (int side = 0; side < SIDES; side++) {
        f->end_x[side] = ebm__cut(&memory, n * row);
        f->end_w[side] = ebm__cut(&memory, n * row);
        f->end_grad[side] = ebm__cut(&memory, n * row);
    }
    f->sum = ebm__cut(&memory, n * row);
    f->candidate_x = ebm__cut(&memory, n * row);
    f->candidate_grad = ebm__cut(&memory, n * row);
    f->x = ebm__cut(&memory, n * row);
    f->w = ebm__cut(&memory, n * row);
    f->grad = ebm__cut(&memory, n * row);
    f->open = ebm__cut(&memory, open_bytes(sampler, n));
    f->open_sum = ebm__cut(&memory, row);
    f->trees = ebm__cut(&memory, n * (int64_t)sizeof *f->trees);
    f->row_chain = ebm__cut(&memory, n * (int64_t)sizeof *f->row_chain);
    f->energy = ebm__cut(&memory, n * (int64_t)sizeof *f->energy);
    f->square = ebm__cut(&memory, n * (int64_t)sizeof *f->square);
    f->eta = ebm__cut(&memory, n * (int64_t)sizeof *f->eta);
    f->half = ebm__cut(&memory, n * (int64_t)sizeof *f->half);
    f->work = (float *)(void *)memory;
}

static ebm_status move(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n) {
    char *memory = ebm__scratch_borrow(&sampler->scratch, memory_bytes(sampler, n), "NUTS step");
    if (memory == NULL) {
        return EBM_ERR_NOMEM;
    }
    forest f = {.sampler = sampler, .report = &sampler->reports[chunk], .first = first};
    f.temperature = ebm__sampler_temperature(sampler, first);
    cut_memory(sampler, n, memory, &f);
    plant(&f, n);
    ebm_status status = grow(&f, n);
    if (status == EBM_OK) {
        harvest(&f, n);
    }
    ebm__scratch_return(&sampler->scratch, memory);
    return status;
}

const ebm__kernel ebm__kernel_nuts = {.name = "NUTS",
                                      .rejects = true,
                                      .knows_energies = true,
                                      .knows_chains = true,
                                      .draws_momenta = true,
                                      .probe = &ebm__kernel_hmc,
                                      .begin = begin,
                                      .move = move};
