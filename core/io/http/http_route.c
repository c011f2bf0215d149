/* From a request to its handler: what of it can be refused before its body is read is refused here. */
#include "core/io/http/http_private.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add(struct rx_http_server *server, const struct rx_http_route *route, void *arg)
{
    struct http_served *s = malloc(sizeof *s), **at = &server->routes;
    if (!s)
        return -ENOMEM;
    *s = (struct http_served){.route = route, .arg = arg, .length = strlen(route->path)};
    while (*at && (*at)->length >= s->length)
        at = &(*at)->next;
    s->next = *at;
    *at = s;
    return 0;
}

int rx_http_routes(struct rx_http_server *server, const struct rx_http_route *rows, size_t count, void *arg)
{
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++)
        r = add(server, &rows[i], arg);
    return r;
}

static bool fits(const struct http_served *s, const char *path)
{
    bool prefix = s->length && s->route->path[s->length - 1] == '/';
    return strncmp(s->route->path, path, s->length) == 0 && (prefix || !path[s->length]);
}

/* The methods of all rows with the longest path that fits; 0: there is none. */
static unsigned find(struct rx_http_request *request)
{
    unsigned allowed = 0;
    size_t length = 0;
    for (const struct http_served *s = request->server->routes; s; s = s->next) {
        if (!fits(s, request->path) || (allowed && s->length != length))
            continue;
        unsigned methods = s->route->methods | (s->route->methods & RX_HTTP_GET ? RX_HTTP_HEAD : 0u);
        length = s->length;
        allowed |= methods;
        if (!request->served && (methods & request->method))
            request->served = s;
    }
    return allowed;
}

static void refuse_method(struct rx_http_request *request, unsigned allowed)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
    char list[64] = "OPTIONS";
    size_t length = strlen(list);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (allowed & 1u << i)
            length += (size_t)snprintf(list + length, sizeof list - length, ", %s", names[i]);
    rx_http_set_header(request, "Allow", list);
    if (request->method == RX_HTTP_OPTIONS)
        rx_http_reply(request, 204, NULL, NULL, 0);
    else
        rx_http_reply_error(request, 405, "this path answers %s only", list);
}

/* A parameter that the route does not have, or that stands there twice. */
static const char *stray_of(const struct rx_http_request *request, const char *const *known)
{
    for (const struct http_pair *pair = request->query; pair->name; pair++) {
        const char *nearest = rx_nearest(pair->name, known);
        if (!nearest || strcmp(nearest, pair->name) != 0)
            return pair->name;
        for (const struct http_pair *other = request->query; other < pair; other++)
            if (strcmp(other->name, pair->name) == 0)
                return pair->name;
    }
    return NULL;
}

/* ": there are a, b and c". */
static void write_list(struct rx_buffer *out, const char *const *known)
{
    rx_buffer_text(out, known[0] ? "; there are " : "; there are none here");
    for (size_t i = 0; known[i]; i++)
        rx_buffer_printf(out, "%s%s", i == 0 ? "" : known[i + 1] ? ", " : " and ", known[i]);
}

static json_t *members_of(const char *stray, const char *const *known)
{
    json_t *members = json_pack("{s:s*, s:[]}", "parameter", stray, "parameters");
    for (size_t i = 0; members && known[i]; i++)
        json_array_append_new(json_object_get(members, "parameters"), json_string(known[i]));
    return members;
}

static bool has_only_known_parameters(struct rx_http_request *request)
{
    static const char *const none[] = {NULL};
    const char *const *known = request->served->route->parameters ? request->served->route->parameters : none;
    const char *stray = stray_of(request, known), *nearest = stray ? rx_nearest(stray, known) : NULL;
    struct rx_buffer text = {0};
    if (!stray)
        return true;
    if (nearest && strcmp(nearest, stray) == 0) {
        rx_buffer_text(&text, "it is given twice");
    } else {
        rx_buffer_printf(&text, "there is no such parameter%s%s", nearest ? "; did you mean " : "",
                         nearest ? nearest : "");
        write_list(&text, known);
    }
    rx_http_reply_problem_take(request, 400, members_of(stray, known), "%.60s: %.*s", stray, (int)text.length,
                               text.data ? text.data : "");
    rx_buffer_finish(&text);
    return false;
}

bool http_admit(struct rx_http_request *request)
{
    if (!http_guard(request))
        return false;
    unsigned allowed = find(request);
    if (request->served)
        return has_only_known_parameters(request);
    if (allowed || strcmp(request->path, "*") == 0)
        refuse_method(request, allowed);
    else
        rx_http_reply_error(request, 404, "there is nothing at %s", request->path);
    return false;
}

void http_serve(struct rx_http_request *request)
{
    request->tail_offset = request->served->length;
    request->served->route->handler(request->served->arg, request);
}
