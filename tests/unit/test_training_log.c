/* SPDX-License-Identifier: MIT */
/* The log of training steps: its lines, and that it goes on as it should after a resume. */
#include "resume_support.h"

#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>

#include "trainer/trainer.h"

static const resume_case *const CASE = &RESUME_CASES[2]; /* by fit: four steps an epoch */
static char text[IO_MOST_BYTES];

static void train(resumed *r, int64_t until) {
    resume_train(r, CASE, (resume_stop){.at = until});
}

static const char *log_text(void) {
    int64_t n = io_read(io_path("log"), (uint8_t *)text);
    assert_true(n >= 0);
    text[n] = 0;
    return text;
}

static const char HEADING[] = "step,epoch,energy_data,energy_model,gap,grad_norm,learning_rate,acceptance,"
                              "energy_data_std,energy_model_std,grad_x,grad_x_clipped,moved,moved_share,spread,rhat,"
                              "verdict,rollbacks,seconds\n";

/* Lines of steps 1 to n, each once, in their order, with numbers. */
static void check_csv(int64_t n) {
    const char *at = log_text();
    assert_int_equal(strncmp(at, HEADING, sizeof HEADING - 1), 0);
    at += sizeof HEADING - 1;
    for (int64_t step = 1; step <= n; step++) {
        long long numbers[2];
        double values[13];
        int verdict;
        int rollbacks;
        double elapsed;
        int length;
        int read = sscanf(at, "%lld,%lld,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,,%d,%d,%lf\n%n", &numbers[0],
                          &numbers[1], &values[0], &values[1], &values[2], &values[3], &values[4], &values[5],
                          &values[6], &values[7], &values[8], &values[9], &values[10], &values[11], &values[12],
                          &verdict, &rollbacks, &elapsed, &length); /* behind a buffer there is no R-hat */
        assert_int_equal(read, 18);
        assert_int_equal(rollbacks, 0);
        assert_int_equal(verdict, EBM_VERDICT_UNKNOWN);
        assert_int_equal(numbers[0], step);
        assert_int_equal(numbers[1], step / 4);
        assert_true(fabs(values[2] - (values[0] - values[1])) < 1e-6);
        at += length;
    }
    assert_int_equal(*at, 0);
}

static void test_csv(void **state) {
    (void)state;
    double energy;
    double expected;
    resumed r = resume_create(NULL, CASE);
    assert_ok(ebm_trainer_set_log_file(r.trainer, io_path("log"), EBM_LOG_CSV));
    assert_string_equal(log_text(), "");
    train(&r, 9);
    check_csv(9);
    assert_ok(ebm_trainer_get_energy_data(r.trainer, &expected));
    assert_int_equal(sscanf(strstr(text, "\n9,") + 3, "2,%lf", &energy), 1);
    assert_true(fabs(energy - expected) <= 1e-8 * fabs(expected));
    assert_ok(ebm_trainer_set_log_file(r.trainer, NULL, 0));
    train(&r, 10);
    check_csv(9);
    resume_destroy(&r);
    io_empty_folder();
}

static void test_json_lines(void **state) {
    (void)state;
    static const char *const names[] = {"energy_data", "energy_model",    "gap",              "grad_norm",
                                        "acceptance",  "energy_data_std", "energy_model_std", "grad_x",
                                        "spread",      "moved",           "moved_share",      "grad_x_clipped",
                                        "verdict",     "learning_rate",   "seconds"};
    resumed r = resume_create(NULL, CASE);
    assert_ok(ebm_trainer_set_log_file(r.trainer, io_path("log"), EBM_LOG_JSON_LINES));
    train(&r, 5);
    char *at = text;
    log_text();
    for (int step = 1; step <= 5; step++) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        *end = 0;
        json_t *json = json_loads(at, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        assert_int_equal(json_object_size(json), 19);
        assert_true(json_is_null(json_object_get(json, "rhat"))); /* there is none behind a buffer */
        assert_int_equal(json_integer_value(json_object_get(json, "step")), step);
        assert_int_equal(json_integer_value(json_object_get(json, "epoch")), step / 4);
        for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
            assert_true(json_is_number(json_object_get(json, names[i])));
        }
        json_decref(json);
        at = end + 1;
    }
    resume_destroy(&r);
    io_empty_folder();
}

/* What an objective has no number for, or what is not finite. */
static void test_not_finite(void **state) {
    (void)state;
    static const int32_t formats[] = {EBM_LOG_CSV, EBM_LOG_JSON_LINES};
    static const char *const lines[] = {"\n2,0,0.5,,,", "\n{\"step\":2,\"epoch\":0,\"energy_data\":0.5,"
                                                      "\"energy_model\":null,\"gap\":null,\"grad_norm\":"};
    for (int f = 0; f < 2; f++) {
        resumed r = resume_create(NULL, CASE);
        assert_ok(ebm_trainer_set_log_file(r.trainer, io_path("log"), formats[f]));
        train(&r, 1);
        r.trainer->steps = 2;
        r.trainer->report.energy_data = 0.5;
        r.trainer->report.energy_model = NAN;
        ebm__keeper *log = r.trainer->keepers[EBM__KEEPER_LOGS];
        log->after_step(log, r.trainer);
        assert_non_null(strstr(log_text(), lines[f]));
        resume_destroy(&r);
        io_empty_folder();
    }
}

/* A trainer goes on from its file of step 6: lines after it go, and so does the half of one. */
static void test_resume(void **state) {
    (void)state;
    static const int32_t formats[] = {EBM_LOG_CSV, EBM_LOG_JSON_LINES};
    for (int f = 0; f < 2; f++) {
        resumed r = resume_create(NULL, CASE);
        assert_ok(ebm_trainer_set_log_file(r.trainer, io_path("log"), formats[f]));
        train(&r, 6);
        assert_ok(ebm_trainer_save(r.trainer, io_path("a")));
        train(&r, 11);
        resume_destroy(&r);
        FILE *log = fopen(io_path("log"), "a");
        assert_non_null(log);
        assert_true(fputs(f == 0 ? "12,3,0.12" : "{\"step\":12,", log) >= 0);
        fclose(log);
        for (int order = 0; order < 2; order++) { /* the log may be set before loading, and after it */
            resumed other = resume_create_plain(NULL, RESUME_CHAINS, 1);
            if (order == 0) {
                assert_ok(ebm_trainer_set_log_file(other.trainer, io_path("log"), formats[f]));
            }
            assert_ok(ebm_trainer_load(other.trainer, io_path("a")));
            if (order == 1) {
                assert_ok(ebm_trainer_set_log_file(other.trainer, io_path("log"), formats[f]));
            }
            train(&other, 8);
            assert_ok(ebm_trainer_load(other.trainer, io_path("a"))); /* again, with the same log */
            train(&other, 9);
            resume_destroy(&other);
            if (f == 0) {
                check_csv(9);
            }
            int n_lines = 0;
            for (const char *c = log_text(); *c != 0; c++) {
                n_lines += *c == '\n';
            }
            assert_int_equal(n_lines, f == 0 ? 10 : 9);
        }
        io_empty_folder();
    }
}

/* What is no log of this kind is not touched. */
static void test_other_files(void **state) {
    (void)state;
    static const char *const contents[] = {"my data\n1,2\n", HEADING, "{\"step\":1,\"epoch\":0}\n", "{\"steps\":1}\n"};
    static const int32_t formats[] = {EBM_LOG_CSV, EBM_LOG_JSON_LINES, EBM_LOG_CSV, EBM_LOG_JSON_LINES};
    resumed r = resume_create(NULL, CASE);
    for (int i = 0; i < 4; i++) {
        io_write(io_path("log"), contents[i], (int64_t)strlen(contents[i]));
        assert_status(ebm_trainer_set_log_file(r.trainer, io_path("log"), formats[i]), EBM_ERR_MISMATCH);
        assert_message("no log of this format");
        assert_string_equal(log_text(), contents[i]);
    }
    resume_destroy(&r);
    io_empty_folder();
}

static int n_messages;

static void count_message(int32_t level, const char *message, void *user_data) {
    (void)user_data;
    n_messages += level == EBM_LOG_WARNING && strstr(message, "the training log") != NULL;
}

/* A disk that is full is told once; when it has room again, the lines go on. */
static void test_failure(void **state) {
    (void)state;
    ebm_context *context;
    assert_ok(ebm_context_create(&context));
    assert_ok(ebm_context_set_log(context, count_message, NULL));
    resumed r = resume_create(context, CASE);
    assert_ok(ebm_trainer_set_log_file(r.trainer, io_path("log"), EBM_LOG_CSV));
    train(&r, 3);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit tight = {strlen(log_text()) + 10, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    train(&r, 6);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(n_messages, 1);
    train(&r, 8);
    /* Steps 4 to 6 are missing, and no half of a line stands there. */
    assert_non_null(strstr(log_text(), "\n8,2,"));
    assert_null(strstr(text, "\n4,"));
    int n_lines = 0;
    for (const char *c = text; *c != 0; c++) {
        n_lines += *c == '\n';
    }
    assert_int_equal(n_lines, 1 + 3 + 2);
    assert_int_equal(n_messages, 1);
    resume_destroy(&r);
    ebm_context_destroy(context);
    io_empty_folder();
}

static void test_settings(void **state) {
    (void)state;
    const char *path = "";
    int32_t format = 0;
    resumed r = resume_create_plain(NULL, RESUME_CHAINS, 1);
    assert_ok(ebm_trainer_get_log_file(r.trainer, &path, &format));
    assert_true(path == NULL && format == EBM_LOG_CSV);
    assert_ok(ebm_trainer_set_log_file(r.trainer, io_path("log"), EBM_LOG_JSON_LINES));
    assert_status(ebm_trainer_set_log_file(r.trainer, "", EBM_LOG_CSV), EBM_ERR_ARG);
    assert_status(ebm_trainer_set_log_file(r.trainer, "a", 0), EBM_ERR_ARG);
    assert_message("format is 0");
    assert_status(ebm_trainer_set_log_file(r.trainer, "a", 3), EBM_ERR_ARG);
    assert_status(ebm_trainer_set_log_file(r.trainer, io_path("missing/log"), EBM_LOG_CSV), EBM_ERR_IO);
    assert_status(ebm_trainer_set_log_file(r.trainer, "/dev/null", EBM_LOG_CSV), EBM_ERR_IO);
    assert_message("not a regular file");
    assert_status(ebm_trainer_set_log_file(NULL, "a", EBM_LOG_CSV), EBM_ERR_ARG);
    assert_status(ebm_trainer_get_log_file(NULL, &path, &format), EBM_ERR_ARG);
    assert_ok(ebm_trainer_get_log_file(r.trainer, &path, &format));
    assert_string_equal(path, io_path("log"));
    assert_int_equal(format, EBM_LOG_JSON_LINES);
    resume_destroy(&r);
    io_empty_folder();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, io_make_folder, io_remove_folder);
}
