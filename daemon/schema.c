/* The config as JSON Schema: sections, streams, steps, sources and sinks, around the schemas of their classes. */
#include "daemon/schema.h"

#include <stdio.h>
#include <string.h>

#include "core/io/mqtt/mqtt.h"
#include "daemon/schema_private.h"
#include "daemon/settings.h"
#include "pipelines/plan/logical.h"
#include "pipelines/plan/registry.h"

/* ---- lists of classes; each begins with its struct rx_class ---- */

static json_t *described(struct schema *s, json_t *schema, const struct rx_class *class)
{
    char text[600];
    snprintf(text, sizeof text, "%s. Example: %s", class->summary ? class->summary : class->name,
             class->example ? class->example : class->name);
    if (schema)
        schema_put(s, schema, "description", json_string(text));
    return schema;
}

static json_t *required_one(const char *name) { return json_pack("{s:[s]}", "required", name); }

/* A mapping with one of the classes' names as a key, and whatever may stand beside it. */
static json_t *one_of(struct schema *s, const void *const *classes, unsigned shown, unsigned hidden,
                      const struct rx_option *beside)
{
    json_t *properties = json_object(), *one = json_array();
    for (; *classes; classes++) {
        const struct rx_class *class = *classes;
        if (class->flags & hidden || (shown && !(class->flags & shown)))
            continue;
        schema_put(s, properties, class->name, described(s, schema_class(s, class), class));
        schema_append(s, one, required_one(class->name));
        for (const struct rx_option *o = class->options; o && o->name; o++)
            if (o->flags & RX_SIBLING)
                schema_option(s, properties, o);
    }
    for (; beside && beside->name; beside++)
        schema_option(s, properties, beside);
    return json_pack("{s:s, s:o, s:b, s:o}", "type", "object", "properties", properties, "additionalProperties", 0,
                     "oneOf", one);
}

static json_t *made_in_place(struct schema *s)
{
    return one_of(s, (const void *const *)rx_registry_operators(), RX_CREATES, 0, NULL);
}

/* The names that may stand alone. */
static json_t *names_alone(struct schema *s, const void *const *classes, unsigned hidden)
{
    json_t *names = json_array();
    for (; *classes; classes++) {
        const struct rx_class *class = *classes;
        if (!(class->flags & hidden) && schema_stands_alone(class))
            schema_append(s, names, json_string(class->name));
    }
    return json_pack("{s:o}", "enum", names);
}

/* ---- streams, steps, pipelines ---- */

static json_t *list_of(const char *definition)
{
    return json_pack("{s:s, s:o}", "type", "array", "items", schema_ref(definition));
}

static json_t *named_map(const char *definition)
{
    return json_pack("{s:s, s:o, s:o}", "type", "object", "propertyNames", schema_ref("name"), "additionalProperties",
                     schema_ref(definition));
}

static json_t *outlet(void)
{
    return json_pack(
        "{s:s, s:s, s:s}", "type", "string", "pattern", "^[A-Za-z_$]", "description",
        "the name of a source or a pipeline, or one of their streams: NAME.errors, NAME.late, NAME.BRANCH");
}

static void put_streams(struct schema *s, json_t *definitions)
{
    json_t *written =
        json_pack("{s:s, s:{s:o, s:o}, s:[s], s:b}", "type", "object", "properties", "from", schema_ref("stream"),
                  "pipe", schema_ref("pipe"), "required", "from", "additionalProperties", 0);
    schema_put(s, definitions, "outlet", outlet());
    schema_put(s, definitions, "stream",
               json_pack("{s:[o, o, o, o, o]}", "anyOf", schema_ref("outlet"), list_of("stream"), written,
                         made_in_place(s), schema_ref("source")));
    schema_put(s, definitions, "streams",
               schema_either(s, schema_ref("stream"),
                             json_pack("{s:s, s:o}", "type", "object", "additionalProperties", schema_ref("stream"))));
    schema_put(s, definitions, "pipe", list_of("step"));
}

static void put_kinds(struct schema *s, json_t *definitions)
{
    const void *const *operators = (const void *const *)rx_registry_operators();
    const void *const *sinks = (const void *const *)rx_registry_sinks();
    schema_put(s, definitions, "source",
               one_of(s, (const void *const *)rx_registry_sources(), 0, 0, rx_source_common.options));
    schema_put(s, definitions, "step",
               schema_either(s, names_alone(s, operators, RX_NOT_A_STEP),
                             one_of(s, operators, 0, RX_NOT_A_STEP, rx_step_siblings)));
    json_t *sink = schema_either(s, names_alone(s, sinks, 0), one_of(s, sinks, 0, 0, NULL));
    schema_put(s, definitions, "sink", schema_either(s, sink, json_pack("{s:s}", "const", "none")));
}

static json_t *sinks_of_pipeline(struct schema *s)
{
    json_t *to = schema_either(s, schema_ref("sink"), list_of("sink"));
    schema_put(s, to, "description", json_string("where results go: sinks; default: stream, GET /streams/NAME"));
    return to;
}

/* What a pipeline begins with, its name required and its options beside it; NULL: `from`. */
static json_t *pipeline_that_begins(struct schema *s, const struct rx_class *class)
{
    json_t *properties = json_pack("{s:o, s:o, s:o}", "pipe", schema_ref("pipe"), "to", sinks_of_pipeline(s), "share",
                                   described(s, schema_class(s, &rx_share_class), &rx_share_class));
    if (!class)
        schema_put(s, properties, "from", schema_ref("stream"));
    for (const struct rx_option *o = class ? class->options : NULL; o && o->name; o++)
        schema_option(s, properties, o);
    return json_pack("{s:s, s:o, s:[s], s:b}", "type", "object", "properties", properties, "required",
                     class ? class->name : "from", "additionalProperties", 0);
}

static json_t *pipeline(struct schema *s)
{
    json_t *forms = json_array();
    schema_append(s, forms, pipeline_that_begins(s, NULL));
    for (const struct rx_operator_class *const *c = rx_registry_operators(); *c; c++)
        if ((*c)->base.flags & RX_BEGINS)
            schema_append(s, forms, pipeline_that_begins(s, &(*c)->base));
    return json_pack("{s:o}", "anyOf", forms);
}

/* ---- the whole ---- */

static json_t *sections(struct schema *s)
{
    json_t *o = json_object();
    schema_put(s, o, "http", described(s, schema_class(s, &rx_http_settings_class), &rx_http_settings_class));
    schema_put(s, o, "log", described(s, schema_class(s, &rx_log_settings_class), &rx_log_settings_class));
    schema_put(s, o, "brokers", named_map("broker"));
    schema_put(s, o, "sources", named_map("source"));
    schema_put(s, o, "pipelines", named_map("pipeline"));
    schema_put(s, o, "workers",
               json_pack("{s:[{s:s, s:i, s:i}, {s:s}], s:s}", "anyOf", "type", "integer", "minimum", 1, "maximum",
                         RX_WORKERS_MAX, "type", "string", "description", "threads that run pipelines; default: 1"));
    schema_put(s, o, "max_state",
               json_pack("{s:o, s:s}", "allOf", json_pack("[o]", schema_ref("size")), "description",
                         "refuse a config whose steps may keep more than that"));
    return o;
}

json_t *rx_schema_create(void)
{
    struct schema s = {0};
    json_t *definitions = json_object();
    schema_scalars(&s, definitions);
    put_streams(&s, definitions);
    put_kinds(&s, definitions);
    schema_put(&s, definitions, "broker", described(&s, schema_class(&s, &rx_broker_class), &rx_broker_class));
    schema_put(&s, definitions, "pipeline", pipeline(&s));
    json_t *schema = json_pack("{s:s, s:s, s:s, s:o, s:b, s:o}", "$schema",
                               "https://json-schema.org/draft/2020-12/schema", "title", "rxd config", "type", "object",
                               "properties", sections(&s), "additionalProperties", 0, "$defs", definitions);
    if (!s.failed)
        return schema;
    json_decref(schema);
    return NULL;
}
