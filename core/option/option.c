/* Options: a step's or source's value against its declarative table, every mistake told with its place. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option_parse.h"

bool rx_is_name(const char *text)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    return *text && strchr(first, *text) &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz_0123456789-")] == '\0';
}

static size_t option_count(const struct rx_class *class)
{
    size_t count = 0;
    while (class->options && class->options[count].name)
        count++;
    return count;
}

static const struct rx_option *positional_of(const struct rx_class *class)
{
    for (size_t i = 0; i < option_count(class); i++)
        if (class->options[i].flags & RX_POSITIONAL)
            return &class->options[i];
    return NULL;
}

static const struct rx_option *find_option(const struct rx_class *class, const char *name)
{
    for (size_t i = 0; i < option_count(class); i++)
        if (!(class->options[i].flags & RX_INLINE) && strcmp(class->options[i].name, name) == 0)
            return &class->options[i];
    return NULL;
}

const char *rx_class_positional(const struct rx_class *class)
{
    const struct rx_option *positional = positional_of(class);
    return positional ? positional->name : "";
}

bool rx_class_has_sibling(const struct rx_class *class, const char *name)
{
    const struct rx_option *option = find_option(class, name);
    return option && option->flags & RX_SIBLING;
}

bool rx_class_has_option(const struct rx_class *class, const char *name) { return find_option(class, name); }

/* A mapping of options, not the positional option's own object. */
static bool is_mapping(const struct rx_class *class, const struct rx_tree *value)
{
    const struct rx_option *positional = positional_of(class);
    return value && value->kind == RX_TREE_MAP && (value->options || !(positional && positional->flags & RX_WHOLE));
}

static void note_given(const struct option_parse *parse, const struct rx_option *option)
{
    if (option->given)
        *(bool *)((char *)parse->image + option->given) = true;
}

static int set_option(struct option_parse *parse, const struct rx_option *option, const struct rx_tree *value)
{
    parse->option = option;
    parse->name = option->name;
    note_given(parse, option);
    return option_set(parse, value, (char *)parse->image + option->offset);
}

/* The inline group that an option of that name belongs to; NULL: none. */
static const struct rx_option *inline_group_of(const struct rx_class *class, const char *name)
{
    for (size_t i = 0; i < option_count(class); i++)
        if (class->options[i].flags & RX_INLINE && find_option(class->options[i].group, name))
            return &class->options[i];
    return NULL;
}

static struct option_parse inside(const struct option_parse *parse, const struct rx_option *group)
{
    struct option_parse part = *parse;
    part.class = group->group;
    part.image = (char *)parse->image + group->offset;
    return part;
}

static int set_inline(struct option_parse *parse, const struct rx_option *group, const struct rx_tree *key,
                      const struct rx_tree *value)
{
    struct option_parse part = inside(parse, group);
    note_given(parse, group);
    return set_option(&part, find_option(group->group, key->text), value);
}

static bool takes_stream(const struct rx_option *option)
{
    return option->type == RX_OPTION_STREAM || option->type == RX_OPTION_STREAMS;
}

static bool is_stream_key(const char *key) { return strcmp(key, "from") == 0 || strcmp(key, "pipe") == 0; }

/* What a user may write, those of inline groups last; NULL-terminated, malloc'ed. NULL: no memory. */
static const char **names_of(const struct rx_class *class, size_t *ret_count)
{
    size_t most = option_count(class) + 1, count = 0;
    for (size_t i = 0; i < option_count(class); i++)
        if (class->options[i].flags & RX_INLINE)
            most += option_count(class->options[i].group);
    const char **names = calloc(most, sizeof *names);
    for (size_t i = 0; names && i < option_count(class); i++)
        if (!(class->options[i].flags & RX_INLINE))
            names[count++] = class->options[i].name;
    for (size_t i = 0; names && i < option_count(class); i++)
        for (size_t k = 0; class->options[i].flags & RX_INLINE && k < option_count(class->options[i].group); k++)
            if (!find_option(class, class->options[i].group->options[k].name))
                names[count++] = class->options[i].group->options[k].name;
    *ret_count = count;
    return names;
}

/* The first option that is a stream; NULL: none. */
static const struct rx_option *stream_of(const struct rx_class *class)
{
    for (size_t i = 0; i < option_count(class); i++)
        if (takes_stream(&class->options[i]))
            return &class->options[i];
    return NULL;
}

/* "did you mean `size`?", or what there is. */
static void unknown_option(struct option_parse *parse, const struct rx_tree *key)
{
    const struct rx_class *class = parse->class;
    size_t count = 0;
    const char **names = names_of(class, &count);
    struct rx_error error = {0};
    rx_error_set(&error, -EINVAL, "`%s` has no option `%s`", class->name, shown_text(key->text).text);
    const char *nearest = names ? rx_nearest(key->text, names) : NULL;
    const struct rx_option *stream = is_stream_key(key->text) ? stream_of(class) : NULL;
    if (stream) {
        rx_error_hint(&error, "write %s: {%s: {from: NAME, pipe: [...]}}", class->name, stream->name);
    } else if (strcmp(key->text, "on_error") == 0 || strcmp(key->text, "id") == 0) {
        rx_error_hint(&error, "it stands beside a step: - {%s: ..., %s: ...}", class->name, key->text);
    } else if (nearest) {
        rx_error_hint(&error, "did you mean `%s`?", nearest);
    } else if (names && count > 0) {
        char list[200] = "";
        for (size_t i = 0, used = 0; i < count && used < sizeof list; i++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
        rx_error_hint(&error, "it has: %s", list);
    } else {
        rx_error_hint(&error, "it takes no options");
    }
    free(names);
    rx_diagnose(parse->diagnostics, key, &error);
}

static int parse_mapping(struct option_parse *parse, const struct rx_tree *map)
{
    int result = 0;
    for (size_t i = 0; i < map->count; i++) {
        const struct rx_tree *key = map->keys[i];
        const struct rx_option *option = find_option(parse->class, key->text);
        const struct rx_option *group = option ? NULL : inline_group_of(parse->class, key->text);
        if (!option && !group)
            unknown_option(parse, key);
        if ((!option && !group) || (option && set_option(parse, option, map->items[i]) < 0) ||
            (group && set_inline(parse, group, key, map->items[i]) < 0))
            result = -EINVAL;
    }
    return result;
}

static int parse_bare(struct option_parse *parse, const struct rx_option *positional, const struct rx_tree *value)
{
    const struct rx_class *class = parse->class;
    char hint[240] = "";
    if (positional) {
        parse->option = positional;
        parse->name = class->name;
        note_given(parse, positional);
        return option_set(parse, value, (char *)parse->image + positional->offset) < 0 ? -EINVAL : 0;
    }
    if (class->example)
        snprintf(hint, sizeof hint, "for example: %s", class->example);
    if (option_count(class) == 0)
        rx_diagnosef(parse->diagnostics, value, hint, "`%s` takes no value", class->name);
    else
        rx_diagnosef(parse->diagnostics, value, hint, "`%s` expects a mapping of options", class->name);
    return -EINVAL;
}

static void missing_option(struct option_parse *parse, const struct rx_option *option, const struct rx_tree *where)
{
    char hint[240];
    const char *example = parse->class->example;
    if (example)
        snprintf(hint, sizeof hint, "for example: %s", example);
    else
        snprintf(hint, sizeof hint, "%s", option->help ? option->help : "");
    rx_diagnosef(parse->diagnostics, where, hint, "`%s` needs `%s`, %s", parse->class->name, option->name,
                 option_article(option));
}

static int set_fallback(struct option_parse *parse, const struct rx_option *option, const struct rx_tree *where)
{
    struct rx_tree fallback = {.text = option->fallback,
                               .length = strlen(option->fallback),
                               .file = where ? where->file : option_no_file(),
                               .at = where ? where->at : (struct rx_place){0}};
    return set_option(parse, option, &fallback) < 0 ? -EINVAL : 0;
}

/* Which values were written: in `map`, or the one of a bare value. */
struct written {
    const struct rx_tree *map, *where; /* where: who is blamed for what is missing */
    const struct rx_option *bare;
    bool any; /* false: a group of which nothing was written, so that nothing of it is required */
};

static int fill_in(struct option_parse *parse, const struct written *written);

static int fill_in_group(struct option_parse *parse, const struct rx_option *group, const struct written *written)
{
    struct option_parse part = inside(parse, group);
    struct written of_it = {.where = written->where};
    if (group->flags & RX_INLINE) {
        of_it.map = written->map;
        of_it.any = group->flags & RX_REQUIRED && written->any;
    }
    return fill_in(&part, &of_it);
}

/* Defaults for what was not given, in the words a user would write. */
static int fill_in(struct option_parse *parse, const struct written *written)
{
    int result = 0;
    for (size_t i = 0; i < option_count(parse->class); i++) {
        const struct rx_option *option = &parse->class->options[i];
        bool named = !(option->flags & RX_INLINE);
        int r = 0;
        if (option == written->bare || (named && rx_tree_get(written->map, option->name)))
            continue;
        if (named && option->flags & RX_REQUIRED && written->any) {
            missing_option(parse, option, written->where);
            r = -EINVAL;
        } else if (option->type == RX_OPTION_GROUP) {
            r = fill_in_group(parse, option, written);
        } else if (option->fallback) {
            r = set_fallback(parse, option, written->where);
        }
        if (r == -ENOMEM)
            return r;
        result = r < 0 ? r : result;
    }
    return result;
}

/* The `line`th of the texts that the blamed options were given; NULL: there are not so many. */
static const struct rx_tree *blamed_text(const struct rx_class *class, const struct rx_tree *value, unsigned line)
{
    for (size_t i = 0; value && i < option_count(class); i++) {
        const struct rx_tree *tree =
            class->options[i].flags & RX_BLAMED ? rx_option_tree(class, value, &class->options[i]) : NULL;
        size_t texts = !tree ? 0 : tree->kind == RX_TREE_LIST ? tree->count : tree->kind == RX_TREE_SCALAR;
        if (line <= texts)
            return tree->kind == RX_TREE_LIST ? tree->items[line - 1] : tree;
        line -= (unsigned)texts;
    }
    return NULL;
}

void rx_options_blame(const struct rx_class *class, const struct rx_tree *value, const struct rx_tree *where,
                      const struct rx_error *error, struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *text = error->at.line > 0 ? blamed_text(class, value, error->at.line) : NULL;
    if (text && text->kind == RX_TREE_SCALAR)
        rx_diagnose_inside(diagnostics, text, error);
    else
        rx_diagnose(diagnostics, value ? value : where, error);
}

static int check_together(const struct option_parse *parse, const struct rx_tree *value, const struct rx_tree *where)
{
    struct rx_error error = {0};
    int r = parse->class->check ? parse->class->check(parse->image, &error) : 0;
    if (r < 0)
        rx_options_blame(parse->class, value, where, &error, parse->diagnostics);
    return r;
}

int rx_options_parse(const struct rx_class *class, const struct rx_tree *value, const struct rx_tree *where,
                     struct rx_plan_arena *arena, void *image, struct rx_diagnostics *diagnostics)
{
    struct option_parse parse = {.class = class, .arena = arena, .image = image, .diagnostics = diagnostics};
    const struct rx_option *positional = positional_of(class);
    bool mapping = is_mapping(class, value);
    int result = 0;
    if (mapping)
        result = parse_mapping(&parse, value);
    else if (value)
        result = parse_bare(&parse, positional, value);
    struct written written = {.map = mapping ? value : NULL,
                              .bare = value && !mapping ? positional : NULL,
                              .where = where,
                              .any = mapping || !value ||
                                     positional}; /* else what is missing is clear from the mistake already told */
    int filled = fill_in(&parse, &written);
    result = result < 0 ? result : filled;
    return result < 0 ? result : check_together(&parse, value, where);
}

static bool is_one_stream(const struct rx_tree *tree)
{
    return tree->kind == RX_TREE_SCALAR || rx_tree_get(tree, "from");
}

size_t rx_stream_count(const struct rx_tree *tree) { return is_one_stream(tree) ? 1 : tree->count; }

const struct rx_tree *rx_stream_at(const struct rx_tree *tree, size_t i, const char **ret_name)
{
    const struct rx_tree *stream = is_one_stream(tree) ? tree : tree->items[i];
    *ret_name = stream != tree && tree->kind == RX_TREE_MAP ? tree->keys[i]->text : stream->text;
    return stream;
}

const void *rx_option_field(const struct rx_class *class, const void *image, const char *name)
{
    const struct rx_option *option = find_option(class, name);
    const struct rx_option *group = option ? NULL : inline_group_of(class, name);
    if (group)
        return (const char *)image + group->offset + find_option(group->group, name)->offset;
    return option ? (const char *)image + option->offset : NULL;
}

const struct rx_tree *rx_option_tree(const struct rx_class *class, const struct rx_tree *value,
                                     const struct rx_option *option)
{
    if (is_mapping(class, value))
        return rx_tree_get(value, option->name);
    return option == positional_of(class) ? value : NULL;
}

static int reach_expr(const struct rx_expr *expr, struct rx_fields *fields, unsigned *reaches)
{
    unsigned more = 0;
    int r = rx_expr_reach(expr, fields, &more);
    *reaches |= more;
    for (size_t i = 0; r == 0 && i < rx_expr_aggregate_count(expr); i++) {
        const struct rx_aggregate_call *call = rx_expr_aggregate(expr, i);
        for (unsigned k = 0; r == 0 && k < call->arg_count; k++)
            r = reach_expr(call->args[k], fields, reaches);
    }
    return r;
}

static int reach_shaper(const struct rx_shaper *shaper, struct rx_fields *fields, unsigned *reaches)
{
    int r = 0;
    for (size_t i = 0; r == 0 && shaper && i < rx_shaper_expr_count(shaper); i++)
        r = reach_expr(rx_shaper_expr(shaper, i), fields, reaches);
    return r;
}

static int reach_keys(const struct rx_keys *keys, struct rx_fields *fields, unsigned *reaches)
{
    int r = 0;
    for (size_t i = 0; r == 0 && keys && i < rx_keys_count(keys); i++)
        r = reach_expr(rx_keys_expr(keys, i), fields, reaches);
    return r;
}

static int reach_side_keys(const struct rx_side_keys *keys, struct rx_fields *fields, unsigned *reaches)
{
    int r = 0;
    for (size_t i = 0; r == 0 && keys && i < rx_side_keys_side_count(keys); i++)
        r = reach_keys(rx_side_keys_of(keys, rx_side_keys_side(keys, i)->text), fields, reaches);
    return r == 0 && keys ? reach_keys(rx_side_keys_of(keys, ""), fields, reaches) : r;
}

static int reach_option(const struct rx_option *option, const void *field, struct rx_fields *fields, unsigned *reaches)
{
    const struct rx_expr *expr;
    switch (option->type) {
    case RX_OPTION_EXPR:
        expr = *(struct rx_expr *const *)field;
        return expr ? reach_expr(expr, fields, reaches) : 0;
    case RX_OPTION_SHAPER:
    case RX_OPTION_AGGREGATES:
    case RX_OPTION_TEMPLATE:
        return reach_shaper(*(struct rx_shaper *const *)field, fields, reaches);
    case RX_OPTION_KEYS:
    case RX_OPTION_CASES:
        return reach_keys(*(struct rx_keys *const *)field, fields, reaches);
    case RX_OPTION_SIDE_KEYS:
        return reach_side_keys(*(struct rx_side_keys *const *)field, fields, reaches);
    case RX_OPTION_GROUP:
        return rx_options_reach(option->group, field, fields, reaches);
    default:
        return 0;
    }
}

int rx_options_reach(const struct rx_class *class, const void *image, struct rx_fields *fields, unsigned *reaches)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < option_count(class); i++)
        r = reach_option(&class->options[i], (const char *)image + class->options[i].offset, fields, reaches);
    return r;
}
