/* rxd operators: the catalogue. */
#include <stdio.h>
#include <string.h>

#include "core/expr/expr.h"
#include "core/json/json.h"
#include "daemon/command.h"
#include "pipelines/plan/registry.h"

/* Each class begins with its struct rx_class. `shown`: of any class, or of those with the flag. */
static void list(const char *title, const void *const *classes, unsigned shown, unsigned hidden)
{
    printf("%s\n", title);
    for (; *classes; classes++) {
        const struct rx_class *class = *classes;
        if (!(class->flags & hidden) && (!shown || class->flags & shown))
            printf("  %-24s %s\n", class->name, class->summary);
    }
}

static const struct rx_class *find(const void *const *classes, const char *name, unsigned hidden)
{
    for (; *classes; classes++) {
        const struct rx_class *class = *classes;
        if (!(class->flags & hidden) && strcmp(class->name, name) == 0)
            return class;
    }
    return NULL;
}

static int describe(const char *kind, const struct rx_class *class)
{
    struct rx_buffer out = {0};
    if (!class)
        return 0;
    rx_buffer_printf(&out, "%s ", kind);
    rx_class_describe(class, &out);
    printf("%.*s\n", (int)out.length, out.data);
    rx_buffer_finish(&out);
    return 1;
}

/* As far as the first period or semicolon behind which something else begins. */
static size_t first_clause(const char *text)
{
    size_t n = 0;
    while (text[n] && text[n] != ';' && !(text[n] == '.' && (text[n + 1] == ' ' || text[n + 1] == '\0')))
        n++;
    return n;
}

/* What a user of one operator needs of all its kind, and would not find in its table of options. */
static void describe_around(const char *name, const void *const *sources)
{
    if (find(sources, name, 0))
        printf("Beside any source's kind: event_time, lateness, format, dedupe ... (`rxd operators source`)\n");
    if (strcmp(name, "aggregate") != 0)
        return;
    puts("Functions (docs/expressions.md says more of each)");
    for (size_t i = 0; rx_expr_aggregate_name(i); i++) {
        const char *signature, *gives;
        rx_expr_aggregate_describe(i, &signature, &gives);
        printf("  %-32s %.*s\n", signature, (int)first_clause(gives), gives);
    }
}

int rx_command_operators(int argc, char **argv)
{
    const void *const *operators = (const void *const *)rx_registry_operators();
    const void *const *sources = (const void *const *)rx_registry_sources();
    const void *const *sinks = (const void *const *)rx_registry_sinks();
    if (argc > 2)
        return rx_usage("operators", "one name at a time");
    if (argc == 1) {
        list("operators", operators, 0, RX_NOT_A_STEP);
        list("\nstreams that are written where they are read (from: {NAME: ...})", operators, RX_CREATES, 0);
        list("\nsources", sources, 0, 0);
        list("\nsinks", sinks, 0, 0);
        return 0;
    }
    const struct rx_operator_class *beginning = rx_registry_beginning(argv[1]), *made = rx_registry_creation(argv[1]);
    int found = describe("operator", find(operators, argv[1], RX_NOT_A_STEP)) +
                describe("pipeline", beginning ? &beginning->base : NULL) +
                describe("stream", made ? &made->base : NULL) + describe("source", find(sources, argv[1], 0)) +
                describe("sink", find(sinks, argv[1], 0)) +
                describe("any", strcmp(argv[1], rx_source_common.name) == 0 ? &rx_source_common : NULL) +
                describe("beside", strcmp(argv[1], rx_share_class.name) == 0 ? &rx_share_class : NULL);
    if (found) {
        describe_around(argv[1], sources);
        return 0;
    }
    const char *near = rx_registry_nearest_operator(argv[1]);
    fprintf(stderr, "rxd: there is no operator, source or sink \"%s\"%s%s%s\n", argv[1],
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return 1;
}
