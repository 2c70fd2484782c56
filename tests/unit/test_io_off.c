/* SPDX-License-Identifier: MIT */
/* What a library without model files (EBM_WITH_IO=OFF) answers: that build's functions, under other names. */
#define ebm_model_save off_model_save
#define ebm_model_load off_model_load
#define ebm_trainer_save off_trainer_save
#define ebm_trainer_load off_trainer_load
#define ebm_trainer_get_log_file off_trainer_get_log_file
#define ebm_trainer_set_log_file off_trainer_set_log_file
#define ebm_trainer_set_autosave off_trainer_set_autosave
#define ebm_trainer_get_autosave off_trainer_get_autosave
#define ebm_trainer_get_autosave_failures off_trainer_get_autosave_failures
#include "io/files_off.c"
#undef ebm_model_save
#undef ebm_model_load
#undef ebm_trainer_save
#undef ebm_trainer_load
#undef ebm_trainer_get_log_file
#undef ebm_trainer_set_log_file
#undef ebm_trainer_set_autosave
#undef ebm_trainer_get_autosave
#undef ebm_trainer_get_autosave_failures

#include "test_models.h"

static void test_off(void **state) {
    (void)state;
    test_host host = {0};
    ebm_model *model = test_model_create(NULL, 2, 0, &host);
    assert_status(off_model_save(model, "a"), EBM_ERR_STATE);
    assert_message("EBM_WITH_IO=OFF");
    assert_status(off_model_load(model, "a"), EBM_ERR_STATE);
    assert_message("EBM_WITH_IO=OFF");
    assert_status(off_model_save(NULL, "a"), EBM_ERR_ARG);
    assert_status(off_model_load(model, NULL), EBM_ERR_ARG);
    ebm_sampler *sampler;
    ebm_trainer *trainer;
    int64_t count;
    assert_ok(ebm_sampler_create(NULL, model, 1, 1, &sampler));
    assert_ok(ebm_trainer_create(NULL, model, sampler, &trainer));
    assert_status(off_trainer_save(trainer, "a"), EBM_ERR_STATE);
    assert_message("EBM_WITH_IO=OFF");
    assert_status(off_trainer_load(trainer, "a"), EBM_ERR_STATE);
    assert_status(off_trainer_set_autosave(trainer, "a", 1, 0, 1), EBM_ERR_STATE);
    assert_ok(off_trainer_set_autosave(trainer, NULL, 0, 0, 0));
    assert_status(off_trainer_get_autosave(trainer, NULL, NULL, NULL, NULL), EBM_ERR_STATE);
    assert_status(off_trainer_get_autosave_failures(trainer, &count), EBM_ERR_STATE);
    assert_status(off_trainer_set_log_file(trainer, "a", EBM_LOG_CSV), EBM_ERR_STATE);
    assert_ok(off_trainer_set_log_file(trainer, NULL, 0));
    assert_status(off_trainer_get_log_file(trainer, NULL, NULL), EBM_ERR_STATE);
    ebm_trainer_destroy(trainer);
    ebm_sampler_destroy(sampler);
    ebm_model_destroy(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
