/* One text to a tree: libyaml's events, each node with its place, the traps of YAML turned into mistakes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/config/config_private.h"

enum { ANCHORS_MAX = 1000 };

struct config_anchor {
    struct config_anchor *older;
    const char *name;
    struct rx_tree *tree;
    size_t weight;   /* nodes, those behind aliases counted each time */
    unsigned height; /* levels below its first */
};

/* A list of nodes that grows. */
struct nodes {
    struct rx_tree **items;
    size_t count, capacity;
};

static int next_event(struct config_reader *reader, yaml_event_t *event)
{
    yaml_parser_t *parser = &reader->parser;
    if (yaml_parser_parse(parser, event))
        return 0;
    if (!reader->rewritten && parser->problem && strstr(parser->problem, "invalid Unicode character escape"))
        return -EAGAIN; /* perhaps a JSON pair: config_parse tries again with those rewritten */
    struct rx_place context = {0};
    if (parser->context)
        context = config_place(reader, parser->context_mark);
    bool of_reader = parser->error == YAML_READER_ERROR;
    struct rx_place at =
        of_reader ? config_place_of_byte(reader, parser->problem_offset) : config_place(reader, parser->problem_mark);
    config_problem(reader->file, parser, at, context, reader->diagnostics);
    return -EINVAL;
}

static int push(struct nodes *nodes, struct rx_tree *node)
{
    if (nodes->count == nodes->capacity) {
        size_t capacity = nodes->capacity ? nodes->capacity * 2 : 8;
        struct rx_tree **grown = realloc(nodes->items, capacity * sizeof(struct rx_tree *));
        if (!grown)
            return -ENOMEM;
        nodes->items = grown;
        nodes->capacity = capacity;
    }
    nodes->items[nodes->count++] = node;
    return 0;
}

static int count_weight(struct config_reader *reader, struct rx_place at, size_t more)
{
    reader->weight += more;
    if (reader->weight <= RX_CONFIG_NODES_MAX)
        return 0;
    config_mistake(reader, at, "aliases (`*name`) count each time they are used",
                   "the config is too large: over 1,000,000 entries");
    return -E2BIG;
}

static int count_depth(struct config_reader *reader, struct rx_place at, unsigned depth)
{
    if (depth > reader->deepest)
        reader->deepest = depth;
    if (depth <= RX_CONFIG_DEPTH_MAX)
        return 0;
    config_mistake(reader, at, NULL, "too deeply nested: at most 64 levels");
    return -E2BIG;
}

static int new_node(struct config_reader *reader, enum rx_tree_kind kind, struct rx_place at, struct rx_tree **ret)
{
    struct rx_tree *node = config_alloc(reader->pool, sizeof *node);
    if (!node)
        return config_no_memory(reader);
    node->kind = kind;
    node->file = reader->file;
    node->at = at;
    *ret = node;
    return count_weight(reader, at, 1);
}

/* Anchor and tag stand before the node: the node's own text starts after them. */
static struct rx_place skip_properties(struct config_reader *reader, struct rx_place at)
{
    const struct rx_file *file = reader->file;
    while (at.offset < file->length && strchr("&!", file->text[at.offset])) {
        while (at.offset < file->length && !strchr(" \t\r\n", file->text[at.offset])) {
            at.column += ((unsigned char)file->text[at.offset] & 0xC0) != 0x80;
            at.offset++;
        }
        while (at.offset < file->length && file->text[at.offset] == ' ') {
            at.offset++;
            at.column++;
        }
    }
    return at;
}

static int remember(struct config_reader *reader, const char *name, struct rx_tree *tree, size_t weight,
                    unsigned height)
{
    struct config_anchor *anchor = config_alloc(reader->pool, sizeof *anchor);
    char *copy = config_copy(reader->pool, name, strlen(name));
    if (!anchor || !copy)
        return config_no_memory(reader);
    if (++reader->anchor_count > ANCHORS_MAX) {
        config_mistake(reader, tree->at, NULL, "too many anchors: at most 1,000");
        return -E2BIG;
    }
    *anchor = (struct config_anchor){
        .older = reader->anchors, .name = copy, .tree = tree, .weight = weight, .height = height};
    reader->anchors = anchor;
    return 0;
}

static int read_alias(struct config_reader *reader, const yaml_event_t *event, struct rx_place at, struct rx_tree **ret)
{
    const char *name = (const char *)event->data.alias.anchor;
    for (const struct config_anchor *anchor = reader->anchors; anchor; anchor = anchor->older) {
        if (strcmp(anchor->name, name) == 0) {
            *ret = anchor->tree;
            int r = count_depth(reader, at, reader->depth + anchor->height);
            return r < 0 ? r : count_weight(reader, at, anchor->weight);
        }
    }
    char message[240], hint[160];
    snprintf(message, sizeof message, "`*%.60s` is an alias to YAML, and no anchor `&%.60s` stands before it", name,
             name);
    config_quote_hint(reader->file, at.offset, config_line_rest(reader->file, at.offset), hint, sizeof hint);
    config_mistake(reader, at, hint, message);
    int r = new_node(reader, RX_TREE_SCALAR, at, ret);
    if (r == 0)
        (*ret)->text = "";
    return r;
}

static bool is_raw(const yaml_char_t *tag) { return tag && strcmp((const char *)tag, "!raw") == 0; }

static int read_scalar(struct config_reader *reader, const yaml_event_t *event, struct rx_place at,
                       struct rx_tree **ret)
{
    struct rx_tree *node = NULL;
    int r = new_node(reader, RX_TREE_SCALAR, at, &node);
    if (r < 0)
        return r;
    *ret = node;
    node->length = event->data.scalar.length;
    node->raw = is_raw(event->data.scalar.tag);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || (node->raw && node->length > 0);
    node->text = config_copy(reader->pool, (const char *)event->data.scalar.value, node->length);
    return node->text ? 0 : config_no_memory(reader);
}

static int expand(struct config_reader *reader, struct rx_tree *scalar)
{
    struct rx_error error = {0};
    int r = config_expand(scalar, reader->flags, reader->pool, &error);
    if (r == -ENOMEM)
        return config_no_memory(reader);
    if (r < 0) {
        rx_diagnose_inside(reader->diagnostics, scalar, &error);
        reader->mistakes++;
    }
    return 0;
}

static int read_node(struct config_reader *, yaml_event_t *, struct rx_tree **ret, bool is_key);

/* The next node, or *ret NULL at the event that ends the collection. */
static int read_next(struct config_reader *reader, yaml_event_type_t end, struct rx_tree **ret, bool is_key)
{
    yaml_event_t event;
    int r = next_event(reader, &event);
    if (r < 0)
        return r;
    *ret = NULL;
    if (event.type != end)
        return read_node(reader, &event, ret, is_key);
    yaml_event_delete(&event);
    return 0;
}

static struct rx_tree **keep(struct config_reader *reader, const struct nodes *nodes)
{
    struct rx_tree **kept = config_alloc(reader->pool, (nodes->count + 1) * sizeof(struct rx_tree *));
    if (kept && nodes->count)
        memcpy(kept, nodes->items, nodes->count * sizeof *kept);
    return kept;
}

static int read_items(struct config_reader *reader, bool flow, struct nodes *items)
{
    bool split = false;
    for (;;) {
        struct rx_tree *item;
        size_t before = reader->mistakes;
        int r = read_next(reader, YAML_SEQUENCE_END_EVENT, &item, false);
        if (r < 0 || !item)
            return r;
        if (flow && !split)
            split = config_refuse_split(reader, item);
        if (config_is_empty(item) && !split && reader->mistakes == before)
            config_refuse_empty(reader, NULL, item, flow);
        if (push(items, item) < 0)
            return config_no_memory(reader);
    }
}

static int read_list(struct config_reader *reader, bool flow, struct rx_tree *list)
{
    struct nodes items = {0};
    int r = read_items(reader, flow, &items);
    list->count = items.count;
    if (r == 0 && !(list->items = keep(reader, &items)))
        r = config_no_memory(reader);
    free(items.items);
    return r;
}

static int read_pairs(struct config_reader *reader, bool flow, struct nodes *keys, struct nodes *items)
{
    bool split = false;
    for (;;) {
        struct rx_tree *key, *item;
        int r = read_next(reader, YAML_MAPPING_END_EVENT, &key, true);
        if (r < 0 || !key)
            return r;
        bool sound = split || config_check_key(reader, key);
        size_t before = reader->mistakes;
        r = read_next(reader, YAML_NO_EVENT, &item, false);
        if (r < 0)
            return r;
        if (config_is_empty(item) && !split && before == reader->mistakes && key->kind == RX_TREE_SCALAR)
            config_refuse_empty(reader, key, item, flow);
        if (split || !sound) /* told: the tree goes on without it */
            continue;
        split = flow && config_refuse_split(reader, item);
        if (push(keys, key) < 0 || push(items, item) < 0)
            return config_no_memory(reader);
    }
}

static int read_map(struct config_reader *reader, bool flow, struct rx_tree *map)
{
    struct nodes keys = {0}, items = {0};
    int r = read_pairs(reader, flow, &keys, &items);
    map->count = items.count;
    if (r == 0 && (!(map->keys = keep(reader, &keys)) || !(map->items = keep(reader, &items))))
        r = config_no_memory(reader);
    if (r == 0 && keys.count > 1)
        config_refuse_duplicates(reader, keys.items, keys.count);
    free(keys.items);
    free(items.items);
    return r;
}

static int read_collection(struct config_reader *reader, const yaml_event_t *event, struct rx_place at,
                           struct rx_tree **ret)
{
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    bool flow = list ? event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                     : event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    int r = new_node(reader, list ? RX_TREE_LIST : RX_TREE_MAP, at, ret);
    if (r < 0 || (r = count_depth(reader, at, reader->depth + 1)) < 0)
        return r;
    reader->depth++;
    r = list ? read_list(reader, flow, *ret) : read_map(reader, flow, *ret);
    reader->depth--;
    return r;
}

struct properties {
    const char *anchor;
    bool tagged, raw;
};

static struct properties properties_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return (struct properties){(const char *)event->data.scalar.anchor, event->data.scalar.tag,
                                   is_raw(event->data.scalar.tag)};
    case YAML_SEQUENCE_START_EVENT:
        return (struct properties){(const char *)event->data.sequence_start.anchor, event->data.sequence_start.tag,
                                   false};
    case YAML_MAPPING_START_EVENT:
        return (struct properties){(const char *)event->data.mapping_start.anchor, event->data.mapping_start.tag,
                                   false};
    default:
        return (struct properties){0};
    }
}

static int read_content(struct config_reader *reader, const yaml_event_t *event, struct rx_place at,
                        struct rx_tree **ret, bool is_key)
{
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(reader, event, at, ret);
    if (event->type != YAML_SCALAR_EVENT)
        return read_collection(reader, event, at, ret);
    int r = read_scalar(reader, event, at, ret);
    return r == 0 && !is_key && !(*ret)->raw ? expand(reader, *ret) : r;
}

/* Reads the node that the event begins; takes the event. */
static int read_node(struct config_reader *reader, yaml_event_t *event, struct rx_tree **ret, bool is_key)
{
    struct rx_place at = config_place(reader, event->start_mark);
    struct properties properties = properties_of(event);
    size_t weight = reader->weight;
    unsigned deepest = reader->deepest;
    reader->deepest = reader->depth;
    if (properties.tagged && !properties.raw)
        config_refuse_tag(reader, at);
    else if (properties.anchor || properties.raw)
        at = skip_properties(reader, at);
    int r = read_content(reader, event, at, ret, is_key);
    if (r == 0 && properties.anchor)
        r = remember(reader, properties.anchor, *ret, reader->weight - weight, reader->deepest - reader->depth);
    if (deepest > reader->deepest)
        reader->deepest = deepest;
    yaml_event_delete(event);
    return r;
}

/* A stream holds at most one document, and that one node. */
static int read_stream(struct config_reader *reader, struct rx_tree **ret)
{
    *ret = NULL;
    for (;;) {
        yaml_event_t event;
        int r = next_event(reader, &event);
        if (r < 0)
            return r;
        yaml_event_type_t type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && *ret) {
            config_mistake(reader, config_place(reader, event.start_mark), "put each config in a file of its own",
                           "a second document (`---`) in one file");
            type = YAML_STREAM_END_EVENT;
        }
        bool node = type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT || type == YAML_SEQUENCE_START_EVENT ||
                    type == YAML_MAPPING_START_EVENT;
        if (node)
            r = read_node(reader, &event, ret, false);
        else
            yaml_event_delete(&event);
        if (r < 0 || type == YAML_STREAM_END_EVENT)
            return r;
    }
}

static int run_parser(struct config_reader *reader, const char *text, size_t length, struct rx_tree **ret)
{
    if (!yaml_parser_initialize(&reader->parser))
        return config_no_memory(reader);
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, length);
    int r = read_stream(reader, ret);
    yaml_parser_delete(&reader->parser);
    return r;
}

static void start_over(struct config_reader *reader)
{
    config_rewind(reader);
    reader->anchors = NULL;
    reader->anchor_count = reader->depth = reader->deepest = 0;
    reader->weight = 0;
}

int config_parse(const struct rx_file *file, unsigned flags, struct config_pool *pool,
                 struct rx_diagnostics *diagnostics, struct rx_tree **ret)
{
    struct config_reader reader = {.file = file, .flags = flags, .pool = pool, .diagnostics = diagnostics};
    struct rx_tree *tree = NULL;
    size_t length = file->length;
    if (length > RX_CONFIG_BYTES_MAX) {
        config_mistake(&reader, (struct rx_place){0}, NULL, "the file is too large: at most 16 MiB");
        return -EINVAL;
    }
    if (length >= 3 && memcmp(file->text, "\xEF\xBB\xBF", 3) == 0)
        reader.skipped = 3;
    const char *text = file->text + reader.skipped;
    length -= reader.skipped;
    config_rewind(&reader);
    int r = run_parser(&reader, text, length, &tree);
    if (r == -EAGAIN && (r = config_rewrite_pairs(&reader, text, length, &length)) == 0) {
        start_over(&reader);
        r = run_parser(&reader, reader.rewritten, length, &tree);
    }
    free(reader.rewritten);
    free(reader.pairs);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return -EINVAL;
    *ret = tree && config_is_empty(tree) ? NULL : tree;
    return reader.mistakes > 0 ? -EINVAL : 0;
}
