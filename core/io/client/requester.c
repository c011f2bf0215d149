/* The engine's caller over HTTP: a call is a fetch. What comes is decoded by its Content-Type, and is the call's answer. */
#include "core/io/client/requester.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buffer.h"
#include "core/feed/format.h"
#include "core/graph/request.h"

enum { ITEMS_MAX = 100000, HEADERS_MAX = 64, ALLOW_MAX = 64 };

/* Of a turn of the loop, for beginning and closing requests: a surge of them leaves room for what is due. Then a pause. */
#define SLICE RX_MSEC
#define PAUSE (RX_MSEC / 4)

struct asks {
    struct ask *first, *last;
};

struct rx_requester {
    struct rx_client *client;
    struct rx_loop *loop;
    struct rx_timer turn;
    struct asks waiting; /* not begun yet */
    struct asks leaving; /* cancelled, not closed yet */
    struct rx_engine *engine;
    struct rx_format_options options; /* none */
    struct rx_format_state *formats[RX_FORMATS];
};

/* A call that is under way; its ticket. */
struct ask {
    struct rx_requester *requester;
    struct rx_call *call;   /* NULL: cancelled */
    struct rx_fetch *fetch; /* NULL: not begun yet */
    struct ask *previous, *next;
};

static void append(struct asks *asks, struct ask *ask)
{
    ask->previous = asks->last;
    ask->next = NULL;
    *(asks->last ? &asks->last->next : &asks->first) = ask;
    asks->last = ask;
}

static void take_out(struct asks *asks, struct ask *ask)
{
    *(ask->previous ? &ask->previous->next : &asks->first) = ask->next;
    *(ask->next ? &ask->next->previous : &asks->last) = ask->previous;
}

/* ---- what comes ---- */

static struct rx_format_state *format_of(struct rx_requester *q, enum rx_format format, struct rx_error *reterr)
{
    if (!q->formats[format])
        q->formats[format] = rx_format_create(format, q->engine->heap, &q->options, reterr);
    return q->formats[format];
}

static int add_item(struct rx_value **items, uint32_t *count, struct rx_value item, struct rx_error *reterr)
{
    if (*count == ITEMS_MAX) {
        rx_value_unref(item);
        return rx_error_set(reterr, -E2BIG, "the answer has more than %d items", ITEMS_MAX);
    }
    if ((*count & (*count - 1)) == 0) {
        struct rx_value *more = realloc(*items, (*count ? *count * 2 : 1) * sizeof *more);
        if (!more) {
            rx_value_unref(item);
            return rx_error_set(reterr, -ENOMEM, "out of memory");
        }
        *items = more;
    }
    (*items)[(*count)++] = item;
    return 0;
}

/* Many in one body: a list of them. */
static int decode_many(struct rx_requester *q, struct rx_format_state *state, const struct rx_answer *answer,
                       bool lines, struct rx_value *ret, struct rx_error *reterr)
{
    struct rx_format_cursor cursor = {.start = answer->body,
                                      .at = answer->body,
                                      .end = answer->body + answer->length,
                                      .max_piece = answer->length,
                                      .body = true,
                                      .lines = lines};
    struct rx_value *items = NULL, item;
    uint32_t count = 0;
    int r;
    while ((r = state->class->next(state, &cursor, &item, reterr)) == 1)
        if ((r = add_item(&items, &count, item, reterr)) < 0)
            break;
    if (r == 0)
        *ret = rx_list_take(q->engine->heap, items, count);
    else
        for (uint32_t i = 0; i < count; i++)
            rx_value_unref(items[i]);
    free(items);
    return r == 0 && ret->kind == RX_NULL ? rx_error_set(reterr, -ENOMEM, "out of memory") : r;
}

static int decode(struct rx_requester *q, const struct rx_answer *answer, struct rx_value *ret, struct rx_error *reterr)
{
    const char *type = rx_answer_header(answer, "Content-Type");
    bool lines = false;
    enum rx_format format = type ? rx_format_of_type(type, RX_FORMAT_AUTO, &lines) : RX_FORMAT_AUTO;
    *ret = rx_null();
    if (answer->length == 0)
        return 0;
    struct rx_format_state *state = format_of(q, format, reterr);
    if (!state)
        return reterr->code;
    if (state->class->restart)
        state->class->restart(state);
    if (state->class->value && !lines)
        return state->class->value(state, answer->body, answer->length, ret, reterr);
    return decode_many(q, state, answer, lines, ret, reterr);
}

static struct rx_value reply_of(struct rx_requester *q, const struct rx_answer *answer)
{
    struct rx_error error = {0};
    struct rx_reply reply = {.status = answer->status, .retry_after = answer->retry_after};
    bool good = answer->status >= 200 && answer->status < 300;
    reply.undecodable = good && decode(q, answer, &reply.body, &error) < 0;
    const char *reason = reply.undecodable ? error.message : answer->reason;
    reply.reason = rx_string(q->engine->heap, reason, strlen(reason));
    struct rx_value value = rx_reply_value(q->engine->heap, &reply);
    rx_value_unref(reply.body);
    rx_value_unref(reply.reason);
    return value;
}

static void on_done(void *arg, const struct rx_answer *answer)
{
    struct ask *ask = arg;
    struct rx_call *call = ask->call;
    struct rx_requester *q = ask->requester;
    struct rx_error error;
    if (!call)
        take_out(&q->leaving, ask);
    free(ask);
    if (!call)
        return;
    bool refused = answer->status && (answer->status < 200 || answer->status > 299);
    if (answer->error && !refused) {
        rx_call_answer(call, NULL, answer->error);
        return;
    }
    struct rx_value reply = reply_of(q, answer);
    if (reply.kind == RX_NULL)
        rx_error_set(&error, -ENOMEM, "out of memory");
    rx_call_answer(call, reply.kind == RX_NULL ? NULL : &reply, &error);
    rx_value_unref(reply);
}

/* ---- what is asked ---- */

/* Texts of a request, one behind the other, each ended by a zero; a text with a zero in it is refused. */
static const char *keep(struct rx_buffer *texts, size_t *offsets, size_t i, struct rx_value text)
{
    offsets[i] = texts->length;
    rx_buffer_append(texts, text.u.text, text.aux);
    rx_buffer_append(texts, "", 1);
    return memchr(text.u.text, 0, text.aux) ? NULL : "";
}

struct pieces {
    struct rx_buffer texts;
    size_t url[1], names[HEADERS_MAX], values[HEADERS_MAX], hosts[ALLOW_MAX];
    const char *name_texts[HEADERS_MAX], *value_texts[HEADERS_MAX], *host_texts[ALLOW_MAX];
    size_t headers, allowed;
};

static void drop_pieces(struct pieces *p)
{
    if (p)
        rx_buffer_finish(&p->texts);
    free(p);
}

static int gather(struct pieces *p, const struct rx_request *request, struct rx_error *reterr)
{
    struct rx_value name, text;
    bool right = keep(&p->texts, p->url, 0, request->url) != NULL;
    p->headers = rx_object_count(request->headers);
    if (p->headers > HEADERS_MAX)
        return rx_error_set(reterr, -EINVAL, "more than %d headers", HEADERS_MAX);
    for (uint32_t i = 0; i < p->headers; i++) {
        rx_object_entry(request->headers, i, &name, &text);
        right = right && name.kind == RX_STRING && text.kind == RX_STRING && keep(&p->texts, p->names, i, name) &&
                keep(&p->texts, p->values, i, text);
    }
    p->allowed = request->allow.kind == RX_LIST ? request->allow.u.list->count : 0;
    for (size_t i = 0; right && i < p->allowed && i < ALLOW_MAX; i++)
        right = keep(&p->texts, p->hosts, i, request->allow.u.list->items[i]) != NULL;
    if (!right)
        return rx_error_set(reterr, -EINVAL, "a URL or header holds a zero byte, or is no text");
    return p->texts.failed ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}

static void point(struct pieces *p)
{
    for (size_t i = 0; i < p->headers; i++) {
        p->name_texts[i] = p->texts.data + p->names[i];
        p->value_texts[i] = p->texts.data + p->values[i];
    }
    for (size_t i = 0; i < p->allowed; i++)
        p->host_texts[i] = p->texts.data + p->hosts[i];
}

static bool is_allowed(const struct pieces *p, const char *url)
{
    struct rx_strings allow = {.items = p->host_texts, .count = p->allowed};
    return rx_client_url_is_of(url, &allow);
}

/* Of a redirect. */
static bool may_be_private(void *arg, const char *url)
{
    const struct ask *ask = arg;
    struct rx_request request;
    struct rx_error error;
    struct pieces *p = ask->call ? calloc(1, sizeof *p) : NULL;
    bool may = p && rx_request_read(ask->call->request, &request) && gather(p, &request, &error) == 0;
    if (may) {
        point(p);
        may = is_allowed(p, url);
    }
    drop_pieces(p);
    return may;
}

static int fetch(struct ask *ask, struct pieces *p, const struct rx_request *request, struct rx_error *reterr)
{
    struct rx_fetch_options o = {
        .method = request->method,
        .url = p->texts.data + p->url[0],
        .headers = {.names = p->name_texts, .texts = p->value_texts, .count = p->headers},
        .body = request->body.kind == RX_NULL ? NULL : request->body.u.text,
        .length = request->body.kind == RX_NULL ? 0 : request->body.aux,
        .max_answer = request->max_answer,
        .many = true,
        .guarded = !request->trusted && !is_allowed(p, p->texts.data + p->url[0]),
        .redirects = request->redirects,
        .may_be_private = may_be_private,
        .done = on_done,
        .arg = ask,
    };
    if (rx_client_check_url(o.url, reterr) < 0 || rx_client_check_headers(&o.headers, reterr) < 0)
        return reterr->code;
    int r = rx_fetch_begin(ask->requester->client, &o, &ask->fetch);
    if (r == -EAGAIN)
        return rx_error_set(reterr, r, "too many requests are under way");
    return r < 0 ? rx_error_set(reterr, r, "%s", strerror(-r)) : 0;
}

static int start(struct ask *ask, struct rx_error *reterr)
{
    struct rx_request request;
    struct pieces *p = calloc(1, sizeof *p);
    int r = p ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
    if (r == 0 && !rx_request_read(ask->call->request, &request))
        r = rx_error_set(reterr, -EINVAL, "this is no request over HTTP");
    if (r == 0)
        r = gather(p, &request, reterr);
    if (r == 0) {
        point(p);
        r = fetch(ask, p, &request, reterr);
    }
    drop_pieces(p);
    return r;
}

/* By the clock as it is, not the instant that the timer was due: else it would be due again at once. */
static int arm(struct rx_requester *q, rx_time wait)
{
    return rx_sched_arm(rx_loop_sched(q->loop), &q->turn, rx_loop_clock(q->loop) + wait);
}

static void begin_next(struct rx_requester *q)
{
    struct ask *ask = q->waiting.first;
    struct rx_call *call = ask->call;
    struct rx_error error = {0};
    take_out(&q->waiting, ask);
    if (start(ask, &error) == 0) {
        rx_client_run(q->client);
    } else {
        free(ask);
        rx_call_answer(call, NULL, &error);
    }
}

static void close_next(struct rx_requester *q)
{
    struct ask *ask = q->leaving.first;
    take_out(&q->leaving, ask);
    rx_fetch_cancel(ask->fetch);
    free(ask);
}

/* Old ones make room for new ones. */
static void on_turn(struct rx_timer *timer)
{
    struct rx_requester *q = (struct rx_requester *)(void *)((char *)timer - offsetof(struct rx_requester, turn));
    rx_time end = rx_loop_clock(q->loop) + SLICE;
    while ((q->leaving.first || q->waiting.first) && rx_loop_clock(q->loop) < end) {
        if (q->leaving.first)
            close_next(q);
        else
            begin_next(q);
    }
    if (q->leaving.first || q->waiting.first)
        arm(q, PAUSE);
}

/* -ENOMEM: there is no turn to come. */
static int wake(struct rx_requester *q) { return q->leaving.first || q->waiting.first ? 0 : arm(q, 0); }

static int begin(void *arg, struct rx_call *call, struct rx_error *reterr)
{
    struct rx_requester *q = arg;
    struct ask *ask = malloc(sizeof *ask);
    if (!ask || wake(q) < 0) {
        free(ask);
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    }
    *ask = (struct ask){.requester = q, .call = call};
    append(&q->waiting, ask);
    call->ticket = ask;
    return 0;
}

/* Thousands may be given up at one instant, and to close one takes as long as to begin one. */
static void cancel(void *arg, struct rx_call *call)
{
    struct rx_requester *q = arg;
    struct ask *ask = call->ticket;
    if (ask->fetch && wake(q) == 0) {
        ask->call = NULL;
        append(&q->leaving, ask);
        return;
    }
    if (ask->fetch)
        rx_fetch_cancel(ask->fetch);
    else
        take_out(&q->waiting, ask);
    free(ask);
}

/* ---- life ---- */

/* Where threads share a table of descriptors, Linux grows it only when all of them have been seen outside of it, and that takes some 10 ms
 * each time (expand_fdtable, synchronize_rcu): here it is made large once, at load, and it stays so. */
static void make_room(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), far = -1;
    for (int n = RX_FETCHES_MANY_MAX / 2; null >= 0 && far < 0 && n >= RX_FETCHES_MAX; n /= 2)
        far = fcntl(null, F_DUPFD_CLOEXEC, n); /* fails beyond the limit of descriptors */
    if (far >= 0)
        close(far);
    if (null >= 0)
        close(null);
}

int rx_requester_create(struct rx_client *client, struct rx_loop *loop, struct rx_engine *engine,
                        struct rx_requester **ret)
{
    struct rx_requester *q = calloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    *q = (struct rx_requester){.client = client, .loop = loop, .engine = engine, .turn = {.fire = on_turn}};
    engine->caller = (struct rx_caller){.begin = begin, .cancel = cancel, .arg = q};
    make_room();
    *ret = q;
    return 0;
}

void rx_requester_destroy(struct rx_requester *q)
{
    if (!q)
        return;
    q->engine->caller = (struct rx_caller){0};
    rx_sched_stop(rx_loop_sched(q->loop), &q->turn);
    while (q->leaving.first)
        close_next(q);
    for (int i = 0; i < RX_FORMATS; i++)
        rx_format_destroy(q->formats[i]);
    free(q);
}
