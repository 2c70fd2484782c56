/* SPDX-License-Identifier: MIT */
/* What the tests of model files share: a model whose tensors are awkward to write down, a folder, whole files. */
#ifndef EBM_TEST_IO_SUPPORT_H
#define EBM_TEST_IO_SUPPORT_H

#include <dirent.h>
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_models.h"

enum { IO_PARAMS = 11 };

/* Values that a detour through text, or through another type, would lose. */
static const float io_values[IO_PARAMS] = {1.0F,     -0.0F,   FLT_MAX, -FLT_MIN,     FLT_TRUE_MIN, 0.1F,
                                           -1.0e-7F, 1.0e10F, 3.0F,    -16777217.0F, 0.333333343F};

static inline int32_t io_energy(int64_t n, int64_t dim, const float *x, const float *theta, double *energy,
                                float *grad_x, void *user_data) {
    (void)x;
    (void)theta;
    void (*hook)(void) = NULL;
    if (user_data != NULL) {
        memcpy(&hook, user_data, sizeof hook);
        hook();
    }
    for (int64_t i = 0; i < n && energy != NULL; i++) {
        energy[i] = 0;
    }
    for (int64_t i = 0; i < n * dim && grad_x != NULL; i++) {
        grad_x[i] = 0;
    }
    return EBM_CB_OK;
}

/* weight (2 x 3), a number, a name of quotes with the largest rank; `user_data` points to a function that is called
 * back. */
static inline ebm_model *io_model_create(ebm_context *context, void *user_data) {
    static const int64_t weight[] = {2, 3};
    static const int64_t deep[] = {1, 2, 1, 1, 2, 1, 1, 1};
    ebm_model *model = NULL;
    assert_ok(ebm_model_create(context, 2, io_energy, NULL, user_data, &model));
    assert_ok(ebm_model_add_tensor(model, "weight", 2, weight));
    assert_ok(ebm_model_add_tensor(model, "scale", 0, NULL));
    assert_ok(ebm_model_add_tensor(model, "odd\"name\\", 8, deep));
    return model;
}

static inline ebm_model *io_model_create_filled(ebm_context *context) {
    ebm_model *model = io_model_create(context, NULL);
    assert_ok(ebm_model_set_params(model, IO_PARAMS, io_values));
    return model;
}

static inline void io_assert_params(const ebm_model *model, const float *expected) {
    float theta[IO_PARAMS];
    assert_ok(ebm_model_get_params(model, IO_PARAMS, theta));
    assert_memory_equal(theta, expected, sizeof theta);
}

static inline void io_set_all(ebm_model *model, float value) {
    float theta[IO_PARAMS];
    for (int i = 0; i < IO_PARAMS; i++) {
        theta[i] = value;
    }
    assert_ok(ebm_model_set_params(model, IO_PARAMS, theta));
}

static inline void io_assert_all(const ebm_model *model, float value) {
    float theta[IO_PARAMS];
    for (int i = 0; i < IO_PARAMS; i++) {
        theta[i] = value;
    }
    io_assert_params(model, theta);
}

/* A new empty folder, in memory where that is possible: these tests sync thousands of times. */
static char io_folder[PATH_MAX];

static inline int io_make_folder(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    if (base == NULL) {
        base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    snprintf(io_folder, sizeof io_folder, "%s/ebm-io-XXXXXX", base);
    return mkdtemp(io_folder) == NULL ? -1 : 0;
}

static inline const char *io_path(const char *name) {
    static char paths[4][3 * PATH_MAX]; /* four stay valid at a time */
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", io_folder, name);
    return path;
}

/* Empties the folder, and answers how many names it had. */
static inline int io_empty_folder(void) {
    int n = 0;
    DIR *folder = opendir(io_folder);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            n++;
            assert_int_equal(remove(io_path(entry->d_name)), 0);
        }
    }
    closedir(folder);
    return n;
}

static inline int io_remove_folder(void **state) {
    (void)state;
    io_empty_folder();
    return rmdir(io_folder);
}

enum { IO_MOST_BYTES = 1 << 20 };

/* A whole file, or -1 when there is none. */
static inline int64_t io_read(const char *path, uint8_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    size_t n = fread(bytes, 1, IO_MOST_BYTES, file);
    fclose(file);
    return (int64_t)n;
}

static inline void io_write(const char *path, const void *bytes, int64_t n) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, (size_t)n, file), n);
    assert_int_equal(fclose(file), 0);
}

static inline int io_exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

#endif /* EBM_TEST_IO_SUPPORT_H */
