/* SPDX-License-Identifier: MIT */
/* The one-call summary of a sampler: its draws as a table, and what is wrong with them in words. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include <ebm/evaluate.h>

#include "core/error.h"
#include "core/memory.h"
#include "evaluate/temporary.h"
#include "sampler/kernel.h"

enum { LINE = 128, LINES_BESIDE_ROWS = 16, NAME = 24 };

/* What is good: Vehtari et al. (2021, sec. 4) for R-hat and ESS, Betancourt (2016) for E-BFMI. */
static const double GOOD_RHAT = 1.01, GOOD_ESS = 400, GOOD_EBFMI = 0.3, GOOD_ACCEPTANCE = 0.02;

typedef struct text {
    char *next;
    int64_t room;
} text;

/* A line is at most LINE bytes. The room was checked before. */
__attribute__((format(printf, 2, 3))) static void put(text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int written = ebm__format(t->next, (size_t)t->room, format, args);
    va_end(args);
    int64_t taken = written < 0 ? 0 : written < t->room ? written : t->room - 1;
    t->next += taken;
    t->room -= taken;
}

enum { MEAN, MCSE, SD, Q5, Q50, Q95, ESS_BULK, ESS_TAIL, RHAT, N_COLUMNS };

/* The numbers that the text is made of. */
typedef struct findings {
    int64_t dim, n_draws, n_chains, thin;
    const char *const *names;
    double *column[N_COLUMNS]; /* dim numbers each */
    double *energy;            /* n_draws x n_chains; NULL without trajectories */
    double *ebfmi;             /* n_chains */
    int64_t divergent, impossible;
} findings;

static int name_of(const findings *f, int64_t i, char *name) {
    if (f->names != NULL && f->names[i] != NULL) {
        size_t length = strnlen(f->names[i], NAME);
        while (length > 0 && ((unsigned char)f->names[i][length] & 0xC0) == 0x80) { /* not inside a UTF-8 character */
            length--;
        }
        memcpy(name, f->names[i], length);
        name[length] = '\0';
        return (int)length;
    }
    text t = {name, NAME + 1};
    put(&t, "x[%" PRId64 "]", i);
    return (int)(t.next - name);
}

static void put_rows(text *t, const findings *f) {
    char name[NAME + 1];
    int width = 0;
    for (int64_t i = 0; i < f->dim; i++) {
        int length = name_of(f, i, name);
        width = length > width ? length : width;
    }
    put(t, "%-*s %10s %9s %9s %10s %10s %10s %8s %8s %6s\n", width, "", "mean", "mcse", "sd", "5%", "50%", "95%",
        "ess_bulk", "ess_tail", "rhat");
    for (int64_t i = 0; i < f->dim; i++) {
        name_of(f, i, name);
        put(t, "%-*s %10.4g %9.2g %9.3g %10.4g %10.4g %10.4g %8.0f %8.0f %6.3f\n", width, name, f->column[MEAN][i],
            f->column[MCSE][i], f->column[SD][i], f->column[Q5][i], f->column[Q50][i], f->column[Q95][i],
            f->column[ESS_BULK][i], f->column[ESS_TAIL][i], f->column[RHAT][i]);
    }
}

static double least(int64_t n, const double *x) {
    double found = INFINITY;
    for (int64_t i = 0; i < n; i++) {
        found = x[i] < found ? x[i] : found;
    }
    return found;
}

static double greatest(int64_t n, const double *x) {
    double found = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        found = x[i] > found ? x[i] : found;
    }
    return found;
}

static void put_sampler(text *t, const ebm_sampler *sampler, const findings *f) {
    const ebm__kernel *kernel = ebm__kernel_of(sampler);
    put(t, "\n%s, %" PRId64 " chain%s x %" PRId64 " draws", kernel->name, f->n_chains, f->n_chains == 1 ? "" : "s",
        f->n_draws);
    if (f->thin > 1) {
        put(t, ", each after %" PRId64 " steps", f->thin);
    }
    put(t, "; step size %.4g", sampler->settings.step_size);
    if (kernel->rejects) {
        put(t, ", acceptance %.3f", sampler->report.acceptance);
    }
    if (kernel->draws_momenta) {
        put(t, ", %.1f leapfrog steps each", sampler->report.mean_leaps);
    }
    put(t, "\n");
    if (kernel->draws_momenta) {
        put(t, "%" PRId64 " divergent trajector%s", f->divergent, f->divergent == 1 ? "y" : "ies");
        if (f->energy != NULL && isfinite(least(f->n_chains, f->ebfmi))) {
            put(t, "; E-BFMI %.2f to %.2f", least(f->n_chains, f->ebfmi), greatest(f->n_chains, f->ebfmi));
        }
        put(t, "\n");
    }
}

/* The first coordinate where a column is furthest on the wrong side, and how many there are. */
static int64_t count_wrong(const findings *f, int column, double limit, bool above, int64_t *worst) {
    int64_t count = 0;
    const double *x = f->column[column];
    for (int64_t i = 0; i < f->dim; i++) {
        if (above ? x[i] > limit : x[i] < limit) {
            *worst = count == 0 || (above ? x[i] > x[*worst] : x[i] < x[*worst]) ? i : *worst;
            count++;
        }
    }
    return count;
}

static int put_wrong(text *t, const findings *f, int column, double limit, bool above, const char *what,
                     const char *advice) {
    char name[NAME + 1];
    int64_t worst = 0;
    int64_t count = count_wrong(f, column, limit, above, &worst);
    if (count == 0) {
        return 0;
    }
    name_of(f, worst, name);
    put(t, "! %s %.4g for %" PRId64 " of %" PRId64 ", worst %s with %.4g: %s\n", what, limit, count, f->dim, name,
        f->column[column][worst], advice);
    return 1;
}

static int put_trouble_of_trajectories(text *t, const findings *f) {
    int troubles = 0;
    if (f->divergent > 0) {
        put(t, "! %" PRId64 " divergent trajector%s: adapt to a higher acceptance, or write the energy in other terms\n",
            f->divergent, f->divergent == 1 ? "y" : "ies");
        troubles++;
    }
    if (f->energy != NULL && least(f->n_chains, f->ebfmi) < GOOD_EBFMI) {
        put(t, "! E-BFMI below %.1f: momenta cannot follow the energy; another metric or other terms\n", GOOD_EBFMI);
        troubles++;
    }
    return troubles;
}

static void put_verdict(text *t, const ebm_sampler *sampler, const findings *f) {
    const ebm__kernel *kernel = ebm__kernel_of(sampler);
    int troubles = put_wrong(t, f, RHAT, GOOD_RHAT, true, "R-hat above", "chains disagree, run longer");
    troubles += put_wrong(t, f, ESS_BULK, GOOD_ESS, false, "bulk ESS below", "means are known badly");
    troubles += put_wrong(t, f, ESS_TAIL, GOOD_ESS, false, "tail ESS below", "quantiles are known badly");
    troubles += put_trouble_of_trajectories(t, f);
    if (kernel->rejects && sampler->report.acceptance < GOOD_ACCEPTANCE) {
        put(t, "! hardly a proposal is accepted: the step size is too large\n");
        troubles++;
    }
    if (f->n_draws < 12) {
        put(t, "! too few draws to judge: 12 or more are needed\n");
        troubles++;
    }
    if (!kernel->rejects) {
        put(t, "! %s does not reject: the density is biased by the step size, whatever R-hat says\n", kernel->name);
        troubles++;
    }
    if (troubles == 0) {
        put(t, "Nothing looks wrong.\n");
    }
}

/* Takes what a trajectory's energies were, draw by draw. */
typedef struct watch {
    const ebm_sampler *sampler;
    findings *f;
    float *draws;
} watch;

static int32_t keep(int64_t draw, int64_t n_chains, int64_t dim, const float *x, void *user_data) {
    watch *w = user_data;
    memcpy(w->draws + draw * n_chains * dim, x, (size_t)(n_chains * dim) * sizeof *x);
    if (w->f->energy != NULL) {
        memcpy(w->f->energy + draw * n_chains, w->sampler->trajectory_energy, (size_t)n_chains * sizeof(double));
    }
    return EBM_CB_OK;
}

static ebm_status find(ebm_sampler *sampler, findings *f, float *draws) {
    watch w = {sampler, f, draws};
    int64_t divergent = sampler->report.divergent;
    EBM__TRY(ebm_sampler_draw_each(sampler, f->n_draws, f->thin, keep, &w));
    f->divergent = sampler->report.divergent - divergent;
    if (f->energy != NULL) {
        EBM__TRY(ebm_ebfmi(f->n_draws, f->n_chains, f->energy, f->ebfmi));
    }
    double **c = f->column;
    return ebm_summarize(sampler->handle.context, f->n_draws, f->n_chains, f->dim, draws, c[MEAN], c[SD], c[MCSE],
                         c[Q5], c[Q50], c[Q95], c[ESS_BULK], c[ESS_TAIL], c[RHAT]);
}

static ebm_status check(const ebm_sampler *sampler, int64_t n_draws, int64_t size, const char *caller) {
    if (n_draws < 1) {
        return ebm__fail(EBM_ERR_ARG, "%s: n_draws is %" PRId64 ", must be 1 or more", caller, n_draws);
    }
    int64_t needed;
    if (!ebm__multiply(sampler->dim + LINES_BESIDE_ROWS, LINE, &needed)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: a table of %" PRId64 " lines does not fit", caller, sampler->dim);
    }
    if (size < needed) {
        return ebm__fail(EBM_ERR_ARG, "%s: size is %" PRId64 ", must be at least 128 x (dim + 16), %" PRId64, caller,
                         size, needed);
    }
    return EBM_OK;
}

ebm_status ebm_sampler_summarize(ebm_sampler *sampler, int64_t n_draws, int64_t thin, const char *const *names,
                                 float *draws, int64_t size, char *table) {
    EBM__REQUIRE(sampler);
    EBM__REQUIRE(table);
    EBM__TRY(ebm__readable(&sampler->handle, __func__));
    EBM__TRY(check(sampler, n_draws, size, __func__));
    findings f = {.dim = sampler->dim, .n_draws = n_draws, .n_chains = sampler->n_chains, .thin = thin, .names = names};
    EBM__TEMPORARY(numbers, sampler->handle.context);
    EBM__TEMPORARY(own_draws, sampler->handle.context);
    bool has_energies = thin == 1 && ebm__kernel_of(sampler)->draws_momenta;
    int64_t values;
    int64_t n_numbers;
    if (!ebm__multiply(n_draws, f.n_chains, &values) || !ebm__multiply(values, f.dim, &n_numbers)) {
        return ebm__fail(EBM_ERR_OVERFLOW, "%s: n_draws is %" PRId64 ", which do not fit", __func__, n_draws);
    }
    n_numbers = N_COLUMNS * f.dim + f.n_chains + (has_energies ? values : 0);
    EBM__TRY(ebm__alloc(sampler->handle.context, n_numbers, sizeof(double), __func__, &numbers.memory));
    double *next = numbers.memory;
    for (int column = 0; column < N_COLUMNS; column++, next += f.dim) {
        f.column[column] = next;
    }
    f.ebfmi = next;
    f.energy = has_energies ? next + f.n_chains : NULL;
    if (draws == NULL) {
        EBM__TRY(ebm__alloc(sampler->handle.context, values * f.dim, sizeof *draws, __func__, &own_draws.memory));
        draws = own_draws.memory;
    }
    ebm_status status = find(sampler, &f, draws);
    if (status != EBM_OK) {
        return ebm__fail_within(status, "%s: ", __func__);
    }
    text t = {table, size};
    put_rows(&t, &f);
    put_sampler(&t, sampler, &f);
    put_verdict(&t, sampler, &f);
    return EBM_OK;
}
