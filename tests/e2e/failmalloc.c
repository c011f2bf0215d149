/* Preloaded: the n-th allocation of the process fails (FAIL_AT=n), or after the first FAIL_AFTER each with probability
 * 1/FAIL_ONE_IN, by a fixed sequence. FAIL_COUNT=1 tells at the end how many there were. */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_long count;
static long fail_at, fail_after, one_in;
static atomic_bool asked;

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

static int fails(void)
{
    if (!atomic_exchange(&asked, 1)) {
        fail_at = number("FAIL_AT");
        fail_after = number("FAIL_AFTER");
        one_in = number("FAIL_ONE_IN");
    }
    long n = atomic_fetch_add(&count, 1) + 1;
    uint64_t x = (uint64_t)n * 6364136223846793005u;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    int lost = n == fail_at || (one_in > 0 && n > fail_after && (x >> 32) % (uint64_t)one_in == 0);
    if (lost)
        errno = ENOMEM;
    return lost;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return fails() ? NULL : __libc_realloc(p, size); }
void *aligned_alloc(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }

__attribute__((destructor)) static void tell(void)
{
    if (number("FAIL_COUNT"))
        fprintf(stderr, "allocations: %ld\n", (long)count);
}
