/* SPDX-License-Identifier: MIT */
/* A host's own energy, E(x; a) = a x^2 / 2, learns a from data of variance 4, and is sampled. The right answer is 1/4. */
#include <ebm/ebm.h>
#include <stdio.h>
#include <stdlib.h>

static int32_t energy(int64_t n, int64_t dim, const float *x, const float *theta, double *e, float *grad_x, void *user) {
    for (int64_t i = 0; i < n; i++) { /* dim is 1: row i is x[i] */
        if (e) e[i] = 0.5 * theta[0] * x[i] * x[i];
        if (grad_x) grad_x[i] = theta[0] * x[i];
    }
    return (void)dim, (void)user, EBM_CB_OK;
}

static int32_t param_grad(int64_t n, int64_t dim, const float *x, const float *weight, const float *theta, double *e,
                          float *grad_theta, void *user) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += 0.5 * weight[i] * x[i] * x[i];
    if (grad_theta) grad_theta[0] = (float)sum;
    return e ? energy(n, dim, x, theta, e, NULL, user) : EBM_CB_OK;
}

static void check(ebm_status status) {
    if (status != EBM_OK) exit(fprintf(stderr, "%s\n", ebm_last_error()));
}

int main(void) {
    static float data[2000], draws[100 * 256];
    for (int i = 0; i < 2000 * 12; i++) data[i / 12] += 2.0F * (float)rand() / (float)RAND_MAX - 1.0F;
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    check(ebm_model_create(NULL, 1, energy, param_grad, NULL, &model));
    check(ebm_model_add_tensor(model, "a", 0, NULL));
    check(ebm_model_set_params(model, 1, (float[]){1.0F}));
    check(ebm_sampler_create(NULL, model, 256, 1, &sampler)); /* 256 persistent chains, seed 1 */
    check(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
    check(ebm_sampler_set_step_size(sampler, 1.0));
    check(ebm_trainer_create(NULL, model, sampler, &trainer));
    check(ebm_trainer_set_learning_rate(trainer, 0.02));
    check(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_LINEAR, 0, 800, 0.0));
    check(ebm_trainer_fit(trainer, 2000, data, 50));  /* 50 epochs of 16 batches */
    check(ebm_sampler_draw(sampler, 100, 10, draws)); /* 100 draws of all chains, 10 steps apart */

    float a;
    double variance = 0, data_variance = 0;
    check(ebm_model_get_params(model, 1, &a));
    for (int i = 0; i < 100 * 256; i++) variance += draws[i] * draws[i] / (100.0 * 256);
    for (int i = 0; i < 2000; i++) data_variance += data[i] * data[i] / 2000.0;
    printf("a = %.3f, variance of the draws %.2f, of the data %.2f\n", (double)a, variance, data_variance);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    return 0;
}
