/* SPDX-License-Identifier: MIT */
/* The maps of ebm_transformed_create, block by block of one row: x(y), its log-Jacobian, chain rule and inverse. */
#ifndef EBM_ENERGIES_TRANSFORM_H
#define EBM_ENERGIES_TRANSFORM_H

#include <stdint.h>

#include <ebm/status.h>

typedef struct ebm__transform {
    int32_t kind;      /* EBM_TRANSFORM_... */
    int64_t size;      /* natural coordinates x */
    int64_t free_size; /* real coordinates y */
    double lo, hi;     /* the bounds; infinite where there is none */
    double log_width;  /* log(hi - lo) of an interval */
    float least, most; /* the floats next to the bounds, inside them */
} ebm__transform;

/* Checks and fills a block. `index` is its number, for messages; lo and hi are read where the kind needs them. */
ebm_status ebm__transform_init(ebm__transform *t, const char *caller, int32_t index, int32_t kind, int64_t size,
                               const double *lo, const double *hi);

/*
 * x from y, with every x inside its constraint as a float too. Returns log |det dx/dy|, or -infinity when x has no
 * place in a float (x is then the float nearest to it).
 */
double ebm__transform_constrain(const ebm__transform *t, const float *y, float *x);

/*
 * grad_y = (dx/dy)' grad_x - d log |det dx/dy| / dy, cut off at the largest float. `work` has room for 2 size
 * doubles.
 */
void ebm__transform_gradient(const ebm__transform *t, const float *y, const float *grad_x, double *work,
                             float *grad_y);

/* moved = (dx/dy) direction, cut off at the largest float: the move of x that a small one of y along direction makes. */
void ebm__transform_push(const ebm__transform *t, const float *y, const float *direction, float *moved);

/* EBM_ERR_ARG, naming row and column, unless x is inside the constraint. `column` is that of x[0]. */
ebm_status ebm__transform_check(const ebm__transform *t, const char *caller, int64_t row, int64_t column,
                                const float *x);

/* y from an x that has been checked. */
void ebm__transform_unconstrain(const ebm__transform *t, const float *x, float *y);

#endif /* EBM_ENERGIES_TRANSFORM_H */
