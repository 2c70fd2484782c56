/* SPDX-License-Identifier: MIT */
/*
 * Ladders of replicas, seen whole: the library's, whose hotter rows only its own headers show, or one of a test, that
 * the same check must refuse.
 */
#ifndef EBM_TESTS_STAT_LADDER_H
#define EBM_TESTS_STAT_LADDER_H

#include <string.h>

#include "stat_kernel.h"

#include "sampler/sampler.h"

enum { STAT_TAGS = 4 };

/* Energies of the tags 0, 1, 2, 3. */
static const double STAT_TAG_ENERGY[STAT_TAGS] = {0, 0.7, 2, 2.3};

/*
 * A state is a tag, and anywhere else the energy is +infinity: nothing that a random walk proposes is accepted, and
 * states move by swaps alone.
 */
static inline int32_t stat_tag_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                      float *grad_x, void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t r = 0; energy != NULL && r < n; r++) {
        int tag = (int)fminf(fmaxf(x[r * dim], 0), STAT_TAGS - 1);
        energy[r] = x[r * dim] == (float)tag ? STAT_TAG_ENERGY[tag] : INFINITY;
    }
    for (int64_t i = 0; grad_x != NULL && i < n * dim; i++) {
        grad_x[i] = 0;
    }
    return EBM_CB_OK;
}

static inline void stat_set_ladder(ebm_sampler *sampler, int32_t n, const double *temperatures) {
    STAT_OK(ebm_sampler_set_ladder(sampler, n, temperatures));
}

static inline ebm_sampler *stat_tag_sampler(int64_t n_chains, int32_t n_rungs, const double *temperatures) {
    ebm_model *model = NULL;
    STAT_OK(ebm_model_create(NULL, 1, stat_tag_energy, NULL, NULL, &model));
    ebm_sampler *sampler = stat_sampler(model, n_chains, 17, EBM_KERNEL_RANDOM_WALK, 1);
    stat_set_ladder(sampler, n_rungs, temperatures);
    return sampler;
}

/* States of all rungs, rung by rung, as the sampler keeps them. */
static inline void stat_set_rows(ebm_sampler *sampler, const float *x) {
    STAT_OK(ebm_sampler_set_states(sampler, sampler->n_chains, x));
    memcpy(sampler->x, x, (size_t)(sampler->n_rows * sampler->dim) * sizeof *x);
}

static inline void stat_get_rows(const ebm_sampler *sampler, float *x) {
    memcpy(x, sampler->x, (size_t)(sampler->n_rows * sampler->dim) * sizeof *x);
}

static inline void stat_advance_rows(void *self, int64_t n_steps, float *x) {
    ebm_sampler *sampler = self;
    stat_set_rows(sampler, x);
    STAT_OK(ebm_sampler_run(sampler, n_steps));
    stat_get_rows(sampler, x);
}

/* All rows of a sampler as one kernel on n_rows states. */
static inline stat_kernel stat_kernel_of_rows(ebm_sampler *sampler) {
    return (stat_kernel){sampler->n_rows, sampler->dim, stat_advance_rows, sampler};
}

/* The 24 orders of the tags on a ladder of four rungs. */
enum { STAT_ORDERS = 24 };

static inline int stat_order_of(const int *tag) {
    int order = 0;
    for (int i = 0; i < STAT_TAGS; i++) {
        int smaller = 0;
        for (int j = i + 1; j < STAT_TAGS; j++) {
            smaller += tag[j] < tag[i];
        }
        order = order * (STAT_TAGS - i) + smaller;
    }
    return order;
}

/* The tags of an order: rung r takes the one that has as many smaller ones among those that are left. */
static inline void stat_order_tags(int order, int *tag) {
    static const int base[STAT_TAGS] = {6, 2, 1, 1};
    int left[STAT_TAGS] = {0, 1, 2, 3};
    for (int i = 0; i < STAT_TAGS; i++) {
        int which = order / base[i];
        order %= base[i];
        tag[i] = left[which];
        for (int j = which; j + 1 < STAT_TAGS - i; j++) {
            left[j] = left[j + 1];
        }
    }
}

static inline void stat_order_weights(const double *temperature, double *weight) {
    double sum = 0;
    for (int order = 0; order < STAT_ORDERS; order++) {
        int tag[STAT_TAGS];
        double log_weight = 0;
        stat_order_tags(order, tag);
        assert_int_equal(stat_order_of(tag), order);
        for (int r = 0; r < STAT_TAGS; r++) {
            log_weight -= STAT_TAG_ENERGY[tag[r]] / temperature[r];
        }
        weight[order] = exp(log_weight);
        sum += weight[order];
    }
    for (int order = 0; order < STAT_ORDERS; order++) {
        weight[order] /= sum;
    }
}

/*
 * Exact draws of the orders, whose weights are the products of exp(-E / T), must be that again after any number of
 * swaps: chi-square with 23 degrees of freedom. `temperature` has the T of the four rungs. With `from` an order, all
 * ladders start there, and must have forgotten it.
 */
static inline double stat_orders_z(stat_kernel ladders, const double *temperature, uint64_t seed, int from,
                                   int64_t n_steps) {
    int64_t n = ladders.n_chains / STAT_TAGS;
    float *x = stat_alloc(ladders.n_chains, sizeof *x);
    double weight[STAT_ORDERS];
    int64_t count[STAT_ORDERS] = {0};
    int tag[STAT_TAGS];
    stat_random random = {seed};
    stat_order_weights(temperature, weight);
    for (int64_t c = 0; c < n; c++) {
        int order = from < 0 ? 0 : from;
        double u = stat_next_uniform(&random);
        while (from < 0 && order + 1 < STAT_ORDERS && u > weight[order]) {
            u -= weight[order++];
        }
        stat_order_tags(order, tag);
        for (int r = 0; r < STAT_TAGS; r++) {
            x[r * n + c] = (float)tag[r];
        }
    }
    ladders.advance(ladders.self, n_steps, x);
    for (int64_t c = 0; c < n; c++) {
        for (int r = 0; r < STAT_TAGS; r++) {
            tag[r] = (int)x[r * n + c];
        }
        count[stat_order_of(tag)]++;
    }
    for (int order = 0; order < STAT_ORDERS; order++) {
        weight[order] *= (double)n;
    }
    free(x);
    return stat_chi_square_z(STAT_ORDERS, count, weight);
}

#endif /* EBM_TESTS_STAT_LADDER_H */
