/* log: each event a line in the daemon's log. */
#include <errno.h>
#include <string.h>

#include "core/feed/sink.h"
#include "core/io/site.h"
#include "sinks/frame.h"

enum { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO };

struct log {
    struct rx_sink sink;
    struct rx_shaper *message;
    int level;

    struct rx_buffer text;
};

static const char *const levels[] = {"error", "warning", "info", NULL};

static const struct rx_option options[] = {
    {.name = "message",
     .help = "the line, a template; default: the event as JSON",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct log, message, struct rx_shaper *),
     .flags = RX_POSITIONAL},
    {.name = "level",
     .help = "how important it is",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct log, level, int),
     .fallback = "info",
     .choices = levels},
    {0},
};

static int start(struct rx_sink *sink, struct rx_error *reterr)
{
    (void)reterr;
    sink->connected = true;
    return 0;
}

static int write_event(struct rx_sink *sink, const struct rx_event *event, struct rx_error *reterr)
{
    static const int syslog_levels[] = {[LEVEL_ERROR] = 3, [LEVEL_WARNING] = 4, [LEVEL_INFO] = 6};
    struct log *log = (struct log *)sink;
    rx_buffer_clear(&log->text);
    if (log->message) {
        int r = rx_shaper_text(log->message, &(struct rx_expr_env){.event = event}, &log->text, reterr);
        if (r < 0)
            return r;
    } else {
        rx_frame_json(&log->text, event);
    }
    rx_buffer_append(&log->text, "", 1);
    if (log->text.failed)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    const char *const pairs[] = {"stream", sink->pipeline, NULL};
    sink->site->log(sink->site, syslog_levels[log->level], log->text.data, pairs);
    sink->out++;
    return 0;
}

static bool drain(struct rx_sink *sink)
{
    (void)sink;
    return true;
}

static void stop(struct rx_sink *sink) { sink->connected = false; }

static void dispose(struct rx_sink *sink) { rx_buffer_finish(&((struct log *)sink)->text); }

const struct rx_sink_class rx_sink_log = {
    .base = {.name = "log",
             .summary = "Writes a line to the daemon's log for each event (rate-limited)",
             .options = options,
             .state_size = sizeof(struct log),
             .example = "log: \"{device} is at {avg}\""},
    .start = start,
    .write = write_event,
    .drain = drain,
    .stop = stop,
    .dispose = dispose,
};
