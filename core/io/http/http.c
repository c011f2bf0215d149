/* The HTTP server: its life, its routes, and evhttp's requests on their way to a handler. */
#include "core/io/http/http.h"
#include "core/io/http/http_internal.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct {
    enum rx_http_method method;
    enum evhttp_cmd_type evhttp;
    const char *name;
} methods[] = {{RX_HTTP_GET, EVHTTP_REQ_GET, "GET"},          {RX_HTTP_HEAD, EVHTTP_REQ_HEAD, "HEAD"},
               {RX_HTTP_POST, EVHTTP_REQ_POST, "POST"},       {RX_HTTP_PUT, EVHTTP_REQ_PUT, "PUT"},
               {RX_HTTP_DELETE, EVHTTP_REQ_DELETE, "DELETE"}, {RX_HTTP_OPTIONS, EVHTTP_REQ_OPTIONS, "OPTIONS"}};
enum { METHODS = sizeof methods / sizeof *methods };

static bool fits(const struct http_route *route, const char *path)
{
    bool prefix = route->length && route->path[route->length - 1] == '/';
    return strncmp(route->path, path, route->length) == 0 && (prefix || !path[route->length]);
}

/* HEAD goes wherever GET goes. */
static unsigned served(const struct http_route *route)
{
    return route->methods | (route->methods & RX_HTTP_GET ? RX_HTTP_HEAD : 0u);
}

static void reply_not_allowed(struct rx_http_request *request, unsigned allowed)
{
    char list[64] = "OPTIONS";
    size_t length = strlen(list);
    for (size_t i = 0; i < METHODS; i++)
        if (methods[i].method != RX_HTTP_OPTIONS && (allowed & methods[i].method) && length < sizeof list)
            length += (size_t)snprintf(list + length, sizeof list - length, ", %s", methods[i].name);
    rx_http_set_header(request, "Allow", list);
    if (request->method == RX_HTTP_OPTIONS)
        rx_http_reply(request, 204, NULL, NULL, 0);
    else
        rx_http_reply_error(request, 405, "this path answers %s only", list);
}

static void route(struct rx_http_request *request)
{
    unsigned allowed = 0;
    const struct http_route *first = NULL;
    for (const struct http_route *r = request->server->routes; r; r = r->next) {
        if (!fits(r, request->path) || (first && first->length != r->length))
            continue;
        first = r;
        allowed |= served(r);
        if (served(r) & request->method) {
            request->tail_offset = r->length;
            r->handler(r->arg, request);
            return;
        }
    }
    if (first || strcmp(request->path, "*") == 0)
        reply_not_allowed(request, allowed);
    else
        rx_http_reply_error(request, 404, "there is nothing at %s", request->path);
}

/* evhttp's connection ends. A request that is with its handler lives on, ours to free. */
static void on_close(struct evhttp_connection *evhttp, void *arg)
{
    struct http_connection *c = arg;
    struct rx_http_request *request = c->request;
    (void)evhttp;
    if (c->server && !c->server->closing)
        http_finish_output(c);
    http_gate_forget(c);
    if (!request)
        return;
    c->request = NULL;
    request->connection = NULL;
    evhttp_request_own(request->evhttp);
}

static char *decoded_path(struct evhttp_request *evhttp)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(evhttp);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    return evhttp_uridecode(path && *path ? path : "/", 0, NULL);
}

static struct rx_http_request *adopt(struct rx_http_server *server, struct http_connection *c,
                                     struct evhttp_request *evhttp)
{
    struct rx_http_request *request = calloc(1, sizeof *request);
    char *path = request ? decoded_path(evhttp) : NULL;
    if (!path) {
        free(request);
        return NULL;
    }
    *request = (struct rx_http_request){
        .server = server, .loop = server->loop, .connection = c, .evhttp = evhttp, .path = path};
    for (size_t i = 0; i < METHODS; i++)
        if (methods[i].evhttp == evhttp_request_get_command(evhttp))
            request->method = methods[i].method;
    c->request = request;
    return request;
}

static void on_request(struct evhttp_request *evhttp, void *arg)
{
    struct rx_http_server *server = arg;
    struct evhttp_connection *connection = evhttp_request_get_connection(evhttp);
    struct http_connection *c = http_gate_of(server, evhttp_connection_get_bufferevent(connection));
    struct rx_http_request *request = c ? adopt(server, c, evhttp) : NULL;
    if (!request) {
        evhttp_send_error(evhttp, HTTP_SERVUNAVAIL, NULL);
        return;
    }
    evhttp_connection_set_closecb(connection, on_close, c);
    http_gate_dispatched(c);
    server->stats.requests++;
    rx_loop_now(server->loop); /* a timer may take the connection, even the server, away */
    if (request->connection)
        route(request);
    else
        http_request_free(request);
}

static unsigned default_connections(void)
{
    struct rlimit files;
    rlim_t most = 12000;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < most + 256)
        most = files.rlim_cur > 512 ? files.rlim_cur - 256 : files.rlim_cur / 2;
    return (unsigned)most;
}

static struct rx_http_limits effective(const struct rx_http_limits *given)
{
    struct rx_http_limits limits = given ? *given : (struct rx_http_limits){0};
    limits.max_header = limits.max_header ? limits.max_header : 16 << 10;
    limits.max_body = limits.max_body ? limits.max_body : 16 << 20;
    limits.header_deadline = limits.header_deadline ? limits.header_deadline : 10 * RX_SEC;
    limits.body_deadline = limits.body_deadline ? limits.body_deadline : 60 * RX_SEC;
    limits.idle_deadline = limits.idle_deadline ? limits.idle_deadline : 75 * RX_SEC;
    limits.max_connections = limits.max_connections ? limits.max_connections : default_connections();
    return limits;
}

static int init(struct rx_http_server *server, const char *address, struct rx_error *reterr)
{
    server->evhttp = evhttp_new(rx_loop_base(server->loop));
    server->spare = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (!server->evhttp || server->spare < 0)
        return rx_error_set(reterr, server->evhttp ? -errno : -ENOMEM, "cannot set up the HTTP server");
    evhttp_set_allowed_methods(server->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                                   EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
    evhttp_set_max_headers_size(server->evhttp, (ev_ssize_t)server->limits.max_header + 1024);
    evhttp_set_max_body_size(server->evhttp, (ev_ssize_t)server->limits.max_body);
    evhttp_set_default_content_type(server->evhttp, NULL);
    evhttp_set_bevcb(server->evhttp, http_gate_create, server);
    evhttp_set_gencb(server->evhttp, on_request, server);
    return http_listener_open(server, address, reterr);
}

int rx_http_listen(struct rx_loop *loop, const char *address, const struct rx_http_limits *limits,
                   struct rx_http_server **ret, struct rx_error *reterr)
{
    struct rx_http_server *server = calloc(1, sizeof *server);
    if (!server)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *server = (struct rx_http_server){.loop = loop, .limits = effective(limits), .spare = -1};
    int r = init(server, address, reterr);
    if (r) {
        rx_http_destroy(server);
        return r;
    }
    *ret = server;
    return 0;
}

void rx_http_destroy(struct rx_http_server *server)
{
    if (!server)
        return;
    rx_sched_stop(rx_loop_sched(server->loop), &server->resume);
    server->listener = NULL; /* evhttp's to free */
    server->closing = true;
    http_farewell_drop_all(server);
    if (server->evhttp)
        evhttp_free(server->evhttp);
    while (server->connections)
        http_gate_forget(server->connections);
    for (struct http_route *r; (r = server->routes);) {
        server->routes = r->next;
        free(r);
    }
    if (server->spare >= 0)
        close(server->spare);
    free(server->by_fd);
    free(server);
}

unsigned rx_http_port(const struct rx_http_server *server) { return server->port; }

void rx_http_drain(struct rx_http_server *server)
{
    server->draining = true;
    evconnlistener_disable(server->listener);
    for (struct http_connection *c = server->connections, *next; c; c = next) {
        next = c->next;
        http_gate_drain(c);
    }
}

int rx_http_route(struct rx_http_server *server, unsigned allowed, const char *path, rx_http_handler handler, void *arg)
{
    size_t length = strlen(path);
    struct http_route *r = malloc(sizeof *r + length + 1), **at = &server->routes;
    if (!r)
        return -ENOMEM;
    while (*at && (*at)->length > length)
        at = &(*at)->next;
    *r = (struct http_route){.next = *at, .methods = allowed, .handler = handler, .arg = arg, .length = length};
    memcpy(r->path, path, length + 1);
    *at = r;
    return 0;
}

struct rx_http_stats rx_http_stats(const struct rx_http_server *server)
{
    struct rx_http_stats stats = server->stats;
    stats.open += server->taken;
    return stats;
}
