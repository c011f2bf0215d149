/* The HTTP server: its life and its numbers. */
#include "core/io/http/http_private.h"

#include <errno.h>
#include <stdlib.h>

static size_t size_or(size_t value, size_t fallback) { return value ? value : fallback; }
static size_t at_least(size_t value, size_t least) { return value < least ? least : value; }

static struct rx_http_limits limits_of(const struct rx_http_limits *given)
{
    struct rx_http_limits l = given ? *given : (struct rx_http_limits){0};
    l.max_header = size_or(l.max_header, 16 << 10);
    l.max_body = size_or(l.max_body, 16 << 20);
    l.max_client_bodies = at_least(size_or(l.max_client_bodies, 64 << 20), l.max_body);
    l.max_bodies = at_least(size_or(l.max_bodies, 128 << 20), l.max_body * 2);
    l.header_deadline = l.header_deadline ? l.header_deadline : 10 * RX_SEC;
    l.body_deadline = l.body_deadline ? l.body_deadline : 60 * RX_SEC;
    l.idle_deadline = l.idle_deadline ? l.idle_deadline : 75 * RX_SEC;
    l.max_connections = l.max_connections ? l.max_connections : 12000;
    return l;
}

int rx_http_listen(struct rx_loop *loop, const char *address, const struct rx_http_limits *limits,
                   struct rx_http_server **ret, struct rx_error *reterr)
{
    struct rx_http_server *server = calloc(1, sizeof *server);
    if (!server)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    server->loop = loop;
    server->limits = limits_of(limits);
    int r = http_listener_open(server, address, reterr);
    if (r < 0) {
        free(server);
        return r;
    }
    *ret = server;
    return 0;
}

/* Those that are with their handlers live on, to be answered into the void. */
static void abandon_requests(struct rx_http_server *server)
{
    for (struct rx_http_request *request; (request = server->requests);) {
        http_request_release(request);
        http_client_unref(server, request->client);
        server->requests = request->next;
        request->server = NULL;
        request->client = NULL;
    }
}

void rx_http_destroy(struct rx_http_server *server)
{
    if (!server)
        return;
    http_listener_close(server);
    while (server->connections)
        http_connection_close(server->connections);
    abandon_requests(server);
    for (struct http_served *s; (s = server->routes);) {
        server->routes = s->next;
        free(s);
    }
    free(server);
}

void rx_http_drain(struct rx_http_server *server)
{
    server->draining = true;
    http_listener_close(server);
    for (struct http_connection *c = server->connections, *next; c; c = next) {
        next = c->next;
        http_connection_drain(c);
    }
}

void rx_http_release(struct rx_http_server *server)
{
    if (server->taken)
        server->taken--;
    http_listener_resume(server);
}

unsigned rx_http_port(const struct rx_http_server *server) { return server->port; }

struct rx_http_stats rx_http_stats(const struct rx_http_server *server)
{
    struct rx_http_stats stats = server->stats;
    stats.open += server->taken;
    return stats;
}
