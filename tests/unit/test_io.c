/* SPDX-License-Identifier: MIT */
/* Model files: what comes back, what is refused, and that nothing changes then. */
#include "failing_allocator.h"
#include "io_support.h"

#include <locale.h>

#include <jansson.h>

static uint8_t bytes[IO_MOST_BYTES];
static uint8_t golden[IO_MOST_BYTES];

static const char *golden_path(const char *name) {
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", EBM_TEST_DATA, name);
    return path;
}

static void test_round_trip(void **state) {
    (void)state;
    ebm_model *model = io_model_create_filled(NULL);
    assert_ok(ebm_model_save(model, io_path("a")));
    io_set_all(model, 7.0F);
    assert_ok(ebm_model_load(model, io_path("a")));
    io_assert_params(model, io_values);
    ebm_model_destroy(model);
    assert_int_equal(io_empty_folder(), 1);
}

/* The golden file was made by another program: the format, the digest and every byte are the same, in any release. */
static void test_golden_is_written(void **state) {
    (void)state;
    ebm_model *model = io_model_create_filled(NULL);
    assert_ok(ebm_model_save(model, io_path("a")));
    int64_t n = io_read(io_path("a"), bytes);
    assert_int_equal(n, io_read(golden_path("model_0_1.safetensors"), golden));
    assert_memory_equal(bytes, golden, (size_t)n);
    ebm_model_destroy(model);
    io_empty_folder();
}

static ebm_status status_in_name(const char *name) {
    return strncmp(name, "model_", 6) == 0            ? EBM_OK
           : strncmp(name, "fail_corrupt_", 13) == 0  ? EBM_ERR_CORRUPT
           : strncmp(name, "fail_format_", 12) == 0   ? EBM_ERR_FORMAT
           : strncmp(name, "fail_mismatch_", 14) == 0 ? EBM_ERR_MISMATCH
                                                      : EBM_ERR_NONFINITE;
}

static void test_golden_files(void **state) {
    (void)state;
    int count = 0;
    ebm_model *model = io_model_create(NULL, NULL);
    DIR *folder = opendir(EBM_TEST_DATA);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strstr(entry->d_name, ".safetensors") == NULL) {
            continue;
        }
        count++;
        io_set_all(model, 7.0F);
        ebm_status expected = status_in_name(entry->d_name);
        ebm_status status = ebm_model_load(model, golden_path(entry->d_name));
        if (status != expected) {
            fail_msg("%s: %d, not %d: %s", entry->d_name, status, expected, ebm_last_error());
        }
        if (status == EBM_OK) {
            io_assert_params(model, io_values);
        } else {
            io_assert_all(model, 7.0F);
            assert_message(entry->d_name);
        }
    }
    closedir(folder);
    assert_true(count >= 28);
    ebm_model_destroy(model);
}

static void test_mismatch_names_the_tensor(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"fail_mismatch_missing.safetensors", "lacks the tensor 'param.odd\"name\\'"},
        {"fail_mismatch_foreign.safetensors", "'param.more', for which there is no place"},
        {"fail_mismatch_shape.safetensors", "'param.weight' has shape[0] = 3, must be 2"},
        {"fail_mismatch_rank.safetensors", "'param.weight' has rank 1, must be 2"},
        {"fail_mismatch_dtype.safetensors", "'param.scale' has dtype I32, must be F32"},
        {"fail_nonfinite_nan.safetensors", "'param.scale' is NaN at element 0"},
        {"fail_nonfinite_infinity.safetensors", "'param.odd\"name\\' is -infinity at element 3"}};
    ebm_model *model = io_model_create(NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(ebm_model_load(model, golden_path(cases[i][0])) != EBM_OK);
        assert_message(cases[i][1]);
    }
    ebm_model_destroy(model);
}

/* Another model's whole file is a mismatch, not damage, although it carries a digest. */
static void test_other_model(void **state) {
    (void)state;
    ebm_model *other;
    assert_ok(ebm_double_well_create(NULL, 2, 1.0, &other));
    assert_ok(ebm_model_save(other, io_path("a")));
    ebm_model *model = io_model_create_filled(NULL);
    assert_status(ebm_model_load(model, io_path("a")), EBM_ERR_MISMATCH);
    assert_message("'param.weight'");
    io_assert_params(model, io_values);
    ebm_model_destroy(model);
    ebm_model_destroy(other);
    io_empty_folder();
}

static void test_without_parameters(void **state) {
    (void)state;
    ebm_model *model;
    assert_ok(ebm_model_create(NULL, 1, io_energy, NULL, NULL, &model));
    assert_ok(ebm_model_save(model, io_path("a")));
    assert_ok(ebm_model_load(model, io_path("a")));
    assert_status(ebm_model_load(model, golden_path("model_0_1.safetensors")), EBM_ERR_MISMATCH);
    ebm_model_destroy(model);
    io_empty_folder();
}

static int n_messages;
static char message[256];

static void take_message(int32_t level, const char *text, void *user_data) {
    (void)level;
    (void)user_data;
    n_messages++;
    snprintf(message, sizeof message, "%s", text);
}

static void test_unverified_is_said(void **state) {
    (void)state;
    ebm_context *context;
    assert_ok(ebm_context_create(&context));
    assert_ok(ebm_context_set_log(context, take_message, NULL));
    ebm_model *model = io_model_create(context, NULL);
    n_messages = 0;
    assert_ok(ebm_model_load(model, golden_path("model_0_1.safetensors")));
    assert_int_equal(n_messages, 0);
    assert_ok(ebm_model_load(model, golden_path("model_without_digest.safetensors")));
    assert_int_equal(n_messages, 1);
    assert_non_null(strstr(message, "unverified"));
    ebm_model_destroy(model);
    ebm_context_destroy(context);
}

static void test_arguments(void **state) {
    (void)state;
    ebm_model *model = io_model_create(NULL, NULL);
    assert_status(ebm_model_save(NULL, "a"), EBM_ERR_ARG);
    assert_status(ebm_model_save(model, NULL), EBM_ERR_ARG);
    assert_message("path is NULL");
    assert_status(ebm_model_save(model, ""), EBM_ERR_ARG);
    assert_message("path is empty");
    assert_status(ebm_model_load(NULL, "a"), EBM_ERR_ARG);
    assert_status(ebm_model_load(model, NULL), EBM_ERR_ARG);
    assert_status(ebm_model_load(model, ""), EBM_ERR_ARG);
    ebm_model_destroy(model);
}

/* A model that has become NaN must not take the place of its last good file, which alone could be loaded again. */
static void test_nonfinite_is_not_saved(void **state) {
    (void)state;
    float bound[IO_PARAMS] = {0};
    ebm_model *model = io_model_create_filled(NULL);
    assert_ok(ebm_model_save(model, io_path("a")));
    assert_ok(ebm_model_bind_params(model, IO_PARAMS, bound));
    bound[6] = NAN;
    assert_status(ebm_model_save(model, io_path("a")), EBM_ERR_NONFINITE);
    assert_message("'param.scale' is NaN at element 0");
    bound[6] = 0;
    assert_ok(ebm_model_load(model, io_path("a")));
    assert_memory_equal(bound, io_values, sizeof bound);
    ebm_model_destroy(model);
    assert_int_equal(io_empty_folder(), 1);
}

static ebm_model *busy_model;
static ebm_status busy_save;
static ebm_status busy_load;

static void save_and_load_from_callback(void) {
    busy_save = ebm_model_save(busy_model, io_path("b"));
    busy_load = ebm_model_load(busy_model, io_path("a"));
}

static void test_busy(void **state) {
    (void)state;
    static void (*hook)(void) = save_and_load_from_callback;
    const float x[2] = {0, 0};
    double energy;
    busy_model = io_model_create(NULL, &hook);
    assert_ok(ebm_model_save(busy_model, io_path("a")));
    assert_ok(ebm_model_energy(busy_model, 1, x, &energy));
    assert_int_equal(busy_save, EBM_ERR_BUSY);
    assert_int_equal(busy_load, EBM_ERR_BUSY);
    assert_false(io_exists(io_path("b")));
    ebm_model_destroy(busy_model);
    assert_int_equal(io_empty_folder(), 1);
}

/* The n-th allocation fails, once and from then on: nothing changes, nothing leaks, the next attempt succeeds. */
static void test_no_memory(void **state) {
    (void)state;
    failing_allocator memory = {0};
    ebm_context *context;
    assert_ok(ebm_context_create_with_allocator(failing_alloc, failing_free, &memory, &context));
    ebm_model *model = io_model_create_filled(context);
    assert_ok(ebm_model_save(model, io_path("a")));
    long live = atomic_load(&memory.live);
    for (int for_good = 0; for_good <= 1; for_good++) {
        ebm_status status = EBM_ERR_NOMEM;
        long n = 0;
        io_set_all(model, 7.0F);
        for (; status == EBM_ERR_NOMEM; n++) {
            io_assert_all(model, 7.0F);
            failing_allocator_arm(&memory, n + 1, for_good);
            status = ebm_model_load(model, io_path("a"));
            assert_int_equal(atomic_load(&memory.live), live);
        }
        assert_ok(status);
        assert_true(n > 4);
        io_assert_params(model, io_values);
        io_set_all(model, 7.0F);
        for (n = 0, status = EBM_ERR_NOMEM; status == EBM_ERR_NOMEM; n++) {
            failing_allocator_arm(&memory, n + 1, for_good);
            status = ebm_model_save(model, io_path("b"));
            assert_int_equal(io_exists(io_path("b")), status == EBM_OK);
            assert_int_equal(atomic_load(&memory.live), live);
        }
        assert_ok(status);
        assert_true(n > 2);
        failing_allocator_arm(&memory, 0, 0);
        assert_int_equal(unlink(io_path("b")), 0);
    }
    ebm_model_destroy(model);
    ebm_context_destroy(context);
    assert_int_equal(atomic_load(&memory.live), 0);
    io_empty_folder();
}

static failing_allocator parser_memory;

static void *parser_alloc(size_t size) {
    void *memory = failing_alloc(size, &parser_memory);
    if (memory == NULL) {
        errno = ENOMEM; /* as malloc does */
    }
    return memory;
}

static void parser_free(void *memory) {
    if (memory != NULL) {
        failing_free(memory, &parser_memory);
    }
}

/* The same for the JSON parser, whose memory is not the context's. */
static void test_no_memory_for_the_parser(void **state) {
    (void)state;
    ebm_model *model = io_model_create(NULL, NULL);
    io_set_all(model, 7.0F);
    json_set_alloc_funcs(parser_alloc, parser_free);
    for (int for_good = 0; for_good <= 1; for_good++) {
        ebm_status status = EBM_ERR_NOMEM;
        long n = 0;
        for (; status == EBM_ERR_NOMEM; n++) {
            io_assert_all(model, 7.0F);
            failing_allocator_arm(&parser_memory, n + 1, for_good);
            status = ebm_model_load(model, golden_path("model_0_1.safetensors"));
            assert_int_equal(atomic_load(&parser_memory.live), 0);
        }
        assert_ok(status);
        assert_true(n > 20);
        io_assert_params(model, io_values);
        io_set_all(model, 7.0F);
    }
    json_set_alloc_funcs(malloc, free);
    ebm_model_destroy(model);
}

/* In a locale whose decimal point is a comma. Where the system has none, one is made; where it cannot, the test is
 * skipped. */
static int comma_locale(void) {
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) {
        char command[3 * PATH_MAX];
        snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' > '%s' 2>&1", io_folder,
                 io_path("log"));
        if (system(command) == 0) {
            setenv("LOCPATH", io_folder, 1);
            setlocale(LC_ALL, "de_DE.UTF-8");
        }
    }
    return strcmp(localeconv()->decimal_point, ",") == 0;
}

static void test_comma_locale(void **state) {
    (void)state;
    char command[2 * PATH_MAX];
    if (!comma_locale()) {
        skip();
    }
    ebm_model *model = io_model_create_filled(NULL);
    assert_ok(ebm_model_save(model, io_path("a")));
    int64_t n = io_read(io_path("a"), bytes);
    assert_int_equal(n, io_read(golden_path("model_0_1.safetensors"), golden));
    assert_memory_equal(bytes, golden, (size_t)n);
    io_set_all(model, 7.0F);
    assert_ok(ebm_model_load(model, io_path("a")));
    io_assert_params(model, io_values);
    ebm_model_destroy(model);
    setlocale(LC_ALL, "C");
    snprintf(command, sizeof command, "rm -rf '%s'/*", io_folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_golden_is_written),
        cmocka_unit_test(test_golden_files),
        cmocka_unit_test(test_mismatch_names_the_tensor),
        cmocka_unit_test(test_other_model),
        cmocka_unit_test(test_without_parameters),
        cmocka_unit_test(test_unverified_is_said),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_nonfinite_is_not_saved),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_memory_for_the_parser),
        cmocka_unit_test(test_comma_locale),
    };
    return cmocka_run_group_tests(tests, io_make_folder, io_remove_folder);
}
