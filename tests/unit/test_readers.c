/* SPDX-License-Identifier: MIT */
/* The readers of npy, idx and csv files: what comes back, and that every file that is not whole and plain is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "memory_file.h"
#include "test_models.h"

enum { MOST = 1 << 18 };

/* A file that is put together piece by piece, and is what every path leads to. */
static uint8_t bytes[MOST];
static int64_t size;

static void put(const void *piece, int64_t n) {
    assert_true(size + n <= MOST);
    memcpy(bytes + size, piece, (size_t)n);
    size += n;
}

static void start(void) {
    size = 0;
    memory_file_use(bytes, 0);
}

/* It ends at `n` bytes, which stand at the end of memory of their own: reading further is noticed by a sanitizer. */
static void finish_at(int64_t n) {
    static uint8_t *exact;
    free(exact);
    exact = malloc((size_t)n + 1);
    assert_non_null(exact);
    memcpy(exact + 1, bytes, (size_t)n);
    memory_file_use(exact + 1, n);
}

static void finish(void) {
    finish_at(size);
}

/* A header of version 1 or 2, padded as numpy does it. */
static void put_npy(int version, const char *dictionary) {
    const int64_t before = version == 1 ? 10 : 12;
    int64_t length = (int64_t)strlen(dictionary) + 1;
    length += (64 - (before + length) % 64) % 64;
    const uint8_t lead[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)version, 0, (uint8_t)length,
                              (uint8_t)(length >> 8), 0, 0};
    char text[512];
    assert_true(length <= (int64_t)sizeof text);
    memset(text, ' ', sizeof text);
    memcpy(text, dictionary, strlen(dictionary));
    text[length - 1] = '\n';
    start();
    put(lead, before);
    put(text, length);
}

static void put_idx(uint8_t type, int rank, const uint32_t *shape) {
    const uint8_t magic[4] = {0, 0, type, (uint8_t)rank};
    start();
    put(magic, 4);
    for (int i = 0; i < rank; i++) {
        const uint8_t big[4] = {(uint8_t)(shape[i] >> 24), (uint8_t)(shape[i] >> 16), (uint8_t)(shape[i] >> 8),
                                (uint8_t)shape[i]};
        put(big, 4);
    }
}

static void put_text(const char *text) {
    start();
    put(text, (int64_t)strlen(text));
    finish();
}

static void test_npy(void **state) {
    (void)state;
    const float values[6] = {1.0F, -0.0F, 3.4028235e38F, 1e-45F, 0.1F, -7.0F};
    for (int version = 1; version <= 2; version++) {
        int32_t rank = -1;
        int64_t shape[8];
        float out[6] = {0};
        put_npy(version, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }");
        put(values, sizeof values);
        finish();
        assert_ok(ebm_read_npy_shape("a", &rank, shape));
        assert_true(rank == 2 && shape[0] == 3 && shape[1] == 2);
        assert_ok(ebm_read_npy("a", 0, 3, 2, out));
        assert_memory_equal(out, values, sizeof values);
        memset(out, 0, sizeof out);
        assert_ok(ebm_read_npy("a", 1, 1, 2, out));
        assert_memory_equal(out, values + 2, 2 * sizeof *values);
        assert_true(out[2] == 0.0F);
        assert_ok(ebm_read_npy("a", 3, 0, 2, NULL));
        assert_status(ebm_read_npy("a", 2, 2, 2, out), EBM_ERR_ARG);
        assert_message("ebm_read_npy: 'a': first is 2 and n 2, there are 3 rows");
        assert_status(ebm_read_npy("a", 4, 0, 2, out), EBM_ERR_ARG);
        assert_status(ebm_read_npy("a", 1, INT64_MAX, 2, out), EBM_ERR_ARG);
        assert_status(ebm_read_npy("a", 0, 3, 3, out), EBM_ERR_MISMATCH);
        assert_message("row_size is 3, rows have 2");
    }
}

static void check_npy(const char *descr, const char *shape, const void *data, int64_t n_bytes, int64_t row_size,
                      const float *expected, int64_t n) {
    char dictionary[128];
    float out[8];
    snprintf(dictionary, sizeof dictionary, "{\"shape\":%s,'descr':'%s','fortran_order':False}", shape, descr);
    put_npy(1, dictionary);
    put(data, n_bytes);
    finish();
    assert_ok(ebm_read_npy("a", 0, n, row_size, out));
    assert_memory_equal(out, expected, (size_t)(n * row_size) * sizeof *out);
}

/* Extreme values of every type; a double that lies between two floats goes to the nearest. */
static void test_npy_types(void **state) {
    (void)state;
    const uint8_t u1[2] = {0, 255};
    const int8_t i1[2] = {-128, 127};
    const uint16_t u2[2] = {1, 65535};
    const int16_t i2[2] = {-32768, 32767};
    const uint32_t u4[2] = {2, UINT32_MAX};
    const int32_t i4[2] = {INT32_MIN, 16777217};
    const uint64_t u8[2] = {3, UINT64_MAX};
    const int64_t i8[2] = {INT64_MIN, -3};
    const double f8[2] = {0.1, -1e-300};
    const float f4[2] = {0.1F, 1e38F};
    check_npy("|b1", "(2,)", u1, 2, 1, (float[]){0.0F, 1.0F}, 2);
    check_npy("|u1", "(2, 1)", u1, 2, 1, (float[]){0.0F, 255.0F}, 2);
    check_npy("|i1", "(1,2)", i1, 2, 2, (float[]){-128.0F, 127.0F}, 1);
    check_npy("<u2", "(1,2,1,1)", u2, 4, 2, (float[]){1.0F, 65535.0F}, 1);
    check_npy("<i2", "(2,)", i2, 4, 1, (float[]){-32768.0F, 32767.0F}, 2);
    check_npy("<u4", "(2,)", u4, 8, 1, (float[]){2.0F, 0x1p32F}, 2);
    check_npy("<i4", "(2,)", i4, 8, 1, (float[]){-0x1p31F, 16777216.0F}, 2);
    check_npy("<u8", "(2,)", u8, 16, 1, (float[]){3.0F, 0x1p64F}, 2);
    check_npy("<i8", "(2,)", i8, 16, 1, (float[]){-0x1p63F, -3.0F}, 2);
    check_npy("<f8", "(2,)", f8, 16, 1, (float[]){0.1F, -0.0F}, 2);
    check_npy("<f4", "()", f4, 4, 1, f4, 1); /* a single number is one row */
    check_npy("<f4", "(0, 5)", f4, 0, 5, f4, 0);
    check_npy("<f4", "(2, 0)", f4, 0, 0, f4, 2);
}

static void refuse_npy(ebm_status status, const char *dictionary, const char *text) {
    int32_t rank;
    int64_t shape[8];
    float out[1];
    const float four[1] = {4.0F};
    put_npy(1, dictionary);
    put(four, sizeof four);
    finish();
    assert_status(ebm_read_npy_shape("a", &rank, shape), status);
    assert_message("ebm_read_npy_shape: 'a': ");
    assert_message(text);
    assert_status(ebm_read_npy("a", 0, 1, 1, out), status);
}

static void test_npy_headers(void **state) {
    (void)state;
    const char *wrong[] = {
        "", "{", "{}", "{'descr': '<f4'}", "['descr', '<f4']",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}",
        "{'descr' '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1L,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f4\\', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        refuse_npy(EBM_ERR_FORMAT, wrong[i], "");
    }
    refuse_npy(EBM_ERR_FORMAT, "{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", "the type is '>f4'");
    refuse_npy(EBM_ERR_FORMAT, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "the type is '<c8'");
    refuse_npy(EBM_ERR_FORMAT, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "a string is wanted");
    refuse_npy(EBM_ERR_FORMAT, "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}", "Fortran");
    refuse_npy(EBM_ERR_CORRUPT, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
               "4 bytes follow the header, which asks for 8");
    refuse_npy(EBM_ERR_CORRUPT, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", "which asks for 3");
    refuse_npy(EBM_ERR_CORRUPT, "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
               "more than");
    refuse_npy(EBM_ERR_CORRUPT, "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}", "2^63");
    /* A column is the same in both orders. */
    const float one = 1.0F;
    float out = 0.0F;
    put_npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }");
    put(&one, sizeof one);
    finish();
    assert_ok(ebm_read_npy("a", 0, 1, 1, &out));
    bytes[0] = 'x';
    finish();
    assert_status(ebm_read_npy("a", 0, 1, 1, &out), EBM_ERR_FORMAT);
    bytes[0] = 0x93;
    bytes[6] = 3;
    finish();
    assert_status(ebm_read_npy("a", 0, 1, 1, &out), EBM_ERR_FORMAT);
    assert_message("version is 3.0");
    bytes[6] = 1;
    bytes[9] = 0xFF;
    finish();
    assert_status(ebm_read_npy("a", 0, 1, 1, &out), EBM_ERR_FORMAT);
    assert_message("must have at most 10000");
    bytes[9] = 0;
    bytes[50] = '\0';
    finish();
    assert_status(ebm_read_npy("a", 0, 1, 1, &out), EBM_ERR_FORMAT);
    assert_message("zero byte");
}

static void test_not_finite(void **state) {
    (void)state;
    enum { N = 5000 }; /* in more than one buffer */
    static float values[N];
    static float out[N];
    char dictionary[128];
    snprintf(dictionary, sizeof dictionary, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 10)}", N / 10);
    for (int k = 0; k < 2; k++) {
        values[4567] = k == 0 ? NAN : -INFINITY;
        put_npy(1, dictionary);
        put(values, sizeof values);
        finish();
        assert_status(ebm_read_npy("a", 0, N / 10, 10, out), EBM_ERR_NONFINITE);
        assert_message(k == 0 ? "element 7 of row 456 is NaN" : "element 7 of row 456 is infinite");
        assert_ok(ebm_read_npy("a", 457, 3, 10, out));
        assert_status(ebm_read_npy("a", 456, 1, 10, out), EBM_ERR_NONFINITE);
        assert_message("element 7 of row 456");
    }
    const double large = 1e39;
    put_npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': ()}");
    put(&large, sizeof large);
    finish();
    assert_status(ebm_read_npy("a", 0, 1, 1, out), EBM_ERR_NONFINITE);
}

static void test_idx(void **state) {
    (void)state;
    const uint32_t shape[3] = {2, 1, 2};
    const uint8_t data[] = {0, 255, 0x80, 7, 0x12, 0x34, 0x56, 0x78, 1, 2, 3, 4, 5, 6, 7, 8,
                            0, 0,   0,    0, 0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0};
    const struct {
        uint8_t type, bytes;
        float first[2];
    } types[] = {{0x08, 1, {0.0F, 255.0F}},
                 {0x09, 1, {0.0F, -1.0F}},
                 {0x0B, 2, {255.0F, -32761.0F}},
                 {0x0C, 4, {16744455.0F, 305419896.0F}}};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        int32_t rank;
        int64_t got[8];
        float out[4];
        put_idx(types[t].type, 3, shape);
        put(data, 4 * types[t].bytes);
        finish();
        assert_ok(ebm_read_idx_shape("a", &rank, got));
        assert_true(rank == 3 && got[0] == 2 && got[1] == 1 && got[2] == 2);
        assert_ok(ebm_read_idx("a", 0, 2, 2, out));
        assert_true(out[0] == types[t].first[0] && out[1] == types[t].first[1]);
        assert_ok(ebm_read_idx("a", 1, 1, 2, out + 2));
    }
    const uint8_t single[4] = {0x3F, 0xC0, 0, 0};                    /* 1.5 */
    const uint8_t whole[8] = {0xC0, 0x04, 0, 0, 0, 0, 0, 0};          /* -2.5 */
    float out = 0.0F;
    put_idx(0x0D, 0, NULL);
    put(single, 4);
    finish();
    assert_ok(ebm_read_idx("a", 0, 1, 1, &out));
    assert_true(out == 1.5F);
    put_idx(0x0E, 1, (uint32_t[]){1});
    put(whole, 8);
    finish();
    assert_ok(ebm_read_idx("a", 0, 1, 1, &out));
    assert_true(out == -2.5F);
}

static void test_idx_headers(void **state) {
    (void)state;
    int32_t rank;
    int64_t shape[8];
    const uint32_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const uint32_t huge[8] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, 1, 1, 1, 1, 1};
    put_idx(0x0A, 1, nine);
    finish();
    assert_status(ebm_read_idx_shape("a", &rank, shape), EBM_ERR_FORMAT);
    assert_message("type is 0x0a");
    put_idx(0x08, 9, nine);
    put(bytes, 1);
    finish();
    assert_status(ebm_read_idx_shape("a", &rank, shape), EBM_ERR_FORMAT);
    put_idx(0x08, 8, huge);
    finish();
    assert_status(ebm_read_idx_shape("a", &rank, shape), EBM_ERR_CORRUPT);
    put_text("\x1F\x8B\x08 a gzip file");
    assert_status(ebm_read_idx_shape("a", &rank, shape), EBM_ERR_FORMAT);
    assert_message("unpacked");
    put_text("text");
    assert_status(ebm_read_idx_shape("a", &rank, shape), EBM_ERR_FORMAT);
}

/* Cut off anywhere, or with a byte too many: never a success. */
static void test_every_length(void **state) {
    (void)state;
    const float values[6] = {1, 2, 3, 4, 5, 6};
    int32_t rank;
    int64_t shape[8];
    float out[6];
    for (int k = 0; k < 2; k++) {
        if (k == 0) {
            put_npy(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }");
        } else {
            put_idx(0x0D, 2, (uint32_t[]){3, 2});
        }
        put(values, sizeof values);
        const int64_t whole = size;
        put(values, 4);
        for (int64_t n = 0; n <= size; n++) {
            finish_at(n);
            ebm_status shaped = k == 0 ? ebm_read_npy_shape("a", &rank, shape) : ebm_read_idx_shape("a", &rank, shape);
            ebm_status read = k == 0 ? ebm_read_npy("a", 0, 1, 2, out) : ebm_read_idx("a", 0, 1, 2, out);
            assert_int_equal(shaped, n == whole ? EBM_OK : EBM_ERR_CORRUPT);
            assert_int_equal(read, shaped);
        }
    }
}

static void test_csv(void **state) {
    (void)state;
    const char *same[] = {"1,-2.5,3e2\n.5,+4,0.1\n", "1,-2.5,3e2\r\n.5,+4,0.1", " 1 ,\t-2.50,300.\n5E-1, 4.0 ,0.1\r\n",
                          "\xEF\xBB\xBF\x31,-2.5,3e2\n.5,4,0.1\n" /* a mark, a 1 */};
    const float expected[6] = {1.0F, -2.5F, 300.0F, 0.5F, 4.0F, 0.1F};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        int64_t n_rows = -1;
        int64_t row_size = -1;
        float out[6];
        put_text(same[i]);
        assert_ok(ebm_read_csv_shape("a", 0, &n_rows, &row_size));
        assert_true(n_rows == 2 && row_size == 3);
        assert_ok(ebm_read_csv("a", 0, 0, 2, 3, out));
        assert_memory_equal(out, expected, sizeof out);
        assert_ok(ebm_read_csv("a", 0, 1, 1, 3, out));
        assert_memory_equal(out, expected + 3, 3 * sizeof *out);
        assert_ok(ebm_read_csv("a", 1, 0, 1, 3, out)); /* what stands in the first line does not matter */
        assert_memory_equal(out, expected + 3, 3 * sizeof *out);
        assert_status(ebm_read_csv("a", 0, 1, 2, 3, out), EBM_ERR_ARG);
        assert_message("ebm_read_csv: 'a': first is 1 and n 2, there are 2 rows");
        assert_status(ebm_read_csv("a", 0, 1, INT64_MAX, 3, out), EBM_ERR_ARG);
        assert_status(ebm_read_csv("a", 0, 0, 2, 2, out), EBM_ERR_MISMATCH);
        assert_message("line 1 has 3 columns, not 2");
    }
}

static void refuse_csv(ebm_status status, int32_t header_lines, const char *text, const char *message) {
    float out[8];
    int64_t n_rows;
    int64_t row_size;
    put_text(text);
    assert_status(ebm_read_csv("a", header_lines, 0, 2, 2, out), status);
    assert_message(message);
    if (ebm_read_csv_shape("a", header_lines, &n_rows, &row_size) == EBM_OK) { /* which converts nothing */
        assert_true(n_rows >= 2 && row_size == 2);
    }
}

static void test_csv_refused(void **state) {
    (void)state;
    refuse_csv(EBM_ERR_FORMAT, 0, "1,2\n3\n", "line 2 has 1 columns, not 2");
    refuse_csv(EBM_ERR_FORMAT, 0, "1,2\n3,4,5\n", "line 2 has 3 columns, not 2");
    refuse_csv(EBM_ERR_FORMAT, 0, "1,2\n3,\n", "line 2, column 2 is empty");
    refuse_csv(EBM_ERR_FORMAT, 0, "1,2\n,4\n", "line 2, column 1 is empty");
    refuse_csv(EBM_ERR_FORMAT, 0, "1, \t \n3,4\n", "line 1, column 2 is empty");
    refuse_csv(EBM_ERR_FORMAT, 0, "1,2\n\n3,4\n", "line 2, column 1 is empty");
    refuse_csv(EBM_ERR_FORMAT, 2, "a\nb\n1,2\n3,x\n", "line 4, column 2 is 'x', must be a number");
    const char *words[] = {"nan", "inf", "0x1p3", "1.5.2", "1e", "--1", "1 2", "\"1\"", "1;2", "e5", ".", "1\x80"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[64];
        snprintf(text, sizeof text, "1,2\n3,%s\n", words[i]);
        refuse_csv(EBM_ERR_FORMAT, 0, text, "line 2, column 2 is '");
    }
    refuse_csv(EBM_ERR_NONFINITE, 0, "1,2\n1e39,4\n", "line 2, column 1 is 1e39, infinite as a float");
    refuse_csv(EBM_ERR_FORMAT, 0, "1,2\n3,0.1234567890123456789012345678901234567890123456789012345678901234567890\n",
               "line 2, column 2 has more than 63 characters");
    start();
    put("1,2\n3,4\0\x35\n", 10);
    finish();
    float out[4];
    assert_status(ebm_read_csv("a", 0, 0, 2, 2, out), EBM_ERR_FORMAT);
    assert_message("line 2, column 2 has a zero byte");
    int64_t n_rows = -1;
    int64_t row_size = -1;
    for (int32_t lines = 0; lines < 3; lines++) { /* nothing there, or nothing left */
        put_text(lines == 0 ? "" : "x\n");
        assert_ok(ebm_read_csv_shape("a", lines, &n_rows, &row_size));
        assert_true(n_rows == 0 && row_size == 0);
        assert_ok(ebm_read_csv("a", lines, 0, 0, 7, NULL));
    }
}

/* Larger than the buffer; and under a locale whose decimal point is a comma, where there is one. */
static void test_csv_large(void **state) {
    (void)state;
    enum { ROWS = 4000, COLUMNS = 3 };
    static float expected[ROWS * COLUMNS];
    static float out[ROWS * COLUMNS];
    int64_t n_rows;
    int64_t row_size;
    start();
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        char text[32];
        expected[i] = (float)(sin((double)i) * 1e3);
        snprintf(text, sizeof text, "%.9g%c", (double)expected[i], i % COLUMNS == COLUMNS - 1 ? '\n' : ',');
        put(text, (int64_t)strlen(text));
    }
    finish();
    const char *locale = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    assert_ok(ebm_read_csv_shape("a", 0, &n_rows, &row_size));
    assert_true(n_rows == ROWS && row_size == COLUMNS);
    assert_ok(ebm_read_csv("a", 0, 0, ROWS, COLUMNS, out));
    assert_memory_equal(out, expected, sizeof out);
    assert_ok(ebm_read_csv("a", 0, 3210, 5, COLUMNS, out));
    assert_memory_equal(out, expected + 3210 * COLUMNS, 5 * COLUMNS * sizeof *out);
    if (locale != NULL) {
        setlocale(LC_NUMERIC, "C");
    }
}

static void test_real_files(void **state) {
    (void)state;
    char path[] = "/tmp/ebm_readers_XXXXXX";
    float out[4];
    memory_file_use(NULL, 0);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const float values[4] = {1, 2, 3, 4};
    put_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1), }");
    put(values, sizeof values);
    memory_file_use(NULL, 0);
    assert_int_equal(write(fd, bytes, (size_t)size), size);
    assert_int_equal(close(fd), 0);
    assert_ok(ebm_read_npy(path, 2, 2, 1, out));
    assert_true(out[0] == 3.0F && out[1] == 4.0F);
    assert_int_equal(unlink(path), 0);
    assert_status(ebm_read_npy(path, 2, 2, 1, out), EBM_ERR_IO);
    assert_message("ebm_read_npy: '/tmp/ebm_readers_");
    assert_status(ebm_read_idx("/", 0, 1, 1, out), EBM_ERR_IO);
    assert_message("not a regular file");
    assert_status(ebm_read_csv("/nowhere/a", 0, 0, 1, 1, out), EBM_ERR_IO);
}

static void test_arguments(void **state) {
    (void)state;
    int32_t rank;
    int64_t shape[8];
    float out[1];
    assert_status(ebm_read_npy_shape(NULL, &rank, shape), EBM_ERR_ARG);
    assert_message("ebm_read_npy_shape: path is NULL");
    assert_status(ebm_read_npy_shape("a", NULL, shape), EBM_ERR_ARG);
    assert_status(ebm_read_idx_shape("a", &rank, NULL), EBM_ERR_ARG);
    assert_message("ebm_read_idx_shape: shape is NULL");
    assert_status(ebm_read_npy("a", -1, 1, 1, out), EBM_ERR_ARG);
    assert_message("first is -1");
    assert_status(ebm_read_npy("a", 0, -1, 1, out), EBM_ERR_ARG);
    assert_status(ebm_read_idx("a", 0, 1, -1, out), EBM_ERR_ARG);
    assert_message("row_size is -1");
    assert_status(ebm_read_idx("a", 0, 1, 1, NULL), EBM_ERR_ARG);
    assert_message("ebm_read_idx: out is NULL");
    assert_status(ebm_read_csv_shape(NULL, 0, shape, shape), EBM_ERR_ARG);
    assert_status(ebm_read_csv_shape("a", -1, shape, shape), EBM_ERR_ARG);
    assert_message("header_lines is -1");
    assert_status(ebm_read_csv_shape("a", 0, NULL, shape), EBM_ERR_ARG);
    assert_status(ebm_read_csv_shape("a", 0, shape, NULL), EBM_ERR_ARG);
    assert_status(ebm_read_csv("a", 0, 0, 1, 1, NULL), EBM_ERR_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy),       cmocka_unit_test(test_npy_types), cmocka_unit_test(test_npy_headers),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_idx),      cmocka_unit_test(test_idx_headers),
        cmocka_unit_test(test_every_length), cmocka_unit_test(test_csv),    cmocka_unit_test(test_csv_refused),
        cmocka_unit_test(test_csv_large), cmocka_unit_test(test_real_files), cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
