/* Marble diagrams, read. The reference is RxJS 7.8, TestScheduler.parseMarbles in run mode; [words] and long durations are added. */
#include "pipelines/run/marble.h"

#include <errno.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/option/option.h"

enum { DURATION_MAX = 32 };
static const char too_long[] = "a diagram is at most 100 years long";

struct reading {
    const char *text;
    size_t length, at;
    rx_time tick, now, zero, group; /* group: its instant, -1: in none */
    size_t group_offset;
    int (*each)(void *arg, const struct rx_marble *);
    void *arg;
};

static int refuse(const struct reading *r, size_t offset, struct rx_error *reterr, const char *message,
                  const char *hint)
{
    rx_error_set(reterr, -EINVAL, "%s", message);
    if (hint)
        rx_error_hint(reterr, "%s", hint);
    if (reterr) {
        reterr->at = (struct rx_place){.line = 1, .column = 1, .offset = offset};
        for (size_t i = 0; i < offset; i++)
            reterr->at.column += ((unsigned char)r->text[i] & 0xC0) != 0x80;
    }
    return -EINVAL;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static bool is_bound(const struct reading *r, size_t at) { return at >= r->length || is_blank(r->text[at]); }

static bool is_unit(const char *text)
{
    return strcmp(text, "ms") == 0 || (text[0] && strchr("smhd", text[0]) && text[1] == '\0');
}

/* A duration between blanks: its length, 0: there is none. One beyond all bounds is INT64_MAX. */
static size_t duration_at(const struct reading *r, rx_time *ret)
{
    char word[DURATION_MAX + 1];
    size_t n = 0;
    if (r->text[r->at] < '0' || r->text[r->at] > '9' || (r->at > 0 && !is_bound(r, r->at - 1)))
        return 0;
    while (!is_bound(r, r->at + n))
        n++;
    if (n > DURATION_MAX)
        return 0;
    memcpy(word, r->text + r->at, n);
    word[n] = '\0';
    if (!strpbrk(word, "smhd"))
        return 0;
    int result = rx_parse_duration(word, ret, NULL);
    bool huge = result == -ERANGE || (result < 0 && is_unit(word + strspn(word, "0123456789")));
    if (huge)
        *ret = INT64_MAX;
    return result == 0 || huge ? n : 0;
}

static int tell(struct reading *r, enum rx_marble_kind kind, size_t length)
{
    struct rx_marble marble = {.kind = kind,
                               .at = (r->group >= 0 ? r->group : r->now) - r->zero,
                               .text = r->text + r->at,
                               .length = length,
                               .offset = r->at};
    if (kind == RX_MARBLE_WORD) {
        marble.text++;
        marble.length -= 2;
    }
    r->at += length;
    r->now += r->tick;
    return r->each(r->arg, &marble);
}

static int open_group(struct reading *r, struct rx_error *reterr)
{
    if (r->group >= 0)
        return refuse(r, r->at, reterr, "a group inside a group", NULL);
    r->group = r->now;
    r->group_offset = r->at++;
    r->now += r->tick;
    return 0;
}

static int close_group(struct reading *r, struct rx_error *reterr)
{
    if (r->group < 0)
        return refuse(r, r->at, reterr, "`)` closes no group", NULL);
    r->group = -1;
    r->at++;
    r->now += r->tick;
    return 0;
}

static int take_word(struct reading *r, struct rx_error *reterr)
{
    const char *end = memchr(r->text + r->at, ']', r->length - r->at);
    if (!end)
        return refuse(r, r->at, reterr, "`[` is not closed", "[disconnect], [connect] or [restart]");
    return tell(r, RX_MARBLE_WORD, (size_t)(end + 1 - (r->text + r->at)));
}

static int take_value(struct reading *r, struct rx_error *reterr)
{
    size_t length = rx_utf8_next(r->text + r->at, r->length - r->at);
    if (length == 0 || (unsigned char)r->text[r->at] < ' ')
        return refuse(r, r->at, reterr, "this is no character", NULL);
    return tell(r, RX_MARBLE_VALUE, length);
}

static int take_symbol(struct reading *r, struct rx_error *reterr)
{
    switch (r->text[r->at]) {
    case '-':
        r->at++;
        r->now += r->tick;
        return 0;
    case '(':
        return open_group(r, reterr);
    case ')':
        return close_group(r, reterr);
    case '|':
        return tell(r, RX_MARBLE_COMPLETE, 1);
    case '#':
        return tell(r, RX_MARBLE_ERROR, 1);
    case '^':
        return tell(r, RX_MARBLE_ZERO, 1);
    case '!':
        return tell(r, RX_MARBLE_LEAVE, 1);
    case '[':
        return take_word(r, reterr);
    default:
        return take_value(r, reterr);
    }
}

static int take(struct reading *r, struct rx_error *reterr)
{
    rx_time wait = 0;
    size_t length = duration_at(r, &wait);
    if (length > 0 && r->group >= 0)
        return refuse(r, r->at, reterr, "no time passes in a group", NULL);
    if (wait > RX_MARBLE_TIME_MAX)
        return refuse(r, r->at, reterr, too_long, NULL);
    if (length > 0) {
        r->at += length;
        r->now += wait;
        return 0;
    }
    if (is_blank(r->text[r->at])) {
        r->at++;
        return 0;
    }
    return take_symbol(r, reterr);
}

static int take_all(struct reading *r, struct rx_error *reterr)
{
    int result = 0;
    while (result == 0 && r->at < r->length) {
        size_t before = r->at;
        result = take(r, reterr);
        if (result == 0 && r->now > RX_MARBLE_TIME_MAX)
            result = refuse(r, before, reterr, too_long, NULL);
    }
    if (result == 0 && r->group >= 0)
        result =
            refuse(r, r->group_offset, reterr, "this group is not closed", "write (ab) for a and b at one instant");
    return result;
}

/* ---- where time counts from ---- */

struct zero {
    rx_time at;
    size_t count;
};

static int find_zero(void *arg, const struct rx_marble *marble)
{
    struct zero *zero = arg;
    if (marble->kind == RX_MARBLE_ZERO) {
        zero->at = marble->at;
        zero->count++;
    }
    return 0;
}

int rx_marble_parse(const char *text, size_t length, rx_time tick, int (*each)(void *arg, const struct rx_marble *),
                    void *arg, struct rx_error *reterr)
{
    struct zero zero = {0};
    struct reading r = {.text = text, .length = length, .tick = tick, .group = -1, .each = find_zero, .arg = &zero};
    if (length > RX_MARBLE_BYTES_MAX)
        return rx_error_set(reterr, -EINVAL, "a diagram has at most %d bytes", RX_MARBLE_BYTES_MAX);
    int result = take_all(&r, reterr);
    if (result == 0 && zero.count > 1)
        return rx_error_set(reterr, -EINVAL, "`^` stands once in a diagram");
    if (result < 0)
        return result;
    r = (struct reading){
        .text = text, .length = length, .tick = tick, .zero = zero.at, .group = -1, .each = each, .arg = arg};
    return take_all(&r, reterr);
}
