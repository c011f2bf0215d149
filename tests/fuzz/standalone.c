/* Runs a fuzz target without libFuzzer: every file of the corpus, then seeded mutations of them for a bounded time.
 *   fuzz_NAME [CORPUS_FOLDER] [SECONDS]      (default 3 seconds) */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUTS = 512, MAX_SIZE = 1 << 16 };

struct input {
    uint8_t *data;
    size_t size;
};

static struct input inputs[MAX_INPUTS];
static size_t input_count;
static uint64_t seed = 0x9E3779B97F4A7C15u;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void read_input(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return;
    uint8_t *data = malloc(MAX_SIZE);
    size_t size = data ? fread(data, 1, MAX_SIZE, file) : 0;
    fclose(file);
    inputs[input_count++] = (struct input){data, size};
}

static void read_corpus(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) && input_count < MAX_INPUTS;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        read_input(path);
    }
    closedir(dir);
}

/* One to eight small edits: a byte changed, inserted or removed, a run copied from another input. */
static size_t mutate(uint8_t *data, size_t size)
{
    for (uint64_t edits = 1 + next_random() % 8; edits > 0; edits--) {
        size_t at = size ? next_random() % size : 0;
        switch (next_random() % 4) {
        case 0:
            if (size)
                data[at] = (uint8_t)next_random();
            break;
        case 1:
            if (size < MAX_SIZE) {
                memmove(data + at + 1, data + at, size - at);
                data[at] = (uint8_t) "{}[]\"\\,:0-9eE.'()&|! \n\xC3\x80"[next_random() % 24];
                size++;
            }
            break;
        case 2:
            if (size)
                memmove(data + at, data + at + 1, --size - at);
            break;
        default:
            if (input_count) {
                const struct input *other = &inputs[next_random() % input_count];
                size_t run = other->size ? next_random() % (other->size < 64 ? other->size : 64) : 0;
                if (size + run <= MAX_SIZE) {
                    memmove(data + at + run, data + at, size - at);
                    memcpy(data + at, other->data, run);
                    size += run;
                }
            }
        }
    }
    return size;
}

/* The target gets an allocation of exactly `size` bytes, so that a sanitizer sees a read past the end. */
static void run_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return;
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

int main(int argc, char **argv)
{
    static uint8_t scratch[MAX_SIZE + 1];
    if (argc > 1)
        read_corpus(argv[1]);
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
    for (size_t i = 0; i < input_count; i++)
        run_exact(inputs[i].data, inputs[i].size);
    size_t runs = 0;
    for (clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC); clock() < end; runs++) {
        const struct input *input = input_count ? &inputs[next_random() % input_count] : NULL;
        size_t size = input ? input->size : 0;
        if (input)
            memcpy(scratch, input->data, size);
        run_exact(scratch, mutate(scratch, size));
    }
    printf("%zu corpus files, %zu mutated inputs: no finding\n", input_count, runs);
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].data);
    return 0;
}
