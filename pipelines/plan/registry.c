/* The registry, expanded from the .def lists: the only place that names the classes. */
#include "pipelines/plan/registry.h"

#include <string.h>

#define RX_OPERATOR(symbol_, file_) extern const struct rx_operator_class rx_operator_##symbol_;
#include "operators/operators.def"
#undef RX_OPERATOR
#define RX_SOURCE(symbol_, file_) extern const struct rx_source_class rx_source_##symbol_;
#include "sources/sources.def"
#undef RX_SOURCE
#define RX_SINK(symbol_, file_) extern const struct rx_sink_class rx_sink_##symbol_;
#include "sinks/sinks.def"
#undef RX_SINK

static const struct rx_operator_class *const operators[] = {
#define RX_OPERATOR(symbol_, file_) &rx_operator_##symbol_,
#include "operators/operators.def"
#undef RX_OPERATOR
    NULL,
};

static const struct rx_source_class *const sources[] = {
#define RX_SOURCE(symbol_, file_) &rx_source_##symbol_,
#include "sources/sources.def"
#undef RX_SOURCE
    NULL,
};

static const struct rx_sink_class *const sinks[] = {
#define RX_SINK(symbol_, file_) &rx_sink_##symbol_,
#include "sinks/sinks.def"
#undef RX_SINK
    NULL,
};

const struct rx_operator_class *const *rx_registry_operators(void) { return operators; }
const struct rx_source_class *const *rx_registry_sources(void) { return sources; }
const struct rx_sink_class *const *rx_registry_sinks(void) { return sinks; }

/* Every class begins with its struct rx_class, so one search serves the three lists. */
static const struct rx_class *find(const void *const *list, const char *name, unsigned hidden)
{
    for (; *list; list++) {
        const struct rx_class *class = *list;
        if (!(class->flags & hidden) && strcmp(class->name, name) == 0)
            return class;
    }
    return NULL;
}

enum { NAMES_MAX = 192 };

/* Of those with one of the flags `shown` (0: any) and none of `hidden`. */
static size_t add_names(const void *const *list, unsigned shown, unsigned hidden, const char *names[NAMES_MAX],
                        size_t n)
{
    for (; *list && n < NAMES_MAX - 1; list++) {
        const struct rx_class *class = *list;
        if (!(class->flags & hidden) && (!shown || class->flags & shown))
            names[n++] = class->name;
    }
    names[n] = NULL;
    return n;
}

static const char *nearest(const void *const *list, const char *name, unsigned hidden)
{
    const char *names[NAMES_MAX];
    add_names(list, 0, hidden, names, 0);
    return rx_nearest(name, names);
}

const struct rx_operator_class *rx_registry_operator(const char *name)
{
    return (const void *)find((const void *const *)operators, name, RX_NOT_A_STEP);
}

const struct rx_operator_class *rx_registry_beginning(const char *name)
{
    const struct rx_operator_class *const *class = operators;
    while (*class && !((*class)->base.flags & RX_BEGINS && strcmp((*class)->base.name, name) == 0))
        class ++;
    return *class;
}

const struct rx_operator_class *rx_registry_creation(const char *name)
{
    const struct rx_operator_class *const *class = operators;
    while (*class && !((*class)->base.flags & RX_CREATES && strcmp((*class)->base.name, name) == 0))
        class ++;
    return *class;
}

const struct rx_operator_class *rx_registry_merging(void)
{
    const struct rx_operator_class *const *class = operators;
    while (!((*class)->base.flags & RX_MERGES))
        class ++;
    return *class;
}

const struct rx_source_class *rx_registry_source(const char *name)
{
    return (const void *)find((const void *const *)sources, name, 0);
}

const struct rx_sink_class *rx_registry_sink(const char *name)
{
    return (const void *)find((const void *const *)sinks, name, 0);
}

const char *rx_registry_nearest_operator(const char *name)
{
    return nearest((const void *const *)operators, name, RX_NOT_A_STEP);
}

const char *rx_registry_nearest_source(const char *name) { return nearest((const void *const *)sources, name, 0); }

const char *rx_registry_nearest_creation(const char *name)
{
    const char *names[NAMES_MAX];
    size_t n = add_names((const void *const *)operators, RX_CREATES, 0, names, 0);
    add_names((const void *const *)sources, 0, 0, names, n);
    return rx_nearest(name, names);
}

const char *rx_registry_nearest_sink(const char *name) { return nearest((const void *const *)sinks, name, 0); }
