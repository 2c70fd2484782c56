/* SPDX-License-Identifier: MIT */
/* A program of a user: trains the mean of a Gaussian on data around (2, -1) and says how close it came. */
#include <ebm/ebm.h>
#include <math.h>
#include <stdio.h>

#define CHECK(call)                                         \
    do {                                                    \
        if ((call) != EBM_OK) {                             \
            fprintf(stderr, "%s\n", ebm_last_error());      \
            return 1;                                       \
        }                                                   \
    } while (0)

int main(void) {
    float data[200][2];
    for (int i = 0; i < 200; i++) { /* angles all round: the mean is (2, -1) exactly */
        data[i][0] = 2.0F + cosf(6.2831853F * (float)i / 200.0F);
        data[i][1] = -1.0F + sinf(6.2831853F * (float)i / 200.0F);
    }
    ebm_model *model;
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    CHECK(ebm_gaussian_create(NULL, 2, NULL, NULL, &model));
    CHECK(ebm_sampler_create(NULL, model, 200, 1, &sampler));
    CHECK(ebm_sampler_set_step_size(sampler, 0.1));
    CHECK(ebm_trainer_create(NULL, model, sampler, &trainer));
    CHECK(ebm_trainer_set_learning_rate(trainer, 0.02));
    CHECK(ebm_trainer_fit(trainer, 200, &data[0][0], 200));

    float mean[2];
    CHECK(ebm_model_get_tensor(model, "mean", 2, mean));
    ebm_status saved = ebm_model_save(model, "model.safetensors");
    printf("libebm %s: mean (%.2f, %.2f), saved: %s\n", ebm_version_string(), (double)mean[0], (double)mean[1],
           saved == EBM_OK ? "yes" : saved == EBM_ERR_STATE ? "no" : "failed");
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    return ebm_version_number() != EBM_VERSION_NUMBER || fabsf(mean[0] - 2) > 0.3F || fabsf(mean[1] + 1) > 0.3F;
}
