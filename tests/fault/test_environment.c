/* SPDX-License-Identifier: MIT */
/*
 * The process belongs to the host: loading and using the library leaves floating-point modes, locale, signals and the
 * threads of the BLAS as they were, and prints nothing. A host's locale changes no result and no message.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "test_models.h"

enum { DIM = 3, PARAMS = 2 * DIM, ROWS = 300, MOST_TASKS = 64 };

typedef struct environment {
    unsigned float_control; /* rounding, denormals, masks; not what has happened */
    int rounding;
    char locale[256];
    sigset_t mask;
    void (*handlers[NSIG])(int);
    int blas_threads;
} environment;

static unsigned float_control(void) {
#if defined(__SSE__)
    return _mm_getcsr() & ~0x3FU;
#else
    return 0;
#endif
}

/* OpenBLAS alone has such a number to change. */
static int blas_threads(void) {
    int (*get)(void) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, "openblas_get_num_threads");
    memcpy(&get, &symbol, sizeof get);
    return get == NULL ? 0 : get();
}

static void look(environment *e) {
    memset(e, 0, sizeof *e);
    e->float_control = float_control();
    e->rounding = fegetround();
    snprintf(e->locale, sizeof e->locale, "%s", setlocale(LC_ALL, NULL));
    pthread_sigmask(SIG_SETMASK, NULL, &e->mask);
    for (int s = 1; s < NSIG; s++) {
        struct sigaction action;
        if (sigaction(s, NULL, &action) == 0) {
            e->handlers[s] = action.sa_handler;
        }
    }
    e->blas_threads = blas_threads();
}

static void assert_same(const environment *before) {
    environment now;
    look(&now);
    assert_int_equal(now.float_control, before->float_control);
    assert_int_equal(now.rounding, before->rounding);
    assert_string_equal(now.locale, before->locale);
    for (int s = 1; s < NSIG; s++) {
        assert_int_equal(sigismember(&now.mask, s), sigismember(&before->mask, s));
        assert_true(now.handlers[s] == before->handlers[s]);
    }
    assert_int_equal(now.blas_threads, before->blas_threads);
}

static char logged[512];

static void log_line(int32_t level, const char *message, void *data) {
    (void)level;
    (void)data;
    snprintf(logged, sizeof logged, "%s", message);
}

/* A bit of everything, failures too. The parameters and states at the end, and the last message. */
static void use(int32_t n_threads, float *theta, float *x, char *message) {
    test_host host = {0};
    ebm_context *context = NULL;
    ebm_model *mlp = NULL;
    ebm_sampler *sampler = NULL;
    ebm_trainer *trainer = NULL;
    const int64_t widths[] = {32, 32};
    static float data[ROWS * DIM];
    double worst;
    test_fill(ROWS * DIM, data);
    assert_ok(ebm_context_create(&context));
    assert_ok(ebm_context_set_threads(context, n_threads));
    assert_ok(ebm_context_set_log(context, log_line, NULL));
    assert_ok(ebm_mlp_create(context, DIM, 2, widths, EBM_ACT_SILU, &mlp));
    assert_ok(ebm_model_init_params(mlp, 1));
    assert_ok(ebm_model_check_gradients(mlp, 2, data, &worst, &worst));
    ebm_model *model = test_model_create(context, DIM, 1, &host);
    assert_ok(ebm_sampler_create(NULL, model, ROWS, 1, &sampler));
    assert_ok(ebm_sampler_set_kernel(sampler, EBM_KERNEL_MALA));
    assert_ok(ebm_trainer_create(NULL, model, sampler, &trainer));
    assert_ok(ebm_trainer_fit(trainer, ROWS, data, 2));
    assert_non_null(ebm_build_info());
    test_host_arm(&host, CALL_ENERGY, -1);
    host.answer = 7;
    assert_status(ebm_trainer_step(trainer, ROWS, data), EBM_ERR_CALLBACK);
    assert_status(ebm_sampler_set_step_size(sampler, -1.5), EBM_ERR_ARG);
    snprintf(message, 512, "%s", ebm_last_error());
    assert_ok(ebm_model_get_params(model, PARAMS, theta));
    assert_ok(ebm_sampler_get_states(sampler, ROWS, x));
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
    ebm_model_destroy(mlp);
    ebm_context_destroy(context);
}

static void test_use(void **state) {
    environment before;
    float theta[PARAMS];
    static float x[ROWS * DIM];
    char message[512];
    (void)state;
    look(&before);
    for (int32_t n_threads = 1; n_threads <= 2; n_threads++) {
        use(n_threads, theta, x, message);
        assert_same(&before);
    }
}

/* The shared library, which stands beside this program's folder in a build: loaded and unloaded. */
static void test_load(void **state) {
    environment before;
    char path[4096];
    (void)state;
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
    assert_true(length > 0);
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    assert_non_null(slash);
    strcpy(slash, "/../lib/libebm.so");
    if (access(path, R_OK) != 0) {
        print_message("no %s in this build\n", path);
        skip();
    }
    look(&before);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fail_msg("%s", dlerror());
    }
    assert_same(&before);
    const char *(*build_info)(void) = NULL;
    void *symbol = dlsym(library, "ebm_build_info");
    assert_non_null(symbol);
    memcpy(&build_info, &symbol, sizeof build_info);
    assert_non_null(build_info());
    assert_same(&before);
    assert_int_equal(dlclose(library), 0);
    assert_same(&before);
}

static void test_silence(void **state) {
    float theta[PARAMS];
    static float x[ROWS * DIM];
    char message[512];
    struct stat written;
    (void)state;
    fflush(NULL);
    FILE *sink = tmpfile();
    assert_non_null(sink);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    dup2(fileno(sink), STDOUT_FILENO);
    dup2(fileno(sink), STDERR_FILENO);
    use(2, theta, x, message);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(out);
    close(err);
    assert_int_equal(fstat(fileno(sink), &written), 0);
    assert_int_equal(written.st_size, 0);
    fclose(sink);
}

/* --- locale
 * ----------------------------------------------------------------------------------------------------------- */

/* Makes the German locale in a folder of its own, and turns to it. False where it cannot be had. */
static bool turn_german(char *folder) {
    char command[256];
    if (mkdtemp(folder) == NULL) {
        return false;
    }
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 > /dev/null 2>&1", folder);
    int made = system(command);
    setenv("LOCPATH", folder, 1);
    return made == 0 && setlocale(LC_ALL, "de_DE.UTF-8") != NULL && strcmp(localeconv()->decimal_point, ",") == 0;
}

static void test_german(void **state) {
    char folder[] = "/tmp/ebm-locale-XXXXXX";
    char command[256];
    char message[2][512];
    char line[512];
    float theta[2][PARAMS];
    static float x[2][ROWS * DIM];
    environment before;
    (void)state;
    use(1, theta[0], x[0], message[0]);
    snprintf(line, sizeof line, "%s", logged);
    bool german = turn_german(folder);
    if (german) {
        look(&before);
        use(1, theta[1], x[1], message[1]);
        assert_same(&before);
    }
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    if (!german) {
        print_message("no locale de_DE on this machine\n");
        skip();
    }
    assert_memory_equal(theta[1], theta[0], sizeof theta[0]);
    assert_memory_equal(x[1], x[0], sizeof x[0]);
    assert_string_equal(message[1], message[0]);
    assert_non_null(strstr(message[0], "-1.5"));
    assert_string_equal(logged, line);
    assert_true(strlen(line) > 0);
}

/* --- the library's threads
 * -------------------------------------------------------------------------------------------- */

static int list_tasks(long *tasks) {
    int n = 0;
    DIR *folder = opendir("/proc/self/task");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL && n < MOST_TASKS;) {
        if (entry->d_name[0] != '.') {
            tasks[n++] = strtol(entry->d_name, NULL, 10);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return n;
}

static unsigned long long blocked_signals(long task) {
    char text[512];
    unsigned long long mask = 0;
    snprintf(text, sizeof text, "/proc/self/task/%ld/status", task);
    FILE *file = fopen(text, "r");
    while (file != NULL && fgets(text, sizeof text, file) != NULL) {
        if (strncmp(text, "SigBlk:", 7) == 0) {
            mask = strtoull(text + 7, NULL, 16);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return mask;
}

/* All signals that can be blocked are, in every thread that the library starts; and the threads end with their context.
 */
static void test_threads_block_signals(void **state) {
    static const int signals[] = {SIGINT, SIGTERM, SIGALRM, SIGUSR1, SIGCHLD, SIGPROF, SIGWINCH, SIGHUP};
    long before[MOST_TASKS];
    long after[MOST_TASKS];
    ebm_context *context = NULL;
    (void)state;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    bool told = blocked_signals((long)getpid()) != 0;
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    if (!told) {
        print_message("this system does not tell threads' signal masks\n");
        skip();
    }
    int n_before = list_tasks(before);
    assert_ok(ebm_context_create(&context));
    assert_ok(ebm_context_set_threads(context, 3));
    int n_after = list_tasks(after);
    assert_int_equal(n_after, n_before + 2);
    for (int i = 0; i < n_after; i++) {
        bool ours = true;
        for (int k = 0; k < n_before; k++) {
            ours = ours && before[k] != after[i];
        }
        for (size_t s = 0; ours && s < sizeof signals / sizeof signals[0]; s++) {
            assert_true((blocked_signals(after[i]) >> (signals[s] - 1) & 1) == 1);
        }
    }
    ebm_context_destroy(context);
    assert_int_equal(list_tasks(after), n_before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_use),    cmocka_unit_test(test_load),
        cmocka_unit_test(test_silence), cmocka_unit_test(test_german),
        cmocka_unit_test(test_threads_block_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
