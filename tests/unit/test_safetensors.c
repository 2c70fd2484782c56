/* SPDX-License-Identifier: MIT */
/* Damaged and hostile files, and the parts under the model files: the digest, the writer's limits. */
#include "io_support.h"
#include "memory_file.h"

#include <sys/resource.h>
#include <time.h>

#include "io/digest.h"
#include "io/dtype.h"
#include "io/safetensors_read.h"
#include "io/safetensors_write.h"

static uint8_t whole[IO_MOST_BYTES];
static uint8_t bytes[IO_MOST_BYTES];

static int64_t read_golden(const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.safetensors", EBM_TEST_DATA, name);
    int64_t n = io_read(path, whole);
    assert_true(n > 0);
    return n;
}

/* Loads n bytes as a file into a model full of sevens; on failure they must all still be there. */
static ebm_status load(ebm_model *model, const uint8_t *file, int64_t n) {
    io_set_all(model, 7.0F);
    memory_file_use(file, n);
    ebm_status status = ebm_model_load(model, "memory");
    memory_file_use(NULL, 0);
    if (status != EBM_OK) {
        io_assert_all(model, 7.0F);
    }
    return status;
}

static void assert_refused(ebm_status status, const char *what, int64_t at) {
    if (status != EBM_ERR_CORRUPT && status != EBM_ERR_FORMAT) {
        fail_msg("%s %lld: %d: %s", what, (long long)at, status, ebm_last_error());
    }
}

static void test_truncations(void **state) {
    (void)state;
    static const char *const names[] = {"model_0_1", "model_other_writer"};
    ebm_model *model = io_model_create(NULL, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t n = read_golden(names[i]);
        assert_ok(load(model, whole, n));
        for (int64_t length = 0; length < n; length++) {
            memcpy(bytes, whole, (size_t)length);
            assert_refused(load(model, bytes, length), "truncated to", length);
        }
    }
    ebm_model_destroy(model);
}

/* With a digest no single flipped bit is let through. */
static void test_bit_flips(void **state) {
    (void)state;
    ebm_model *model = io_model_create(NULL, NULL);
    int64_t n = read_golden("model_0_1");
    for (int64_t bit = 0; bit < 8 * n; bit++) {
        whole[bit / 8] = (uint8_t)(whole[bit / 8] ^ 1U << bit % 8);
        assert_refused(load(model, whole, n), "bit", bit);
        whole[bit / 8] = (uint8_t)(whole[bit / 8] ^ 1U << bit % 8);
    }
    assert_ok(load(model, whole, n));
    ebm_model_destroy(model);
}

/* Without one, a flip in the header is found or changes no parameter; one in the data cannot be found. */
static void test_bit_flips_unverified(void **state) {
    (void)state;
    ebm_model *model = io_model_create(NULL, NULL);
    int64_t n = read_golden("model_other_writer");
    int64_t loaded = 0;
    for (int64_t bit = 0; bit < 8 * (n - IO_PARAMS * (int64_t)sizeof(float)); bit++) {
        whole[bit / 8] = (uint8_t)(whole[bit / 8] ^ 1U << bit % 8);
        ebm_status status = load(model, whole, n);
        if (status == EBM_OK) {
            loaded++;
            io_assert_params(model, io_values);
        } else if (status != EBM_ERR_MISMATCH) {
            assert_refused(status, "bit", bit);
        }
        whole[bit / 8] = (uint8_t)(whole[bit / 8] ^ 1U << bit % 8);
    }
    assert_true(loaded > 0); /* other letters in the metadata */
    ebm_model_destroy(model);
}

/* A file of a header and `data` bytes of zeros. */
static int64_t make_file(const char *header, int64_t data) {
    int64_t length = (int64_t)strlen(header);
    memset(bytes, 0, (size_t)(8 + length + data));
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, (size_t)length);
    return 8 + length + data;
}

#define WEIGHT "\"param.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define SCALE "\"param.scale\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24,28]}"
#define ODD "\"param.odd\\\"name\\\\\":{\"dtype\":\"F32\",\"shape\":[1,2,1,1,2,1,1,1],\"data_offsets\":[28,44]}"
#define TWO WEIGHT "," SCALE ","
#define LAST(text) "{" TWO "\"param.odd\\\"name\\\\\":" text "}"

static void test_hostile_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        int32_t status; /* with 44 bytes of data */
        const char *message;
    } cases[] = {
        {"{" TWO ODD "}", EBM_OK, ""},
        {"{" TWO ODD "}      ", EBM_OK, ""},
        {"{ \"__metadata__\" : {} ,\n\t" TWO ODD "\r\n}", EBM_OK, ""},
        {"{" ODD "," SCALE "," WEIGHT "}", EBM_OK, ""},
        {"", EBM_ERR_FORMAT, "begin with '{'"},
        {" {" TWO ODD "}", EBM_ERR_FORMAT, "begin with '{'"},
        {"[" TWO ODD "]", EBM_ERR_FORMAT, "begin with '{'"},
        {"\"" TWO ODD, EBM_ERR_FORMAT, "begin with '{'"},
        {"{" TWO ODD "}\n", EBM_ERR_FORMAT, "end with '}'"},
        {"{" TWO ODD "} x", EBM_ERR_FORMAT, "end with '}'"},
        {"{" TWO ODD "}{}", EBM_ERR_FORMAT, "end of file expected"},
        {"{" TWO ODD "}}", EBM_ERR_FORMAT, "end of file expected"},
        {"{" TWO ODD ",}", EBM_ERR_FORMAT, "byte"},
        {"{" TWO ODD "," WEIGHT "}", EBM_ERR_FORMAT, "duplicate"},
        {"{" TWO ODD ",\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", EBM_ERR_FORMAT, "duplicate"},
        {"{" TWO ODD ",\"__metadata__\":{},\"__metadata__\":{}}", EBM_ERR_FORMAT, "duplicate"},
        {"{" TWO ODD ",\"__metadata__\":[]}", EBM_ERR_FORMAT, "must be an object"},
        {"{" TWO ODD ",\"__metadata__\":\"a\"}", EBM_ERR_FORMAT, "must be an object"},
        {"{" TWO ODD ",\"__metadata__\":null}", EBM_ERR_FORMAT, "must be an object"},
        {"{" TWO ODD ",\"__metadata__\":{\"a\":1}}", EBM_ERR_FORMAT, "'a' must be a string"},
        {"{" TWO ODD ",\"__metadata__\":{\"a\":{}}}", EBM_ERR_FORMAT, "'a' must be a string"},
        {"{" TWO ODD ",\"__metadata__\":{\"a\\u0001\\n\":{}}}", EBM_ERR_FORMAT, "'a?\?' must be a string"},
        {"{" TWO ODD ",\"__metadata__\":{\"a\":{\"b\":{\"c\":\"d\"}}}}", EBM_ERR_FORMAT, "nests too deep"},
        {"{" TWO ODD ",\"a\\u0000b\":{}}", EBM_ERR_FORMAT, "byte"},
        {"{" TWO ODD ",\"a\xff\":{}}", EBM_ERR_FORMAT, "byte"},
        {"{" TWO ODD ",\"__metadata__\":{\"ebm.digest\":\"\"}}", EBM_ERR_CORRUPT, "not 16 hexadecimal digits"},
        {"{" TWO ODD ",\"__metadata__\":{\"ebm.digest\":\"0123456789abcdef\"}}", EBM_ERR_CORRUPT, "the digest is"},
        {"{" TWO ODD ",\"__metadata__\":{\"ebm.digest\":\"\\u0030123456789abcdef\"}}", EBM_ERR_CORRUPT, "not 16"},
        {"{" TWO ODD ",\"__metadata__\":{\"ebm_digest\":\"0123456789abcdef\"}}", EBM_ERR_CORRUPT, "key of the digest"},
        {LAST("[]"), EBM_ERR_FORMAT, "must have dtype"},
        {LAST("null"), EBM_ERR_FORMAT, "must have dtype"},
        {LAST("{}"), EBM_ERR_FORMAT, "must have dtype"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4]}"), EBM_ERR_FORMAT, "must have dtype"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[28,44],\"x\":1}"), EBM_ERR_FORMAT, "nothing else"},
        {LAST("{\"dtype\":1,\"shape\":[4],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "must have dtype"},
        {LAST("{\"dtype\":\"f32\",\"shape\":[4],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "dtype is unknown"},
        {LAST("{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "shape must be"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4.0],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "shape must be"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[\"4\"],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "shape must be"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[-4,-1],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "shape must be"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,4],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "most 8"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[28]}"), EBM_ERR_FORMAT, "data_offsets must be"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[28,44,44]}"), EBM_ERR_FORMAT, "data_offsets must be"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[28.0,44]}"), EBM_ERR_FORMAT, "data_offsets must be"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-4,12]}"), EBM_ERR_FORMAT, "data_offsets must be"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[44,28]}"), EBM_ERR_FORMAT, "as far apart"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "as far apart"},
        {LAST("{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "as far apart"},
        {LAST("{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[28,44]}"), EBM_ERR_MISMATCH, "dtype F64"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT,
         "product of its shape"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[28,28]}"), EBM_ERR_FORMAT,
         "product of its shape"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[28,44]}"), EBM_ERR_FORMAT, "byte"},
        {LAST("{\"dtype\":\"U8\",\"shape\":[9223372036854775807],\"data_offsets\":[0,9223372036854775807]}"),
         EBM_ERR_FORMAT, "overlap"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[24,40]}"), EBM_ERR_FORMAT, "overlap"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[32,48]}"), EBM_ERR_FORMAT, "a hole"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[28,40]}"), EBM_ERR_CORRUPT, "44 bytes of data"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[28,48]}"), EBM_ERR_CORRUPT, "44 bytes of data"},
        {LAST("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[28,44]}"), EBM_ERR_MISMATCH, "rank 1"},
        {"{" TWO ODD ",\"more\":{\"dtype\":\"F16\",\"shape\":[3,0],\"data_offsets\":[28,28]}}", EBM_ERR_MISMATCH,
         "'more'"},
        {"{" TWO ODD ",\"more\":{\"dtype\":\"F16\",\"shape\":[3,0],\"data_offsets\":[26,26]}}", EBM_ERR_FORMAT,
         "overlap"},
        {"{" TWO "\"x\x1b[2J\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[28,44]}}", EBM_ERR_FORMAT, "byte"},
        {"{" TWO "\"x\xc3\xa9\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[28,44]}}", EBM_ERR_MISMATCH, "odd"},
        {"{}", EBM_ERR_CORRUPT, "44 bytes of data"},
    };
    ebm_model *model = io_model_create(NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ebm_status status = load(model, bytes, make_file(cases[i].header, 44));
        if (status != cases[i].status || (status != EBM_OK && strstr(ebm_last_error(), cases[i].message) == NULL)) {
            fail_msg("%s: %d, not %d with '%s': %s", cases[i].header, status, cases[i].status, cases[i].message,
                     ebm_last_error());
        }
    }
    ebm_model_destroy(model);
}

static void test_header_lengths(void **state) {
    (void)state;
    static const struct {
        uint64_t length;
        int32_t status;
    } cases[] = {{0, EBM_ERR_FORMAT},
                 {93, EBM_ERR_CORRUPT},
                 {UINT64_C(1) << 24, EBM_ERR_CORRUPT},
                 {(UINT64_C(1) << 24) + 1, EBM_ERR_FORMAT},
                 {INT64_MAX, EBM_ERR_FORMAT},
                 {UINT64_C(1) << 63, EBM_ERR_FORMAT},
                 {UINT64_MAX, EBM_ERR_FORMAT},
                 {UINT64_MAX - 7, EBM_ERR_FORMAT}};
    ebm_model *model = io_model_create(NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(bytes, ' ', 100);
        memcpy(bytes, &cases[i].length, 8);
        assert_status(load(model, bytes, 100), cases[i].status);
    }
    ebm_model_destroy(model);
}

/* A header of 16 MiB in which `piece` stands again and again after `start`. Freed by the caller. */
static uint8_t *repeat(const char *start, const char *piece, int64_t *n) {
    *n = 8 + (16 << 20);
    uint8_t *file = malloc((size_t)*n);
    assert_non_null(file);
    memset(file, ' ', (size_t)*n);
    int64_t length = 16 << 20;
    memcpy(file, &length, 8);
    memcpy(file + 8, start, strlen(start));
    size_t at = 8 + strlen(start);
    for (; at + strlen(piece) + 1 < (size_t)*n; at += strlen(piece)) {
        memcpy(file + at, piece, strlen(piece));
    }
    file[*n - 1] = '}';
    return file;
}

/* The largest headers full of whatever costs a parser most: refused at once, with no memory beyond a few times their
 * size. */
static void test_costly_headers(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"{\"a\":", "["},
                                           {"{\"a\":", "{\"a\":"},
                                           {"{", "\"a\":{},"},
                                           {"{\"a\":[", "0,"},
                                           {"{\"a\":{\"b\":[", "1,"},
                                           {"{\"a\":\"", "\\u00e9"},
                                           {"{\"__metadata__\":{", "\"a\":\"b\","},
                                           {"{\"a", "a"},
                                           {"{\"a\":", "123456789012"},
                                           {"{\"__metadata__\":{\"a\":\"", "\\\""}};
    ebm_model *model = io_model_create(NULL, NULL);
    struct rusage before;
    struct rusage after;
    getrusage(RUSAGE_SELF, &before);
    clock_t start = clock();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t n;
        uint8_t *file = repeat(cases[i][0], cases[i][1], &n);
        assert_status(load(model, file, n), EBM_ERR_FORMAT);
        free(file);
    }
    getrusage(RUSAGE_SELF, &after);
    print_message("%.2f s, %ld MiB\n", (double)(clock() - start) / CLOCKS_PER_SEC,
                  (after.ru_maxrss - before.ru_maxrss) >> 10);
#ifndef __SANITIZE_ADDRESS__ /* whose own memory would be counted */
    assert_true(after.ru_maxrss - before.ru_maxrss < 512L << 10);
#endif
    ebm_model_destroy(model);
}

static void test_digest(void **state) {
    (void)state;
    static const char *const known[][2] = {{"", "ef46db3751d8e999"},
                                           {"a", "d24ec4f1a98c6e5b"},
                                           {"abc", "44bc2cf5ad770999"},
                                           {"Nobody inspects the spammish repetition", "fbcea83c8a378bf1"}};
    char digits[EBM__DIGEST_DIGITS];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        ebm__digest digest;
        ebm__digest_begin(&digest);
        ebm__digest_add(&digest, known[i][0], (int64_t)strlen(known[i][0]));
        ebm__digest_end(&digest, digits);
        assert_memory_equal(digits, known[i][1], sizeof digits);
    }
    /* In any two pieces, and byte by byte, it is the same. */
    for (int64_t n = 0; n < 200; n++) {
        char expected[EBM__DIGEST_DIGITS];
        ebm__digest digest;
        ebm__digest_begin(&digest);
        ebm__digest_add(&digest, whole, n);
        ebm__digest_end(&digest, expected);
        for (int64_t cut = 0; cut <= n; cut++) {
            ebm__digest_begin(&digest);
            ebm__digest_add(&digest, whole, cut);
            ebm__digest_add(&digest, whole + cut, n - cut);
            ebm__digest_end(&digest, digits);
            assert_memory_equal(digits, expected, sizeof digits);
        }
        ebm__digest_begin(&digest);
        for (int64_t i = 0; i < n; i++) {
            ebm__digest_add(&digest, whole + i, 1);
        }
        ebm__digest_end(&digest, digits);
        assert_memory_equal(digits, expected, sizeof digits);
    }
}

static void test_writer_limits(void **state) {
    (void)state;
    static const int64_t huge[] = {INT64_MAX / 2};
    static const int64_t large[] = {INT64_MAX / 8};
    static const int64_t sizes[] = {100, 100, 100, 100, 1, 1, 1, 1};
    char name[128];
    ebm__safetensors_writer writer;
    for (int32_t extra = 0; extra <= 1; extra++) {
        ebm__safetensors_begin(&writer, NULL);
        for (int32_t i = 0; i < EBM__SAFETENSORS_MOST_TENSORS + extra; i++) {
            snprintf(name, sizeof name, "%d", i);
            assert_ok(ebm__safetensors_add(&writer, EBM__DTYPE_F32, "param", name, 0, NULL));
        }
        assert_status(ebm__safetensors_end(&writer), extra == 0 ? EBM_OK : EBM_ERR_OVERFLOW);
    }
    assert_message("65537 tensors");
    /* The longest names, every character escaped. */
    memset(name, '"', 127);
    name[127] = 0;
    ebm__safetensors_begin(&writer, NULL);
    for (int32_t i = 0; i < EBM__SAFETENSORS_MOST_TENSORS; i++) {
        assert_ok(ebm__safetensors_add(&writer, EBM__DTYPE_F32, "param", name, 8, sizes));
    }
    assert_status(ebm__safetensors_end(&writer), EBM_ERR_OVERFLOW);
    ebm__safetensors_begin(&writer, NULL);
    assert_status(ebm__safetensors_add(&writer, EBM__DTYPE_F32, "param", "a", 1, huge), EBM_ERR_OVERFLOW);
    assert_ok(ebm__safetensors_add(&writer, EBM__DTYPE_F32, "param", "b", 1, large));
    assert_ok(ebm__safetensors_add(&writer, EBM__DTYPE_F32, "param", "c", 1, large));
    assert_status(ebm__safetensors_add(&writer, EBM__DTYPE_F32, "param", "d", 1, large), EBM_ERR_OVERFLOW);
    assert_status(ebm__safetensors_end(&writer), EBM_ERR_OVERFLOW);
}

/* As many tensors as a file may have: written, read, found by name and in place. */
static void test_most_tensors(void **state) {
    (void)state;
    enum { N = EBM__SAFETENSORS_MOST_TENSORS };
    char name[16];
    char *file = NULL;
    ebm__safetensors_writer writer;
    for (int pass = 0; pass < 2; pass++) {
        ebm__safetensors_begin(&writer, file);
        for (int32_t i = 0; i < N; i++) {
            const int64_t shape[] = {1 + i % 3};
            snprintf(name, sizeof name, "%d", i);
            assert_ok(ebm__safetensors_add(&writer, EBM__DTYPE_F32, "param", name, 1, shape));
        }
        assert_ok(ebm__safetensors_end(&writer));
        if (pass == 0) {
            file = calloc((size_t)(writer.data_offset + writer.data_bytes), 1);
            assert_non_null(file);
        }
    }
    ebm__digest digest;
    ebm__digest_begin(&digest);
    ebm__digest_add(&digest, file, writer.data_offset + writer.data_bytes);
    ebm__safetensors_seal(&writer, &digest);
    int64_t length;
    assert_ok(ebm__safetensors_length((uint8_t *)file, writer.data_offset + writer.data_bytes, &length));
    assert_int_equal(length, writer.data_offset - 8);
    ebm__safetensors_header header;
    assert_ok(ebm__safetensors_read(NULL, file + 8, length, writer.data_bytes, &header));
    assert_int_equal(header.n_entries, N);
    assert_true(header.has_digest);
    for (int32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "%d", i);
        const ebm__safetensors_entry *entry = ebm__safetensors_find(&header, "param", name);
        assert_ptr_equal(entry, &header.entries[i]);
        assert_int_equal(entry->shape[0], 1 + i % 3);
    }
    assert_null(ebm__safetensors_find(&header, "param", "no"));
    ebm__safetensors_clear(&header);
    free(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_bit_flips_unverified),
        cmocka_unit_test(test_hostile_headers),
        cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_costly_headers),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_writer_limits),
        cmocka_unit_test(test_most_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
