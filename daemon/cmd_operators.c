/* rxd operators: the catalogue. */
#include <stdio.h>
#include <string.h>

#include "core/expr/expr.h"
#include "core/json/json.h"
#include "daemon/command.h"
#include "pipelines/plan/pictures.h"
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

static void write_out(struct rx_buffer *out)
{
    fwrite(out->data ? out->data : "", 1, out->length, stdout);
    rx_buffer_finish(out);
}

static int describe(const char *kind, const struct rx_class *class)
{
    struct rx_buffer out = {0};
    if (!class)
        return 0;
    rx_buffer_printf(&out, "%s ", kind);
    rx_class_describe(class, &out);
    rx_buffer_text(&out, "\n");
    write_out(&out);
    return 1;
}

static int describe_operator(const char *kind, const struct rx_class *class)
{
    const struct rx_picture *picture = class ? rx_picture_of(class->name) : NULL;
    int found = describe(kind, class);
    if (picture)
        printf("Marbles: %s\n%s\n", picture->shows, picture->lines);
    return found;
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

/* ---- all of them ---- */

/* The chapters of the catalogue: what it lists, in which order. */
struct chapter {
    const char *title, *kind;
    const void *const *classes;
    unsigned shown, hidden; /* of any class (0), or of those with the flag; and none with this one */
    bool pictured;
};
enum { CHAPTERS = 5 };

static void chapters(struct chapter ret[CHAPTERS])
{
    const void *const *operators = (const void *const *)rx_registry_operators();
    const void *const *sources = (const void *const *)rx_registry_sources();
    const void *const *sinks = (const void *const *)rx_registry_sinks();
    ret[0] = (struct chapter){"operators", "operator", operators, 0, RX_NOT_A_STEP, true};
    ret[1] = (struct chapter){
        "streams that are written where they are read (from: {NAME: ...})", "stream", operators, RX_CREATES, 0, true};
    ret[2] = (struct chapter){
        "pipelines that begin with a step in place of `from`", "pipeline", operators, RX_BEGINS, RX_INTERNAL, true};
    ret[3] = (struct chapter){"sources", "source", sources, 0, 0, false};
    ret[4] = (struct chapter){"sinks", "sink", sinks, 0, 0, false};
}

static const struct rx_class *next_of(const struct chapter *c, size_t *i)
{
    for (; c->classes[*i]; ++*i) {
        const struct rx_class *class = c->classes[*i];
        if (!(class->flags & c->hidden) && (!c->shown || class->flags & c->shown))
            return c->classes[(*i)++];
    }
    return NULL;
}

static void describe_all(void)
{
    struct chapter all[CHAPTERS];
    chapters(all);
    for (size_t k = 0; k < CHAPTERS; k++)
        for (size_t i = 0; all[k].classes[i];) {
            const struct rx_class *class = next_of(&all[k], &i);
            if (class && all[k].pictured)
                describe_operator(all[k].kind, class);
            else
                describe(all[k].kind, class);
        }
}

static void write_markdown(struct rx_buffer *out, const struct chapter *chapter, const struct rx_class *class)
{
    const struct rx_picture *picture = chapter->pictured ? rx_picture_of(class->name) : NULL;
    rx_buffer_printf(out, "\n### %s: `%s`\n\n", chapter->kind, class->name);
    rx_class_describe_markdown(class, out);
    if (picture)
        rx_buffer_printf(out, "\nMarbles: %s\n\n```text\n%s```\n", picture->shows, picture->lines);
}

/* docs/reference.md. */
static void reference(void)
{
    struct rx_buffer out = {0};
    struct chapter all[CHAPTERS];
    chapters(all);
    rx_buffer_text(
        &out, "# Reference: operators, sources and sinks\n\n"
              "What `rxd operators` knows, as a page: `rxd operators --markdown` writes it from the tables that the\n"
              "config is read by, and a test compares the two. `*` marks the option that a bare value means; `-` in\n"
              "the column of defaults: none. In the marbles a character is 10 ms; `|` is the end, `#` an error, and\n"
              "each picture is a case that the tests run (tests/marbles).\n");
    for (size_t k = 0; k < CHAPTERS; k++) {
        rx_buffer_printf(&out, "\n## %c%s\n", all[k].title[0] - 'a' + 'A', all[k].title + 1);
        for (size_t i = 0; all[k].classes[i];) {
            const struct rx_class *class = next_of(&all[k], &i);
            if (class)
                write_markdown(&out, &all[k], class);
        }
    }
    rx_buffer_printf(&out, "\n## Beside the kind of any source\n\n");
    rx_class_describe_markdown(&rx_source_common, &out);
    rx_buffer_printf(&out, "\n## Beside any stream with a name\n\n");
    rx_class_describe_markdown(&rx_share_class, &out);
    write_out(&out);
}

int rx_command_operators(int argc, char **argv)
{
    const void *const *operators = (const void *const *)rx_registry_operators();
    const void *const *sources = (const void *const *)rx_registry_sources();
    const void *const *sinks = (const void *const *)rx_registry_sinks();
    if (argc > 2)
        return rx_usage("operators", "one name at a time");
    if (argc == 2 && (strcmp(argv[1], "--all") == 0 || strcmp(argv[1], "--markdown") == 0)) {
        if (strcmp(argv[1], "--all") == 0)
            describe_all();
        else
            reference();
        return fflush(stdout) != 0;
    }
    if (argc == 2 && argv[1][0] == '-')
        return rx_usage("operators", "there is no option \"%s\"", argv[1]);
    if (argc == 1) {
        list("operators", operators, 0, RX_NOT_A_STEP);
        list("\nstreams that are written where they are read (from: {NAME: ...})", operators, RX_CREATES, 0);
        list("\nsources", sources, 0, 0);
        list("\nsinks", sinks, 0, 0);
        return 0;
    }
    const struct rx_operator_class *beginning = rx_registry_beginning(argv[1]), *made = rx_registry_creation(argv[1]);
    int found = describe_operator("operator", find(operators, argv[1], RX_NOT_A_STEP)) +
                describe_operator("pipeline", beginning ? &beginning->base : NULL) +
                describe_operator("stream", made ? &made->base : NULL) + describe("source", find(sources, argv[1], 0)) +
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
