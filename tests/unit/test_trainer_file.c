/* SPDX-License-Identifier: MIT */
/* What files of trainers hold, what is refused, and that nothing changes then. test_resume.c has what they are for. */
#include "failing_allocator.h"
#include "memory_file.h"
#include "resume_support.h"

#include "io/safetensors_read.h"

enum { MOST_PARAMS = 256 };

static uint8_t whole[IO_MOST_BYTES];
static uint8_t bytes[IO_MOST_BYTES];
static int64_t n_whole;

/* One that has everything: a ladder, a dense metric, held coordinates, momenta, a buffer, an average. */
static const resume_case FULL = {"full", EBM_OPT_ADAM, EBM_KERNEL_UNDERDAMPED_ADJUSTED, EBM_START_PERSISTENT, 7, 0.1, 2,
                                 EBM_METRIC_DENSE, 1, 1, 1, 1, 0, 0, 0, 0};
/* Its chains go on without a buffer, so that their momenta stay. */
static const resume_case MOMENTA = {"momenta", EBM_OPT_ADAM, EBM_KERNEL_HMC, EBM_START_PERSISTENT, 0, 0, 2,
                                    EBM_METRIC_DIAGONAL, 1, 0, 1, 1, 0, 0, 0, 0};

static const resume_case NOISE =
    WITHOUT_CHAINS("noise", EBM_OPT_ADAMW, EBM_OBJECTIVE_NOISE_CONTRASTIVE, RESUME_NOISE_FULL, 0, 1, 0);
static const resume_case BARE_NOISE =
    WITHOUT_CHAINS("noise alone", EBM_OPT_ADAMW, EBM_OBJECTIVE_NOISE_CONTRASTIVE, RESUME_NOISE_FULL, 0, 1, 1);
static const resume_case HOST_NOISE =
    WITHOUT_CHAINS("host's noise", EBM_OPT_SGD, EBM_OBJECTIVE_NOISE_CONTRASTIVE, RESUME_NOISE_HOST, 0, 1, 0);

static resumed trained(ebm_context *context, const resume_case *c, int64_t steps) {
    resumed r = resume_create(context, c);
    if (c->masked && c->bounded) { /* a dense metric does not go with a mirror */
        assert_ok(ebm_sampler_set_bounds(r.sampler, -2, 2.1, EBM_BOUNDS_CLAMP));
    }
    resume_train(&r, c, (resume_stop){.at = steps});
    return r;
}

/* The file of a trainer into `whole`. */
static void keep_whole(const resumed *r) {
    assert_ok(ebm_trainer_save(r->trainer, io_path("whole")));
    n_whole = io_read(io_path("whole"), whole);
    assert_true(n_whole > 0);
}

static ebm_status load_bytes(const resumed *r, const uint8_t *content, int64_t n) {
    memory_file_use(content, n);
    ebm_status status = ebm_trainer_load(r->trainer, "memory");
    memory_file_use(NULL, 0);
    return status;
}

/* Nothing has changed between the two: the trainer saves the same bytes. */
static void witness_begin(const resumed *r) {
    assert_ok(ebm_trainer_save(r->trainer, io_path("before")));
}

static void witness_end(const resumed *r) {
    assert_ok(ebm_trainer_save(r->trainer, io_path("after")));
    resume_assert_same_files("unchanged", io_path("before"), io_path("after"));
}

/* ---- other handles ---- */

static void test_mismatch_names_the_tensor(void **state) {
    (void)state;
    static const int64_t widths[] = {8};
    resumed r = trained(NULL, &RESUME_CASES[1], 3);
    keep_whole(&r);
    resumed other = {0};
    assert_ok(ebm_mlp_create(NULL, RESUME_DIM, 1, widths, EBM_ACT_SILU, &other.model));
    assert_ok(ebm_model_init_params(other.model, 1));
    assert_ok(ebm_sampler_create(NULL, other.model, RESUME_CHAINS, 1, &other.sampler));
    assert_ok(ebm_trainer_create(NULL, other.model, other.sampler, &other.trainer));
    witness_begin(&other);
    assert_status(ebm_trainer_load(other.trainer, io_path("whole")), EBM_ERR_MISMATCH);
    assert_message("ebm_trainer_load: ");
    assert_message("the file's tensor 'param.");
    assert_message("= 7, must be 8");
    witness_end(&other);
    resume_destroy(&other);

    other = resume_create_plain(NULL, RESUME_CHAINS + 1, 1);
    witness_begin(&other);
    assert_status(ebm_trainer_load(other.trainer, io_path("whole")), EBM_ERR_MISMATCH);
    assert_message("'chain.count' is 6, the sampler has 7 chains");
    witness_end(&other);
    assert_ok(ebm_model_save(r.model, io_path("model")));
    assert_status(ebm_trainer_load(other.trainer, io_path("model")), EBM_ERR_MISMATCH);
    assert_message("lacks the tensor 'chain.count'");
    witness_end(&other);
    resume_destroy(&other);
    resume_destroy(&r);
    io_empty_folder();
}

/* A sampler that the file has nothing of, or does not have; and noise that is the host's. */
static void test_mismatch_of_parts(void **state) {
    (void)state;
    static const resume_case *const of_host = &HOST_NOISE;
    resumed bare = trained(NULL, &BARE_NOISE, 3);
    resumed plain = resume_create_plain(NULL, RESUME_CHAINS, 1);
    assert_ok(ebm_trainer_save(bare.trainer, io_path("bare")));
    assert_ok(ebm_trainer_save(plain.trainer, io_path("plain")));
    witness_begin(&bare);
    assert_status(ebm_trainer_load(bare.trainer, io_path("plain")), EBM_ERR_MISMATCH);
    assert_message("'chain.count', but the trainer was made without a sampler");
    witness_end(&bare);
    witness_begin(&plain);
    assert_status(ebm_trainer_load(plain.trainer, io_path("bare")), EBM_ERR_MISMATCH);
    assert_message("lacks the tensor 'chain.count'");
    witness_end(&plain);
    resume_destroy(&bare);

    bare = trained(NULL, of_host, 3);
    assert_ok(ebm_trainer_save(bare.trainer, io_path("host")));
    witness_begin(&plain);
    assert_status(ebm_trainer_load(plain.trainer, io_path("host")), EBM_ERR_MISMATCH);
    assert_message("'opt.noise_normals_per_row' is 5, the trainer has 0: ebm_trainer_set_noise");
    witness_end(&plain);
    resume_set_host(plain.trainer, of_host);
    assert_ok(ebm_trainer_load(plain.trainer, io_path("host")));
    ebm_noise_sample_fn sample;
    assert_ok(ebm_trainer_get_noise(plain.trainer, &sample, NULL, NULL, NULL));
    assert_true(sample == resume_noise_sample);
    assert_ok(ebm_trainer_load(plain.trainer, io_path("plain"))); /* whose trainer has no noise */
    assert_ok(ebm_trainer_get_noise(plain.trainer, &sample, NULL, NULL, NULL));
    assert_null(sample);
    resume_destroy(&bare);
    resume_destroy(&plain);
    io_empty_folder();
}

static void test_model_from_a_trainers_file(void **state) {
    (void)state;
    float expected[MOST_PARAMS];
    float theta[MOST_PARAMS];
    resumed r = trained(NULL, &RESUME_CASES[1], 5);
    keep_whole(&r);
    int64_t n = ebm_model_param_count(r.model);
    assert_in_range(n, 1, MOST_PARAMS);
    assert_ok(ebm_model_get_params(r.model, n, expected));
    assert_ok(ebm_model_init_params(r.model, 77));
    assert_ok(ebm_model_load(r.model, io_path("whole")));
    assert_ok(ebm_model_get_params(r.model, n, theta));
    assert_memory_equal(theta, expected, (size_t)n * sizeof *theta);
    resume_destroy(&r);
    io_empty_folder();
}

/* ---- damage ---- */

/* Every file cut off, and every byte with a bit turned. */
static void test_damage(void **state) {
    (void)state;
    resumed r = trained(NULL, &FULL, 3);
    keep_whole(&r);
    resumed other = resume_create_plain(NULL, RESUME_CHAINS, 1);
    witness_begin(&other);
    for (int64_t n = 0; n < n_whole; n++) {
        ebm_status status = load_bytes(&other, whole, n);
        assert_true(status == EBM_ERR_CORRUPT || (n < 8 && status == EBM_ERR_FORMAT));
    }
    memcpy(bytes, whole, (size_t)n_whole);
    for (int64_t i = 0; i < n_whole; i++) {
        uint8_t bit = (uint8_t)(1 << i % 8);
        bytes[i] ^= bit;
        ebm_status status = load_bytes(&other, bytes, n_whole);
        if (status != EBM_ERR_CORRUPT && status != EBM_ERR_FORMAT) {
            fail_msg("byte %d: %d, %s", (int)i, status, ebm_last_error());
        }
        bytes[i] ^= bit;
    }
    witness_end(&other);
    assert_ok(load_bytes(&other, bytes, n_whole));
    resume_destroy(&other);
    resume_destroy(&r);
    io_empty_folder();
}

/* The bytes of `whole`, without a digest: with another key in its place. */
static void unseal(void) {
    memcpy(bytes, whole, (size_t)n_whole);
    char *key = memmem(bytes, (size_t)n_whole, "ebm.digest", 10);
    assert_non_null(key);
    memcpy(key, "no.", 3);
}

/* Where the numbers of a tensor stand in `bytes`. */
static uint8_t *place_of(const char *group, const char *name) {
    static char text[IO_MOST_BYTES];
    int64_t length;
    ebm__safetensors_header header;
    assert_ok(ebm__safetensors_length(bytes, n_whole, &length));
    memcpy(text, bytes + 8, (size_t)length);
    assert_ok(ebm__safetensors_read(NULL, text, length, n_whole - 8 - length, &header));
    const ebm__safetensors_entry *entry = ebm__safetensors_find(&header, group, name);
    assert_non_null(entry);
    uint8_t *place = bytes + 8 + length + entry->begin;
    ebm__safetensors_clear(&header);
    return place;
}

typedef struct hostile {
    const char *group, *name;
    char type; /* d: double, f: float, i: int32_t, l: int64_t, b: byte */
    double value;
    ebm_status status;
    const char *message;
} hostile;

static const hostile HOSTILE[] = {
    {"chain", "kernel", 'i', 99, EBM_ERR_FORMAT, "kernel is 99"},
    {"chain", "step_size", 'd', -1, EBM_ERR_FORMAT, "eta is -1"},
    {"chain", "step_size", 'd', NAN, EBM_ERR_FORMAT, "eta is"},
    {"chain", "lo", 'd', 7, EBM_ERR_FORMAT, "lo is 7"},
    {"chain", "capacity", 'l', 6e9, EBM_ERR_MISMATCH, "'chain.buffer' has shape[0] = 7, must be 6000000000"},
    {"chain", "capacity", 'l', 0, EBM_ERR_MISMATCH, "'chain.buffer' has shape[0] = 7, must be 0"},
    {"chain", "capacity", 'l', -1, EBM_ERR_MISMATCH, "'chain.buffer' has shape[0] = 7, must be -1"},
    {"chain", "max_depth", 'i', 60, EBM_ERR_FORMAT, "depth is 60"},
    {"chain", "metric", 'i', 1, EBM_ERR_MISMATCH, "'chain.inverse_mass' has rank 2, must be 1"},
    {"chain", "metric", 'i', -1, EBM_ERR_MISMATCH, "'chain.inverse_mass' has rank 2, must be 1"},
    {"chain", "metric", 'i', 0, EBM_ERR_MISMATCH, "'chain.inverse_mass', for which there is no place"},
    {"chain", "inverse_mass", 'f', -1, EBM_ERR_FORMAT, "inverse_mass is -1 at coordinate 0"},
    {"chain", "inverse_mass", 'f', NAN, EBM_ERR_NONFINITE, "'chain.inverse_mass' is NaN"},
    {"chain", "ladder_temperature", 'd', 2, EBM_ERR_FORMAT, "temperatures[0] is 2"},
    {"chain", "ladder_step_size", 'd', 2, EBM_ERR_FORMAT, "factors[0] is 2"},
    {"chain", "ladder_came_from", 'b', 3, EBM_ERR_FORMAT, "'chain.ladder_came_from' is 3"},
    {"chain", "ladder_proposed", 'l', -1, EBM_ERR_FORMAT, "'chain.ladder_proposed' is -1"},
    {"chain", "free", 'b', 2, EBM_ERR_FORMAT, "free[0] is 2"},
    {"chain", "states", 'f', INFINITY, EBM_ERR_NONFINITE, "'chain.states' is +infinity at element 0"},
    {"chain", "buffer", 'f', -INFINITY, EBM_ERR_NONFINITE, "'chain.buffer' is -infinity at element 0"},
    {"chain", "energy", 'd', -INFINITY, EBM_ERR_NONFINITE, "'chain.energy' is -infinity at element 0"},
    {"chain", "energy", 'd', INFINITY, EBM_OK, ""}, /* where a chain may stand */
    {"chain", "has_stepped", 'b', 2, EBM_ERR_FORMAT, "'chain.has_stepped' is 2"},
    {"opt", "optimizer", 'i', 0, EBM_ERR_FORMAT, "optimizer is 0"},
    {"opt", "optimizer", 'i', EBM_OPT_SGD, EBM_ERR_MISMATCH, "'opt.second_moment', for which there is no place"},
    {"opt", "average_decay", 'd', 0, EBM_ERR_FORMAT, "has averaged parameters"},
    {"opt", "learning_rate_schedule", 'i', -1, EBM_ERR_FORMAT, "kind is -1"},
    {"opt", "step_size_schedule_steps", 'l', 0, EBM_ERR_FORMAT, "n_steps is 0"},
    {"opt", "noise_std_schedule_factor", 'd', NAN, EBM_ERR_FORMAT, "factor is"},
    {"opt", "mcmc_steps_warmup_steps", 'l', -7, EBM_ERR_FORMAT, "warmup_steps is -7"},
    {"opt", "steps", 'l', -1, EBM_ERR_FORMAT, "'opt.steps' is -1"},
    {"opt", "beta1_power", 'd', 1.5, EBM_ERR_FORMAT, "'opt.beta1_power' is 1.5"},
    {"opt", "first_moment", 'f', NAN, EBM_ERR_NONFINITE, "'opt.first_moment' is NaN"},
    {"opt", "has_report", 'b', 255, EBM_ERR_FORMAT, "'opt.has_report' is 255"},
    {"opt", "energy_data", 'd', NAN, EBM_OK, ""}, /* a report may say so */
    {"opt", "objective", 'i', 5, EBM_ERR_FORMAT, "objective is 5"},
    {"opt", "noise_levels", 'd', -1, EBM_ERR_FORMAT, "std[0] is -1"},
    {"opt", "noise_ratio", 'l', 0, EBM_ERR_FORMAT, "ratio is 0"},
    {"opt", "difference_step", 'd', 2, EBM_ERR_FORMAT, "share is 2"},
    {"opt", "noise_normals_per_row", 'l', 3, EBM_ERR_MISMATCH, "'opt.noise_normals_per_row' is 3, the trainer has 0"},
    {"opt", "log_z", 'f', NAN, EBM_ERR_NONFINITE, "'opt.log_z' is NaN"},
    {"opt", "log_z_known", 'b', 2, EBM_ERR_FORMAT, "'opt.log_z_known' is 2"},
    {"rng", "epochs", 'l', -5, EBM_ERR_FORMAT, "'rng.epochs' is -5"},
    {"rng", "epoch_next", 'l', 20, EBM_ERR_FORMAT, "the next row of the epoch is 20, of 20"},
    {"rng", "epoch_next", 'l', 0, EBM_ERR_FORMAT, "the next row of the epoch is 0, of 20"},
    {"rng", "epoch_rows", 'l', 0, EBM_ERR_FORMAT, "the next row of the epoch is 18, of 0"},
};

static const hostile HOSTILE_NOISE[] = {
    {"opt", "objective", 'i', EBM_OBJECTIVE_LIKELIHOOD, EBM_OK, ""}, /* as of a trainer in which none is set yet */
    {"opt", "noise_factor", 'd', 0, EBM_ERR_FORMAT, "'opt.noise_factor' is no factor"},
    {"opt", "noise_factor", 'd', -1, EBM_ERR_FORMAT, "'opt.noise_factor' is no factor"},
    {"opt", "noise_factor", 'd', 1e-309, EBM_ERR_FORMAT, "'opt.noise_factor' is no factor"},
    {"opt", "noise_factor", 'd', INFINITY, EBM_ERR_NONFINITE, "'opt.noise_factor' is +infinity"},
    {"opt", "noise_mean", 'd', NAN, EBM_ERR_NONFINITE, "'opt.noise_mean' is NaN"},
};

static void put(uint8_t *place, const hostile *h) {
    const float narrow = (float)h->value;
    const int64_t whole_number = h->type == 'f' || h->type == 'd' ? 0 : (int64_t)h->value;
    const int32_t short_number = (int32_t)whole_number;
    const uint8_t byte = (uint8_t)whole_number;
    switch (h->type) {
        case 'd':
            memcpy(place, &h->value, sizeof h->value);
            break;
        case 'f':
            memcpy(place, &narrow, sizeof narrow);
            break;
        case 'l':
            memcpy(place, &whole_number, sizeof whole_number);
            break;
        case 'i':
            memcpy(place, &short_number, sizeof short_number);
            break;
        default:
            *place = byte;
    }
}

static void try_hostile(const resume_case *c, size_t n, const hostile *table) {
    resumed r = trained(NULL, c, 3);
    keep_whole(&r);
    for (const hostile *h = table; h < table + n; h++) {
        resumed other = resume_create_empty(NULL, c, 1);
        witness_begin(&other);
        unseal();
        put(place_of(h->group, h->name), h);
        ebm_status status = load_bytes(&other, bytes, n_whole);
        if (status != h->status) {
            fail_msg("%s.%s = %g: %d, not %d: %s", h->group, h->name, h->value, status, h->status, ebm_last_error());
        }
        if (status != EBM_OK) {
            assert_message(h->message);
            witness_end(&other);
        }
        resume_destroy(&other);
    }
    resume_destroy(&r);
    io_empty_folder();
}

/* Without a digest every number may be anything: what no trainer can have is refused by its name. */
static void test_hostile_numbers(void **state) {
    (void)state;
    try_hostile(&FULL, sizeof HOSTILE / sizeof *HOSTILE, HOSTILE);
    try_hostile(&BARE_NOISE, sizeof HOSTILE_NOISE / sizeof *HOSTILE_NOISE, HOSTILE_NOISE);
}

/* Any tensor under another name: one is missing, and one has no place. */
static void test_every_tensor_is_needed(void **state) {
    (void)state;
    int n_tensors = 0;
    resumed r = trained(NULL, &FULL, 3);
    keep_whole(&r);
    resumed other = resume_create_plain(NULL, RESUME_CHAINS, 1);
    witness_begin(&other);
    unseal();
    int64_t length;
    assert_ok(ebm__safetensors_length(bytes, n_whole, &length));
    char *const end = (char *)bytes + 8 + length;
    for (char *at = (char *)bytes + 8; (at = memmem(at, (size_t)(end - at), "\":{\"dtype\"", 10)) != NULL; at++) {
        at[-1] = (char)(at[-1] ^ 1);
        assert_status(load_bytes(&other, bytes, n_whole), EBM_ERR_MISMATCH);
        at[-1] = (char)(at[-1] ^ 1);
        n_tensors++;
    }
    assert_true(n_tensors > 60);
    witness_end(&other);
    assert_ok(load_bytes(&other, bytes, n_whole));
    resume_destroy(&other);
    resume_destroy(&r);
    io_empty_folder();
}

/* ---- what is told after loading, and what stays the host's ---- */

enum { N_NUMBERS = 27 };

static void note_getters(const resumed *r, double number[N_NUMBERS]) {
    int64_t count[7];
    int32_t choice[2];
    double *next = number;
    assert_ok(ebm_trainer_get_energy_data(r->trainer, next++));
    assert_ok(ebm_trainer_get_energy_model(r->trainer, next++));
    assert_ok(ebm_trainer_get_grad_norm(r->trainer, next++));
    assert_ok(ebm_trainer_get_acceptance(r->trainer, next++));
    for (int32_t what = EBM_SCHEDULED_LEARNING_RATE; what <= EBM_SCHEDULED_MCMC_STEPS; what++) {
        assert_ok(ebm_trainer_get_scheduled_value(r->trainer, what, next++));
    }
    assert_ok(ebm_trainer_get_schedule(r->trainer, EBM_SCHEDULED_NOISE_STD, &choice[0], NULL, &count[0], next++));
    assert_ok(ebm_trainer_get_steps(r->trainer, &count[1]));
    assert_ok(ebm_trainer_get_epochs(r->trainer, &count[2]));
    assert_ok(ebm_sampler_get_grad_rms(r->sampler, next++));
    assert_ok(ebm_sampler_get_acceptance(r->sampler, next++));
    assert_ok(ebm_sampler_get_mean_leapfrog_steps(r->sampler, next++));
    assert_ok(ebm_sampler_get_swap_rates(r->sampler, 1, next++));
    assert_ok(ebm_sampler_get_trajectory_energies(r->sampler, RESUME_CHAINS, next));
    next += RESUME_CHAINS;
    assert_ok(ebm_sampler_get_divergent_count(r->sampler, &count[3]));
    assert_ok(ebm_sampler_get_nonfinite_count(r->sampler, &count[4]));
    assert_ok(ebm_sampler_get_round_trips(r->sampler, &count[5]));
    assert_ok(ebm_sampler_get_steps(r->sampler, &count[6]));
    assert_ok(ebm_sampler_get_metric_adaptation(r->sampler, &choice[1]));
    for (int i = 0; i < 7; i++) {
        *next++ = (double)count[i];
    }
    *next++ = choice[1];
    assert_int_equal(next - number, N_NUMBERS);
}

static int32_t no_progress(const ebm_trainer *trainer, void *user_data) {
    (void)trainer;
    (void)user_data;
    return EBM_CB_OK;
}

static void test_getters(void **state) {
    (void)state;
    double before[N_NUMBERS];
    double after[N_NUMBERS];
    float average[2][MOST_PARAMS];
    int mark;
    ebm_progress_fn fn;
    void *data;
    int64_t every;
    resumed r = trained(NULL, &MOMENTA, 9);
    note_getters(&r, before);
    keep_whole(&r);
    resumed other = resume_create_plain(NULL, RESUME_CHAINS, 1);
    assert_ok(ebm_trainer_set_progress(other.trainer, no_progress, &mark, 5));
    assert_ok(ebm_trainer_load(other.trainer, io_path("whole")));
    note_getters(&other, after);
    assert_memory_equal(before, after, sizeof before);
    int64_t n = ebm_model_param_count(r.model);
    assert_in_range(n, 1, MOST_PARAMS);
    assert_ok(ebm_trainer_get_average_params(r.trainer, n, average[0]));
    assert_ok(ebm_trainer_get_average_params(other.trainer, n, average[1]));
    assert_memory_equal(average[0], average[1], (size_t)n * sizeof **average);
    assert_ok(ebm_trainer_get_progress(other.trainer, &fn, &data, &every));
    assert_true(fn == no_progress && data == &mark && every == 5);
    resume_destroy(&other);
    resume_destroy(&r);
    io_empty_folder();
}

/* ---- arguments, busy handles, memory ---- */

static void test_arguments(void **state) {
    (void)state;
    float bound[MOST_PARAMS] = {0};
    resumed r = resume_create_plain(NULL, RESUME_CHAINS, 1);
    assert_status(ebm_trainer_save(NULL, "a"), EBM_ERR_ARG);
    assert_status(ebm_trainer_save(r.trainer, NULL), EBM_ERR_ARG);
    assert_status(ebm_trainer_save(r.trainer, ""), EBM_ERR_ARG);
    assert_message("path is empty");
    assert_status(ebm_trainer_load(NULL, "a"), EBM_ERR_ARG);
    assert_status(ebm_trainer_load(r.trainer, NULL), EBM_ERR_ARG);
    assert_status(ebm_trainer_load(r.trainer, ""), EBM_ERR_ARG);
    assert_status(ebm_trainer_save(r.trainer, io_path("missing/a")), EBM_ERR_IO);
    assert_status(ebm_trainer_load(r.trainer, io_path("missing")), EBM_ERR_IO);
    int64_t n = ebm_model_param_count(r.model);
    assert_ok(ebm_model_bind_params(r.model, n, bound));
    bound[n - 1] = NAN;
    assert_status(ebm_trainer_save(r.trainer, io_path("a")), EBM_ERR_NONFINITE);
    assert_message("is NaN at element");
    assert_false(io_exists(io_path("a")));
    resume_destroy(&r);
}

static ebm_trainer *busy_trainer;
static ebm_status busy_status[4];

static void call_from_within(void *unused) {
    (void)unused;
    int64_t count;
    busy_status[0] = ebm_trainer_save(busy_trainer, io_path("b"));
    busy_status[1] = ebm_trainer_load(busy_trainer, io_path("a"));
    busy_status[2] = ebm_trainer_set_autosave(busy_trainer, NULL, 0, 0, 1);
    busy_status[3] = ebm_trainer_get_autosave_failures(busy_trainer, &count);
}

static int32_t call_from_progress(const ebm_trainer *trainer, void *unused) {
    (void)trainer;
    call_from_within(unused);
    return EBM_CB_OK;
}

static void test_busy(void **state) {
    (void)state;
    const float x[2 * 3] = {0};
    test_host host = {.hook = call_from_within};
    resumed r = {.model = test_model_create(NULL, 2, 0, &host)};
    assert_ok(ebm_sampler_create(NULL, r.model, 3, 1, &r.sampler));
    assert_ok(ebm_trainer_create(NULL, r.model, r.sampler, &r.trainer));
    busy_trainer = r.trainer;
    assert_ok(ebm_trainer_save(r.trainer, io_path("a")));
    test_host_arm(&host, CALL_PARAM_GRAD, 1);
    assert_ok(ebm_trainer_step(r.trainer, 3, x));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(busy_status[i], EBM_ERR_BUSY);
    }
    assert_ok(ebm_trainer_set_progress(r.trainer, call_from_progress, NULL, 1)); /* there the trainer can be read */
    assert_ok(ebm_trainer_step(r.trainer, 3, x));
    assert_int_equal(busy_status[0], EBM_OK);
    assert_int_equal(busy_status[1], EBM_ERR_BUSY);
    assert_int_equal(busy_status[2], EBM_ERR_BUSY);
    assert_int_equal(busy_status[3], EBM_OK);
    assert_ok(ebm_trainer_load(r.trainer, io_path("b")));
    resume_destroy(&r);
    assert_int_equal(io_empty_folder(), 2);
}

/* The n-th allocation fails, once and from then on: nothing changes, nothing leaks, the next attempt succeeds. */
static void test_no_memory(void **state) {
    (void)state;
    failing_allocator memory = {0};
    ebm_context *context;
    resumed source = trained(NULL, &FULL, 3);
    keep_whole(&source);
    assert_ok(ebm_context_create_with_allocator(failing_alloc, failing_free, &memory, &context));
    for (int for_good = 0; for_good <= 1; for_good++) {
        resumed r = resume_create_plain(context, RESUME_CHAINS, 1);
        long live = atomic_load(&memory.live);
        ebm_status status = EBM_ERR_NOMEM;
        long n = 0;
        witness_begin(&r);
        for (; status == EBM_ERR_NOMEM; n++) {
            failing_allocator_arm(&memory, n + 1, for_good);
            status = ebm_trainer_load(r.trainer, io_path("whole"));
            failing_allocator_arm(&memory, 0, 0);
            if (status == EBM_ERR_NOMEM) {
                assert_int_equal(atomic_load(&memory.live), live);
                witness_end(&r);
            }
        }
        assert_ok(status);
        assert_true(n > 30);
        live = atomic_load(&memory.live);
        for (n = 0, status = EBM_ERR_NOMEM; status == EBM_ERR_NOMEM; n++) {
            failing_allocator_arm(&memory, n + 1, for_good);
            status = ebm_trainer_save(r.trainer, io_path("b"));
            assert_int_equal(io_exists(io_path("b")), status == EBM_OK);
            assert_int_equal(atomic_load(&memory.live), live);
        }
        assert_ok(status);
        assert_true(n > 3);
        failing_allocator_arm(&memory, 0, 0);
        resume_assert_same_files("memory", io_path("whole"), io_path("b"));
        assert_int_equal(unlink(io_path("b")), 0);
        resume_destroy(&r);
    }
    ebm_context_destroy(context);
    assert_int_equal(atomic_load(&memory.live), 0);
    resume_destroy(&source);
    io_empty_folder();
}

/* ---- the file of a release ---- */

static const char GOLDEN[] = EBM_TEST_DATA "/trainer/trainer_0_1.safetensors";
static const char GOLDEN_NOISE[] = EBM_TEST_DATA "/trainer/noise_0_1.safetensors";

/* It loads, and is saved with the same bytes, in any release. */
static void test_golden(void **state) {
    (void)state;
    const char *const golden[] = {GOLDEN, GOLDEN_NOISE};
    const resume_case *const cases[] = {&FULL, &NOISE};
    for (int i = 0; i < 2; i++) {
        resumed r = resume_create_empty(NULL, cases[i], 1);
        assert_ok(ebm_trainer_load(r.trainer, golden[i]));
        assert_ok(ebm_trainer_save(r.trainer, io_path("a")));
        resume_assert_same_files("golden", golden[i], io_path("a"));
        resume_destroy(&r);
    }
    io_empty_folder();
}

/* With an argument: makes that file, of noise or not by its name, which is done once for a release. */
int main(int argc, char **argv) {
    if (argc == 2) {
        resumed r = trained(NULL, strstr(argv[1], "noise") != NULL ? &NOISE : &FULL, 3);
        assert_ok(ebm_trainer_save(r.trainer, argv[1]));
        resume_destroy(&r);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mismatch_names_the_tensor),
        cmocka_unit_test(test_mismatch_of_parts),
        cmocka_unit_test(test_model_from_a_trainers_file),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_hostile_numbers),
        cmocka_unit_test(test_every_tensor_is_needed),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_golden),
    };
    return cmocka_run_group_tests(tests, io_make_folder, io_remove_folder);
}
