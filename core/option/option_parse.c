/* The setters: one per option type, from a node of the config tree to a field of the state. */
#include "core/option/option_parse.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/value/zone.h"

struct type_words {
    const char *name;    /* in the catalogue */
    const char *article; /* "expected ..." */
};

static const struct type_words words[] = {
    [RX_OPTION_BOOL] = {"true | false", "true or false"},
    [RX_OPTION_INT] = {"integer", "a whole number such as 10"},
    [RX_OPTION_DOUBLE] = {"number", "a number such as 1.5"},
    [RX_OPTION_DURATION] = {"duration", "a duration such as 5s, 500ms or 1m30s"},
    [RX_OPTION_SIZE] = {"size", "a size such as 64KiB or 10MB"},
    [RX_OPTION_STRING] = {"text", "a text"},
    [RX_OPTION_STRINGS] = {"text or list of texts", "a text, or a list of texts such as [a, b]"},
    [RX_OPTION_PAIRS] = {"texts by name", "a mapping of name to text"},
    [RX_OPTION_ENUM] = {"choice", "one of the choices"},
    [RX_OPTION_EXTENT] = {"duration or count", "a duration such as 5s, or a count such as 100"},
    [RX_OPTION_EXPR] = {"expression", "an expression such as `value > 10`"},
    [RX_OPTION_SHAPER] = {"expression or object of expressions",
                          "an expression, or an object of named ones such as {celsius: (f - 32) / 1.8}"},
    [RX_OPTION_KEYS] = {"field, list or {name: expression}",
                        "a field such as device, or a list such as [site, device]"},
    [RX_OPTION_CASES] = {"conditions by name", "a mapping of name to condition such as {hot: value > 30}"},
    [RX_OPTION_SIDE_KEYS] = {"keys, or {name: {stream: expression}}",
                             "a field such as device, or a list such as [site, device]"},
    [RX_OPTION_AGGREGATES] = {"object of aggregates", "an object of aggregates such as {avg: avg(value), n: count()}"},
    [RX_OPTION_TEMPLATE] = {"template", "a template such as \"alerts/{device}\""},
    [RX_OPTION_VALUE] = {"literal", "a literal value"},
    [RX_OPTION_STREAM] = {"stream", "the name of a stream, or {from: NAME, pipe: [...]}"},
    [RX_OPTION_STREAMS] = {"streams", "the name of a stream, a list of names, or a mapping of name to stream"},
    [RX_OPTION_ZONE] = {"time zone", "a time zone such as Europe/Berlin"},
    [RX_OPTION_PIPE] = {"list of steps", "a list of steps"},
    [RX_OPTION_GROUP] = {"options", "a mapping of options"},
};

const char *rx_option_type_name(enum rx_option_type type) { return words[type].name; }

const char *option_article(const struct rx_option *option) { return words[option->type].article; }

const struct rx_file *option_no_file(void)
{
    static const struct rx_file none = {.path = "<default>", .text = "", .length = 0};
    return &none;
}

static const char *kind_words(const struct rx_tree *node)
{
    return node->kind == RX_TREE_LIST ? "a list" : node->kind == RX_TREE_MAP ? "a mapping" : "a text";
}

/* Where nothing better is known: an example that shows the option, or what it is. */
static const char *example_of(const struct option_parse *parse, char *hint, size_t size)
{
    const struct rx_option *option = parse->option;
    const char *example = parse->class->example;
    if (example && (option->flags & RX_POSITIONAL || strstr(example, option->name)))
        snprintf(hint, size, "for example: %s", example);
    else
        snprintf(hint, size, "%s%s%s", option->help ? option->name : "", option->help ? ": " : "",
                 option->help ? option->help : "");
    return hint;
}

static int wrong_kind(struct option_parse *parse, const struct rx_tree *node)
{
    enum rx_option_type type = parse->option->type;
    char example[240];
    const char *hint = type == RX_OPTION_EXPR ? "quote the expression: `{`, `[` and `: ` mean something else in YAML"
                                              : example_of(parse, example, sizeof example);
    rx_diagnosef(parse->diagnostics, node, hint, "`%s` expects %s, found %s", parse->name, words[type].article,
                 kind_words(node));
    return -EINVAL;
}

/* A mistake in a scalar, led in by the option's name. */
static int bad_scalar(struct option_parse *parse, const struct rx_tree *node, const struct rx_error *error)
{
    char hint[240];
    rx_diagnosef(parse->diagnostics, node, error->hint[0] ? error->hint : example_of(parse, hint, sizeof hint),
                 "`%s`: %s", parse->name, error->message);
    return -EINVAL;
}

static int not_a(struct option_parse *parse, const struct rx_tree *node)
{
    char hint[240];
    rx_diagnosef(parse->diagnostics, node, example_of(parse, hint, sizeof hint), "`%s` expects %s, found `%s`",
                 parse->name, words[parse->option->type].article, shown_text(node->text).text);
    return -EINVAL;
}

/* A bound as the user would spell it. */
static struct shown bound_text(enum rx_option_type type, double bound)
{
    struct shown shown;
    if (type == RX_OPTION_DURATION || type == RX_OPTION_EXTENT)
        rx_format_duration((rx_time)llround(bound * 1e9), shown.text, sizeof shown.text);
    else
        snprintf(shown.text, sizeof shown.text, "%.15g", bound);
    return shown;
}

/* `as`: the type whose spelling the bounds are told in. */
static int check_range(struct option_parse *parse, const struct rx_tree *node, enum rx_option_type as, double value)
{
    const struct rx_option *option = parse->option;
    char hint[240];
    if (option->min == 0 && option->max == 0) /* unchecked */
        return 0;
    if (value >= option->min && (value <= option->max || option->max < option->min))
        return 0;
    if (option->max >= 1e15 || option->max < option->min)
        rx_diagnosef(parse->diagnostics, node, example_of(parse, hint, sizeof hint),
                     "`%s` must be at least %s, found `%s`", parse->name, bound_text(as, option->min).text,
                     shown_text(node->text).text);
    else
        rx_diagnosef(parse->diagnostics, node, example_of(parse, hint, sizeof hint),
                     "`%s` must be between %s and %s, found `%s`", parse->name, bound_text(as, option->min).text,
                     bound_text(as, option->max).text, shown_text(node->text).text);
    return -EINVAL;
}

static int set_bool(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    struct rx_error error = {0};
    return rx_parse_bool(node->text, field, &error) < 0 ? bad_scalar(parse, node, &error) : 0;
}

static bool parse_int(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || strchr(" \t\n", *text))
        return false;
    *ret = value;
    return true;
}

static int set_int(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    int64_t value;
    if (!parse_int(node->text, &value))
        return not_a(parse, node);
    if (check_range(parse, node, RX_OPTION_INT, (double)value) < 0)
        return -EINVAL;
    *(int64_t *)field = value;
    return 0;
}

static int set_double(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    char *end;
    double value = strtod(node->text, &end);
    if (end == node->text || *end || !isfinite(value) || strpbrk(node->text, "xX \t\n"))
        return not_a(parse, node);
    if (check_range(parse, node, RX_OPTION_DOUBLE, value) < 0)
        return -EINVAL;
    *(double *)field = value;
    return 0;
}

static int set_duration(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    struct rx_error error = {0};
    rx_time value;
    if (rx_parse_duration(node->text, &value, &error) < 0)
        return bad_scalar(parse, node, &error);
    if (check_range(parse, node, RX_OPTION_DURATION, (double)value / 1e9) < 0)
        return -EINVAL;
    *(rx_time *)field = value;
    return 0;
}

static int set_size(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    struct rx_error error = {0};
    uint64_t value;
    if (rx_parse_size(node->text, &value, &error) < 0)
        return bad_scalar(parse, node, &error);
    if (check_range(parse, node, RX_OPTION_SIZE, (double)value) < 0)
        return -EINVAL;
    *(uint64_t *)field = value;
    return 0;
}

static int copy_text(struct option_parse *parse, const struct rx_tree *node, const char **ret)
{
    if (memchr(node->text, '\0', node->length)) {
        rx_diagnosef(parse->diagnostics, node, NULL, "`%s` must not hold a NUL character", parse->name);
        return -EINVAL;
    }
    char *copy = rx_plan_alloc(parse->arena, node->length + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, node->text, node->length);
    *ret = copy;
    return 0;
}

static int set_string(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    return copy_text(parse, node, field);
}

static int set_strings(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    struct rx_strings *strings = field;
    size_t count = node->kind == RX_TREE_LIST ? node->count : 1;
    const char **items = rx_plan_alloc(parse->arena, count * sizeof *items);
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct rx_tree *item = node->kind == RX_TREE_LIST ? node->items[i] : node;
        if (item->kind != RX_TREE_SCALAR)
            return wrong_kind(parse, item);
        int r = copy_text(parse, item, &items[i]);
        if (r < 0)
            return r;
    }
    *strings = (struct rx_strings){.items = items, .count = count};
    return 0;
}

static int set_pairs(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    const char **names = rx_plan_alloc(parse->arena, (2 * node->count + 1) * sizeof *names);
    const char **texts = names ? names + node->count : NULL;
    int r = names ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < node->count; i++) {
        if (node->items[i]->kind != RX_TREE_SCALAR)
            return wrong_kind(parse, node->items[i]);
        r = copy_text(parse, node->keys[i], &names[i]);
        if (r == 0)
            r = copy_text(parse, node->items[i], &texts[i]);
    }
    if (r == 0)
        *(struct rx_pairs *)field = (struct rx_pairs){.names = names, .texts = texts, .count = node->count};
    return r;
}

static void list_choices(const char *const *choices, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; choices[i] && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", choices[i]);
}

static size_t common_length(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

/* Also one that begins alike: `s` for `seconds`, `day` for `daily`. */
static const char *nearest_choice(const char *const *choices, const char *text)
{
    const char *nearest = rx_nearest(text, choices);
    for (; !nearest && *choices; choices++) {
        size_t common = common_length(*choices, text);
        if (common > 1 || (common == 1 && (*choices)[1] == '\0'))
            nearest = *choices;
    }
    return nearest;
}

static int set_enum(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    const struct rx_option *option = parse->option;
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], node->text) == 0) {
            *(int *)field = i;
            return 0;
        }
    }
    char list[200], hint[80];
    const char *nearest = nearest_choice(option->choices, node->text);
    list_choices(option->choices, list, sizeof list);
    if (nearest)
        snprintf(hint, sizeof hint, "did you mean `%s`?", nearest);
    else
        snprintf(hint, sizeof hint, "for example: %s: %s", parse->name, option->choices[0]);
    rx_diagnosef(parse->diagnostics, node, hint, "`%s` must be one of %s, found `%s`", parse->name, list,
                 shown_text(node->text).text);
    return -EINVAL;
}

static unsigned choice_of(const struct rx_option *option, const char *text)
{
    for (unsigned i = 0; option->choices && option->choices[i]; i++)
        if (strcmp(option->choices[i], text) == 0)
            return i + 1;
    return 0;
}

static int not_an_extent(struct option_parse *parse, const struct rx_tree *node)
{
    char list[160], hint[240];
    if (!parse->option->choices)
        return not_a(parse, node);
    list_choices(parse->option->choices, list, sizeof list);
    rx_diagnosef(parse->diagnostics, node, example_of(parse, hint, sizeof hint),
                 "`%s` must be one of %s, or a duration such as 5s, found `%s`", parse->name, list,
                 shown_text(node->text).text);
    return -EINVAL;
}

static int set_extent(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    struct rx_extent *extent = field;
    struct rx_error error = {0};
    int64_t count;
    char hint[240];
    unsigned choice = choice_of(parse->option, node->text);
    if (choice) {
        *extent = (struct rx_extent){.choice = choice, .every_event = strcmp(node->text, "event") == 0};
        return 0;
    }
    if (parse_int(node->text, &count)) {
        if (count > 0) {
            *extent = (struct rx_extent){.count = (uint64_t)count};
            return 0;
        }
        rx_diagnosef(parse->diagnostics, node, example_of(parse, hint, sizeof hint),
                     "`%s` must be more than nothing, found `%s`", parse->name, shown_text(node->text).text);
        return -EINVAL;
    }
    rx_time duration;
    if (rx_parse_duration(node->text, &duration, &error) == -ERANGE)
        return bad_scalar(parse, node, &error);
    if (error.code)
        return not_an_extent(parse, node);
    if (duration <= 0) {
        rx_diagnosef(parse->diagnostics, node, example_of(parse, hint, sizeof hint),
                     "`%s` must be more than nothing, found `%s`", parse->name, shown_text(node->text).text);
        return -EINVAL;
    }
    if (check_range(parse, node, RX_OPTION_EXTENT, (double)duration / 1e9) < 0)
        return -EINVAL;
    *extent = (struct rx_extent){.duration = duration};
    return 0;
}

static void destroy_zone(void *zone) { rx_zone_destroy(zone); }

static int set_zone(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    struct rx_zone *zone = NULL;
    int r = rx_zone_load(node->text, &zone);
    if (r == -EINVAL)
        rx_diagnosef(parse->diagnostics, node, "write \"Europe/Berlin\", \"UTC\" or \"+02:00\"",
                     "`%s`: there is no time zone `%s`", parse->option->name, shown_text(node->text).text);
    if (r == 0 && (r = rx_plan_defer(parse->arena, destroy_zone, zone)) < 0)
        rx_zone_destroy(zone);
    if (r == 0)
        *(const struct rx_zone **)field = zone;
    return r;
}

static struct shaper_request request_for(const struct option_parse *parse, const struct rx_tree *node)
{
    enum rx_option_type type = parse->option->type;
    return (struct shaper_request){
        .tree = node,
        .leaf = type == RX_OPTION_TEMPLATE ? LEAF_TEMPLATE : LEAF_EXPR,
        .expr_flags = type == RX_OPTION_AGGREGATES ? RX_EXPR_AGGREGATES
                      : type == RX_OPTION_TEMPLATE ? RX_EXPR_MARK_NAMES
                                                   : 0,
        .locals = parse->option->locals,
        .arena = parse->arena,
        .diagnostics = parse->diagnostics,
    };
}

static int set_expr(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    struct shaper_request request = request_for(parse, node);
    return expr_compile_scalar(&request, node, field);
}

static int set_shaper(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    struct shaper_request request = request_for(parse, node);
    return shaper_compile(&request, field);
}

/* The names of results stand beside `window` in each of them. */
static int check_results(struct option_parse *parse, const struct rx_tree *node, const struct rx_shaper *shaper)
{
    size_t calls = 0;
    for (size_t i = 0; i < rx_shaper_expr_count(shaper); i++)
        calls += rx_expr_aggregate_count(rx_shaper_expr(shaper, i));
    if (calls > RX_AGGREGATES_MAX) {
        rx_diagnosef(parse->diagnostics, node, NULL, "%zu aggregate calls in one step; it takes at most %d", calls,
                     RX_AGGREGATES_MAX);
        return -EINVAL;
    }
    for (size_t i = 0; i < node->count; i++)
        if (strcmp(node->keys[i]->text, "window") == 0) {
            rx_diagnosef(parse->diagnostics, node->keys[i], "give it another name",
                         "a result named `window` would hide {start, end}, which every result of a window has");
            return -EINVAL;
        }
    return 0;
}

/* Results need names: `aggregate: avg(value)` would yield a value that no later step can speak of. */
static int set_aggregates(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    char hint[160] = "write {avg: avg(value), n: count()}";
    if (node->kind == RX_TREE_MAP && node->count > 0) {
        int r = set_shaper(parse, node, field);
        return r < 0 ? r : check_results(parse, node, *(struct rx_shaper **)field);
    }
    if (node->kind == RX_TREE_SCALAR) {
        size_t name = strcspn(node->text, "( ");
        snprintf(hint, sizeof hint, "write {%.*s: %s}", name < 32 ? (int)name : 6, name < 32 ? node->text : "result",
                 shown_text(node->text).text);
    }
    rx_diagnosef(parse->diagnostics, node, hint, "`%s` needs a name for each result", parse->name);
    return -EINVAL;
}

static int set_keys(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    return rx_keys_compile(node, parse->arena, field, parse->diagnostics);
}

/* Each is true or false, as far as can be told. */
static int set_cases(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    int r = rx_keys_compile(node, parse->arena, field, parse->diagnostics);
    const struct rx_keys *cases = *(struct rx_keys *const *)field;
    for (size_t i = 0; r == 0 && i < rx_keys_count(cases); i++) {
        if (rx_expr_kinds(rx_keys_expr(cases, i)) & RX_EXPR_KIND(RX_BOOL))
            continue;
        rx_diagnosef(parse->diagnostics, node->items[i], "write a comparison, such as value > 10",
                     "`%s` expects a condition, and this is never true or false", rx_keys_name(cases, i)->text);
        r = -EINVAL;
    }
    return r;
}

static int set_side_keys(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    return rx_side_keys_compile(node, parse->arena, field, parse->diagnostics);
}

static int set_value(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    return value_from_tree(node, parse->arena, parse->diagnostics, field);
}

static int set_tree(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    (void)parse;
    *(const struct rx_tree **)field = node;
    return 0;
}

static int set_group(struct option_parse *parse, const struct rx_tree *node, void *field)
{
    return rx_options_parse(parse->option->group, node, node, parse->arena, field, parse->diagnostics);
}

enum { SCALAR = 1 << RX_TREE_SCALAR, LIST = 1 << RX_TREE_LIST, MAP = 1 << RX_TREE_MAP };

struct setter {
    unsigned kinds; /* of nodes that it takes */
    int (*set)(struct option_parse *, const struct rx_tree *, void *field);
};

static const struct setter setters[] = {
    [RX_OPTION_BOOL] = {SCALAR, set_bool},
    [RX_OPTION_INT] = {SCALAR, set_int},
    [RX_OPTION_DOUBLE] = {SCALAR, set_double},
    [RX_OPTION_DURATION] = {SCALAR, set_duration},
    [RX_OPTION_SIZE] = {SCALAR, set_size},
    [RX_OPTION_STRING] = {SCALAR, set_string},
    [RX_OPTION_STRINGS] = {SCALAR | LIST, set_strings},
    [RX_OPTION_PAIRS] = {MAP, set_pairs},
    [RX_OPTION_ENUM] = {SCALAR, set_enum},
    [RX_OPTION_EXTENT] = {SCALAR, set_extent},
    [RX_OPTION_EXPR] = {SCALAR, set_expr},
    [RX_OPTION_SHAPER] = {SCALAR | LIST | MAP, set_shaper},
    [RX_OPTION_KEYS] = {SCALAR | LIST | MAP, set_keys},
    [RX_OPTION_CASES] = {MAP, set_cases},
    [RX_OPTION_SIDE_KEYS] = {SCALAR | LIST | MAP, set_side_keys},
    [RX_OPTION_AGGREGATES] = {SCALAR | LIST | MAP, set_aggregates},
    [RX_OPTION_TEMPLATE] = {SCALAR | LIST | MAP, set_shaper},
    [RX_OPTION_VALUE] = {SCALAR | LIST | MAP, set_value},
    [RX_OPTION_STREAM] = {SCALAR | MAP, set_tree},
    [RX_OPTION_STREAMS] = {SCALAR | LIST | MAP, set_tree},
    [RX_OPTION_ZONE] = {SCALAR, set_zone},
    [RX_OPTION_PIPE] = {LIST, set_tree},
    [RX_OPTION_GROUP] = {SCALAR | LIST | MAP, set_group},
};

int option_set(struct option_parse *parse, const struct rx_tree *value, void *field)
{
    const struct setter *setter = &setters[parse->option->type];
    if (!(setter->kinds & 1u << value->kind))
        return wrong_kind(parse, value);
    return setter->set(parse, value, field);
}
