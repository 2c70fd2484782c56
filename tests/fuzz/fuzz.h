/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target's program. With clang -fsanitize=fuzzer -DEBM_FUZZER its source is a libFuzzer target; otherwise it
 * replays files and folders of files: <program> <corpus> ...
 */
#ifndef EBM_FUZZ_H
#define EBM_FUZZ_H

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebm/status.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "%s: %s\n", what, ebm_last_error());
        abort();
    }
}

#ifndef EBM_FUZZER
static int replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    static uint8_t bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    uint8_t *exact = malloc(size + 1); /* so that reading past the end is noticed */
    require(exact != NULL, path);
    memcpy(exact + 1, bytes, size);
    LLVMFuzzerTestOneInput(exact + 1, size);
    free(exact);
    return 1;
}

static int replay(const char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return replay_file(path);
    }
    int n = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char name[PATH_MAX];
        int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && length < (int)sizeof name) {
            n += replay_file(name);
        }
    }
    closedir(folder);
    return n;
}

int main(int argc, char **argv) {
    int n = 0;
    for (int i = 1; i < argc; i++) {
        n += replay(argv[i]);
    }
    printf("%d files replayed\n", n);
    return n > 0 ? 0 : 1;
}
#endif

#endif /* EBM_FUZZ_H */
