/* SPDX-License-Identifier: MIT */
/*
 * The random numbers, at every width that this machine runs: against known answers, against the equations in
 * double, against each other bit by bit, and against the laws that they must follow. Bounds on statistics are four
 * standard errors.
 */
#include "simd_support.h"

#include "core/philox.h"

enum { MOST = 1000, CHUNK = 1 << 16 };

static const double pi = 3.14159265358979323846;
static const double se = 4.0; /* standard errors */

static const ebm__sequence plain = {.seed = 42, .step = 7, .stream = EBM__STREAM_NOISE};
static const ebm__sequence sequences[] = {
    {.seed = 0, .step = 0, .stream = EBM__STREAM_NOISE},
    {.seed = 42, .step = 7, .stream = EBM__STREAM_ACCEPT},
    {.seed = 0xFEDCBA9876543210U, .step = 0xABCDEF98765432U, .stream = EBM__STREAM_INIT},
    {.seed = UINT64_MAX, .step = (UINT64_C(1) << 56) - 1, .stream = 255},
};

/* Where runs of numbers begin: also one whose block number grows past 32 bits, and the farthest. */
static const int64_t firsts[] = {0, 1, 15, 16, 63, 64, 1000, (INT64_C(1) << 34) - 130, INT64_MAX - 2 * MOST};
static const int64_t counts[] = {0, 1, 2, 17, 63, 64, 65, 127, 128, 129, 300, MOST};

/* Word of number e, by the scalar generator. */
static uint32_t word_of(const ebm__sequence *sequence, int64_t e, int64_t word) {
    uint32_t out[4];
    ebm__random_block(sequence, 16 * (uint64_t)(e / 64) + (uint64_t)(e % 16), out);
    return out[word];
}

static double exact_normal(const ebm__sequence *sequence, int64_t e) {
    int64_t word = e % 64 / 16;
    double u = ((double)word_of(sequence, e, word & 2) + 0.5) * 0x1p-32;
    double angle = 2.0 * pi * (double)word_of(sequence, e, word | 1) * 0x1p-32;
    return sqrt(-2.0 * log(u)) * (word % 2 == 0 ? cos(angle) : sin(angle));
}

static void philox_has_the_known_answers(void **state) {
    (void)state;
    /* counter, key, answer: kat_vectors of Random123 1.09 */
    static const uint32_t known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8},
        {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,
         0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD},
        {0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0,
         0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1},
    };
    for (size_t i = 0; i < LENGTH(known); i++) {
        uint32_t out[4];
        ebm__philox(known[i], known[i] + 4, out);
        assert_memory_equal(out, known[i] + 6, sizeof out);
    }
}

static void uniforms_are_the_words_of_philox(void **state) {
    (void)state;
    const ebm__simd *simd;
    float out[MOST];
    FOR_WIDTHS(simd) {
        for (size_t s = 0; s < LENGTH(sequences); s++) {
            for (size_t f = 0; f < LENGTH(firsts); f++) {
                simd->uniforms(&sequences[s], firsts[f], MOST, out);
                for (int64_t i = 0; i < MOST; i++) {
                    int64_t e = firsts[f] + i;
                    assert_true(out[i] == (float)(word_of(&sequences[s], e, e % 64 / 16) >> 8) * 0x1p-24F);
                }
            }
        }
    }
}

static void normals_are_those_of_box_and_muller(void **state) {
    (void)state;
    const ebm__simd *simd;
    float out[MOST];
    FOR_WIDTHS(simd) {
        for (size_t s = 0; s < LENGTH(sequences); s++) {
            for (size_t f = 0; f < LENGTH(firsts); f++) {
                simd->normals(&sequences[s], firsts[f], MOST, out);
                for (int64_t i = 0; i < MOST; i++) {
                    double exact = exact_normal(&sequences[s], firsts[f] + i);
                    ASSERT_NEAR(out[i], exact, 3.5e-7 * fmax(1.0, fabs(exact)));
                }
            }
        }
    }
}

/* A change of the stream must be a decision: programs count on one seed giving one stream. */
static void normals_stay_what_they_are(void **state) {
    (void)state;
    static const int64_t at[] = {0, 1, 2, 3, 15, 16, 17, 32, 33, 48, 49, 63, 64, 1000000};
    static const uint32_t known[] = {0xBECCBBBD, 0x3F18026F, 0xBE8C82D0, 0xBF4270DE, 0x3FAA4C96, 0x3F4EC709,
                                     0x3F026DBF, 0xBF3CABCA, 0x3FA03C2E, 0x3EAAE3B3, 0xBEC2A621, 0xBF9CE0FC,
                                     0xBF4F6A66, 0xBFCB427D};
    static float z[CHUNK];
    const ebm__simd *simd;
    FOR_WIDTHS(simd) {
        for (size_t i = 0; i < LENGTH(at); i++) {
            simd->normals(&plain, at[i], 1, z);
            assert_int_equal(bits(z[0]), known[i]);
        }
        simd->normals(&plain, 0, CHUNK, z);
        assert_int_equal(hashed(HASH_START, CHUNK, z), 0x4C952BDB);
    }
}

static void any_run_gives_the_same_numbers(void **state) {
    (void)state;
    const ebm__simd *simd;
    for (size_t f = 0; f < LENGTH(firsts); f++) {
        float normal[MOST];
        float uniform[MOST];
        width(0)->normals(&plain, firsts[f], MOST, normal);
        width(0)->uniforms(&plain, firsts[f], MOST, uniform);
        FOR_WIDTHS(simd) {
            for (size_t c = 0; c < LENGTH(counts); c++) {
                for (int64_t skip = 0; skip + counts[c] <= MOST; skip += 61) {
                    float out[MOST + 1];
                    out[counts[c]] = 77.0F;
                    simd->normals(&plain, firsts[f] + skip, counts[c], out);
                    assert_true(same(counts[c], out, normal + skip));
                    simd->uniforms(&plain, firsts[f] + skip, counts[c], out);
                    assert_true(same(counts[c], out, uniform + skip));
                    assert_true(out[counts[c]] == 77.0F);
                }
            }
        }
    }
}

static void normals_have_the_right_moments(void **state) {
    (void)state;
    enum { CHUNKS = 153 };
    static float z[CHUNK];
    const double n = (double)CHUNKS * CHUNK; /* 10^7 */
    double moment[4] = {0};
    for (int64_t c = 0; c < CHUNKS; c++) {
        ebm__simd_used()->normals(&plain, c * CHUNK, CHUNK, z);
        for (int64_t i = 0; i < CHUNK; i++) {
            double square = (double)z[i] * (double)z[i];
            moment[0] += (double)z[i] / n;
            moment[1] += square / n;
            moment[2] += square * (double)z[i] / n;
            moment[3] += square * square / n;
        }
    }
    /* Of z^p: variances 1, 2, 15, 96. */
    ASSERT_NEAR(moment[0], 0.0, se * sqrt(1.0 / n));
    ASSERT_NEAR(moment[1], 1.0, se * sqrt(2.0 / n));
    ASSERT_NEAR(moment[2], 0.0, se * sqrt(15.0 / n));
    ASSERT_NEAR(moment[3], 3.0, se * sqrt(96.0 / n));
    double skewness = moment[2] - 3.0 * moment[0] * moment[1];
    double kurtosis = moment[3] / (moment[1] * moment[1]);
    ASSERT_NEAR(skewness, 0.0, se * sqrt(6.0 / n));
    ASSERT_NEAR(kurtosis, 3.0, se * sqrt(24.0 / n));
}

static void tails_are_heavy_enough(void **state) {
    (void)state;
    static float z[CHUNK];
    const int64_t chunks = 1600; /* 10^8 numbers */
    const double n = (double)chunks * CHUNK;
    int64_t beyond[7] = {0};
    for (int64_t c = 0; c < chunks; c++) {
        ebm__simd_used()->normals(&plain, c * CHUNK, CHUNK, z);
        for (int64_t i = 0; i < CHUNK; i++) {
            beyond[(int)fminf(fabsf(z[i]), 6.0F)]++;
        }
    }
    for (int sigma = 5; sigma >= 0; sigma--) {
        beyond[sigma] += beyond[sigma + 1];
        double p = erfc(sigma / sqrt(2.0));
        ASSERT_NEAR(beyond[sigma], n * p, se * sqrt(n * p * (1.0 - p)));
    }
}

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov: P(sqrt(n) D > t) = 2 exp(-2 t^2), 6e-5 (four standard errors) at t = 2.28. */
static void normals_follow_the_normal_law(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    float *z = malloc(N * sizeof *z);
    assert_non_null(z);
    ebm__simd_used()->normals(&plain, 12345, N, z);
    qsort(z, N, sizeof *z, compare_floats);
    double worst = 0;
    for (int64_t i = 0; i < N; i++) {
        double law = 0.5 * erfc(-(double)z[i] / sqrt(2.0));
        worst = fmax(worst, fmax(fabs(law - (double)i / N), fabs((double)(i + 1) / N - law)));
    }
    free(z);
    ASSERT_BELOW(worst * sqrt(N), 2.28);
}

static double correlation(int64_t n, const float *a, const float *b, bool of_squares) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = (double)a[i];
        double y = (double)b[i];
        sum += of_squares ? (x * x - 1.0) * (y * y - 1.0) / 2.0 : x * y;
    }
    return sum / (double)n;
}

static void numbers_are_independent(void **state) {
    (void)state;
    enum { GROUPS = 1 << 16, N = 16 * GROUPS };
    float *z = malloc((size_t)(64 * GROUPS) * sizeof *z);
    float *word[6]; /* numbers 0 to 3 of the blocks, then number 0 of another step and of another stream */
    assert_non_null(z);
    for (int k = 0; k < 6; k++) {
        word[k] = malloc(N * sizeof *word[k]);
        assert_non_null(word[k]);
        ebm__sequence sequence = plain;
        sequence.step += k == 4;
        sequence.stream += k == 5;
        ebm__simd_used()->normals(&sequence, 0, 64 * GROUPS, z);
        for (int64_t i = 0; i < N; i++) {
            word[k][i] = z[64 * (i / 16) + 16 * (k % 4) + i % 16];
        }
    }
    const double limit = se / sqrt(N);
    for (int k = 0; k < 6; k++) {
        for (int l = 0; l < k; l++) {
            ASSERT_BELOW(fabs(correlation(N, word[k], word[l], false)), limit);
            ASSERT_BELOW(fabs(correlation(N, word[k], word[l], true)), limit);
        }
        ASSERT_BELOW(fabs(correlation(N - 1, word[k], word[k] + 1, false)), limit);
        ASSERT_BELOW(fabs(correlation(N - 1, word[k], word[k] + 1, true)), limit);
    }
    for (int k = 0; k < 6; k++) {
        free(word[k]);
    }
    free(z);
}

static double chi_square_in_errors(int64_t bins, const int64_t *count, double n) {
    double expected = n / (double)bins;
    double sum = 0;
    for (int64_t b = 0; b < bins; b++) {
        sum += ((double)count[b] - expected) * ((double)count[b] - expected) / expected;
    }
    return (sum - (double)(bins - 1)) / sqrt(2.0 * (double)(bins - 1));
}

static void uniforms_are_uniform(void **state) {
    (void)state;
    enum { BINS = 1000, CHUNKS = 153 };
    static float u[CHUNK];
    int64_t high[BINS] = {0};
    int64_t low[256] = {0}; /* the last bits */
    for (int64_t c = 0; c < CHUNKS; c++) {
        ebm__simd_used()->uniforms(&plain, c * CHUNK, CHUNK, u);
        for (int64_t i = 0; i < CHUNK; i++) {
            assert_true(u[i] >= 0.0F && u[i] < 1.0F);
            high[(int)((double)u[i] * BINS)]++;
            low[(int)(u[i] * 0x1p24F) % 256]++;
        }
    }
    ASSERT_BELOW(fabs(chi_square_in_errors(BINS, high, (double)CHUNKS * CHUNK)), se);
    ASSERT_BELOW(fabs(chi_square_in_errors(256, low, (double)CHUNKS * CHUNK)), se);
}

static void single_draws(void **state) {
    (void)state;
    enum { N = 600000, SIDES = 6, BINS = 100 };
    int64_t side[SIDES] = {0};
    int64_t bin[BINS] = {0};
    for (int64_t e = 0; e < N; e++) {
        uint64_t draw = ebm__random_below(&plain, e, SIDES);
        double u = ebm__random_uniform(&plain, e);
        assert_true(draw < SIDES && u >= 0.0 && u < 1.0);
        assert_int_equal(draw, (uint64_t)(u * SIDES)); /* both are its high bits */
        side[draw]++;
        bin[(int)(u * BINS)]++;
        assert_int_equal(ebm__random_below(&plain, e, 1), 0);
    }
    ASSERT_BELOW(fabs(chi_square_in_errors(SIDES, side, N)), se);
    ASSERT_BELOW(fabs(chi_square_in_errors(BINS, bin, N)), se);
    uint32_t word[4];
    ebm__random_block(&plain, 99, word);
    assert_int_equal(ebm__random_u64(&plain, 99), (uint64_t)word[1] << 32 | word[0]);
    assert_int_equal(ebm__high_product(UINT64_MAX, UINT64_MAX), UINT64_MAX - 1);
    assert_int_equal(ebm__high_product(UINT64_C(1) << 63, 10), 5);
    assert_int_equal(ebm__high_product(0x123456789ABCDEF0U, 0xFEDCBA9876543210U), 0x121FA00AD77D7422U);
}

static void the_choice_of_width(void **state) {
    (void)state;
    assert_non_null(width(0));
    assert_null(ebm__simd_named("avx1024"));
    assert_ptr_equal(ebm__simd_used(), ebm__simd_best());
    const ebm__simd *simd;
    const ebm__simd *widest = NULL;
    FOR_WIDTHS(simd) {
        widest = simd;
    }
    assert_ptr_equal(ebm__simd_best(), widest);
    ebm__simd_use(width(0));
    assert_ptr_equal(ebm__simd_used(), width(0));
    ebm__simd_use(NULL);
    assert_ptr_equal(ebm__simd_used(), ebm__simd_best());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_has_the_known_answers),
        cmocka_unit_test(uniforms_are_the_words_of_philox),
        cmocka_unit_test(normals_are_those_of_box_and_muller),
        cmocka_unit_test(normals_stay_what_they_are),
        cmocka_unit_test(any_run_gives_the_same_numbers),
        cmocka_unit_test(normals_have_the_right_moments),
        cmocka_unit_test(tails_are_heavy_enough),
        cmocka_unit_test(normals_follow_the_normal_law),
        cmocka_unit_test(numbers_are_independent),
        cmocka_unit_test(uniforms_are_uniform),
        cmocka_unit_test(single_draws),
        cmocka_unit_test(the_choice_of_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
