/* Where in a text the nodes of YAML begin and end: the config's reader knows where they begin, libyaml also the rest. */
#include "pipelines/run/test_ranges.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "pipelines/config/config_read.h"

struct reading {
    struct test_ranges *ranges;
    const char *text;
    size_t length, skipped;               /* skipped: a byte order mark */
    uint32_t *bytes;                      /* by code point: where it begins; NULL: all are single bytes */
    size_t open[RX_CONFIG_DEPTH_MAX + 2]; /* collections that have begun */
    size_t depth, last_end;
};

/* Marks count code points. */
static int map_code_points(struct reading *r)
{
    size_t n = 0, wide = 0;
    for (size_t i = 0; i < r->length; i++)
        wide += (unsigned char)r->text[i] >= 0x80;
    if (wide == 0)
        return 0;
    r->bytes = malloc((r->length + 1) * sizeof *r->bytes);
    if (!r->bytes)
        return -ENOMEM;
    for (size_t i = r->skipped; i < r->length; i++)
        if (((unsigned char)r->text[i] & 0xC0) != 0x80)
            r->bytes[n++] = (uint32_t)i;
    while (n <= r->length)
        r->bytes[n++] = (uint32_t)r->length;
    return 0;
}

static size_t byte_of(const struct reading *r, yaml_mark_t mark)
{
    size_t at = r->bytes ? r->bytes[mark.index < r->length ? mark.index : r->length] : mark.index + r->skipped;
    return at < r->length ? at : r->length;
}

/* A block's end stands behind the blanks that follow it. */
static size_t without_blanks(const struct reading *r, size_t start, size_t end)
{
    while (end > start && strchr(" \t\r\n", r->text[end - 1]))
        end--;
    return end;
}

/* Behind an anchor. */
static size_t behind_properties(const struct reading *r, size_t start)
{
    while (start < r->length && (r->text[start] == '&' || r->text[start] == '!')) {
        start += strcspn(r->text + start, " \t\r\n");
        start += strspn(r->text + start, " \t\r\n");
    }
    return start;
}

static int add(struct reading *r, struct test_range range)
{
    struct test_ranges *all = r->ranges;
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? all->capacity * 2 : 256;
        struct test_range *bigger = realloc(all->items, capacity * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        all->items = bigger;
        all->capacity = capacity;
    }
    all->items[all->count++] = range;
    return 0;
}

static int begin(struct reading *r, const yaml_event_t *e, enum rx_tree_kind kind, bool flow)
{
    if (r->depth >= sizeof r->open / sizeof *r->open)
        return -EINVAL;
    r->open[r->depth++] = r->ranges->count;
    return add(
        r, (struct test_range){.start = behind_properties(r, byte_of(r, e->start_mark)), .kind = kind, .flow = flow});
}

static int end(struct reading *r, const yaml_event_t *e)
{
    if (r->depth == 0)
        return -EINVAL;
    struct test_range *range = &r->ranges->items[r->open[--r->depth]];
    range->end = range->flow ? byte_of(r, e->end_mark) : r->last_end > range->start ? r->last_end : range->start;
    r->last_end = range->end;
    return 0;
}

static int take(struct reading *r, const yaml_event_t *e)
{
    size_t start = behind_properties(r, byte_of(r, e->start_mark));
    switch (e->type) {
    case YAML_SEQUENCE_START_EVENT:
        return begin(r, e, RX_TREE_LIST, e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE);
    case YAML_MAPPING_START_EVENT:
        return begin(r, e, RX_TREE_MAP, e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end(r, e);
    case YAML_SCALAR_EVENT:
    case YAML_ALIAS_EVENT:
        r->last_end = without_blanks(r, start, byte_of(r, e->end_mark));
        return add(r, (struct test_range){.start = start, .end = r->last_end, .kind = RX_TREE_SCALAR});
    default:
        return 0;
    }
}

static int take_all(struct reading *r, yaml_parser_t *parser)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return -EINVAL;
        bool last = event.type == YAML_STREAM_END_EVENT;
        int result = take(r, &event);
        yaml_event_delete(&event);
        if (last || result < 0)
            return result;
    }
}

int test_ranges_find(const char *text, size_t length, struct test_ranges *ret)
{
    struct reading r = {.ranges = ret, .text = text, .length = length};
    yaml_parser_t parser;
    *ret = (struct test_ranges){0};
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        r.skipped = 3;
    if (map_code_points(&r) < 0 || !yaml_parser_initialize(&parser)) {
        free(r.bytes);
        return -ENOMEM;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text + r.skipped, length - r.skipped);
    int result = take_all(&r, &parser);
    yaml_parser_delete(&parser);
    free(r.bytes);
    if (result < 0)
        test_ranges_finish(ret);
    return result;
}

void test_ranges_finish(struct test_ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct test_ranges){0};
}

const struct test_range *test_ranges_of(const struct test_ranges *ranges, const struct rx_tree *tree)
{
    for (size_t i = 0; tree && i < ranges->count; i++)
        if (ranges->items[i].start == tree->at.offset && ranges->items[i].kind == tree->kind)
            return &ranges->items[i];
    return NULL;
}
