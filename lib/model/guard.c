/* SPDX-License-Identifier: MIT */
#include "model/guard.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/simd.h"

/* Quiet NaNs that no computation makes: an output that still has these bits was not written. */
static const uint32_t POISON_FLOAT = 0x7FC0EB3DU;
static const uint64_t POISON_DOUBLE = 0x7FF80000EB3D0EB3U;

/* The guarded call that began last in this thread. */
static _Thread_local int64_t last_first_row;
static _Thread_local ebm_status handed_on; /* by its callback; EBM_OK: nothing */

int64_t ebm__guard_first_row(void) {
    return last_first_row;
}

int32_t ebm__guard_hand_on(ebm_status status) {
    handed_on = status;
    return status;
}

static int enter(int64_t first_row) {
    last_first_row = first_row;
    handed_on = EBM_OK;
    return ebm__callback_enter();
}

void ebm__poison_floats(int64_t n, float *values) {
    float poison;
    memcpy(&poison, &POISON_FLOAT, sizeof poison);
    ebm__simd_used()->fill(n, poison, values);
}

void ebm__poison_doubles(int64_t n, double *values) {
    double poison;
    memcpy(&poison, &POISON_DOUBLE, sizeof poison);
    for (int64_t i = 0; i < n; i++) {
        values[i] = poison;
    }
}

bool ebm__is_poison_float(const float *value) {
    return memcmp(value, &POISON_FLOAT, sizeof *value) == 0;
}

bool ebm__is_poison_double(const double *value) {
    return memcmp(value, &POISON_DOUBLE, sizeof *value) == 0;
}

ebm_status ebm__check_rows(const char *callback, int64_t n, int64_t dim, const float *x) {
    for (int64_t i = 0; i < n * dim; i++) {
        if (ebm__is_poison_float(&x[i])) {
            return ebm__fail(EBM_ERR_CALLBACK, "%s callback did not write row %" PRId64 ", coordinate %" PRId64,
                             callback, i / dim, i % dim);
        }
        if (!isfinite(x[i])) {
            return ebm__fail(EBM_ERR_NONFINITE, "%s callback gave %g in row %" PRId64 ", coordinate %" PRId64, callback,
                             (double)x[i], i / dim, i % dim);
        }
    }
    return EBM_OK;
}

static bool all_finite(int64_t n, const float *values) {
    return ebm__simd_used()->finite(n, values) != 0;
}

ebm_status ebm__check_answer(const char *callback, int32_t answer, int64_t first_row, int64_t n) {
    if (handed_on != EBM_OK) {
        ebm_status status = handed_on; /* the part's message stands */
        handed_on = EBM_OK;            /* the next to look is a callback further up, which may be the host's */
        return status;
    }
    switch (answer) {
        case EBM_CB_OK:
            return EBM_OK;
        case EBM_CB_STOP:
            return ebm__fail(EBM_ERR_STOPPED, "%s callback asked to stop, for rows %" PRId64 " to %" PRId64, callback,
                             first_row, first_row + n - 1);
        case EBM_ERR_NOMEM:
            return ebm__fail(EBM_ERR_NOMEM, "%s callback had no memory for rows %" PRId64 " to %" PRId64, callback,
                             first_row, first_row + n - 1);
        default:
            return ebm__fail(EBM_ERR_CALLBACK, "%s callback returned %d, for rows %" PRId64 " to %" PRId64, callback,
                             answer, first_row, first_row + n - 1);
    }
}

static bool all_energies_finite(int64_t n, const double *energy) {
    int64_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        bad |= !(fabs(energy[i]) <= DBL_MAX);
    }
    return bad == 0;
}

/* `what` they are, with its article. */
static ebm_status check_energies(const char *callback, const char *what, int64_t first_row, int64_t n,
                                 bool allow_infinity, int32_t sign, double *energy) {
    if (all_energies_finite(n, energy)) { /* the usual case, in a loop that becomes vectors */
        for (int64_t i = 0; sign == EBM_SIGN_LOG_DENSITY && i < n; i++) {
            energy[i] = -energy[i];
        }
        return EBM_OK;
    }
    for (int64_t i = 0; i < n; i++) {
        if (isnan(energy[i]) && ebm__is_poison_double(&energy[i])) {
            return ebm__fail(EBM_ERR_CALLBACK, "%s callback did not write the%s of row %" PRId64, callback,
                             strchr(what, ' '), first_row + i);
        }
        if (sign == EBM_SIGN_LOG_DENSITY) {
            energy[i] = -energy[i];
        }
        if (!(fabs(energy[i]) <= DBL_MAX) && !(allow_infinity && energy[i] > 0)) {
            return ebm__fail(EBM_ERR_NONFINITE, "%s callback gave %s of %s for row %" PRId64, callback, what,
                             isnan(energy[i]) ? "NaN" : energy[i] > 0 ? "+infinity" : "-infinity", first_row + i);
        }
    }
    return EBM_OK;
}

static const char *float_kind(float value) {
    return isnan(value) ? "NaN" : value > 0 ? "+infinity" : "-infinity";
}

/* The slow way, once it is known that something is wrong: what, and where. */
static ebm_status name_bad_gradient(int64_t first_row, int64_t n, int64_t dim, const float *grad) {
    for (int64_t i = 0; i < n * dim; i++) {
        if (ebm__is_poison_float(&grad[i])) {
            return ebm__fail(EBM_ERR_CALLBACK,
                             "energy callback did not write grad_x of row %" PRId64 ", coordinate %" PRId64,
                             first_row + i / dim, i % dim);
        }
        if (!(fabsf(grad[i]) <= FLT_MAX)) {
            return ebm__fail(EBM_ERR_NONFINITE,
                             "energy callback gave %s in grad_x of row %" PRId64 ", coordinate %" PRId64,
                             float_kind(grad[i]), first_row + i / dim, i % dim);
        }
    }
    return EBM_OK;
}

/* The gradient where x is impossible means nothing, whatever was or was not written. */
static void clear_impossible_rows(int64_t n, int64_t dim, const double *energy, float *grad) {
    for (int64_t i = 0; i < n; i++) {
        if (isinf(energy[i])) {
            memset(grad + i * dim, 0, (size_t)dim * sizeof *grad);
        }
    }
}

static bool is_infinite_somewhere(int64_t dim, const float *grad) {
    bool infinite = false;
    for (int64_t i = 0; i < dim; i++) {
        if (isnan(grad[i])) {
            return false;
        }
        infinite = infinite || isinf(grad[i]);
    }
    return infinite;
}

static void exclude_rows_above(int64_t n, int64_t dim, const double *ceiling, double *energy, const float *grad) {
    for (int64_t i = 0; i < n; i++) {
        if (energy[i] > ceiling[i] && is_infinite_somewhere(dim, grad + i * dim)) {
            energy[i] = INFINITY;
        }
    }
}

static void negate(int64_t n, float *values) {
    for (int64_t i = 0; i < n; i++) {
        values[i] = -values[i];
    }
}

/* All but the check of gradients, where x is possible. */
static ebm_status call_energy(const ebm_model *model, const float *theta, int64_t first_row, int64_t n, const float *x,
                              bool allow_infinity, double *energy, float *grad) {
    int64_t dim = model->dim;
    if (energy != NULL) {
        ebm__poison_doubles(n, energy);
    }
    if (grad != NULL) {
        ebm__poison_floats(n * dim, grad);
    }
    int depth = enter(first_row);
    int32_t answer = model->energy_fn(n, dim, x, theta, energy, grad, model->user_data);
    ebm__callback_leave(depth);
    EBM__TRY(ebm__check_answer("energy", answer, first_row, n));
    if (energy != NULL) {
        EBM__TRY(check_energies("energy", "an energy", first_row, n, allow_infinity, model->sign, energy));
    }
    if (grad != NULL && energy != NULL && allow_infinity) {
        clear_impossible_rows(n, dim, energy, grad);
    }
    return EBM_OK;
}

static void orient(const ebm_model *model, int64_t n, float *grad) {
    if (model->sign == EBM_SIGN_LOG_DENSITY) {
        negate(n * model->dim, grad);
    }
}

ebm_status ebm__guard_energy(const ebm_model *model, const float *theta, int64_t first_row, int64_t n, const float *x,
                             bool allow_infinity, const double *ceiling, double *energy, float *grad) {
    int64_t dim = model->dim;
    EBM__TRY(call_energy(model, theta, first_row, n, x, allow_infinity, energy, grad));
    if (grad == NULL) {
        return EBM_OK;
    }
    bool finite = all_finite(n * dim, grad);
    if (!finite && energy != NULL && ceiling != NULL) {
        exclude_rows_above(n, dim, ceiling, energy, grad);
        clear_impossible_rows(n, dim, energy, grad);
        finite = all_finite(n * dim, grad);
    }
    if (!finite) {
        return name_bad_gradient(first_row, n, dim, grad);
    }
    orient(model, n, grad);
    return EBM_OK;
}

ebm_status ebm__guard_part_energy(const ebm_model *model, const float *theta, int64_t first_row, int64_t n,
                                  const float *x, bool allow_infinity, double *energy, float *grad) {
    EBM__TRY(call_energy(model, theta, first_row, n, x, allow_infinity, energy, grad));
    if (grad == NULL) {
        return EBM_OK;
    }
    if (!all_finite(n * model->dim, grad)) {
        for (int64_t i = 0; i < n * model->dim; i++) {
            if (isnan(grad[i])) {
                return name_bad_gradient(first_row + i / model->dim, 1, model->dim, grad + i / model->dim * model->dim);
            }
        }
    }
    orient(model, n, grad);
    return EBM_OK;
}

/* Which tensor, and where in it, the float at `index` of theta is. */
static const ebm__tensor *tensor_at(const ebm_model *model, int64_t index) {
    const ebm__tensor *tensor = model->tensors;
    while (index >= tensor->offset + tensor->size) {
        tensor++;
    }
    return tensor;
}

static ebm_status check_theta_like(const ebm_model *model, const char *what, const float *values) {
    if (all_finite(model->n_params, values)) {
        return EBM_OK;
    }
    int64_t i = 0;
    while (fabsf(values[i]) <= FLT_MAX) {
        i++;
    }
    const ebm__tensor *tensor = tensor_at(model, i);
    if (ebm__is_poison_float(&values[i])) {
        return ebm__fail(EBM_ERR_CALLBACK, "%s did not write element %" PRId64 " of tensor '%s'", what,
                         i - tensor->offset, tensor->name);
    }
    return ebm__fail(EBM_ERR_NONFINITE, "%s gave %s in element %" PRId64 " of tensor '%s'", what, float_kind(values[i]),
                     i - tensor->offset, tensor->name);
}

/* Checks what param_grad or mixed_grad has written, and gives it the sign of an energy. */
static ebm_status take_theta_like(const ebm_model *model, const char *what, float *grad) {
    EBM__TRY(check_theta_like(model, what, grad));
    if (model->sign == EBM_SIGN_LOG_DENSITY) {
        negate(model->n_params, grad);
    }
    return EBM_OK;
}

ebm_status ebm__guard_param_grad(const ebm_model *model, const float *theta, int64_t first_row, int64_t n,
                                 const float *x, const float *weight, double *energy, float *grad) {
    if (energy != NULL) {
        ebm__poison_doubles(n, energy);
    }
    ebm__poison_floats(model->n_params, grad);
    int depth = enter(first_row);
    int32_t answer = model->param_grad_fn(n, model->dim, x, weight, theta, energy, grad, model->user_data);
    ebm__callback_leave(depth);
    EBM__TRY(ebm__check_answer("param_grad", answer, first_row, n));
    if (energy != NULL) {
        EBM__TRY(check_energies("param_grad", "an energy", first_row, n, false, model->sign, energy));
    }
    return take_theta_like(model, "param_grad callback", grad);
}

ebm_status ebm__guard_mixed_grad(const ebm_model *model, const float *theta, int64_t first_row, int64_t n,
                                 const float *x, const float *direction, const float *weight, double *slope,
                                 float *grad) {
    if (model->mixed_grad_fn == NULL) {
        return ebm__fail(EBM_ERR_STATE, "the model has no mixed_grad callback");
    }
    if (slope != NULL) {
        ebm__poison_doubles(n, slope);
    }
    ebm__poison_floats(model->n_params, grad);
    int depth = enter(first_row);
    int32_t answer = model->mixed_grad_fn(n, model->dim, x, direction, weight, theta, slope, grad, model->user_data);
    ebm__callback_leave(depth);
    EBM__TRY(ebm__check_answer("mixed_grad", answer, first_row, n));
    if (slope != NULL) {
        EBM__TRY(check_energies("mixed_grad", "a slope", first_row, n, false, model->sign, slope));
    }
    return take_theta_like(model, "mixed_grad callback", grad);
}

ebm_status ebm__guard_init(const ebm_model *model, uint64_t seed, float *theta) {
    ebm__poison_floats(model->n_params, theta);
    int depth = enter(0);
    int32_t answer = model->init_fn(seed, model->n_params, theta, model->user_data);
    ebm__callback_leave(depth);
    EBM__TRY(ebm__check_answer("init", answer, 0, 1));
    return check_theta_like(model, "init callback", theta);
}
