/* SPDX-License-Identifier: MIT */
/*
 * What the statistical tests share: estimates with their standard errors, the chi-square test, random numbers that
 * are not the library's own, and quadrature.
 */
#ifndef EBM_TESTS_STAT_BASICS_H
#define EBM_TESTS_STAT_BASICS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include <ebm/ebm.h>

#define STAT_PI 3.14159265358979323846

/* A right result is refused with probability 3.8e-8, the two tails of the normal beyond 5.5. */
#define STAT_BOUND 5.5

#define STAT_OK(call) stat_assert_ok((call), #call, __FILE__, __LINE__)
#define STAT_WITHIN(z, bound) stat_assert_within((z), (bound), #z, __FILE__, __LINE__)

static inline void stat_assert_ok(ebm_status status, const char *call, const char *file, int line) {
    if (status != EBM_OK) {
        print_error("%s: %s\n", call, ebm_last_error());
        _fail(file, line);
    }
}

static inline void stat_assert_within(double z, double bound, const char *what, const char *file, int line) {
    if (!(fabs(z) <= bound)) {
        print_error("%s is %.3f standard errors, must be within %.1f\n", what, z, bound);
        _fail(file, line);
    }
}

static inline void *stat_alloc(int64_t count, size_t size) {
    void *memory = calloc((size_t)count, size);
    assert_non_null(memory);
    return memory;
}

/* The mean of independent values, and its standard error as they scatter. */
typedef struct stat_sum {
    double n, sum, square;
} stat_sum;

static inline void stat_add(stat_sum *s, double value) {
    s->n += 1;
    s->sum += value;
    s->square += value * value;
}

static inline double stat_mean(const stat_sum *s) {
    return s->sum / s->n;
}

static inline double stat_error(const stat_sum *s) {
    double mean = stat_mean(s);
    return sqrt(fmax(s->square / s->n - mean * mean, 0) / (s->n - 1));
}

/* How many standard errors the mean is from what it should be. */
static inline double stat_z(const stat_sum *s, double expected) {
    return (stat_mean(s) - expected) / stat_error(s);
}

/*
 * The chi-square statistic of counts against their expectations, as a normal deviate (Wilson and Hilferty 1931). The
 * tail that matters is the upper one, but counts that fit too well are as wrong.
 */
static inline double stat_chi_square_z(int64_t n_cells, const int64_t *count, const double *expected) {
    double sum = 0;
    for (int64_t i = 0; i < n_cells; i++) {
        double difference = (double)count[i] - expected[i];
        sum += difference * difference / expected[i];
    }
    double spread = 2.0 / (9.0 * (double)(n_cells - 1));
    return (cbrt(sum / (double)(n_cells - 1)) - (1 - spread)) / sqrt(spread);
}

static inline double stat_uniform_z(int64_t n_cells, const int64_t *count) {
    double *expected = stat_alloc(n_cells, sizeof *expected);
    double total = 0;
    for (int64_t i = 0; i < n_cells; i++) {
        total += (double)count[i];
    }
    for (int64_t i = 0; i < n_cells; i++) {
        expected[i] = total / (double)n_cells;
    }
    double z = stat_chi_square_z(n_cells, count, expected);
    free(expected);
    return z;
}

/* Steele, Lea, Flood 2014 (splitmix64): not the library's generator, whose faults would otherwise cancel. */
typedef struct stat_random {
    uint64_t state;
} stat_random;

/* In (0, 1). */
static inline double stat_next_uniform(stat_random *random) {
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

static inline double stat_next_normal(stat_random *random) {
    double radius = sqrt(-2 * log(stat_next_uniform(random)));
    return radius * cos(2 * STAT_PI * stat_next_uniform(random));
}

static inline void stat_fill_normals(uint64_t seed, double std, int64_t n, float *x) {
    stat_random random = {seed};
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)(std * stat_next_normal(&random));
    }
}

/* pow costs ten times as much. */
static inline double stat_power(double x, int power) {
    double product = 1;
    for (int i = 0; i < power; i++) {
        product *= x;
    }
    return product;
}

/*
 * A density on [lo, hi], proportional to exp(-energy(x)), by the midpoint rule: the distribution at the cells' edges.
 */
enum { STAT_CELLS = 20000 };

typedef struct stat_density {
    double lo, hi;
    double *cumulative; /* STAT_CELLS + 1 */
} stat_density;

static inline double stat_cell_middle(const stat_density *d, int i) {
    return d->lo + (d->hi - d->lo) * (i + 0.5) / STAT_CELLS;
}

static inline stat_density stat_density_new(double lo, double hi, double (*energy)(double x, double parameter),
                                            double parameter) {
    stat_density d = {lo, hi, stat_alloc(STAT_CELLS + 1, sizeof(double))};
    for (int i = 0; i < STAT_CELLS; i++) {
        d.cumulative[i + 1] = d.cumulative[i] + exp(-energy(stat_cell_middle(&d, i), parameter));
    }
    for (int i = 0; i <= STAT_CELLS; i++) {
        d.cumulative[i] /= d.cumulative[STAT_CELLS];
    }
    return d;
}

/* The cell in which the distribution reaches p. */
static inline int stat_density_cell(const stat_density *d, double p) {
    int low = 0;
    int high = STAT_CELLS - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (d->cumulative[middle + 1] >= p) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static inline double stat_density_quantile(const stat_density *d, double p) {
    int i = stat_density_cell(d, p);
    double share = (p - d->cumulative[i]) / (d->cumulative[i + 1] - d->cumulative[i]);
    return d->lo + (d->hi - d->lo) * (i + share) / STAT_CELLS;
}

static inline double stat_density_moment(const stat_density *d, int power) {
    double sum = 0;
    for (int i = 0; i < STAT_CELLS; i++) {
        sum += (d->cumulative[i + 1] - d->cumulative[i]) * stat_power(stat_cell_middle(d, i), power);
    }
    return sum;
}

/* Into which of n_cells equally likely cells x falls. */
static inline int64_t stat_density_rank(const stat_density *d, int64_t n_cells, double x) {
    double place = (x - d->lo) / (d->hi - d->lo) * STAT_CELLS;
    int i = place < 0 ? 0 : place >= STAT_CELLS ? STAT_CELLS - 1 : (int)place;
    double p = d->cumulative[i] + (place - i) * (d->cumulative[i + 1] - d->cumulative[i]);
    int64_t cell = (int64_t)(p * (double)n_cells);
    return cell < 0 ? 0 : cell >= n_cells ? n_cells - 1 : cell;
}

static inline double stat_half_square(double x, double a) {
    return a * x * x / 2;
}

static inline double stat_well(double x, double barrier) {
    return barrier * (x * x - 1) * (x * x - 1);
}

#endif /* EBM_TESTS_STAT_BASICS_H */
