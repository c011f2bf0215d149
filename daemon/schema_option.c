/* Options as JSON Schema: one for each type of option, one for a class with all of its own. YAML types a scalar by its spelling,
 * rxd by the option: a number may stand in quotes, a text may look like a number, and any scalar may be ${VAR}. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/schema_private.h"

void schema_put(struct schema *s, json_t *object, const char *name, json_t *value)
{
    if (!value || json_object_set_new(object, name, value) < 0)
        s->failed = true;
}

void schema_append(struct schema *s, json_t *array, json_t *value)
{
    if (!value || json_array_append_new(array, value) < 0)
        s->failed = true;
}

json_t *schema_ref(const char *definition)
{
    char path[120];
    snprintf(path, sizeof path, "#/$defs/%s", definition);
    return json_pack("{s:s}", "$ref", path);
}

json_t *schema_either(struct schema *s, json_t *a, json_t *b)
{
    json_t *list = json_array();
    schema_append(s, list, a);
    schema_append(s, list, b);
    return json_pack("{s:o}", "anyOf", list);
}

/* ---- scalars ---- */

static json_t *pattern(const char *text) { return json_pack("{s:s, s:s}", "type", "string", "pattern", text); }

void schema_scalars(struct schema *s, json_t *definitions)
{
    schema_put(s, definitions, "variable", pattern("\\$\\{"));
    schema_put(s, definitions, "text", json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean"));
    schema_put(
        s, definitions, "texts",
        schema_either(s, schema_ref("text"), json_pack("{s:s, s:o}", "type", "array", "items", schema_ref("text"))));
    schema_put(s, definitions, "name", pattern("^[A-Za-z_][A-Za-z0-9_-]*$"));
    schema_put(s, definitions, "boolean",
               json_pack("{s:[{s:s}, {s:s, s:s}, o]}", "anyOf", "type", "boolean", "type", "string", "pattern",
                         "^([Tt]rue|TRUE|[Ff]alse|FALSE|[Yy]es|YES|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF)$",
                         schema_ref("variable")));
    schema_put(s, definitions, "duration",
               json_pack("{s:[{s:s, s:s}, {s:i}, o]}", "anyOf", "type", "string", "pattern",
                         "^(0|([0-9]+(\\.[0-9]+)? *(ns|us|\xC2\xB5s|ms|s|m|h|d|w) *)+)$", "const", 0,
                         schema_ref("variable")));
    schema_put(s, definitions, "size",
               json_pack("{s:[{s:s, s:i}, {s:s, s:s}, o]}", "anyOf", "type", "integer", "minimum", 0, "type", "string",
                         "pattern", "^[0-9]+(\\.[0-9]+)? *([KkMmGgTt][Ii]?)?[Bb]?$", schema_ref("variable")));
    schema_put(s, definitions, "shaper", json_pack("{s:{s:s}}", "not", "type", "null"));
    schema_put(s, definitions, "keys",
               schema_either(s, schema_ref("texts"),
                             json_pack("{s:s, s:o}", "type", "object", "additionalProperties", schema_ref("text"))));
    schema_put(
        s, definitions, "cases",
        json_pack("{s:s, s:i, s:o}", "type", "object", "minProperties", 1, "additionalProperties", schema_ref("text")));
    schema_put(
        s, definitions, "sidekeys",
        schema_either(s, schema_ref("keys"),
                      json_pack("{s:s, s:{s:[o, {s:s, s:o}]}}", "type", "object", "additionalProperties", "anyOf",
                                schema_ref("text"), "type", "object", "additionalProperties", schema_ref("text"))));
    schema_put(s, definitions, "aggregates",
               json_pack("{s:s, s:i, s:o}", "type", "object", "minProperties", 1, "additionalProperties",
                         schema_ref("shaper")));
}

/* ---- one option ---- */

static json_t *number_of(double number)
{
    bool whole = number == rint(number) && fabs(number) < 9e15;
    return whole ? json_integer((json_int_t)number) : json_real(number);
}

static void put_range(struct schema *s, json_t *number, const struct rx_option *option)
{
    if (option->min == 0 && option->max == 0)
        return;
    schema_put(s, number, "minimum", number_of(option->min));
    if (option->max >= option->min && !isinf(option->max))
        schema_put(s, number, "maximum", number_of(option->max));
}

static json_t *number_schema(struct schema *s, const struct rx_option *option)
{
    bool whole = option->type == RX_OPTION_INT;
    json_t *number = json_pack("{s:s}", "type", whole ? "integer" : "number");
    put_range(s, number, option);
    return json_pack("{s:[o, o, o]}", "anyOf", number,
                     pattern(whole ? "^[+-]?[0-9]+$" : "^[+-]?[0-9]*\\.?[0-9]*([eE][+-]?[0-9]+)?$"),
                     schema_ref("variable"));
}

/* As YAML may understand the spelling: 5, true, null. */
static json_t *as_spelled(const char *choice)
{
    char *end;
    double number = strtod(choice, &end);
    if (!*end && end != choice && isfinite(number))
        return number_of(number);
    if (strcmp(choice, "null") == 0)
        return json_null();
    return strcmp(choice, "true") == 0 ? json_true() : strcmp(choice, "false") == 0 ? json_false() : NULL;
}

static json_t *choices_schema(struct schema *s, const char *const *choices)
{
    json_t *list = json_array();
    for (; *choices; choices++) {
        json_t *other = as_spelled(*choices);
        schema_append(s, list, json_string(*choices));
        if (other)
            schema_append(s, list, other);
    }
    return schema_either(s, json_pack("{s:o}", "enum", list), schema_ref("variable"));
}

static json_t *extent_schema(struct schema *s, const struct rx_option *option)
{
    json_t *count = json_pack("{s:[{s:s, s:i}, o]}", "anyOf", "type", "integer", "minimum", 1, pattern("^[0-9]+$"));
    json_t *extent = schema_either(s, schema_ref("duration"), count);
    return option->choices ? schema_either(s, extent, choices_schema(s, option->choices)) : extent;
}

static json_t *type_schema(struct schema *s, const struct rx_option *option)
{
    static const char *const definitions[] = {
        [RX_OPTION_BOOL] = "boolean",    [RX_OPTION_DURATION] = "duration",  [RX_OPTION_SIZE] = "size",
        [RX_OPTION_STRING] = "text",     [RX_OPTION_STRINGS] = "texts",      [RX_OPTION_EXPR] = "text",
        [RX_OPTION_SHAPER] = "shaper",   [RX_OPTION_KEYS] = "keys",          [RX_OPTION_AGGREGATES] = "aggregates",
        [RX_OPTION_TEMPLATE] = "shaper", [RX_OPTION_STREAM] = "stream",      [RX_OPTION_STREAMS] = "streams",
        [RX_OPTION_PIPE] = "pipe",       [RX_OPTION_SIDE_KEYS] = "sidekeys", [RX_OPTION_CASES] = "cases",
        [RX_OPTION_ZONE] = "text",
    };
    switch (option->type) {
    case RX_OPTION_INT:
    case RX_OPTION_DOUBLE:
        return number_schema(s, option);
    case RX_OPTION_ENUM:
        return choices_schema(s, option->choices);
    case RX_OPTION_EXTENT:
        return extent_schema(s, option);
    case RX_OPTION_PAIRS:
        return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", schema_ref("text"));
    case RX_OPTION_VALUE:
        return json_object(); /* anything */
    case RX_OPTION_GROUP:
        return schema_class(s, option->group);
    default:
        return schema_ref(definitions[option->type]);
    }
}

/* "how long; a duration; default 5s; 1ms to 1h": what the catalogue says of it. */
static json_t *description_of(const struct rx_option *option)
{
    char text[600];
    int used = snprintf(text, sizeof text, "%s (%s", option->help ? option->help : option->name,
                        rx_option_type_name(option->type));
    if (option->fallback && used > 0 && (size_t)used < sizeof text)
        snprintf(text + used, sizeof text - (size_t)used, "; default: %s)", option->fallback);
    else if (used > 0 && (size_t)used < sizeof text)
        snprintf(text + used, sizeof text - (size_t)used, ")");
    return json_string(text);
}

void schema_option(struct schema *s, json_t *properties, const struct rx_option *option)
{
    json_t *schema = type_schema(s, option);
    if (!schema) {
        s->failed = true;
        return;
    }
    schema_put(s, schema, "description", description_of(option));
    schema_put(s, properties, option->name, schema);
}

/* ---- a class ---- */

static const struct rx_option *positional_of(const struct rx_class *class)
{
    const struct rx_option *o = class->options;
    while (o && o->name && !(o->flags & RX_POSITIONAL))
        o++;
    return o && o->name ? o : NULL;
}

/* True when an option other than `given` must be written. */
static bool needs_more(const struct rx_class *class, const struct rx_option *given)
{
    for (const struct rx_option *o = class->options; o && o->name; o++)
        if (o != given && o->flags & RX_REQUIRED && (!(o->flags & RX_INLINE) || needs_more(o->group, NULL)))
            return true;
    return false;
}

bool schema_stands_alone(const struct rx_class *class) { return !needs_more(class, NULL); }

/* Those of an inline group stand among the others, which win where two have one name. */
static void put_options(struct schema *s, const struct rx_class *class, bool needed, json_t *properties,
                        json_t *required)
{
    for (const struct rx_option *o = class->options; o && o->name; o++) {
        if (o->flags & RX_INLINE || json_object_get(properties, o->name))
            continue;
        schema_option(s, properties, o);
        if (o->flags & RX_REQUIRED && needed)
            schema_append(s, required, json_string(o->name));
    }
    for (const struct rx_option *o = class->options; o && o->name; o++)
        if (o->flags & RX_INLINE)
            put_options(s, o->group, o->flags & RX_REQUIRED && needed, properties, required);
}

static json_t *mapping_schema(struct schema *s, const struct rx_class *class)
{
    json_t *properties = json_object(), *required = json_array();
    put_options(s, class, true, properties, required);
    json_t *schema =
        json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
    if (schema && json_array_size(required) > 0)
        schema_put(s, schema, "required", required);
    else
        json_decref(required);
    return schema;
}

/* The positional option's value, where a mapping would be one of options, or a stream that is written out. */
static json_t *bare_schema(struct schema *s, const struct rx_option *positional)
{
    if (positional->type == RX_OPTION_STREAM || positional->type == RX_OPTION_STREAMS)
        return schema_ref("stream");
    json_t *properties = json_object(), *not_object = json_pack("{s:{s:s}}", "not", "type", "object");
    schema_option(s, properties, positional);
    json_t *schema = json_incref(json_object_get(properties, positional->name));
    json_decref(properties);
    return json_pack("{s:[o, o]}", "allOf", not_object, schema);
}

json_t *schema_class(struct schema *s, const struct rx_class *class)
{
    const struct rx_option *positional = positional_of(class);
    if (positional && positional->flags & RX_WHOLE)
        return type_schema(s, positional);
    json_t *mapping = mapping_schema(s, class);
    if (!positional || needs_more(class, positional))
        return mapping;
    return schema_either(s, bare_schema(s, positional), mapping);
}
