/* The options that every source has. */
#include "core/feed/source_common.h"

#include <errno.h>

static const char *const units[] = {"text", "s", "ms", "us", "ns", NULL};
static const char *const replays[] = {"hot", "cold", NULL};

static const struct rx_option event_time_options[] = {
    {.name = "field",
     .help = "where an event says when it happened: a field, or a path such as data.ts",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct rx_event_time, field, const char *),
     .flags = RX_POSITIONAL},
    {.name = "expr",
     .help = "an expression that says when it happened, in place of a field",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct rx_event_time, expr, struct rx_expr *)},
    {.name = "unit",
     .help = "s | ms | us | ns: it is a number since 1970. text: it is RFC 3339",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct rx_event_time, unit, int),
     .fallback = "text",
     .choices = units},
    {0},
};

static int check_event_time(const void *image, struct rx_error *reterr)
{
    const struct rx_event_time *e = image;
    if (e->expr)
        return 0;
    rx_error_set(reterr, -EINVAL, "`event_time` does not say where the time of an event is");
    rx_error_hint(reterr, "event_time: ts, or {field: ts, unit: ms}");
    return -EINVAL;
}

static const struct rx_class event_time_class = {.name = "event_time",
                                                 .options = event_time_options,
                                                 .state_size = sizeof(struct rx_event_time),
                                                 .check = check_event_time};

static const struct rx_option options[] = {
    {.name = "event_time",
     .help = "when an event happened: a field with an RFC 3339 text, or {field | expr, unit: s | ms | us | ns}. What "
             "has no "
             "usable time goes to SOURCE.errors. Default: when it arrived",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct rx_source_common, event_time, struct rx_event_time),
     .group = &event_time_class},
    {.name = "lateness",
     .help = "how far behind the newest event's time one may lie and still be in time",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct rx_source_common, lateness, rx_time),
     .max = 366 * 86400.0},
    {.name = "idle_timeout",
     .help = "after so long without an event the source holds nothing back: event time goes on with the clock. "
             "Default: never",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct rx_source_common, idle_timeout, rx_time),
     .min = 0.001,
     .max = 366 * 86400.0},
    {.name = "max_ahead",
     .help = "how far ahead of its arrival an event's time may lie; further is a mistake, and the event goes to "
             "SOURCE.errors. "
             "Default: 1h; in a replay no bound",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct rx_source_common, max_ahead, rx_time),
     .min = 1e-9,
     .max = 36600 * 86400.0},
    {.name = "catch_up",
     .help = "a source has caught up when nothing came for 1 s after it connected, or after so long; from then on it "
             "can be idle",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct rx_source_common, catch_up, rx_time),
     .fallback = "30s",
     .max = 86400.0,
     .flags = RX_STATELESS},
    {.name = "format",
     .help =
         "what a message is: json, csv, influx (line protocol), cbor, msgpack, text, or auto (JSON, or text where it "
         "cannot be). Default: auto; of a file and of POSTs json, where no Content-Type says otherwise",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct rx_source_common, format, int),
     .given = RX_AT(struct rx_source_common, format_given, bool),
     .choices = rx_format_choices},
    {.name = "csv",
     .help = "of CSV: {header: true}, the first row of a file or message has the names; or the names: {header: [a, b]}",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct rx_source_common, formats.csv, struct rx_csv_options),
     .given = RX_AT(struct rx_source_common, csv_given, bool),
     .group = &rx_csv_options},
    {.name = "split",
     .help = "true: a message that is an array is its elements, an event each",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct rx_source_common, formats.split, bool),
     .fallback = "false"},
    {.name = "max_message",
     .help = "the largest message, line, or event of a POST; a larger one is rejected as `too_large`",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct rx_source_common, max_message, uint64_t),
     .fallback = "1MiB",
     .min = 1,
     .max = 268435455,
     .flags = RX_STATELESS},
    {.name = "dedupe",
     .help = "drops events that came before: an expression, the key, or {by, max, within}",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct rx_source_common, dedupe, struct rx_dedupe_options),
     .group = &rx_dedupe_class},
    {.name = "share",
     .help = "how long it goes on without a reader, and what late ones are given first: {grace, replay}",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct rx_source_common, share, struct rx_share),
     .group = &rx_share_class,
     .flags = RX_STATELESS},
    {.name = "replay",
     .help =
         "in `rxd replay`: hot, its events happen whether or not somebody listens; or cold, each subscription gets all",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct rx_source_common, replay, int),
     .fallback = "hot",
     .choices = replays},
    {0},
};

static int check_formats(const struct rx_source_common *c, struct rx_error *reterr)
{
    if (c->csv_given && (!c->format_given || c->format != RX_FORMAT_CSV)) {
        rx_error_set(reterr, -EINVAL, "`csv` says how to read CSV, and the format is another");
        rx_error_hint(reterr, "format: csv");
        return -EINVAL;
    }
    return c->format_given ? rx_format_check((enum rx_format)c->format, reterr) : 0;
}

static int check_replay(const struct rx_source_common *c, struct rx_error *reterr)
{
    bool shared = c->share.grace || c->share.replay;
    if (c->replay != RX_REPLAY_COLD || (!shared && !c->dedupe.by && !c->event_time.expr))
        return 0;
    if (shared)
        rx_error_set(reterr, -EINVAL,
                     "a cold replay gives each subscription all events, and `share` is of one stream for all");
    else if (c->dedupe.by)
        rx_error_set(reterr, -EINVAL,
                     "a cold replay gives each subscription all events, and `dedupe` drops what came before");
    else
        rx_error_set(reterr, -EINVAL, "a cold replay counts time from each subscription, and `event_time` from 1970");
    rx_error_hint(reterr, "leave out one of them");
    return -EINVAL;
}

static int check_timed(const void *image, struct rx_error *reterr)
{
    int r = check_formats(image, reterr);
    return r < 0 ? r : check_replay(image, reterr);
}

/* Without event_time the others would say nothing. */
static int check(const void *image, struct rx_error *reterr)
{
    const struct rx_source_common *c = image;
    const char *idle = c->lateness ? "lateness" : c->idle_timeout ? "idle_timeout" : c->max_ahead ? "max_ahead" : NULL;
    int r = check_timed(image, reterr);
    if (r < 0 || c->event_time.expr || !idle)
        return r;
    rx_error_set(reterr, -EINVAL, "`%s` speaks of the events' own times, and this source stamps them on arrival", idle);
    rx_error_hint(reterr, "say where an event has its time: event_time: ts");
    return -EINVAL;
}

#define CLASS(check_)                                                                                                  \
    {                                                                                                                  \
        .name = "source", .summary = "what stands beside the kind of any source", .options = options,                  \
        .state_size = sizeof(struct rx_source_common), .check = check_,                                                \
        .example = "sensors: {http: {}, event_time: ts, lateness: 5s}"                                                 \
    }
const struct rx_class rx_source_common = CLASS(check);
const struct rx_class rx_source_common_timed = CLASS(check_timed);

bool rx_source_common_has(const char *name) { return rx_class_has_option(&rx_source_common, name); }
