/* Samples of an error stream. */
#include "pipelines/run/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

#define PERIOD (60 * RX_SEC)
enum { SAMPLES = 3, EVENT_BYTES = 200 };

struct rx_sample {
    rx_time since;
    unsigned told;
    char last[256];
};

static struct rx_value field(const struct rx_event *letter, const char *name)
{
    const struct rx_value *value = rx_object_get_text(letter->value, name);
    return value ? *value : rx_null();
}

static void keep_last(struct rx_sample *s, const struct rx_event *letter)
{
    struct rx_value message = field(letter, "message");
    if (message.kind == RX_STRING)
        snprintf(s->last, sizeof s->last, "%.*s", (int)message.aux, message.u.text);
}

static void tell(const struct rx_sample *s, struct rx_engine *engine, const char *stream, const struct rx_event *letter)
{
    struct rx_buffer text = {0};
    rx_buffer_printf(&text, "bad event: %s; the event: ", s->last);
    size_t head = text.length;
    rx_json_write(&text, field(letter, "event"));
    if (!text.failed && text.length > head + EVENT_BYTES) {
        text.length = head + EVENT_BYTES;
        rx_buffer_text(&text, " ...");
    }
    rx_buffer_append(&text, "", 1);
    if (!text.failed)
        engine->log(engine->log_arg, 4, stream, text.data);
    rx_buffer_finish(&text);
}

void rx_sample_take(struct rx_sample **sample, struct rx_engine *engine, const char *stream,
                    const struct rx_event *letters, size_t n)
{
    rx_time now = rx_sched_now(engine->sched);
    struct rx_sample *s = *sample;
    if (!s)
        s = *sample = calloc(1, sizeof *s);
    if (!s || n == 0)
        return;
    if (now - s->since >= PERIOD)
        *s = (struct rx_sample){.since = now};
    for (size_t i = 0; i < n && s->told < SAMPLES && engine->log; i++, s->told++) {
        keep_last(s, &letters[i]);
        tell(s, engine, stream, &letters[i]);
    }
    keep_last(s, &letters[n - 1]);
}

const char *rx_sample_last(const struct rx_sample *s) { return s ? s->last : ""; }
void rx_sample_destroy(struct rx_sample *s) { free(s); }
