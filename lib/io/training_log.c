/* SPDX-License-Identifier: MIT */
/* One line of a file for each training step. */
#include <ebm/io.h>

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/append.h"
#include "core/clock.h"
#include "core/context.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/tensor_file.h"
#include "trainer/trainer.h"

typedef struct training_log {
    ebm__keeper keeper;
    int32_t format;
    int fd;
    int64_t last_step; /* of the last line; -1: another trainer's, or unknown */
    bool failing;      /* the host has been told */
    double start;
    char path[];
} training_log;

static const char *const NAMES[] = {"energy_data", "energy_model",    "gap",              "grad_norm", "learning_rate",
                                    "acceptance",  "energy_data_std", "energy_model_std", "grad_x",    "grad_x_clipped",
                                    "moved",       "moved_share",     "spread",           "rhat",      "verdict",
                                    "rollbacks",   "seconds"};
enum { N_NUMBERS = sizeof NAMES / sizeof *NAMES, LINE_SIZE = 1024 };

/* ---- lines ---- */

typedef struct line {
    char text[LINE_SIZE];
    int64_t n;
} line;

/* The longest line has 19 numbers of at most 24 characters, and the names. */
__attribute__((format(printf, 2, 3))) static void put(line *l, const char *format, ...) {
    va_list args;
    va_start(args, format);
    l->n += ebm__format(l->text + l->n, LINE_SIZE - (size_t)l->n, format, args);
    va_end(args);
}

static void make_heading(line *l) {
    put(l, "step,epoch");
    for (int i = 0; i < N_NUMBERS; i++) {
        put(l, ",%s", NAMES[i]);
    }
    put(l, "\n");
}

static void make_line(const training_log *log, const ebm_trainer *trainer, line *l) {
    const ebm__trainer_report *report = &trainer->report;
    const double *health = report->health.number;
    const double numbers[N_NUMBERS] = {report->energy_data,
                                       report->energy_model,
                                       report->energy_data - report->energy_model,
                                       report->grad_norm,
                                       ebm__trainer_learning_rate(trainer),
                                       report->acceptance,
                                       health[EBM_HEALTH_ENERGY_DATA_STD],
                                       health[EBM_HEALTH_ENERGY_MODEL_STD],
                                       health[EBM_HEALTH_GRAD_X],
                                       health[EBM_HEALTH_GRAD_X_CLIPPED],
                                       health[EBM_HEALTH_MOVED],
                                       health[EBM_HEALTH_MOVED_SHARE],
                                       health[EBM_HEALTH_SPREAD],
                                       health[EBM_HEALTH_RHAT],
                                       trainer->health.verdict,
                                       (double)trainer->rollbacks,
                                       ebm__seconds() - log->start};
    bool csv = log->format == EBM_LOG_CSV;
    put(l, csv ? "%" PRId64 ",%" PRId64 : "{\"step\":%" PRId64 ",\"epoch\":%" PRId64, trainer->steps, trainer->epochs);
    for (int i = 0; i < N_NUMBERS; i++) {
        if (csv) {
            put(l, ",");
        } else {
            put(l, ",\"%s\":", NAMES[i]);
        }
        if (isfinite(numbers[i])) {
            put(l, "%.9g", numbers[i]);
        } else {
            put(l, csv ? "" : "null");
        }
    }
    put(l, csv ? "\n" : "}\n");
}

/* ---- going on ---- */

#define JSON_BEGINNING "{\"step\":"

/* The step that a line is of, or -1. */
static int64_t step_of(const training_log *log, const char *text) {
    char *end;
    if (log->format == EBM_LOG_JSON_LINES) {
        if (strncmp(text, JSON_BEGINNING, sizeof JSON_BEGINNING - 1) != 0) {
            return -1;
        }
        text += sizeof JSON_BEGINNING - 1;
    }
    long long step = strtoll(text, &end, 10);
    return end != text && *end == ',' ? step : -1;
}

/* Are two texts the same as far as the shorter goes? */
static bool agree(const char *a, const char *b) {
    size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    return strncmp(a, b, n) == 0;
}

/* The first line tells whether the file is a log of this kind, or empty; nothing else is ever cut. */
static ebm_status check_kind(const training_log *log) {
    char first[EBM__LINE_SHOWN];
    line heading = {.n = 0};
    make_heading(&heading);
    heading.text[heading.n - 1] = 0; /* the line's end */
    EBM__TRY(ebm__append_first_line(log->fd, first));
    return agree(first, log->format == EBM_LOG_CSV ? heading.text : JSON_BEGINNING)
               ? EBM_OK
               : ebm__fail(EBM_ERR_MISMATCH, "the file is no log of this format");
}

typedef struct going_on {
    const training_log *log;
    int64_t next_step;
} going_on;

static bool stays(int64_t number, const char *text, void *data) {
    going_on *g = data;
    if (number == 0 && g->log->format == EBM_LOG_CSV) {
        return true; /* the heading */
    }
    int64_t step = step_of(g->log, text);
    return step >= 0 && step < g->next_step;
}

/* Cuts off what stands there of this step and later ones, from before the trainer was resumed. */
static ebm_status go_on(training_log *log, const ebm_trainer *trainer) {
    int64_t n_lines;
    going_on g = {.log = log, .next_step = trainer->steps};
    EBM__TRY(ebm__append_cut(trainer->handle.context, log->fd, stays, &g, &n_lines));
    if (n_lines == 0 && log->format == EBM_LOG_CSV) {
        line heading = {.n = 0};
        make_heading(&heading);
        return ebm__append_line(log->fd, heading.text, heading.n);
    }
    return EBM_OK;
}

static ebm_status write_step(training_log *log, const ebm_trainer *trainer) {
    line l = {.n = 0};
    if (trainer->steps != log->last_step + 1 || log->failing) {
        EBM__TRY(go_on(log, trainer));
    }
    make_line(log, trainer, &l);
    return ebm__append_line(log->fd, l.text, l.n);
}

/* A log that cannot be written does not end a training: the host is told once, until it can be again. */
static void after_step(ebm__keeper *keeper, ebm_trainer *trainer) {
    training_log *log = (training_log *)(void *)keeper;
    bool failed = write_step(log, trainer) != EBM_OK;
    if (failed && !log->failing) {
        ebm__log(trainer->handle.context, EBM_LOG_WARNING, "step %" PRId64 ": the training log '%.200s': %s",
                 trainer->steps, log->path, ebm_last_error());
    }
    log->failing = failed;
    log->last_step = trainer->steps;
}

static void destroy(ebm__keeper *keeper, ebm_context *context) {
    training_log *log = (training_log *)(void *)keeper;
    ebm__append_close(log->fd);
    ebm__free(context, log);
}

/* ---- setting ---- */

static ebm_status open_log(ebm_context *context, const char *path, int32_t format, training_log **out) {
    training_log *log;
    EBM__TRY(ebm__alloc(context, 1, sizeof *log + strlen(path) + 1, "a training log", &log));
    ebm_status status = ebm__append_open(path, &log->fd);
    if (status != EBM_OK) {
        ebm__free(context, log);
        return status;
    }
    log->keeper = (ebm__keeper){.after_step = after_step, .destroy = destroy};
    log->format = format;
    log->last_step = -1;
    log->start = ebm__seconds();
    memcpy(log->path, path, strlen(path) + 1);
    status = check_kind(log);
    if (status != EBM_OK) {
        destroy(&log->keeper, context);
        return status;
    }
    *out = log;
    return EBM_OK;
}

ebm_status ebm_trainer_set_log_file(ebm_trainer *trainer, const char *path, int32_t format) {
    EBM__REQUIRE(trainer);
    training_log *log = NULL;
    if (path != NULL) {
        EBM__TRY(ebm__require_path(__func__, path));
        if (format != EBM_LOG_CSV && format != EBM_LOG_JSON_LINES) {
            return ebm__fail(EBM_ERR_ARG, "%s: format is %d, must be EBM_LOG_CSV or EBM_LOG_JSON_LINES", __func__,
                             format);
        }
    }
    EBM__USE(use, trainer);
    if (path != NULL) {
        ebm_status status = open_log(trainer->handle.context, path, format, &log);
        if (status != EBM_OK) {
            return ebm__fail_within(status, "%s: '%.200s': ", __func__, path);
        }
    }
    ebm__trainer_set_keeper(trainer, EBM__KEEPER_LOGS, log == NULL ? NULL : &log->keeper);
    return EBM_OK;
}

ebm_status ebm_trainer_get_log_file(const ebm_trainer *trainer, const char **path, int32_t *format) {
    EBM__REQUIRE(trainer);
    EBM__TRY(ebm__readable(&trainer->handle, __func__));
    const training_log *log = (training_log *)(void *)trainer->keepers[EBM__KEEPER_LOGS];
    if (path != NULL) {
        *path = log == NULL ? NULL : log->path;
    }
    if (format != NULL) {
        *format = log == NULL ? EBM_LOG_CSV : log->format;
    }
    return EBM_OK;
}
