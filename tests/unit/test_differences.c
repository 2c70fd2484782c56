/* SPDX-License-Identifier: MIT */
/*
 * What the differences of the score-matching objectives cost in accuracy: errors of the trainer's gradient against the
 * same gradient in double, relative, by Euclidean norms. With the argument `table` the program shows them, for shares
 * of 2^-14 to 2^-2, as docs/training.md has them.
 */
#include <stdio.h>
#include <string.h>

#include "reference_energies.h"

static const struct {
    const char *name;
    double level, mean, size, bound;
} SETTINGS[] = {{"denoising, s = 0.1", 0.1, 0, 1, 1e-4},
                {"denoising, s = 1", 1, 0, 1, 1e-4},
                {"sliced", 0, 0, 1, 2e-3},
                {"sliced, data about 10", 0, 10, 1, 4e-3},
                {"sliced, data of size 0.1", 0, 0, 0.1, 5e-3}};

static void errors_are_small(void **state) {
    (void)state;
    for (int index = 0; index < REFERENCE_CASES; index++) {
        ebm_model *model = NULL;
        reference m;
        const char *name = reference_case(index, &model, &m);
        for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++) {
            double error =
                reference_gradient_error(model, &m, SETTINGS[i].level, SETTINGS[i].mean, SETTINGS[i].size, 0x1p-8);
            if (!(error < SETTINGS[i].bound)) {
                print_error("%s, %s: %.2g\n", name, SETTINGS[i].name, error);
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
    for (int index = 0; index < REFERENCE_CASES; index++) {
        ebm_model *model = NULL;
        reference m;
        const char *name = reference_case(index, &model, &m);
        for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++) {
            printf("| %s | %s |", name, SETTINGS[i].name);
            for (int power = 14; power >= 2; power -= 2) {
                printf(" %.1e |", reference_gradient_error(model, &m, SETTINGS[i].level, SETTINGS[i].mean,
                                                           SETTINGS[i].size, ldexp(1, -power)));
            }
            printf("\n");
        }
        ebm_model_destroy(model);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors_are_small)};
    if (argc > 1 && strcmp(argv[1], "table") == 0) {
        show_table();
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
