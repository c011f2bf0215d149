/* MQTT topics: patterns with captures, and matching. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/io/mqtt/mqtt_topic.h"
#include "core/io/mqtt/topic_hash.h"

enum level_kind { LITERAL, ONE, REST };

struct level {
    enum level_kind kind;
    const char *text; /* LITERAL: into the filter */
    size_t length;
    int capture; /* -1: none */
};

struct rx_topic {
    char *filter;
    struct level *levels;
    size_t level_count;
    char *names[RX_TOPIC_CAPTURES_MAX];
    size_t capture_count;
};

struct parser {
    struct rx_topic *topic;
    const char *start;
    size_t filter_length;
    struct rx_error *reterr;
};

static int refuse(struct parser *parser, const char *at, const char *message)
{
    struct rx_error *error = parser->reterr;
    int r = rx_error_set(error, -EINVAL, "%s", message);
    rx_error_hint(error, "a topic is such as sensors/{device}/{metric}, sensors/+/state or sensors/{rest...}");
    if (error)
        error->at = (struct rx_place){
            .line = 1, .column = (unsigned)(at - parser->start) + 1, .offset = (size_t)(at - parser->start)};
    return r;
}

static void put(struct parser *parser, const char *text, size_t length)
{
    memcpy(parser->topic->filter + parser->filter_length, text, length);
    parser->filter_length += length;
}

static bool is_name(const char *text, size_t length)
{
    if (length == 0 || !(isalpha((unsigned char)text[0]) || text[0] == '_'))
        return false;
    for (size_t i = 1; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

static int add_capture(struct parser *parser, const char *name, size_t length)
{
    struct rx_topic *topic = parser->topic;
    if (memchr(name, '}', length))
        return refuse(parser, name - 1, "a capture stands for a whole level, as in sensors/{device}/state");
    if (!is_name(name, length))
        return refuse(parser, name, "a capture is a name in braces: letters, digits and _, as in {device}");
    for (size_t i = 0; i < topic->capture_count; i++)
        if (strlen(topic->names[i]) == length && memcmp(topic->names[i], name, length) == 0)
            return refuse(parser, name, "this name is captured twice");
    if (topic->capture_count == RX_TOPIC_CAPTURES_MAX)
        return refuse(parser, name, "a topic has at most 16 captures");
    char *copy = strndup(name, length);
    if (!copy)
        return rx_error_set(parser->reterr, -ENOMEM, "out of memory");
    topic->names[topic->capture_count++] = copy;
    return 0;
}

static int parse_capture(struct parser *parser, const char *text, size_t length, bool last, struct level *level)
{
    if (!memchr(text, '}', length))
        return refuse(parser, text, "a `{` without its `}`");
    if (text[length - 1] != '}')
        return refuse(parser, text, "a capture stands for a whole level, as in sensors/{device}/state");
    size_t name = length - 2;
    bool rest = name >= 3 && memcmp(text + length - 4, "...", 3) == 0;
    if (rest && !last)
        return refuse(parser, text, "{name...} stands for all that is left, so it comes last");
    level->kind = rest ? REST : ONE;
    level->capture = (int)parser->topic->capture_count;
    put(parser, rest ? "#" : "+", 1);
    return add_capture(parser, text + 1, rest ? name - 3 : name);
}

static int parse_level(struct parser *parser, const char *text, size_t length, bool last)
{
    struct level *level = &parser->topic->levels[parser->topic->level_count++];
    *level = (struct level){.kind = LITERAL, .capture = -1};
    if (length >= 2 && text[0] == '{')
        return parse_capture(parser, text, length, last, level);
    if (length == 1 && text[0] == '#' && !last)
        return refuse(parser, text, "# stands for all that is left, so it comes last");
    level->text = parser->topic->filter + parser->filter_length;
    level->length = length;
    put(parser, text, length);
    if (length == 1 && (text[0] == '+' || text[0] == '#')) {
        level->kind = text[0] == '+' ? ONE : REST;
        return 0;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '+' || text[i] == '#')
            return refuse(parser, text + i, "+ and # stand for whole levels, as in sensors/+/state");
        if (text[i] == '{' || text[i] == '}')
            return refuse(parser, text + i, "a capture stands for a whole level, as in sensors/{device}/state");
    }
    return 0;
}

static int parse_levels(struct parser *parser, const char *text)
{
    for (;;) {
        size_t length = strcspn(text, "/");
        bool last = text[length] == '\0';
        int r = parse_level(parser, text, length, last);
        if (r < 0 || last)
            return r;
        put(parser, "/", 1);
        text += length + 1;
    }
}

/* "$share/GROUP/" goes to the broker and is no part of what matches. */
static int parse_share(struct parser *parser, const char **text)
{
    static const char share[] = "$share/";
    if (strncmp(*text, share, sizeof share - 1) != 0)
        return 0;
    const char *group = *text + sizeof share - 1;
    size_t length = strcspn(group, "/");
    if (length == 0 || group[length] != '/' || group[length + 1] == '\0' || strcspn(group, "+#{}") < length)
        return refuse(parser, group, "a shared subscription is $share/GROUP/TOPIC");
    put(parser, *text, sizeof share + length);
    *text = group + length + 1;
    return 0;
}

static int parse(struct parser *parser, const char *pattern)
{
    size_t length = strlen(pattern);
    if (length == 0)
        return refuse(parser, pattern, "a topic must not be empty");
    if (length > RX_TOPIC_BYTES_MAX)
        return refuse(parser, pattern, "a topic has at most 65535 bytes");
    if (!rx_utf8_valid(pattern, length))
        return refuse(parser, pattern, "a topic must be UTF-8");
    int r = parse_share(parser, &pattern);
    if (r == 0)
        r = parse_levels(parser, pattern);
    parser->topic->filter[parser->filter_length] = '\0';
    return r;
}

int rx_topic_parse(const char *pattern, struct rx_topic **ret, struct rx_error *reterr)
{
    size_t length = strlen(pattern);
    struct rx_topic *topic = calloc(1, sizeof *topic);
    if (!topic)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    struct parser parser = {.topic = topic, .start = pattern, .reterr = reterr};
    topic->filter = malloc(length + 1);
    topic->levels = calloc(length + 1, sizeof *topic->levels);
    int r = topic->filter && topic->levels ? parse(&parser, pattern) : rx_error_set(reterr, -ENOMEM, "out of memory");
    if (r < 0)
        rx_topic_destroy(topic);
    else
        *ret = topic;
    return r;
}

void rx_topic_destroy(struct rx_topic *topic)
{
    if (!topic)
        return;
    for (size_t i = 0; i < topic->capture_count; i++)
        free(topic->names[i]);
    free(topic->levels);
    free(topic->filter);
    free(topic);
}

const char *rx_topic_filter(const struct rx_topic *topic) { return topic->filter; }
size_t rx_topic_capture_count(const struct rx_topic *topic) { return topic->capture_count; }
const char *rx_topic_capture_name(const struct rx_topic *topic, size_t i) { return topic->names[i]; }

static void capture(const struct level *level, const char *text, size_t length, struct rx_topic_span *captures)
{
    if (level->capture >= 0)
        captures[level->capture] = (struct rx_topic_span){text, length};
}

bool rx_topic_match(const struct rx_topic *topic, const char *text, size_t length, struct rx_topic_span *captures)
{
    const char *at = text, *end = text + length;
    /* Section 4.7.2: a wildcard in the first level does not match $SYS and its like. */
    if (length > 0 && text[0] == '$' && topic->levels[0].kind != LITERAL)
        return false;
    for (size_t i = 0; i < topic->level_count; i++) {
        const struct level *level = &topic->levels[i];
        if (level->kind == REST) {
            capture(level, at ? at : end, at ? (size_t)(end - at) : 0, captures);
            return true;
        }
        if (!at)
            return false;
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t width = (size_t)((slash ? slash : end) - at);
        if (level->kind == ONE)
            capture(level, at, width, captures);
        else if (width != level->length || memcmp(at, level->text, width) != 0)
            return false;
        at = slash ? slash + 1 : NULL;
    }
    return !at;
}

bool rx_topic_is_name(const char *topic, size_t length)
{
    if (length == 0 || length > RX_TOPIC_BYTES_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (topic[i] == '+' || topic[i] == '#' || topic[i] == '\0')
            return false;
    return rx_utf8_valid(topic, length);
}

uint64_t rx_topic_hash(const char *topic, size_t length)
{
    uint64_t hash;
    rx_topic_hash_plain(topic, length, &hash);
    return hash;
}
