/* SPDX-License-Identifier: MIT */
/*
 * The inner loops that are built several times, for wider and wider vectors, and chosen when the program runs.
 * Every width gives the same bits: no multiplication is fused with an addition, and sums are kept in the same
 * lanes.
 */
#ifndef EBM_CORE_SIMD_H
#define EBM_CORE_SIMD_H

#include <stdint.h>

/* A group: 64 numbers from 16 Philox counters. */
enum { EBM__GROUP = 64 };

/* Which sequence of random numbers: one for each purpose, so that no two purposes share numbers. Append only. */
enum {
    EBM__STREAM_NOISE = 1,    /* z of a Markov step */
    EBM__STREAM_ACCEPT = 2,   /* uniforms of Metropolis decisions */
    EBM__STREAM_START = 3,    /* fresh noise that chains start from */
    EBM__STREAM_PICK = 4,     /* which states of the buffer */
    EBM__STREAM_RESTART = 5,  /* which of them start anew */
    EBM__STREAM_DATA = 6,     /* noise on the data */
    EBM__STREAM_SHUFFLE = 7,  /* order of an epoch */
    EBM__STREAM_INIT = 8,     /* starting values of parameters */
    EBM__STREAM_MOMENTUM = 9, /* fresh momenta */
    EBM__STREAM_JITTER = 10,  /* of step sizes */
    EBM__STREAM_TREE = 11,    /* single draws of trajectories that grow */
    EBM__STREAM_SWAP = 12,    /* uniforms of swaps between temperatures */
    EBM__STREAM_LEVEL = 16,   /* which noise level a batch begins with */
    EBM__STREAM_PERTURB = 17, /* noise of the objectives on data */
    EBM__STREAM_SLICE = 18,   /* directions of sliced score matching */
    EBM__STREAM_CONTRAST = 19, /* rows of noise that data are told from */
    EBM__STREAM_DEQUANTISE = 20, /* of ebm_scale */
    EBM__STREAM_PROJECTION = 21 /* the direction that chains are watched along */
};

/*
 * Names a flat, endless sequence of random numbers. Number e of the sequence comes from Philox4x32-10 (Salmon et
 * al. 2011) with key = seed and counter = (block low, block high, step low, stream << 24 | step high), where, with
 * g = e / 64 and r = e % 64: block = 16 g + r % 16, and the word of that block is r / 16. For chains x of dim
 * floats, element i of chain c is number c * dim + i: it depends on nothing else.
 */
typedef struct ebm__sequence {
    uint64_t seed;
    uint64_t step; /* below 2^56 */
    uint32_t stream;
} ebm__sequence;

/*
 * One factor for each dimension, which repeats along the chains; 0 holds a dimension. EBM__GROUP - 1 more elements
 * follow the last, the first ones again: a group is read from any place.
 */
typedef struct ebm__scale {
    const float *of; /* NULL: all are 1 */
    int64_t period;
} ebm__scale;

/*
 * What one Langevin pass does to a run of elements: x_next = bounded(x - eta * clipped(grad) + sigma * z), or with a
 * scale s, bounded(x + s * (sigma * z - eta * s * clipped(grad))).
 */
typedef struct ebm__langevin {
    float eta, sigma;
    float clip;   /* INFINITY: none */
    float lo, hi; /* -INFINITY, INFINITY: none */
    int reflect;  /* 0: clamp to the bounds; 1: mirror at them */
    ebm__scale scale;
} ebm__langevin;

/* What moves rows of `dim` elements by Hamiltonian dynamics. */
typedef struct ebm__dynamics {
    int64_t dim;
    float clip;   /* of the gradient; INFINITY: none */
    ebm__scale scale;
} ebm__dynamics;

/*
 * A leap of rows: w_next = w - kick[r] * s * clipped(grad), unless grad is NULL, when w_next is w; after it x_next =
 * x + drift[r] * s * w_next, unless drift is NULL; and square[r] = the sum of w_next^2 in row r, unless square is NULL.
 * x_next may be x, and w_next may be w.
 */
typedef struct ebm__leaps {
    const float *kick, *drift, *grad;
    const float *x, *w;
    float *x_next, *w_next;
    double *square;
} ebm__leaps;

/* What damping leaves of a momentum, and the noise that it gains: w <- kept * w + spread * z. */
typedef struct ebm__damping {
    float kept, spread;
} ebm__damping;

/* A part of a trajectory that is whole: the sum of its momenta, and those at its two ends. */
typedef struct ebm__branch {
    const float *sum;
    const float *begin;
    const float *end;
} ebm__branch;

typedef struct ebm__simd {
    const char *name; /* "baseline", "avx2", "avx512" */

    /*
     * out[j] = uniform number first + j of the sequence, j in [0, count): (word >> 8) * 2^-24, in [0, 1), exact.
     * normals: by Box and Muller (1958) on pairs of words of one block: words 0, 1 give r cos, r sin as numbers 0,
     * 1 of the block, words 2, 3 as numbers 2, 3. (The uniform under the logarithm is never 0, and carries 32 bits
     * for the tail.)
     */
    void (*uniforms)(const ebm__sequence *sequence, int64_t first, int64_t count, float *out);
    void (*normals)(const ebm__sequence *sequence, int64_t first, int64_t count, float *out);

    void (*fill)(int64_t count, float value, float *out);
    /* Are all of them finite? */
    int (*finite)(int64_t count, const float *v);
    double (*sum_of_squares)(int64_t count, const float *v);

    /*
     * A Langevin pass over elements first .. first + count - 1 of the states, with their numbers of the sequence
     * (none are made when sigma is 0). grad may be NULL: no drift. x, grad and x_next point at element `first`;
     * x_next may be x. Adds the sum of grad^2, before the clip, to *grad_square (in double, in fixed lanes).
     * Returns 0, or 1 when some x_next is not finite: a state that is not finite before the bounds is never brought
     * inside by them, it becomes NaN. grad is finite.
     */
    int (*langevin)(const ebm__langevin *pass, const ebm__sequence *sequence, int64_t first, int64_t count,
                    const float *x, const float *grad, float *x_next, double *grad_square);

    /*
     * For n rows, the sum over their elements of (2 (y - x) + eta W (g - g')) eta (g + g') with the clipped gradients g
     * at x and g' at y, and W = s^2: 2 sigma^2 times the log of a Langevin proposal's density backward over the one
     * forward (see sampler/mala.c). x may be NULL: y - x is y then.
     */
    void (*ratios)(const ebm__dynamics *dynamics, float eta, int64_t n, const float *x, const float *y,
                   const float *grad, const float *grad_y, double *out);

    /* Moves n rows. Returns 0, or 1 when some x_next is not finite. */
    int (*leap)(const ebm__dynamics *dynamics, int64_t n, const ebm__leaps *rows);

    /*
     * Are all of the six products above 0 that sampler/nuts_tree.h wants for two branches in a row: of the sum of both
     * with the momenta at its ends; of the left sum and the first momentum of the right with the momenta at their ends;
     * and of the right sum and the last of the left, likewise?
     */
    int (*straight)(int64_t dim, const ebm__branch *left, const ebm__branch *right);

    /* w_next = damped w, element by element, as the Langevin pass. w_next may be w; w may be NULL, for zeros. */
    void (*damp)(const ebm__damping *damping, const ebm__sequence *sequence, int64_t first, int64_t count,
                 const float *w, float *w_next);

    /*
     * BAOA of sampler/underdamped.c, element by element, as the Langevin pass: w - h s clipped(grad), x + h s w, the
     * damping, x + h s w, with h half a step. Adds the sum of grad^2 to *grad_square. Returns 0, or 1 when some x_next
     * is not finite.
     */
    int (*baoab)(const ebm__dynamics *dynamics, const ebm__damping *damping, float half, const ebm__sequence *sequence,
                 int64_t first, int64_t count, const float *x, const float *w, const float *grad, float *x_next,
                 float *w_next, double *grad_square);

    /*
     * An activation over rows x width pre-activations: z = h[r, c] + bias[c] in place becomes h = act(z); slope,
     * unless NULL, receives act'(z). activation is one of EBM_ACT_... . NaN gives NaN.
     */
    void (*activate)(int32_t activation, int64_t rows, int64_t width, const float *bias, float *h, float *slope);
} ebm__simd;

/* The widest that this processor runs. Any thread. */
const ebm__simd *ebm__simd_best(void);
/* One by name, or NULL where this processor or this build lacks it. For tests. */
const ebm__simd *ebm__simd_named(const char *name);
/* What the library uses: the best, unless a test has chosen another (NULL: the best again). */
const ebm__simd *ebm__simd_used(void);
void ebm__simd_use(const ebm__simd *simd);

#endif /* EBM_CORE_SIMD_H */
