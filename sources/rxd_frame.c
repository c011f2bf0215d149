/* An event of another rxd: its members, told apart without decoding them. */
#include "sources/rxd_frame.h"

#include <errno.h>
#include <string.h>

struct text {
    const char *at, *end;
};

static void skip_space(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == '\n' || *t->at == '\r'))
        t->at++;
}

static bool take(struct text *t, char c)
{
    skip_space(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

/* Behind its opening quote. */
static bool skip_string(struct text *t)
{
    for (; t->at < t->end; t->at++) {
        if (*t->at == '"') {
            t->at++;
            return true;
        }
        t->at += *t->at == '\\' && t->at + 1 < t->end;
    }
    return false;
}

/* One value, by its brackets and quotes. */
static bool skip_value(struct text *t)
{
    size_t depth = 0;
    const char *start;
    skip_space(t);
    start = t->at;
    while (t->at < t->end) {
        char c = *t->at;
        if ((c == ',' || c == '}' || c == ']') && depth == 0)
            break;
        t->at++;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (c == '"' && !skip_string(t))
            return false;
    }
    return depth == 0 && t->at > start;
}

/* Milliseconds with up to six decimals, exact: a double of today's milliseconds is not, to the nanosecond. */
static bool read_ms(const char *at, const char *end, rx_time *ret)
{
    rx_time ms = 0, scale = RX_MSEC, fraction = 0;
    bool negative = at < end && *at == '-', any = false;
    at += negative;
    for (; at < end && *at >= '0' && *at <= '9'; at++, any = true)
        if (__builtin_mul_overflow(ms, 10, &ms) || __builtin_add_overflow(ms, *at - '0', &ms))
            return false;
    if (at < end && *at == '.')
        for (at++; at < end && *at >= '0' && *at <= '9'; at++) {
            scale /= 10;
            fraction += scale * (*at - '0');
        }
    if (!any || at < end || __builtin_mul_overflow(ms, RX_MSEC, &ms) || __builtin_add_overflow(ms, fraction, &ms))
        return false;
    *ret = negative ? -ms : ms;
    return true;
}

static bool is(struct text name, const char *word)
{
    return (size_t)(name.end - name.at) == strlen(word) && memcmp(name.at, word, strlen(word)) == 0;
}

static bool is_text(struct text value)
{
    return value.end - value.at >= 2 && *value.at == '"' && !memchr(value.at, '\\', (size_t)(value.end - value.at));
}

static void take_member(struct text name, struct text value, struct rx_rxd_frame *ret)
{
    while (value.end > value.at &&
           (value.end[-1] == ' ' || value.end[-1] == '\t' || value.end[-1] == '\n' || value.end[-1] == '\r'))
        value.end--;
    if (is(name, "next")) {
        ret->next = value.at;
        ret->next_length = (size_t)(value.end - value.at);
    } else if (is(name, "key") && !is(value, "null")) {
        ret->key = value.at;
        ret->key_length = (size_t)(value.end - value.at);
    } else if (is(name, "topic") && is_text(value)) {
        ret->topic = value.at + 1;
        ret->topic_length = (size_t)(value.end - value.at) - 2;
    } else if (is(name, "at")) {
        ret->timed = read_ms(value.at, value.end, &ret->at);
    }
}

static bool read_member(struct text *t, struct rx_rxd_frame *ret)
{
    struct text name, value;
    if (!take(t, '"'))
        return false;
    name.at = t->at;
    if (!skip_string(t))
        return false;
    name.end = t->at - 1;
    if (!take(t, ':'))
        return false;
    skip_space(t);
    value.at = t->at;
    if (!skip_value(t))
        return false;
    value.end = t->at;
    take_member(name, value, ret);
    return true;
}

int rx_rxd_frame_read(const char *text, size_t length, struct rx_rxd_frame *ret, struct rx_error *reterr)
{
    struct text t = {.at = text, .end = text + length};
    struct rx_rxd_frame frame = {0};
    bool right = take(&t, '{') && read_member(&t, &frame);
    while (right && take(&t, ','))
        right = read_member(&t, &frame);
    right = right && take(&t, '}');
    skip_space(&t);
    if (!right || t.at < t.end || !frame.next || !frame.timed)
        return rx_error_set(reterr, -EBADMSG, "this is not {id, at, key, next}, as another rxd sends it");
    *ret = frame;
    return 0;
}
