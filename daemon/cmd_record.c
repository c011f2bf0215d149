/* rxd record: what comes into a running daemon's sources, as lines that `rxd replay` reads. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/io/client/client.h"
#include "daemon/command.h"
#include "daemon/recording.h"

enum { SOURCES_MAX = 64 };

struct recorder;

struct feed {
    struct recorder *recorder;
    const char *source;
    struct rx_fetch *fetch; /* NULL: over */
    struct rx_recorded_reader reader;
    bool accepted;
};

struct recorder {
    const char *url;
    struct feed feeds[SOURCES_MAX];
    size_t count, open;
    rx_time lasts; /* 0: without end */

    struct rx_loop *loop;
    struct rx_client *client;
    struct rx_recording recording;
    struct rx_timer over, settle;
    bool failed, ending;
};

#define SETTLE (50 * RX_MSEC) /* between two looks at what waits for its place */

static rx_time now_of(const struct recorder *r) { return rx_sched_now(rx_loop_sched(r->loop)); }

/* ---- the command line ---- */

static bool read_count(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && *ret > 0;
}

static int parse_bound(const char *option, const char *text, struct recorder *r)
{
    struct rx_error error;
    bool good = strcmp(option, "--max") == 0     ? read_count(text, &r->recording.max_events)
                : strcmp(option, "--bytes") == 0 ? read_count(text, &r->recording.max_bytes)
                                                 : rx_parse_duration(text, &r->lasts, &error) == 0 && r->lasts > 0;
    return good ? 0
                : rx_usage("record", "%s \"%.40s\" is no bound: a whole number, or a duration for --for", option, text);
}

static bool is_bound(const char *word)
{
    return strcmp(word, "--max") == 0 || strcmp(word, "--bytes") == 0 || strcmp(word, "--for") == 0;
}

static int add_source(struct recorder *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->feeds[i].source, name) == 0)
            return rx_usage("record", "\"%.100s\" stands there twice", name);
    if (r->count == SOURCES_MAX)
        return rx_usage("record", "at most %d sources", SOURCES_MAX);
    r->feeds[r->count++] = (struct feed){.recorder = r, .source = name};
    return 0;
}

static int parse(int argc, char **argv, struct recorder *r)
{
    int status = 0;
    for (int i = 1; i < argc && status == 0; i++) {
        if (is_bound(argv[i]) && i + 1 < argc) {
            status = parse_bound(argv[i], argv[i + 1], r);
            i++;
        } else if (argv[i][0] == '-')
            status =
                rx_usage("record", "there is no option \"%s\"%s", argv[i], is_bound(argv[i]) ? " without a bound" : "");
        else if (!r->url)
            r->url = argv[i];
        else
            status = add_source(r, argv[i]);
    }
    return status || r->count ? status : rx_usage("record", "name the daemon's URL and a source");
}

/* ---- the feeds ---- */

static void end(struct recorder *r)
{
    if (r->ending)
        return;
    r->ending = true;
    rx_loop_stop(r->loop);
}

static void fail(struct recorder *r, const char *source, const char *why)
{
    if (!r->ending)
        fprintf(stderr, "rxd: %s: %s\n", source, why);
    r->failed |= !r->ending;
    end(r);
}

static void close_feed(struct feed *f)
{
    f->fetch = NULL;
    if (--f->recorder->open == 0)
        end(f->recorder);
}

static bool on_head(void *arg, const struct rx_answer *answer)
{
    struct feed *f = arg;
    f->accepted = answer->status == 200;
    return f->accepted;
}

static void on_data(void *arg, const char *bytes, size_t length)
{
    struct feed *f = arg;
    struct recorder *r = f->recorder;
    if (r->ending)
        return;
    if (rx_recorded_read(&f->reader, &r->recording, f->source, now_of(r), bytes, length) < 0)
        fail(r, f->source, r->recording.failed ? strerror(-r->recording.failed) : f->reader.why);
    else if (r->recording.full)
        end(r);
}

static void on_done(void *arg, const struct rx_answer *answer)
{
    struct feed *f = arg;
    struct recorder *r = f->recorder;
    char why[160];
    if (!f->accepted && answer->status == 404)
        fail(r, f->source, "the daemon has no such source");
    else if (!f->accepted && answer->status == 409)
        fail(r, f->source, "no pipeline of the daemon reads it: nothing comes");
    else if (!f->accepted && answer->status > 0) {
        snprintf(why, sizeof why, "the daemon answers %d %s", answer->status, answer->reason ? answer->reason : "");
        fail(r, f->source, why);
    } else if (!f->reader.ended)
        fail(r, f->source, answer->error ? answer->error->message : "the daemon has ended the connection");
    close_feed(f);
}

static int begin(struct feed *f, struct rx_error *reterr)
{
    static const char *const names[] = {"Accept"}, *const texts[] = {"text/event-stream"};
    struct rx_buffer url = {0};
    size_t length = strlen(f->recorder->url);
    while (length > 0 && f->recorder->url[length - 1] == '/')
        length--;
    rx_buffer_printf(&url, "%.*s/sources/", (int)length, f->recorder->url);
    for (const unsigned char *c = (const unsigned char *)f->source; *c; c++)
        rx_buffer_printf(&url, "%%%02X", *c);
    rx_buffer_append(&url, "?meta=1", sizeof "?meta=1");
    struct rx_fetch_options options = {.method = "GET",
                                       .url = url.data,
                                       .headers = {.names = names, .texts = texts, .count = 1},
                                       .head = on_head,
                                       .data = on_data,
                                       .done = on_done,
                                       .arg = f};
    int r = url.failed ? -ENOMEM : rx_client_check_url(url.data, reterr);
    if (r == 0)
        r = rx_fetch_begin(f->recorder->client, &options, &f->fetch);
    rx_buffer_finish(&url);
    f->recorder->open += r == 0;
    return r;
}

/* ---- running ---- */

static struct recorder *of_over(struct rx_timer *t)
{
    return (struct recorder *)(void *)((char *)t - offsetof(struct recorder, over));
}

static void on_over(struct rx_timer *timer) { end(of_over(timer)); }
static void on_signal(void *arg) { end(arg); }

static void on_settle(struct rx_timer *timer)
{
    struct recorder *r = (struct recorder *)(void *)((char *)timer - offsetof(struct recorder, settle));
    rx_recording_settle(&r->recording, now_of(r));
    if (r->recording.failed)
        fail(r, "standard output", strerror(-r->recording.failed));
    if (r->recording.full)
        end(r);
    rx_sched_arm(rx_loop_sched(r->loop), timer, now_of(r) + SETTLE);
}

static int open_all(struct recorder *r, struct rx_error *reterr)
{
    int result = rx_loop_create(&r->loop);
    if (result == 0)
        result = rx_client_create(r->loop, &r->client, reterr);
    if (result == 0)
        result = rx_loop_signal(r->loop, SIGINT, on_signal, r);
    if (result == 0)
        result = rx_loop_signal(r->loop, SIGTERM, on_signal, r);
    for (size_t i = 0; i < r->count && result == 0; i++)
        result = begin(&r->feeds[i], reterr);
    return result;
}

static void arm(struct recorder *r)
{
    struct rx_sched *sched = rx_loop_sched(r->loop);
    r->settle.fire = on_settle;
    r->over.fire = on_over;
    rx_sched_arm(sched, &r->settle, rx_loop_now(r->loop) + SETTLE);
    if (r->lasts > 0)
        rx_sched_arm(sched, &r->over, rx_loop_now(r->loop) + r->lasts);
}

static int run(struct recorder *r)
{
    struct rx_error error = {0};
    int result = open_all(r, &error);
    if (result < 0) {
        fprintf(stderr, "rxd: %s\n", error.message[0] ? error.message : strerror(-result));
        return 1;
    }
    arm(r);
    if (!r->ending)
        result = rx_loop_run(r->loop);
    rx_recording_finish(&r->recording);
    rx_sched_stop(rx_loop_sched(r->loop), &r->settle);
    rx_sched_stop(rx_loop_sched(r->loop), &r->over);
    return result < 0;
}

static void close_all(struct recorder *r)
{
    for (size_t i = 0; i < r->count; i++) {
        rx_fetch_cancel(r->feeds[i].fetch);
        rx_recorded_reader_finish(&r->feeds[i].reader);
    }
    rx_client_destroy(r->client);
    rx_loop_destroy(r->loop);
}

int rx_command_record(int argc, char **argv)
{
    struct recorder r = {.recording = {.max_events = 1000000, .max_bytes = UINT64_C(1) << 30, .out = stdout}};
    int status = parse(argc, argv, &r);
    if (status)
        return status;
    signal(SIGPIPE, SIG_IGN);
    r.recording.merges = r.count > 1;
    status = run(&r);
    if (r.recording.failed && !r.failed)
        fprintf(stderr, "rxd: cannot write: %s\n", strerror(-r.recording.failed));
    fprintf(stderr, "rxd: %llu events, %llu bytes%s\n", (unsigned long long)r.recording.events,
            (unsigned long long)r.recording.bytes, r.recording.full ? ": that was the bound" : "");
    if (r.recording.missing || r.recording.holes)
        fprintf(stderr, "rxd: the recording has holes: %llu events, or more, came faster than they were taken\n",
                (unsigned long long)r.recording.missing);
    if (r.recording.late)
        fprintf(stderr, "rxd: %llu events came late beside another source's, and have its time\n",
                (unsigned long long)r.recording.late);
    close_all(&r);
    return status || r.failed || r.recording.failed || r.recording.holes;
}
