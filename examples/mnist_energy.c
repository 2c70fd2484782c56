/* SPDX-License-Identifier: MIT */
#include "mnist_energy.h"

#include <stdlib.h>
#include <time.h>

static const double PRECISION = 1 / (MNIST_NOISE * MNIST_NOISE);

static int32_t around_paper(int64_t n, int64_t dim, const float *x, const float *theta, double *energy, float *grad_x,
                            void *user_data) {
    (void)theta;
    (void)user_data;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = i * dim; j < (i + 1) * dim; j++) {
            float d = x[j] - MNIST_PAPER;
            sum += (double)(d * d);
            if (grad_x != NULL) {
                grad_x[j] = (float)PRECISION * d;
            }
        }
        if (energy != NULL) {
            energy[i] = 0.5 * PRECISION * sum;
        }
    }
    return EBM_CB_OK;
}

ebm_status mnist_energy_create(ebm_context *context, ebm_model **out) {
    static const int64_t filters[] = {32, 64}, kernel[] = {5, 3}, stride[] = {2, 2}, widths[] = {128};
    ebm_model *parts[2] = {NULL, NULL};
    ebm_status status = ebm_conv_create(context, 1, MNIST_SIDE, MNIST_SIDE, 2, filters, kernel, stride, EBM_POOL_NONE, 1,
                                        widths, EBM_ACT_SILU, &parts[0]);
    if (status == EBM_OK) {
        status = ebm_model_create(context, MNIST_DIM, around_paper, NULL, NULL, &parts[1]);
    }
    if (status == EBM_OK) {
        status = ebm_model_set_concurrent(parts[1], 1);
    }
    if (status == EBM_OK) {
        status = ebm_sum_create(context, 2, parts, NULL, out);
    }
    ebm_model_destroy(parts[0]); /* the sum keeps what it needs */
    ebm_model_destroy(parts[1]);
    return status;
}

ebm_status mnist_clean(ebm_model *model, int64_t n, const float *x, float *cleaned) {
    double *energy = malloc((size_t)n * sizeof *energy);
    ebm_status status = energy == NULL ? EBM_ERR_NOMEM : ebm_model_grad_x(model, n, x, energy, cleaned);
    for (int64_t i = 0; status == EBM_OK && i < n * MNIST_DIM; i++) {
        cleaned[i] = x[i] - (float)(MNIST_NOISE * MNIST_NOISE) * cleaned[i];
    }
    free(energy);
    return status;
}

double mnist_processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
