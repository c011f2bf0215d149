/* libcurl's multi interface on the loop: its sockets are watches, its timeout is a timer. */
#include "core/io/client/client_private.h"

#include <errno.h>
#include <stdlib.h>

enum { IDLE_CONNECTIONS = 32 };
#define SLICE                                                                                                          \
    RX_MSEC /* of a turn of the loop, for handing on what has come: thousands of answers leave room for what is due */
#define PAUSE (RX_MSEC / 4)

/* Not at this very instant: input and other timers have their turn in between. */
static int arm(struct rx_client *client, struct rx_timer *timer, rx_time wait)
{
    struct rx_sched *sched = rx_loop_sched(client->loop);
    return rx_sched_arm(sched, timer, rx_sched_now(sched) + (wait > 0 ? wait : 1));
}

/* By the clock as it is: else it would be due again at once, before what has become due meanwhile. */
static void wake_in(struct rx_client *client, rx_time wait)
{
    if (!rx_timer_armed(&client->turn))
        rx_sched_arm(rx_loop_sched(client->loop), &client->turn, rx_loop_clock(client->loop) + wait);
}

void client_wake(struct rx_client *client)
{
    if (!rx_timer_armed(&client->turn))
        arm(client, &client->turn, 0);
}

/* Hands on what has come. User code runs only here, never inside libcurl. */
static void settle(struct rx_client *client)
{
    CURLMsg *message;
    rx_time end = rx_loop_clock(client->loop) + SLICE;
    int rest;
    while (client->multi && (message = client->curl->multi_info_read(client->multi, &rest))) {
        struct rx_fetch *fetch = NULL;
        CURLcode result = message->data.result;
        client->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
        if (message->msg == CURLMSG_DONE)
            fetch_finished(fetch, result);
    }
    for (struct rx_fetch *fetch; (fetch = client->ready);) {
        client->ready = fetch->next_ready;
        if (!client->ready)
            client->ready_tail = &client->ready;
        fetch->is_ready = false;
        fetch_deliver(fetch);
        if (client->ready && rx_loop_clock(client->loop) >= end) {
            wake_in(client, PAUSE);
            return;
        }
    }
}

/* libcurl takes a callback that fails for the end of all, and is not to be trusted once it had no memory: what was under way fails, and
 * the next request makes it anew. */
static void give_up(struct rx_client *client)
{
    for (struct rx_fetch *fetch = client->first; fetch; fetch = fetch->next)
        if (!fetch->finished)
            fetch_finished(fetch, CURLE_OUT_OF_MEMORY);
    client->curl->multi_cleanup(client->multi);
    client->multi = NULL;
}

static void act(struct rx_client *client, curl_socket_t socket, int what)
{
    int running;
    CURLMcode r = client->multi ? client->curl->multi_socket_action(client->multi, socket, what, &running) : CURLM_OK;
    if (r != CURLM_OK && r != CURLM_BAD_SOCKET)
        give_up(client);
    settle(client);
}

static void on_socket(void *arg, int fd, unsigned events)
{
    act(arg, fd, (events & RX_READABLE ? CURL_CSELECT_IN : 0) | (events & RX_WRITABLE ? CURL_CSELECT_OUT : 0));
}

void rx_client_run(struct rx_client *client) { act(client, CURL_SOCKET_TIMEOUT, 0); }

static void on_due(struct rx_timer *timer)
{
    act((struct rx_client *)(void *)((char *)timer - offsetof(struct rx_client, due)), CURL_SOCKET_TIMEOUT, 0);
}

static void on_turn(struct rx_timer *timer)
{
    settle((struct rx_client *)(void *)((char *)timer - offsetof(struct rx_client, turn)));
}

static int set_timeout(CURLM *multi, long ms, void *arg)
{
    struct rx_client *client = arg;
    (void)multi;
    rx_sched_stop(rx_loop_sched(client->loop), &client->due);
    return ms < 0 || arm(client, &client->due, ms * RX_MSEC) == 0 ? 0 : -1;
}

/* `socketp` is the watch that this function has assigned to the socket before. */
static int set_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *socketp)
{
    struct rx_client *client = arg;
    struct rx_watch *watch = socketp;
    unsigned events = (what & CURL_POLL_IN ? RX_READABLE : 0u) | (what & CURL_POLL_OUT ? RX_WRITABLE : 0u);
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        rx_watch_destroy(watch);
        return 0;
    }
    if (watch)
        return rx_watch_set(watch, events) == 0 ? 0 : -1;
    if (rx_watch_create(client->loop, socket, events, on_socket, client, &watch) < 0)
        return -1;
    return client->curl->multi_assign(client->multi, socket, watch) == CURLM_OK ? 0 : -1;
}

int client_set_up(struct rx_client *client)
{
    const struct rx_curl *curl = client->curl;
    if (client->multi)
        return 0;
    client->multi = curl->multi_init();
    if (!client->multi || curl->multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, set_socket) ||
        curl->multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) ||
        curl->multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timeout) ||
        curl->multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) ||
        curl->multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS) ||
        curl->multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING)) {
        curl->multi_cleanup(client->multi); /* safe on NULL */
        client->multi = NULL;
        return -ENOMEM;
    }
    return 0;
}

int rx_client_create(struct rx_loop *loop, struct rx_client **ret, struct rx_error *reterr)
{
    const struct rx_curl *curl = rx_curl_load(reterr);
    if (!curl)
        return reterr->code;
    struct rx_client *client = calloc(1, sizeof *client);
    if (!client)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *client = (struct rx_client){.curl = curl, .loop = loop, .due = {.fire = on_due}, .turn = {.fire = on_turn}};
    client->ready_tail = &client->ready;
    if (client_set_up(client) < 0) {
        rx_client_destroy(client);
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    }
    *ret = client;
    return 0;
}

void rx_client_destroy(struct rx_client *client)
{
    if (!client)
        return;
    while (client->first)
        rx_fetch_cancel(client->first);
    if (client->multi)
        client->curl->multi_cleanup(client->multi); /* closes what was kept; the watches go by set_socket */
    rx_sched_stop(rx_loop_sched(client->loop), &client->due);
    rx_sched_stop(rx_loop_sched(client->loop), &client->turn);
    free(client);
}

/* ---- reload ---- */

uint64_t rx_fetch_number(struct rx_fetch *fetch)
{
    if (!fetch->number)
        fetch->number = ++fetch->client->numbers;
    return fetch->number;
}

void rx_fetch_leave(struct rx_fetch *fetch) { fetch->left = true; }

struct rx_fetch *rx_fetch_take(struct rx_client *client, uint64_t number, const struct rx_fetch_options *options)
{
    struct rx_fetch *fetch = client->first;
    while (fetch && !(fetch->left && fetch->number == number))
        fetch = fetch->next;
    if (!fetch)
        return NULL;
    fetch->left = fetch->paused = false;
    fetch->options.head = options->head;
    fetch->options.data = options->data;
    fetch->options.done = options->done;
    fetch->options.arg = options->arg;
    fetch_ready(fetch);
    return fetch;
}

void rx_client_drop_left(struct rx_client *client)
{
    for (struct rx_fetch *fetch = client->first, *next; fetch; fetch = next) {
        next = fetch->next;
        if (fetch->left)
            rx_fetch_cancel(fetch);
    }
}
