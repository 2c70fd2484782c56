/* SPDX-License-Identifier: MIT */
/*
 * What is NUTS's own: the turning against the recursion that it is defined by, the batch that chains drop out of, the
 * number of gradients, the greatest depth, divergences.
 */
#include <string.h>

#include "stat_settings.h"

#include "sampler/nuts_tree.h"

enum { DIM = 5, MOST_LEAVES = 64 };

typedef struct momenta {
    double sum[DIM];
    const float *begin;
    const float *end;
} momenta;

static double product(const double *sum, const float *w) {
    double result = 0;
    for (int i = 0; i < DIM; i++) {
        result += sum[i] * (double)w[i];
    }
    return result;
}

static void add(const double *a, const double *b, double *sum) {
    for (int i = 0; i < DIM; i++) {
        sum[i] = a[i] + b[i];
    }
}

static void add_one(const double *a, const float *b, double *sum) {
    for (int i = 0; i < DIM; i++) {
        sum[i] = a[i] + (double)b[i];
    }
}

static int is_straight(const double *sum, const float *begin, const float *end) {
    return product(sum, begin) > 0 && product(sum, end) > 0;
}

static int joins(const momenta *left, const momenta *right, momenta *whole) {
    double extra[DIM];
    add(left->sum, right->sum, whole->sum);
    whole->begin = left->begin;
    whole->end = right->end;
    int straight = is_straight(whole->sum, left->begin, right->end);
    add_one(left->sum, right->begin, extra);
    straight = straight && is_straight(extra, left->begin, right->begin);
    add_one(right->sum, left->end, extra);
    return straight && is_straight(extra, left->end, right->end);
}

/*
 * Stan's build_tree: is the doubling of 2^depth leaves from w on straight, also in its parts? *used counts leaves
 * until it is known.
 */
static int recursive(int depth, const float *w, momenta *result, int *used) {
    if (depth == 0) {
        const double zero[DIM] = {0};
        add_one(zero, w, result->sum);
        result->begin = result->end = w;
        ++*used;
        return 1;
    }
    momenta left;
    momenta right;
    return recursive(depth - 1, w, &left, used) &&
           recursive(depth - 1, w + (DIM << (depth - 1)), &right, used) && joins(&left, &right, result);
}

/* Momenta of oscillators that turn sooner or later. */
static void turning_is_that_of_the_recursion(void **state) {
    (void)state;
    int turned = 0;
    for (int trial = 0; trial < 2000; trial++) {
        float w[MOST_LEAVES * DIM];
        float memory[6 * 3 * DIM];
        float sum[DIM];
        stat_random random = {(uint64_t)trial};
        for (int i = 0; i < DIM; i++) {
            double frequency = 0.3 * stat_next_uniform(&random);
            double phase = 2 * STAT_PI * stat_next_uniform(&random);
            double size = stat_next_normal(&random);
            for (int leaf = 0; leaf < MOST_LEAVES; leaf++) {
                w[leaf * DIM + i] = (float)(size * cos(phase + frequency * leaf));
            }
        }
        int depth = 1 + trial % 6;
        int used = 0;
        momenta expected;
        int straight = recursive(depth, w, &expected, &used);
        const ebm__open_branches open = {DIM, memory, sum};
        ebm__branch joined;
        bool goes_on = true;
        int leaf = 0;
        while (goes_on && leaf < 1 << depth) {
            goes_on = ebm__open_branches_add(&open, leaf, leaf + 1 == 1 << depth, w + leaf * DIM, &joined);
            leaf++;
        }
        assert_int_equal(goes_on, straight);
        assert_int_equal(leaf, used);
        turned += !straight;
        if (straight) {
            assert_ptr_equal(joined.end, expected.end);
            for (int i = 0; i < DIM; i++) {
                assert_true(joined.begin[i] == expected.begin[i]);
                assert_true(fabs((double)joined.sum[i] - expected.sum[i]) < 1e-4);
            }
        }
    }
    assert_true(turned > 300 && turned < 1700);
}

typedef struct counted {
    int64_t rows, calls, fewest;
} counted;

static int32_t counting_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                               float *grad_x, void *user_data) {
    counted *seen = user_data;
    const float one = 1;
    (void)theta;
    seen->rows += n;
    seen->calls++;
    seen->fewest = n < seen->fewest ? n : seen->fewest;
    return stat_quadratic_energy(n, dim, x, &one, energy, grad_x, NULL);
}

static ebm_sampler *counting_sampler(counted *seen, int64_t n_chains, double eta) {
    ebm_model *model = NULL;
    *seen = (counted){.fewest = INT64_MAX};
    STAT_OK(ebm_model_create(NULL, DIM, counting_energy, NULL, seen, &model));
    return stat_sampler(model, n_chains, 7, EBM_KERNEL_NUTS, eta);
}

/*
 * One look at where the chains stand, then one gradient for every leapfrog step of every chain, and none for those
 * that are done.
 */
static void chains_drop_out_of_the_batch(void **state) {
    (void)state;
    counted seen;
    double mean;
    ebm_sampler *sampler = counting_sampler(&seen, 50, 0.3);
    STAT_OK(ebm_sampler_set_jitter(sampler, 0.8)); /* trajectories of many lengths */
    STAT_OK(ebm_sampler_run(sampler, 40));
    STAT_OK(ebm_sampler_get_mean_leapfrog_steps(sampler, &mean));
    assert_true(mean > 3 && mean < 30);
    assert_true(fabs(50.0 * (1 + 40 * mean) - (double)seen.rows) < 0.5);
    assert_true(seen.calls < 40 * 128 && seen.fewest < 10);
    ebm_sampler_destroy(sampler);
}

/* Steps too small to turn: 2^depth - 1 of them. */
static void the_depth_is_bounded(void **state) {
    (void)state;
    for (int32_t depth = 1; depth <= 6; depth++) {
        counted seen;
        double mean;
        ebm_sampler *sampler = counting_sampler(&seen, 8, 1e-4);
        STAT_OK(ebm_sampler_set_max_depth(sampler, depth));
        STAT_OK(ebm_sampler_run(sampler, 3));
        STAT_OK(ebm_sampler_get_mean_leapfrog_steps(sampler, &mean));
        assert_true(mean == (1 << depth) - 1);
        assert_int_equal(seen.calls, 1 + 3 * ((1 << depth) - 1));
        ebm_sampler_destroy(sampler);
    }
}

/* Beyond the stability limit every first step diverges: the chains stay, and each is counted. */
static void divergences_are_counted(void **state) {
    (void)state;
    enum { CHAINS = 10 };
    counted seen;
    float before[CHAINS * DIM];
    float after[CHAINS * DIM];
    int64_t count;
    double rate;
    ebm_sampler *sampler = counting_sampler(&seen, CHAINS, 200);
    STAT_OK(ebm_sampler_get_states(sampler, CHAINS, before));
    STAT_OK(ebm_sampler_run(sampler, 3));
    STAT_OK(ebm_sampler_get_states(sampler, CHAINS, after));
    STAT_OK(ebm_sampler_get_divergent_count(sampler, &count));
    STAT_OK(ebm_sampler_get_acceptance(sampler, &rate));
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(count, 3 * CHAINS);
    assert_true(rate < 1e-100);
    ebm_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turning_is_that_of_the_recursion),
        cmocka_unit_test(chains_drop_out_of_the_batch),
        cmocka_unit_test(the_depth_is_bounded),
        cmocka_unit_test(divergences_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
