// layer: pipelines
/* Patterns of `match`, over the names a, b and long_name: refused with a place inside the text, or within the bounds of the
 * header; and what is written from one reads as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/match_pattern.h"
#include "pipelines/config/config_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"a", "b", "long_name"};
enum { NAMES = sizeof names / sizeof *names };

/* Made once, and kept for the process. */
static const struct rx_keys *where_of(void)
{
    static const char text[] = "sources: {a: 'true', b: 'true', long_name: 'true'}";
    static struct rx_forest *forest;
    static struct rx_plan_arena *arena;
    static struct rx_keys *where;
    if (where)
        return where;
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    arena = rx_plan_arena_create(rx_heap_create(NULL));
    if (rx_forest_read_text(text, sizeof text - 1, "fuzz", 0, diagnostics, &forest) < 0 ||
        rx_keys_compile(rx_forest_section(forest, "sources"), arena, &where, diagnostics) < 0)
        abort();
    rx_diagnostics_destroy(diagnostics);
    return where;
}

static void check(const struct rx_pattern *p)
{
    uint64_t least = 0;
    if (p->count < 1 || p->count > RX_PATTERN_SYMBOLS_MAX || p->symbols[p->count - 1].min < 1)
        abort();
    for (unsigned i = 0; i < p->count; i++) {
        const struct rx_pattern_symbol *s = &p->symbols[i];
        if (s->name >= NAMES || s->min > s->max || s->min > RX_PATTERN_TIMES_MAX || s->max == 0 ||
            (s->max > RX_PATTERN_TIMES_MAX && s->max != UINT32_MAX))
            abort();
        least += s->min;
    }
    if (p->least != least || p->without >= NAMES || p->without_for < 0 || (p->without < 0 && p->without_for != 0))
        abort();
}

static void write(const struct rx_pattern *p, char *out, size_t size)
{
    size_t n = 0;
    for (unsigned i = 0; i < p->count; i++) {
        const struct rx_pattern_symbol *s = &p->symbols[i];
        n += (size_t)snprintf(out + n, size - n, "%s%s{%u,", i ? " -> " : "", names[s->name], s->min);
        n += (size_t)(s->max == UINT32_MAX ? snprintf(out + n, size - n, "}")
                                           : snprintf(out + n, size - n, "%u}", s->max));
    }
    if (p->without >= 0)
        n += (size_t)snprintf(out + n, size - n, " -> !%s", names[p->without]);
    if (p->without_for > 0)
        snprintf(out + n, size - n, " for %lldns", (long long)p->without_for);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), again[2000];
    struct rx_pattern p, q;
    struct rx_error error = {0};
    memcpy(text, data, size);
    text[size] = '\0';
    if (rx_pattern_parse(text, where_of(), &p, &error) < 0) {
        if (!error.message[0] || error.at.column > strlen(text) + 1)
            abort();
    } else {
        check(&p);
        write(&p, again, sizeof again);
        if (rx_pattern_parse(again, where_of(), &q, &error) < 0)
            abort();
        check(&q);
        if (p.count != q.count || p.least != q.least || p.without != q.without || p.without_for != q.without_for)
            abort();
    }
    free(text);
    return 0;
}
