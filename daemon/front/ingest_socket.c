/* GET /sources/NAME as a WebSocket: each message is a body as a POST has it. One of a connection is with the worker at a time;
 * meanwhile nothing is read, so that the client feels what is full. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/uio.h>

#include "core/io/net/ws.h"
#include "daemon/front/front_private.h"

#define RETRY  (50 * RX_MSEC) /* the source is paused, or the worker far behind */
#define UPKEEP (15 * RX_SEC)
#define PING   (30 * RX_SEC) /* of silence; as much again: dropped. And output that nobody takes */
#define LINGER (2 * RX_SEC)  /* for the client to close after us */

enum { OUT_HIGH = 64 * 1024 }; /* bytes unsent: a client that reads no errors is not read either */

enum stage { OPEN, ENDING, LINGERING };

struct rx_ingest_socket {
    struct rx_ingest_socket *next, **link; /* the front's list */
    struct rx_front *front;
    struct rx_conn *conn; /* NULL: closed, and waits for its job */
    struct rx_ws *ws;
    struct rx_job *job; /* a message that was not taken yet */
    bool asked;         /* a message is with the worker */
    bool last;          /* nothing more is to be heard: it ends behind the messages that are there */
    enum stage stage;
    size_t sent, held; /* of the wire; of memory, as it is counted */
    rx_time heard, pinged, progress;
    struct rx_timer timer;
    char source[];
};

static rx_time now_of(const struct rx_ingest_socket *s) { return rx_sched_now(rx_loop_sched(s->front->loop)); }

static void arm(struct rx_ingest_socket *s, rx_time after)
{
    rx_sched_arm(rx_loop_sched(s->front->loop), &s->timer, now_of(s) + after);
}

static void close_socket(struct rx_ingest_socket *s)
{
    if (s->conn) {
        rx_conn_close(s->conn);
        rx_http_release(s->front->server);
        s->front->socket_bytes -= s->held;
        rx_ws_destroy(s->ws);
    }
    s->conn = NULL;
    s->ws = NULL;
    rx_sched_stop(rx_loop_sched(s->front->loop), &s->timer);
    rx_job_destroy(s->job);
    s->job = NULL;
    if (s->asked)
        return;
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    free(s);
}

/* ---- output ---- */

static size_t unsent(const struct rx_ingest_socket *s) { return rx_ws_wire(s->ws)->length - s->sent; }

/* False: the connection is lost. */
static bool flush(struct rx_ingest_socket *s)
{
    struct rx_buffer *wire = rx_ws_wire(s->ws);
    while (unsent(s)) {
        struct iovec rest = {.iov_base = wire->data + s->sent, .iov_len = unsent(s)};
        ssize_t n = rx_conn_writev(s->conn, &rest, 1);
        if (n < 0)
            return n == -EAGAIN;
        s->sent += (size_t)n;
        s->progress = now_of(s);
    }
    rx_buffer_clear(wire);
    s->sent = 0;
    return !wire->failed;
}

static void begin_linger(struct rx_ingest_socket *s)
{
    s->stage = LINGERING;
    rx_conn_end(s->conn);
    arm(s, LINGER);
}

/* Sends what there is, and watches for what is to come. */
static void go_on(struct rx_ingest_socket *s)
{
    if (!flush(s)) {
        close_socket(s);
        return;
    }
    if (s->stage == ENDING && unsent(s) == 0)
        begin_linger(s);
    bool reads =
        s->stage == LINGERING || (s->stage == OPEN && !s->last && !s->job && !s->asked && unsent(s) < OUT_HIGH);
    rx_conn_watch(s->conn, (reads ? (unsigned)RX_READABLE : 0u) | (unsent(s) ? (unsigned)RX_WRITABLE : 0u));
}

static void finish(struct rx_ingest_socket *s)
{
    s->stage = ENDING;
    arm(s, PING);
}

static void end(struct rx_ingest_socket *s, unsigned code, const char *reason)
{
    if (s->stage != OPEN)
        return;
    rx_job_destroy(s->job);
    s->job = NULL;
    rx_ws_close(s->ws, code, reason);
    finish(s);
}

/* What was wrong with a message, as a POST would be told. */
static void tell(struct rx_ingest_socket *s, const struct rx_ingest *in)
{
    json_t *problem = rx_http_problem(in->status, rx_front_ingest_members(in), in->error.message);
    char *text = problem ? json_dumps(problem, JSON_COMPACT) : NULL;
    if (text)
        rx_ws_send(s->ws, true, text, strlen(text));
    free(text);
    json_decref(problem);
}

/* ---- messages ---- */

/* After a reload another worker may have the source, or none. */
static void ask(struct rx_ingest_socket *s)
{
    bool known;
    struct rx_worker *worker = rx_front_find_source(s->front, s->source, &known);
    if (!worker) {
        end(s, 1008, "there is no such source any more");
    } else if (rx_worker_ask(worker, s->job)) {
        s->job = NULL;
        s->asked = true;
    } else {
        arm(s, RETRY);
    }
}

static struct rx_job *job_of(struct rx_ingest_socket *s, const struct rx_ws_message *message)
{
    struct rx_job *job = rx_job_create(RX_JOB_INGEST, NULL);
    if (!job)
        return NULL;
    job->socket = s;
    job->source = strdup(s->source);
    job->ingest.body = malloc(message->length + 1);
    if (!job->source || !job->ingest.body) {
        rx_job_destroy(job);
        return NULL;
    }
    memcpy(job->ingest.body, message->data, message->length);
    job->ingest.length = message->length;
    return job;
}

static void take_next(struct rx_ingest_socket *s)
{
    struct rx_ws_message message;
    if (s->job || s->asked || s->stage != OPEN)
        return;
    if (!rx_ws_next(s->ws, &message)) {
        if (s->last)
            finish(s);
        return;
    }
    s->job = job_of(s, &message);
    if (s->job)
        ask(s);
    else
        end(s, 1013, "out of memory");
}

void rx_ingest_socket_done(struct rx_job *job)
{
    struct rx_ingest_socket *s = job->socket;
    s->asked = false;
    if (!s->conn) {
        rx_job_destroy(job);
        close_socket(s);
        return;
    }
    s->heard = now_of(s); /* nothing was read meanwhile */
    if (job->ingest.status == 429 && s->stage == OPEN) {
        s->job = job;
        arm(s, RETRY);
        return;
    }
    if (job->ingest.status >= 400)
        tell(s, &job->ingest);
    if (job->ingest.status == 503)
        end(s, 1013, "try again later");
    rx_job_destroy(job);
    take_next(s);
    go_on(s);
}

/* ---- input ---- */

static void count_memory(struct rx_ingest_socket *s)
{
    size_t now = rx_ws_plain(s->ws)->capacity, limit = rx_settings_http_limits(&s->front->settings).max_bodies;
    s->front->socket_bytes += now - s->held;
    s->held = now;
    if (s->front->socket_bytes > limit)
        end(s, 1013, "the messages of all take too much memory together");
}

/* What came before the end, or a mistake, counts; the ws has answered it. */
static void hear(struct rx_ingest_socket *s, const char *data, size_t length)
{
    const char *why;
    s->heard = now_of(s);
    if (s->stage != OPEN)
        return;
    s->last = rx_ws_feed(s->ws, (const unsigned char *)data, length, &why) < 0;
    count_memory(s);
    take_next(s);
}

static void on_ready(void *arg, unsigned events)
{
    struct rx_ingest_socket *s = arg;
    char data[16 * 1024];
    ssize_t n = events & RX_READABLE ? rx_conn_read(s->conn, data, sizeof data) : -EAGAIN;
    if (n == 0 || (n < 0 && n != -EAGAIN)) {
        close_socket(s);
        return;
    }
    if (n > 0)
        hear(s, data, (size_t)n);
    go_on(s);
}

static bool is_dead(const struct rx_ingest_socket *s)
{
    rx_time now = now_of(s);
    if (s->stage == LINGERING || (s->stage == ENDING && !s->asked))
        return true;
    if (unsent(s) && now - s->progress >= PING)
        return true;
    return !s->job && !s->asked && s->pinged > s->heard && now - s->heard >= 2 * PING;
}

static void on_timer(struct rx_timer *timer)
{
    struct rx_ingest_socket *s =
        (struct rx_ingest_socket *)(void *)((char *)timer - offsetof(struct rx_ingest_socket, timer));
    arm(s, UPKEEP);
    if (is_dead(s)) {
        close_socket(s);
        return;
    }
    if (s->job)
        ask(s);
    if (s->stage == OPEN && !s->job && !s->asked && now_of(s) - s->heard >= PING && s->pinged <= s->heard) {
        s->pinged = now_of(s);
        rx_ws_ping(s->ws);
    }
    go_on(s);
}

/* ---- life ---- */

static void write_greeting(struct rx_ingest_socket *s, struct rx_http_request *request, const char *accept)
{
    rx_buffer_printf(rx_ws_wire(s->ws),
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n%s\r\n",
                     accept, rx_http_header_lines(request));
}

static struct rx_ingest_socket *create(struct rx_front *f, struct rx_http_request *request, const char *accept)
{
    const char *source = rx_http_tail(request);
    struct rx_ingest_socket *s = calloc(1, sizeof *s + strlen(source) + 1);
    struct rx_ws *ws = rx_ws_create_server(rx_settings_http_limits(&f->settings).max_body);
    if (!s || !ws) {
        rx_ws_destroy(ws);
        free(s);
        return NULL;
    }
    *s = (struct rx_ingest_socket){.front = f, .ws = ws, .timer.fire = on_timer};
    memcpy(s->source, source, strlen(source) + 1);
    s->heard = s->progress = now_of(s);
    write_greeting(s, request, accept);
    return s;
}

static void open_socket(struct rx_front *f, struct rx_http_request *request, const char *accept)
{
    struct rx_http_taken taken = {0};
    struct rx_ingest_socket *s = create(f, request, accept);
    if (!s || rx_ws_wire(s->ws)->failed || rx_http_take_over(request, &taken) < 0) {
        if (s)
            rx_ws_destroy(s->ws);
        free(s);
        rx_http_set_header(request, "Retry-After", "1");
        rx_http_reply_error(request, 503, "the connection cannot be taken now");
        return;
    }
    s->conn = taken.conn;
    s->link = &f->sockets;
    s->next = f->sockets;
    if (s->next)
        s->next->link = &s->next;
    f->sockets = s;
    rx_conn_set_owner(s->conn, on_ready, s);
    arm(s, UPKEEP);
    if (taken.ahead_length)
        hear(s, taken.ahead, taken.ahead_length);
    free(taken.ahead);
    go_on(s);
}

void rx_front_answer_ingest_socket(void *arg, struct rx_http_request *request)
{
    struct rx_front *f = arg;
    bool known;
    char accept[29];
    struct rx_worker *worker = rx_front_find_source(f, rx_http_tail(request), &known);
    if (!worker) {
        rx_front_refuse_source(request, known);
    } else if (!rx_http_wants_websocket(request, accept)) { /* a handshake that is none */
        rx_http_set_header(request, "Upgrade", "websocket");
        rx_http_set_header(request, "Sec-WebSocket-Version", "13");
        rx_http_reply_error(request, 426, "events come by POST, or as the messages of a WebSocket of version 13");
    } else {
        open_socket(f, request, accept);
    }
}

void rx_front_drain_sockets(struct rx_front *f)
{
    for (struct rx_ingest_socket *s = f->sockets, *next; s; s = next) {
        next = s->next;
        if (!s->conn)
            continue;
        end(s, 1001, "shutting down");
        go_on(s);
    }
}

void rx_front_close_sockets(struct rx_front *f)
{
    while (f->sockets) {
        f->sockets->asked = false; /* nobody answers any more */
        close_socket(f->sockets);
    }
}
