// layer: io
/* The HTTP client against a server that does as it is told: answers, failures in words, limits, streams, cancelling, reload. */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>

#include "core/io/client/client.h"
#include "tests/unit/http_peer.h"
#include "tests/unit/source_harness.h"

/* Name look-ups of slow.test hang until the test lets them go. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&next, &symbol, sizeof next);
    if (strcmp(host, "slow.test") == 0) {
        pthread_mutex_lock(&gate);
        pthread_mutex_unlock(&gate);
        return EAI_NONAME;
    }
    return next(host, port, hints, ret);
}

struct world {
    struct harness h;
    struct rx_client *client;
    struct peer *peer;
};

/* What became of a fetch. */
struct outcome {
    struct rx_fetch *fetch;
    size_t heads, pieces, dones;
    bool unwanted;           /* `head` says no */
    struct rx_fetch *cancel; /* cancelled in the next callback */
    bool pause;              /* in the next callback */
    int status, code;
    struct rx_buffer body;
    char error[480], header[100];
    rx_time retry_after;
};

static void setup(struct world *w)
{
    struct rx_error error = {0};
    harness_init(&w->h);
    ck_assert_msg(rx_client_create(w->h.loop, &w->client, &error) == 0, "%s", error.message);
    w->peer = peer_create(w->h.loop);
}

static void teardown(struct world *w)
{
    rx_client_destroy(w->client);
    peer_destroy(w->peer);
    harness_finish(&w->h);
}

static bool note(struct outcome *o)
{
    bool cancels = o->cancel != NULL;
    rx_fetch_cancel(o->cancel);
    o->cancel = NULL;
    if (o->pause && !cancels)
        rx_fetch_pause(o->fetch, true);
    o->pause = false;
    return !o->unwanted;
}

static bool on_head(void *arg, const struct rx_answer *answer)
{
    struct outcome *o = arg;
    o->heads++;
    o->status = answer->status;
    ck_assert_ptr_null(answer->error);
    return note(o);
}

static void on_data(void *arg, const char *bytes, size_t length)
{
    struct outcome *o = arg;
    o->pieces++;
    ck_assert_uint_le(length, 512 * 1024);
    rx_buffer_append(&o->body, bytes, length);
    note(o);
}

static void on_done(void *arg, const struct rx_answer *answer)
{
    struct outcome *o = arg;
    const char *header = rx_answer_header(answer, "x-name");
    o->dones++;
    o->fetch = NULL;
    o->status = answer->status;
    o->code = answer->error ? answer->error->code : 0;
    o->retry_after = answer->retry_after;
    snprintf(o->error, sizeof o->error, "%s", answer->error ? answer->error->message : "");
    snprintf(o->header, sizeof o->header, "%s", header ? header : "-");
    if (o->heads == 0)
        rx_buffer_append(&o->body, answer->body, answer->length);
    note(o);
}

static struct rx_fetch_options options_for(const char *url, struct outcome *o)
{
    return (struct rx_fetch_options){.method = "GET", .url = url, .done = on_done, .arg = o};
}

static struct rx_fetch_options stream_for(const char *url, struct outcome *o)
{
    struct rx_fetch_options options = options_for(url, o);
    options.head = on_head;
    options.data = on_data;
    return options;
}

static void begin(struct world *w, const struct rx_fetch_options *options, struct outcome *o)
{
    ck_assert_int_eq(rx_fetch_begin(w->client, options, &o->fetch), 0);
    ck_assert_uint_eq(o->dones, 0);
}

static struct outcome run(struct world *w, const struct rx_fetch_options *given)
{
    struct outcome o = {0};
    struct rx_fetch_options options = *given;
    options.arg = &o;
    begin(w, &options, &o);
    harness_until(&w->h, o.dones > 0);
    ck_assert_uint_eq(o.dones, 1);
    rx_buffer_append(&o.body, "", 1);
    return o;
}

static struct outcome get(struct world *w, const char *answer)
{
    peer_say(w->peer, answer);
    struct rx_fetch_options options = options_for(w->peer->url, NULL);
    options.timeout = 3 * RX_SEC;
    return run(w, &options);
}

#define finish(o_) rx_buffer_finish(&(o_).body)

START_TEST(answers_come_whole_and_connections_are_used_again)
{
    struct world w;
    setup(&w);
    struct outcome a = get(&w, "HTTP/1.1 200 OK\r\nX-Name: one\r\nX-Name: two\r\nContent-Length: 5\r\n\r\nhello");
    struct outcome b = get(&w, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    ck_assert_int_eq(a.status, 200);
    ck_assert_str_eq(a.body.data, "hello");
    ck_assert_str_eq(a.header, "two");
    ck_assert_int_eq(a.code, 0);
    ck_assert_int_eq(b.status, 404);
    ck_assert_str_eq(b.header, "-");
    ck_assert_uint_eq(w.peer->accepted, 1);
    finish(a);
    finish(b);
    teardown(&w);
}
END_TEST

START_TEST(a_request_says_what_it_was_told_and_no_more)
{
    static const char *const names[] = {"X-Token", "X-Empty"}, *const texts[] = {"secret", ""};
    struct world w;
    setup(&w);
    peer_say(w.peer, "HTTP/1.1 204 No Content\r\n\r\n");
    struct rx_fetch_options options = options_for(w.peer->url, NULL);
    options.method = "PUT";
    options.headers = (struct rx_pairs){.names = names, .texts = texts, .count = 2};
    options.body = "{\"a\":1}";
    options.length = 7;
    struct outcome o = run(&w, &options);
    ck_assert_int_eq(o.status, 204);
    const char *request = w.peer->requests[0];
    ck_assert_msg(strncmp(request, "PUT / HTTP/1.1\r\n", 16) == 0, "%s", request);
    ck_assert_ptr_nonnull(strstr(request, "\r\nX-Token: secret\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\nX-Empty:"));
    ck_assert_ptr_nonnull(strstr(request, "\r\nUser-Agent: rxd/"));
    ck_assert_ptr_nonnull(strstr(request, "\r\n\r\n{\"a\":1}"));
    ck_assert_ptr_null(strcasestr(request, "content-type"));
    ck_assert_ptr_null(strcasestr(request, "expect"));
    finish(o);
    teardown(&w);
}
END_TEST

/* What goes wrong, and the words for it. */
static const struct {
    const char *answer;
    int status, code;
    const char *words;
} failures[] = {
    {PEER_CLOSE, 0, -ECONNRESET, "the connection was closed without an answer"},
    {"!HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 200, -ECONNRESET,
     "the connection was closed in the middle of the answer"},
    {"!SSH-2.0-OpenSSH\r\n", 0, -EPROTO, ""},
    {"!\x16\x03\x01garbage\r\n\r\n", 0, -EPROTO, ""},
    {"!HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", 200, -EMSGSIZE, "the answer is larger than 1048576 bytes"},
    {PEER_FLOOD, 200, -EMSGSIZE, "the answer is larger than 1048576 bytes"},
    {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", 200, -EPROTO, ""},
};

START_TEST(failures_have_words)
{
    struct world w;
    setup(&w);
    struct outcome o = get(&w, failures[_i].answer);
    ck_assert_int_eq(o.status, failures[_i].status);
    ck_assert_msg(o.code == failures[_i].code, "%d %s", o.code, o.error);
    if (*failures[_i].words)
        ck_assert_str_eq(o.error, failures[_i].words);
    ck_assert(*o.error);
    harness_until(&w.h, w.peer->open == 0 || failures[_i].code == -EPROTO);
    finish(o);
    teardown(&w);
}
END_TEST

START_TEST(a_head_without_end_is_cut)
{
    struct world w;
    struct rx_buffer head = {0};
    setup(&w);
    rx_buffer_text(&head, "!HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 2000; i++)
        rx_buffer_printf(&head, "X-%d: filling, filling, filling, filling\r\n", i);
    rx_buffer_append(&head, "\r\n", 3);
    struct outcome o = get(&w, head.data);
    ck_assert_int_eq(o.code, -EMSGSIZE);
    ck_assert_str_eq(o.error, "the head of the answer is larger than 65536 bytes");
    rx_buffer_finish(&head);
    finish(o);
    teardown(&w);
}
END_TEST

START_TEST(nobody_there_and_no_answer_in_time)
{
    struct world w;
    setup(&w);
    peer_close(w.peer);
    struct rx_fetch_options options = options_for(w.peer->url, NULL);
    struct outcome refused = run(&w, &options);
    ck_assert_int_eq(refused.code, -ECONNREFUSED);
    ck_assert_str_eq(refused.error, "Connection refused");
    peer_listen(w.peer);
    peer_say(w.peer, PEER_SILENT);
    options.timeout = 50 * RX_MSEC;
    struct outcome late = run(&w, &options);
    ck_assert_int_eq(late.code, -ETIMEDOUT);
    ck_assert_int_eq(late.status, 0);
    finish(refused);
    finish(late);
    teardown(&w);
}
END_TEST

START_TEST(a_slow_resolver_holds_nobody_up)
{
    struct world w;
    struct outcome cancelled = {0}, timed = {0};
    setup(&w);
    pthread_mutex_lock(&gate);
    rx_time before = rx_loop_clock(w.h.loop), after;
    struct rx_fetch_options options = options_for("http://slow.test/", &cancelled);
    begin(&w, &options, &cancelled);
    for (int i = 0; i < 5; i++)
        rx_loop_once(w.h.loop, 5);
    rx_fetch_cancel(cancelled.fetch);
    options.arg = &timed;
    options.connect_timeout = 50 * RX_MSEC;
    begin(&w, &options, &timed);
    harness_until(&w.h, timed.dones > 0);
    ck_assert_int_eq(timed.code, -ETIMEDOUT);
    ck_assert_uint_eq(cancelled.dones, 0);
    struct rx_fetch *third;
    options.connect_timeout = 0;
    ck_assert_int_eq(rx_fetch_begin(w.client, &options, &third), 0);
    rx_loop_once(w.h.loop, 5);
    after = rx_loop_clock(w.h.loop);
    rx_client_destroy(w.client); /* with a look-up under way: the gate is still shut */
    w.client = NULL;
    ck_assert_int_lt(after - before, 10 * RX_SEC);
    pthread_mutex_unlock(&gate);
    teardown(&w);
    finish(timed);
}
END_TEST

START_TEST(retry_after_is_seconds_or_a_date)
{
    struct world w;
    char answer[200], date[64];
    time_t then = time(NULL) + 30;
    struct tm tm;
    setup(&w);
    struct outcome a = get(&w, "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
    ck_assert_int_eq(a.retry_after, 7 * RX_SEC);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &tm));
    snprintf(answer, sizeof answer, "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", date);
    struct outcome b = get(&w, answer);
    ck_assert_int_gt(b.retry_after, 15 * RX_SEC);
    ck_assert_int_le(b.retry_after, 30 * RX_SEC);
    struct outcome c = get(&w, "HTTP/1.1 503 Busy\r\nRetry-After: 99999999\r\nContent-Length: 0\r\n\r\n");
    ck_assert_int_eq(c.retry_after, 3600 * RX_SEC);
    finish(a);
    finish(b);
    finish(c);
    teardown(&w);
}
END_TEST

START_TEST(redirects_are_followed_on_the_same_host_alone)
{
    struct world w;
    setup(&w);
    peer_say(w.peer, "HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 3\r\n\r\nold");
    peer_say(w.peer, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew");
    peer_say(w.peer, "HTTP/1.1 302 Found\r\nLocation: http://localhost:1/x\r\nContent-Length: 3\r\n\r\nfar");
    struct rx_fetch_options options = options_for(w.peer->url, NULL);
    options.follow = true;
    struct outcome near = run(&w, &options), far = run(&w, &options);
    ck_assert_int_eq(near.status, 200);
    ck_assert_str_eq(near.body.data, "new");
    ck_assert_ptr_nonnull(strstr(w.peer->requests[1], "GET /there HTTP/1.1"));
    ck_assert_int_eq(far.status, 302);
    finish(near);
    finish(far);
    teardown(&w);
}
END_TEST

START_TEST(a_stream_is_not_told_of_redirects)
{
    struct world w;
    setup(&w);
    peer_say(w.peer, "HTTP/1.1 307 Moved\r\nLocation: /there\r\nContent-Length: 3\r\n\r\nold");
    peer_say(w.peer, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew");
    struct rx_fetch_options options = stream_for(w.peer->url, NULL);
    options.follow = true;
    struct outcome stream = run(&w, &options);
    ck_assert_int_eq(stream.status, 200);
    ck_assert_str_eq(stream.body.data, "new");
    ck_assert_uint_eq(stream.heads, 1);
    finish(stream);
    teardown(&w);
}
END_TEST

START_TEST(redirects_end)
{
    struct world w;
    setup(&w);
    peer_say(w.peer, "HTTP/1.1 301 Moved\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
    struct rx_fetch_options options = options_for(w.peer->url, NULL);
    options.follow = true;
    struct outcome o = run(&w, &options);
    ck_assert_int_eq(o.status, 301);
    ck_assert_uint_eq(w.peer->request_count, 6);
    finish(o);
    teardown(&w);
}
END_TEST

/* Where the first redirects to, another port: another host for all that matters. */
struct elsewhere {
    struct world w;
    struct peer *other;
    char redirect[200];
};

static void setup_elsewhere(struct elsewhere *e, const char *status)
{
    setup(&e->w);
    e->other = peer_create(e->w.h.loop);
    peer_say(e->other, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfar");
    snprintf(e->redirect, sizeof e->redirect, "HTTP/1.1 %s\r\nLocation: %sthere\r\nContent-Length: 0\r\n\r\n", status,
             e->other->url);
    peer_say(e->w.peer, e->redirect);
}

static void teardown_elsewhere(struct elsewhere *e)
{
    peer_destroy(e->other);
    teardown(&e->w);
}

static bool any_host(void *arg, const char *url)
{
    (void)arg;
    return strncmp(url, "http://127.0.0.1:", 17) == 0;
}

static const char *const names[] = {"Authorization", "Accept", "X-Key", "Content-Type"}, *const texts[] = {
                                                                                             "Bearer secret", "text/x",
                                                                                             "secret", "text/y"};

static struct outcome post_elsewhere(struct elsewhere *e, bool (*may_be_private)(void *, const char *))
{
    struct rx_fetch_options options = options_for(e->w.peer->url, NULL);
    options.method = "POST";
    options.body = "hello";
    options.length = 5;
    options.headers = (struct rx_pairs){.names = names, .texts = texts, .count = 4};
    options.redirects = 2;
    options.may_be_private = may_be_private;
    return run(&e->w, &options);
}

static const struct {
    const char *status, *first;
    bool body;
} elsewhere[] = {
    {"301 Moved", "GET /there HTTP/1.1", false},     {"302 Found", "GET /there HTTP/1.1", false},
    {"303 See", "GET /there HTTP/1.1", false},       {"307 Temporary", "POST /there HTTP/1.1", true},
    {"308 Permanent", "POST /there HTTP/1.1", true},
};

START_TEST(a_redirect_to_another_host_carries_no_secrets)
{
    struct elsewhere e;
    setup_elsewhere(&e, elsewhere[_i].status);
    struct outcome o = post_elsewhere(&e, any_host);
    ck_assert_int_eq(o.status, 200);
    ck_assert_str_eq(o.body.data, "far");
    const char *request = e.other->requests[0];
    ck_assert_msg(strncmp(request, elsewhere[_i].first, strlen(elsewhere[_i].first)) == 0, "%s", request);
    ck_assert_ptr_null(strstr(request, "secret"));
    ck_assert_ptr_nonnull(strstr(request, "Accept: text/x"));
    ck_assert_int_eq(strstr(request, "Content-Type: text/y") != NULL, elsewhere[_i].body);
    ck_assert_int_eq(strstr(request, "hello") != NULL, elsewhere[_i].body);
    finish(o);
    teardown_elsewhere(&e);
}
END_TEST

START_TEST(a_redirect_to_a_private_address_is_refused)
{
    struct elsewhere e;
    setup_elsewhere(&e, "302 Found");
    struct outcome o = post_elsewhere(&e, NULL);
    ck_assert_int_eq(o.code, -EPERM);
    ck_assert_uint_eq(e.other->request_count, 0);
    finish(o);
    teardown_elsewhere(&e);
}
END_TEST

/* Back to the first by a redirect of the second: it comes from a redirect now. */
START_TEST(a_redirect_back_is_one_too)
{
    struct elsewhere e;
    char back[200];
    setup_elsewhere(&e, "302 Found");
    snprintf(back, sizeof back, "HTTP/1.1 302 Found\r\nLocation: %sagain\r\nContent-Length: 0\r\n\r\n", e.w.peer->url);
    e.other->answers[0] = back;
    struct outcome o = post_elsewhere(&e, any_host);
    ck_assert_int_eq(o.status, 302); /* the third: two were allowed */
    ck_assert_uint_eq(e.w.peer->request_count, 2);
    ck_assert_ptr_null(strstr(e.w.peer->requests[1], "secret"));
    finish(o);
    teardown_elsewhere(&e);
}
END_TEST

START_TEST(a_redirect_to_what_is_no_http_is_not_followed)
{
    struct world w;
    setup(&w);
    peer_say(w.peer, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    peer_say(w.peer, "HTTP/1.1 302 Found\r\nLocation: http://[::bad/\r\nContent-Length: 0\r\n\r\n");
    struct rx_fetch_options options = options_for(w.peer->url, NULL);
    options.redirects = 5;
    options.may_be_private = any_host;
    struct outcome file = run(&w, &options), bad = run(&w, &options);
    ck_assert_int_eq(file.status, 302);
    ck_assert_int_eq(bad.status, 302);
    ck_assert_uint_eq(w.peer->request_count, 2);
    finish(file);
    finish(bad);
    teardown(&w);
}
END_TEST

/* ---- streams ---- */

static const char stream_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nfirst ";

START_TEST(a_stream_comes_as_it_comes)
{
    struct world w;
    struct outcome o = {0};
    setup(&w);
    peer_say(w.peer, stream_head);
    struct rx_fetch_options options = stream_for(w.peer->url, &o);
    begin(&w, &options, &o);
    harness_until(&w.h, o.pieces > 0);
    ck_assert_uint_eq(o.heads, 1);
    ck_assert_uint_eq(o.dones, 0);
    peer_push(w.peer, "second");
    harness_until(&w.h, o.body.length == 12);
    peer_drop_all(w.peer);
    harness_until(&w.h, o.dones == 1);
    ck_assert_int_eq(o.code, 0);
    ck_assert_int_eq(memcmp(o.body.data, "first second", 12), 0);
    finish(o);
    teardown(&w);
}
END_TEST

START_TEST(who_does_not_want_a_stream_is_done_with_it)
{
    struct world w;
    struct outcome o = {.unwanted = true};
    setup(&w);
    peer_say(w.peer, PEER_FLOOD);
    struct rx_fetch_options options = stream_for(w.peer->url, &o);
    begin(&w, &options, &o);
    harness_until(&w.h, o.dones == 1 && w.peer->open == 0);
    ck_assert_uint_eq(o.heads, 1);
    ck_assert_uint_eq(o.pieces, 0);
    ck_assert_int_eq(o.status, 200);
    finish(o);
    teardown(&w);
}
END_TEST

START_TEST(a_paused_stream_leaves_the_other_side_waiting)
{
    struct world w;
    struct outcome o = {.pause = true};
    setup(&w);
    peer_say(w.peer, PEER_FLOOD);
    struct rx_fetch_options options = stream_for(w.peer->url, &o);
    begin(&w, &options, &o);
    uint64_t before = 0, same = 0;
    while (same < 20) { /* turns of the loop in which nothing more was taken */
        rx_loop_once(w.h.loop, 5);
        same = w.peer->flooded == before && before > 0 ? same + 1 : 0;
        before = w.peer->flooded;
    }
    ck_assert_uint_eq(o.pieces, 0);
    ck_assert_uint_lt(w.peer->flooded, 64u << 20); /* what the sockets hold */
    rx_fetch_pause(o.fetch, false);
    harness_until(&w.h, o.body.length > before + (1 << 20));
    rx_fetch_cancel(o.fetch);
    ck_assert_uint_eq(o.dones, 0);
    finish(o);
    teardown(&w);
}
END_TEST

START_TEST(a_fetch_can_be_cancelled_in_each_of_its_callbacks)
{
    for (int where = 0; where < 3; where++) {
        struct world w;
        struct outcome o = {0};
        setup(&w);
        peer_say(w.peer, where == 2 ? "!HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : PEER_FLOOD);
        struct rx_fetch_options options = where == 2 ? options_for(w.peer->url, &o) : stream_for(w.peer->url, &o);
        begin(&w, &options, &o);
        if (where == 1)
            harness_until(&w.h, o.heads == 1);
        o.cancel = o.fetch;
        harness_until(&w.h, w.peer->open == 0 && w.peer->accepted == 1);
        harness_until(&w.h, !o.cancel);
        ck_assert_uint_eq(o.dones, where == 2);
        ck_assert_uint_eq(o.heads, where < 2);
        finish(o);
        teardown(&w);
    }
}
END_TEST

START_TEST(so_many_may_be_under_way)
{
    static struct outcome outcomes[RX_FETCHES_MAX + 1];
    struct world w;
    setup(&w);
    peer_say(w.peer, PEER_SILENT);
    struct rx_fetch_options options = options_for(w.peer->url, NULL);
    for (size_t i = 0; i < RX_FETCHES_MAX; i++) {
        options.arg = &outcomes[i];
        begin(&w, &options, &outcomes[i]);
    }
    ck_assert_int_eq(rx_fetch_begin(w.client, &options, &outcomes[RX_FETCHES_MAX].fetch), -EAGAIN);
    rx_fetch_cancel(outcomes[7].fetch);
    begin(&w, &options, &outcomes[RX_FETCHES_MAX]);
    harness_until(&w.h, w.peer->request_count >= 20);
    teardown(&w); /* cancels them all */
    for (size_t i = 0; i <= RX_FETCHES_MAX; i++)
        ck_assert_uint_eq(outcomes[i].dones, 0);
}
END_TEST

/* ---- reload ---- */

START_TEST(a_fetch_that_is_left_goes_on_with_who_takes_it)
{
    struct world w;
    struct outcome old = {0}, new = {0};
    setup(&w);
    peer_say(w.peer, stream_head);
    struct rx_fetch_options options = stream_for(w.peer->url, &old);
    begin(&w, &options, &old);
    harness_until(&w.h, old.pieces > 0);
    uint64_t number = rx_fetch_number(old.fetch);
    ck_assert_uint_gt(number, 0);
    options.arg = &new;
    ck_assert_ptr_null(rx_fetch_take(w.client, number, &options)); /* it has an owner */
    rx_fetch_leave(old.fetch);
    ck_assert_ptr_null(rx_fetch_take(w.client, number + 1, &options));
    new.fetch = rx_fetch_take(w.client, number, &options);
    ck_assert_ptr_nonnull(new.fetch);
    ck_assert_ptr_null(rx_fetch_take(w.client, number, &options));
    rx_client_drop_left(w.client);
    peer_push(w.peer, "second");
    harness_until(&w.h, new.body.length == 6);
    ck_assert_uint_eq(old.body.length, 6);
    ck_assert_uint_eq(w.peer->accepted, 1);
    rx_fetch_leave(new.fetch);
    peer_push(w.peer, "third");
    for (int i = 0; i < 5; i++)
        rx_loop_once(w.h.loop, 5);
    ck_assert_uint_eq(new.body.length, 6);
    rx_client_drop_left(w.client);
    harness_until(&w.h, w.peer->open == 0);
    ck_assert_uint_eq(old.dones + new.dones, 0);
    finish(old);
    finish(new);
    teardown(&w);
}
END_TEST

/* ---- at load ---- */

START_TEST(urls_and_headers_are_checked)
{
    static const char *const bad[] = {"ftp://host/",     "host/path",     "",
                                      "http://",         "http:///path",  "http://user:pw@/x",
                                      "http://host/a b", "http://host/\n"};
    struct rx_error error = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(rx_client_check_url(bad[i], &error) == -EINVAL, "%s", bad[i]);
    ck_assert_int_eq(rx_client_check_url("HTTPS://user:p%40@host:99/p?q#f", &error), 0);
    ck_assert_int_eq(rx_client_check_header("X-A", "b\tc", &error), 0);
    ck_assert_int_eq(rx_client_check_header("X-A", "b\r\nX-B: c", &error), -EINVAL);
    ck_assert_int_eq(rx_client_check_header("X A", "b", &error), -EINVAL);
    ck_assert_int_eq(rx_client_check_header("", "b", &error), -EINVAL);
    ck_assert_int_eq(rx_client_check_header("content-length", "1", &error), -EINVAL);
}
END_TEST

START_TEST(hosts_are_known_by_their_names)
{
    static const char *const items[] = {"10.0.0.7", "[fd00::7]", "fd00::8", "Box.lan:80"};
    static const struct rx_strings hosts = {.items = items, .count = 4};
    static const struct {
        const char *url;
        bool is;
    } urls[] = {
        {"http://10.0.0.7/", true},
        {"https://10.0.0.7:9000?x", true},
        {"http://u:p@10.0.0.7#f", true},
        {"http://10.0.0.77/", false},
        {"http://10.0.0.7@evil/", false},
        {"http://evil#@10.0.0.7/", false},
        {"http://evil/@10.0.0.7", false},
        {"http://[fd00::7]:1/", true},
        {"http://[fd00::8]/", true},
        {"http://[fd00::9]/", false},
        {"http://box.lan:80/", true},
        {"http://box.lan:81/", false},
        {"http://box.lan/", false},
        {"ftp://10.0.0.7/", false},
        {"http:///", false},
        {"http://10.0.0.7.evil/", false},
        {"http://[]/", false},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        ck_assert_msg(rx_client_url_is_of(urls[i].url, &hosts) == urls[i].is, "%s", urls[i].url);
}
END_TEST

START_TEST(what_is_shown_of_a_url_holds_no_secret)
{
    static const char *const cases[][2] = {
        {"http://u:p@host:80/path?token=s#f", "http://host:80/path"},
        {"https://host?token=s", "https://host"},
        {"http://a@b:c@host/x@y", "http://host/x@y"},
        {"nonsense", "an odd URL"},
    };
    char text[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rx_client_name_url(cases[i][0], text, sizeof text);
        ck_assert_str_eq(text, cases[i][1]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *t = tcase_create("client");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, answers_come_whole_and_connections_are_used_again);
    tcase_add_test(t, a_request_says_what_it_was_told_and_no_more);
    tcase_add_loop_test(t, failures_have_words, 0, sizeof failures / sizeof *failures);
    tcase_add_test(t, a_head_without_end_is_cut);
    tcase_add_test(t, nobody_there_and_no_answer_in_time);
    tcase_add_test(t, a_slow_resolver_holds_nobody_up);
    tcase_add_test(t, retry_after_is_seconds_or_a_date);
    tcase_add_test(t, redirects_are_followed_on_the_same_host_alone);
    tcase_add_test(t, a_stream_is_not_told_of_redirects);
    tcase_add_test(t, redirects_end);
    tcase_add_loop_test(t, a_redirect_to_another_host_carries_no_secrets, 0, sizeof elsewhere / sizeof *elsewhere);
    tcase_add_test(t, a_redirect_to_a_private_address_is_refused);
    tcase_add_test(t, a_redirect_back_is_one_too);
    tcase_add_test(t, a_redirect_to_what_is_no_http_is_not_followed);
    tcase_add_test(t, a_stream_comes_as_it_comes);
    tcase_add_test(t, who_does_not_want_a_stream_is_done_with_it);
    tcase_add_test(t, a_paused_stream_leaves_the_other_side_waiting);
    tcase_add_test(t, a_fetch_can_be_cancelled_in_each_of_its_callbacks);
    tcase_add_test(t, so_many_may_be_under_way);
    tcase_add_test(t, a_fetch_that_is_left_goes_on_with_who_takes_it);
    tcase_add_test(t, urls_and_headers_are_checked);
    tcase_add_test(t, hosts_are_known_by_their_names);
    tcase_add_test(t, what_is_shown_of_a_url_holds_no_secret);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
