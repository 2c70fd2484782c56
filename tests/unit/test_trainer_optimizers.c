/* SPDX-License-Identifier: MIT */
/*
 * Optimizers and schedules against their equations, written here a second time, in double. The gradient is theta_j
 * d_j with d = x+ - x- fixed, so an error at one step shows at all that follow. float32 rounds each of 60 steps to
 * 6e-8 of theta: 1e-5 of it is enough.
 */
#include "stat_features.h"

enum { STEPS = 60 };

static const float DATA[STAT_FEATURES] = {1.5F, -0.25F, 3.0F};
static const float CHAIN[STAT_FEATURES] = {1.0F, 0.5F, 1.0F};
static const double D[STAT_FEATURES] = {0.5, -0.75, 2.0};

typedef struct rules {
    int32_t optimizer;
    double rate, momentum, beta1, beta2, epsilon, weight_decay, clip;
    int32_t decay;
    double ratio;
    int64_t decay_steps;
} rules;

static double rate_at(const rules *r, int64_t t) {
    double share = t >= r->decay_steps ? 1 : (double)t / (double)r->decay_steps;
    switch (r->decay) {
        case EBM_SCHEDULE_LINEAR:
            return r->rate * (1 - share) + r->rate * r->ratio * share;
        case EBM_SCHEDULE_EXPONENTIAL:
            return r->rate * exp(share * log(r->ratio));
        case EBM_SCHEDULE_COSINE:
            return r->rate * r->ratio + r->rate * (1 - r->ratio) * 0.5 * (1 + cos(STAT_PI * share));
        default:
            return r->rate;
    }
}

typedef struct reference {
    double theta[STAT_FEATURES], m[STAT_FEATURES], v[STAT_FEATURES];
    int64_t t; /* steps made */
} reference;

static void reference_step(const rules *r, reference *s) {
    double g[STAT_FEATURES];
    double norm = 0;
    double rate = rate_at(r, s->t);
    s->t++;
    for (int j = 0; j < STAT_FEATURES; j++) {
        g[j] = s->theta[j] * D[j];
        norm += g[j] * g[j];
    }
    norm = sqrt(norm);
    for (int j = 0; j < STAT_FEATURES; j++) {
        double theta = s->theta[j];
        double gradient = norm > r->clip ? g[j] * r->clip / norm : g[j];
        if (r->optimizer != EBM_OPT_ADAMW) {
            gradient += r->weight_decay * theta;
        }
        if (r->optimizer == EBM_OPT_SGD) {
            s->m[j] = r->momentum * s->m[j] + gradient;
            s->theta[j] = theta - rate * s->m[j];
            continue;
        }
        s->m[j] = r->beta1 * s->m[j] + (1 - r->beta1) * gradient;
        s->v[j] = r->beta2 * s->v[j] + (1 - r->beta2) * gradient * gradient;
        double m_hat = s->m[j] / (1 - pow(r->beta1, (double)s->t));
        double v_hat = s->v[j] / (1 - pow(r->beta2, (double)s->t));
        s->theta[j] = theta - rate * m_hat / (sqrt(v_hat) + r->epsilon);
        if (r->optimizer == EBM_OPT_ADAMW) {
            s->theta[j] -= rate * r->weight_decay * theta;
        }
    }
}

static void apply(ebm_trainer *trainer, const rules *r) {
    STAT_OK(ebm_trainer_set_optimizer(trainer, r->optimizer));
    STAT_OK(ebm_trainer_set_learning_rate(trainer, r->rate));
    STAT_OK(ebm_trainer_set_momentum(trainer, r->momentum));
    STAT_OK(ebm_trainer_set_betas(trainer, r->beta1, r->beta2));
    STAT_OK(ebm_trainer_set_epsilon(trainer, r->epsilon));
    STAT_OK(ebm_trainer_set_weight_decay(trainer, r->weight_decay));
    STAT_OK(ebm_trainer_set_grad_clip(trainer, r->clip));
    STAT_OK(ebm_trainer_set_schedule(trainer, EBM_SCHEDULED_LEARNING_RATE, r->decay, 0, r->decay_steps, r->ratio));
}

static void assert_follows(const rules *r) {
    reference s = {.t = 0};
    stat_training t = stat_training_new(4, CHAIN, NULL);
    apply(t.trainer, r);
    for (int j = 0; j < STAT_FEATURES; j++) {
        s.theta[j] = (double)STAT_THETA[j];
    }
    for (int i = 0; i < STEPS; i++) {
        double rate;
        STAT_OK(ebm_trainer_get_scheduled_value(t.trainer, EBM_SCHEDULED_LEARNING_RATE, &rate));
        assert_true(fabs(rate - rate_at(r, i)) <= 1e-12 * r->rate);
        reference_step(r, &s);
        STAT_OK(ebm_trainer_step(t.trainer, 1, DATA));
        stat_assert_params(&t, s.theta, 1e-5);
    }
    assert_true(fabs(s.theta[0] - 1) > 0.01); /* something has happened */
    stat_training_free(&t);
}

#define NO_DECAY EBM_SCHEDULE_CONSTANT, 1, 1

static void sgd(void **state) {
    (void)state;
    static const rules cases[] = {
        {EBM_OPT_SGD, 0.01, 0, 0, 0, 1, 0, INFINITY, NO_DECAY},
        {EBM_OPT_SGD, 0.01, 0.9, 0, 0, 1, 0, INFINITY, NO_DECAY},
        {EBM_OPT_SGD, 0.01, 0.5, 0, 0, 1, 0.3, INFINITY, NO_DECAY},
        {EBM_OPT_SGD, 0.01, 0, 0, 0, 1, 0, 0.7, NO_DECAY},
        {EBM_OPT_SGD, 0.02, 0.9, 0, 0, 1, 0.1, 0.5, NO_DECAY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_follows(&cases[i]);
    }
}

static void adam(void **state) {
    (void)state;
    static const rules cases[] = {
        {EBM_OPT_ADAM, 0.005, 0, 0.9, 0.999, 1e-8, 0, INFINITY, NO_DECAY},
        {EBM_OPT_ADAM, 0.005, 0, 0, 0.999, 1e-8, 0, INFINITY, NO_DECAY},
        {EBM_OPT_ADAM, 0.005, 0, 0.9, 0, 1e-8, 0, INFINITY, NO_DECAY},
        {EBM_OPT_ADAM, 0.005, 0, 0.8, 0.95, 0.1, 0, INFINITY, NO_DECAY},
        {EBM_OPT_ADAM, 0.005, 0, 0.9, 0.99, 1e-4, 0.2, 0.8, NO_DECAY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_follows(&cases[i]);
    }
}

static void adamw(void **state) {
    (void)state;
    static const rules cases[] = {
        {EBM_OPT_ADAMW, 0.005, 0, 0.9, 0.999, 1e-8, 0.5, INFINITY, NO_DECAY},
        {EBM_OPT_ADAMW, 0.005, 0, 0, 0.9, 1e-3, 0.1, 0.8, NO_DECAY},
        {EBM_OPT_ADAMW, 0.01, 0, 0.9, 0.999, 1e-8, 0.5, INFINITY, EBM_SCHEDULE_LINEAR, 0.1, 40},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_follows(&cases[i]);
    }
}

/* Down to the ratio in n steps, and there they stay: 40 of the 60 steps, or more than all. */
static void schedules(void **state) {
    (void)state;
    static const int64_t n_steps[] = {1, 40, 1000};
    for (int32_t decay = EBM_SCHEDULE_LINEAR; decay <= EBM_SCHEDULE_COSINE; decay++) {
        for (int i = 0; i < 3; i++) {
            rules r = {EBM_OPT_SGD, 0.02, 0, 0, 0, 1, 0, INFINITY, decay, 0.25, n_steps[i]};
            assert_follows(&r);
            r.ratio = decay == EBM_SCHEDULE_EXPONENTIAL ? 1e-3 : 0;
            r.decay_steps = n_steps[i] + 20; /* so that the first rates are not 0 */
            assert_follows(&r);
        }
    }
    stat_training t = stat_training_new(1, CHAIN, NULL);
    double rate;
    STAT_OK(ebm_trainer_set_schedule(t.trainer, EBM_SCHEDULED_LEARNING_RATE, EBM_SCHEDULE_LINEAR, 0, 1, 0));
    STAT_OK(ebm_trainer_step(t.trainer, 1, DATA));
    STAT_OK(ebm_trainer_get_scheduled_value(t.trainer, EBM_SCHEDULED_LEARNING_RATE, &rate));
    assert_true(rate == 0);
    STAT_OK(ebm_trainer_get_learning_rate(t.trainer, &rate));
    assert_true(rate == 1e-3); /* what was set, and the default */
    stat_training_free(&t);
}

/*
 * Another optimizer begins as if new; the same one, set again, goes on. A setting changed on the way holds from the
 * next step.
 */
static void changes_on_the_way(void **state) {
    (void)state;
    rules r = {EBM_OPT_ADAM, 0.005, 0.9, 0.9, 0.999, 1e-8, 0, INFINITY, NO_DECAY};
    reference s = {.t = 0};
    stat_training t = stat_training_new(4, CHAIN, NULL);
    for (int j = 0; j < STAT_FEATURES; j++) {
        s.theta[j] = (double)STAT_THETA[j];
    }
    for (int i = 0; i < STEPS; i++) {
        if (i == 20) { /* forgotten: moments and their count */
            r.optimizer = EBM_OPT_SGD;
            s = (reference){.theta = {s.theta[0], s.theta[1], s.theta[2]}};
        }
        if (i == 30) {
            r.rate = 0.02;
        }
        if (i == 40) {
            r.optimizer = EBM_OPT_ADAMW;
            r.rate = 0.005;
            s = (reference){.theta = {s.theta[0], s.theta[1], s.theta[2]}};
        }
        apply(t.trainer, &r); /* sets the same optimizer again, most times */
        reference_step(&r, &s);
        STAT_OK(ebm_trainer_step(t.trainer, 1, DATA));
        stat_assert_params(&t, s.theta, 1e-5);
    }
    stat_training_free(&t);
}

/* A learning rate of 0 moves nothing, but steps are steps. */
static void rate_of_zero(void **state) {
    (void)state;
    static const double theta[] = {1, -2, 0.5};
    int64_t steps;
    for (int32_t optimizer = EBM_OPT_SGD; optimizer <= EBM_OPT_ADAMW; optimizer++) {
        stat_training t = stat_training_new(4, CHAIN, NULL);
        STAT_OK(ebm_trainer_set_optimizer(t.trainer, optimizer));
        STAT_OK(ebm_trainer_set_learning_rate(t.trainer, 0));
        STAT_OK(ebm_trainer_set_weight_decay(t.trainer, 0.5));
        STAT_OK(ebm_trainer_step(t.trainer, 1, DATA));
        STAT_OK(ebm_trainer_get_steps(t.trainer, &steps));
        assert_int_equal(steps, 1);
        stat_assert_params(&t, theta, 0);
        stat_training_free(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd),       cmocka_unit_test(adam),
        cmocka_unit_test(adamw),     cmocka_unit_test(schedules),
        cmocka_unit_test(changes_on_the_way), cmocka_unit_test(rate_of_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
