/* SPDX-License-Identifier: MIT */
/* What a transition kernel is: one file each, all called through this; and what several kernels share. */
#ifndef EBM_SAMPLER_KERNEL_H
#define EBM_SAMPLER_KERNEL_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "sampler/sampler.h"

typedef struct ebm__kernel {
    const char *name;   /* in messages */
    bool rejects;       /* what is not accepted: fills the reports' acceptance, and can be adapted */
    bool uses_noise;    /* of the noise_std that is set */
    bool knows_energies; /* after its step sampler->energy is that of where the chains stand */
    bool knows_chains;   /* and so is sampler->grad */
    bool draws_momenta;  /* at the start of a trajectory, and fills sampler->trajectory_energy */
    bool keeps_momenta; /* from step to step: reads sampler->momenta, writes sampler->momenta_next */
    /* Before the first of a row of steps, by ebm__kernel_prepare: is the memory there? Evaluates what it must. */
    ebm_status (*begin)(ebm_sampler *sampler);
    /*
     * One step of chains first .. first + n - 1: reads sampler->x, writes sampler->x_next, fills
     * sampler->reports[chunk]. Other chains may be moving in other threads. The callback may be called several times,
     * each time for many chains. The step is void when a piece of it fails: x then stays, and what else the kernel
     * keeps of these chains must be made anew by the next `begin`.
     */
    ebm_status (*move)(ebm_sampler *sampler, int64_t chunk, int64_t first, int64_t n);
    const struct ebm__kernel *probe; /* whose steps show how well a step size is accepted; NULL: its own */
} ebm__kernel;

extern const ebm__kernel ebm__kernel_langevin;
extern const ebm__kernel ebm__kernel_mala;
extern const ebm__kernel ebm__kernel_hmc;
extern const ebm__kernel ebm__kernel_nuts;
extern const ebm__kernel ebm__kernel_random_walk;
extern const ebm__kernel ebm__kernel_underdamped;
extern const ebm__kernel ebm__kernel_underdamped_adjusted;

/* The kernel that is set. */
const ebm__kernel *ebm__kernel_of(const ebm_sampler *sampler);

/* Do the settings go together? EBM_ERR_STATE when they do not. */
ebm_status ebm__kernel_check(const ebm_sampler *sampler);

/* Before the first of a row of steps: the check, all memory, and the kernel's own `begin`. */
ebm_status ebm__kernel_prepare(ebm_sampler *sampler);

/*
 * The temperature of the density that the chains of a row's rung follow: T, or, of Langevin steps with a sigma that is
 * set, sigma^2 / (2 eta).
 */
double ebm__kernel_temperature(const ebm_sampler *sampler, int64_t row);

enum {
    EBM__ACCEPTS = 1,  /* the kernel accepts and rejects: an energy of +infinity is allowed */
    EBM__GRADIENT = 2, /* it needs sampler->grad beside sampler->energy */
    EBM__REGROUPS = 4  /* it evaluates chains together with others than ebm__kernel_begin does */
};

/*
 * The begin of a kernel that keeps what it knows of where the chains stand: evaluates it anew, since the parameters
 * may have changed since the last call, also in the host's own memory.
 */
ebm_status ebm__kernel_begin(ebm_sampler *sampler, const char *name, int needs);

/*
 * Evaluates n rows, of chains first .. first + n - 1, in one call of the callback; EBM_ERR_STOPPED when asked to
 * stop. `ceiling` as in model/model.h.
 */
ebm_status ebm__kernel_evaluate(const ebm_sampler *sampler, int64_t first, int64_t n, const float *x,
                                const double *ceiling, double *energy, float *grad);

/* EBM_ERR_NONFINITE, naming chain and coordinate, unless n rows, of chains first .. first + n - 1, are finite. */
ebm_status ebm__kernel_check_states(const ebm_sampler *sampler, int64_t first, int64_t n, const float *x);

/* How many of n elements of dE/dx the clip cuts; 0 without one. */
int64_t ebm__count_clipped(const ebm_sampler *sampler, int64_t n, const float *grad);

/* Puts the held coordinates of n rows of `to` back to what they are in `from`. Nothing when all are free. */
void ebm__hold_masked(const ebm_sampler *sampler, int64_t n, const float *from, float *to);

/* The probability with which Metropolis's rule accepts; 0 for NaN. */
static inline double ebm__acceptance(double log_ratio) {
    return log_ratio >= 0 ? 1 : log_ratio < 0 ? exp(log_ratio) : 0;
}

/* Its decision. The uniform is taken as the middle of its cell of width 2^-24: it is never 0, nor 1. */
static inline bool ebm__decide(double acceptance, float uniform) {
    return (double)uniform + 0x1p-25 < acceptance;
}

/* Working memory is cut into arrays that each start at a multiple of 64 bytes. */
static inline int64_t ebm__aligned(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static inline void *ebm__cut(char **memory, int64_t bytes) {
    char *piece = *memory;
    *memory += ebm__aligned(bytes);
    return piece;
}

#endif /* EBM_SAMPLER_KERNEL_H */
