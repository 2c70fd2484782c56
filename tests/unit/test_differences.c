/* SPDX-License-Identifier: MIT */
/*
 * What the differences of the score-matching objectives cost in accuracy, with the model's mixed_grad and without: errors
 * of the trainer's gradient against the same gradient in double, relative, by Euclidean norms. With the argument `table`
 * the program shows them, for shares of 2^-14 to 2^-2, as docs/training.md has them; with `speed`, the time of both.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "reference_energies.h"

static const struct {
    const char *name;
    double level, mean, size, bound, mixed_bound;
} SETTINGS[] = {{"denoising, s = 0.1", 0.1, 0, 1, 1e-4, 2e-6},
                {"denoising, s = 1", 1, 0, 1, 1e-4, 2e-6},
                {"sliced", 0, 0, 1, 2e-3, 1e-4},
                {"sliced, data about 10", 0, 10, 1, 4e-3, 5e-4},
                {"sliced, data of size 0.1", 0, 0, 0.1, 5e-3, 1e-4}};

/* The case `index`, with mixed_grad, where it has one, or without. */
static const char *new_case(int index, bool mixed, ebm_model **model, reference *m, bool *is_mixed) {
    const char *name = reference_case(index, model, m);
    *is_mixed = mixed && m->n_layers > 0;
    if (!mixed) {
        STAT_OK(ebm_model_set_mixed_grad(*model, NULL));
    }
    return name;
}

static void errors_are_small(void **state) {
    (void)state;
    for (int k = 0; k < 2 * REFERENCE_CASES; k++) {
        ebm_model *model = NULL;
        reference m;
        bool is_mixed;
        const char *name = new_case(k / 2, k % 2 == 1, &model, &m, &is_mixed);
        for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++) {
            double error =
                reference_gradient_error(model, &m, SETTINGS[i].level, SETTINGS[i].mean, SETTINGS[i].size, 0x1p-8);
            if (!(error < (is_mixed ? SETTINGS[i].mixed_bound : SETTINGS[i].bound))) {
                print_error("%s, %s%s: %.2g\n", name, SETTINGS[i].name, is_mixed ? ", mixed" : "", error);
                fail();
            }
        }
        ebm_model_destroy(model);
    }
}

static void show_table(void) {
    printf("| energy | objective |");
    for (int power = 14; power >= 2; power -= 2) {
        printf(" 2^-%d |", power);
    }
    printf("\n");
    for (int k = 0; k < 2 * REFERENCE_CASES; k++) {
        ebm_model *model = NULL;
        reference m;
        bool is_mixed;
        const char *name = new_case(k / 2, k % 2 == 1, &model, &m, &is_mixed);
        for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS && (is_mixed || k % 2 == 0); i++) {
            printf("| %s%s | %s |", name, is_mixed ? ", mixed_grad" : "", SETTINGS[i].name);
            for (int power = 14; power >= 2; power -= 2) {
                printf(" %.1e |", reference_gradient_error(model, &m, SETTINGS[i].level, SETTINGS[i].mean,
                                                           SETTINGS[i].size, ldexp(1, -power)));
            }
            printf("\n");
        }
        ebm_model_destroy(model);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A batch's gradient, in processor time, least of many, taken in turn. */
static void show_speed(void) {
    enum { ROWS = 256, REPEATS = 100 };
    for (int index = 0; index < REFERENCE_CASES - 1; index++) {
        for (int objective = EBM_OBJECTIVE_DENOISING_SCORE_MATCHING; objective <= EBM_OBJECTIVE_SLICED_SCORE_MATCHING;
             objective++) {
            ebm_trainer *trainer[2] = {NULL, NULL};
            ebm_model *model[2] = {NULL, NULL};
            double least[2] = {1e30, 1e30};
            reference m;
            bool is_mixed;
            const char *name = NULL;
            for (int k = 0; k < 2; k++) {
                name = new_case(index, k == 1, &model[k], &m, &is_mixed);
                STAT_OK(ebm_trainer_create(NULL, model[k], NULL, &trainer[k]));
                STAT_OK(ebm_trainer_set_objective(trainer[k], objective));
            }
            float *x = stat_alloc(ROWS * m.width[0], sizeof *x);
            float *grad = stat_alloc(m.n_params, sizeof *grad);
            stat_fill_normals(9, 1, ROWS * m.width[0], x);
            for (int i = 0; i < 2 * REPEATS; i++) {
                double begin = seconds();
                STAT_OK(ebm_trainer_gradient(trainer[i % 2], ROWS, x, m.n_params, grad));
                least[i % 2] = fmin(least[i % 2], seconds() - begin);
            }
            printf("%s, %s: differences %.2f ms, mixed_grad %.2f ms\n", name,
                   objective == EBM_OBJECTIVE_SLICED_SCORE_MATCHING ? "sliced" : "denoising", 1e3 * least[0],
                   1e3 * least[1]);
            for (int k = 0; k < 2; k++) {
                ebm_trainer_destroy(trainer[k]);
                ebm_model_destroy(model[k]);
            }
            free(x);
            free(grad);
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors_are_small)};
    if (argc > 1 && strcmp(argv[1], "table") == 0) {
        show_table();
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "speed") == 0) {
        show_speed();
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
