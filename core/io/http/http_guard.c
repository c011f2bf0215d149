/* The guard against pages of other sites, which can make their visitor's browser ask anything.
 *
 * A name that anyone may point at this address (DNS rebinding) is no name of ours: Host must be an address, a loopback
 * name or in `hosts`. A page tells where it comes from in Origin: that must be this server, or in `origins`. */
#include "core/io/http/http_private.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_among(struct rx_strings list, const char *text, size_t length)
{
    for (size_t i = 0; i < list.count; i++)
        if (strlen(list.items[i]) == length && strncasecmp(list.items[i], text, length) == 0)
            return true;
    return false;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t n = strlen(end);
    return length > n && strncasecmp(text + length - n, end, n) == 0;
}

static bool is_address(const char *host, size_t length)
{
    char text[INET6_ADDRSTRLEN + 1];
    unsigned char bytes[16];
    bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    size_t n = bracketed ? length - 2 : length;
    if (n >= sizeof text)
        return false;
    memcpy(text, host + bracketed, n);
    text[n] = 0;
    return inet_pton(bracketed ? AF_INET6 : AF_INET, text, bytes) == 1;
}

/* Without its port. */
static size_t name_length(const char *host)
{
    const char *bracket = *host == '[' ? strchr(host, ']') : NULL;
    return bracket ? (size_t)(bracket + 1 - host) : strcspn(host, ":");
}

static bool is_port(const char *rest)
{
    return !*rest || (*rest == ':' && strspn(rest + 1, "0123456789") == strlen(rest + 1));
}

static bool is_ours(const struct rx_http_request *request)
{
    size_t length = name_length(request->host);
    if (!is_port(request->host + length))
        return false;
    return is_address(request->host, length) || (length == 9 && strncasecmp(request->host, "localhost", 9) == 0) ||
           ends_with(request->host, length, ".localhost") ||
           is_among(request->server->limits.hosts, request->host, length);
}

/* What a page sees of a server that it reached by Host. */
static bool is_same(const struct rx_http_request *request, const char *origin)
{
    const char *authority = strstr(origin, "://");
    return authority && strcasecmp(authority + 3, request->host) == 0;
}

static bool is_allowed(const struct rx_http_request *request, const char *origin)
{
    struct rx_strings origins = request->server->limits.origins;
    return is_among(origins, "*", 1) || is_among(origins, origin, strlen(origin));
}

/* The Fetch standard: what a browser must read before it shows an answer to such a page. */
static void allow(struct rx_http_request *request, const char *origin)
{
    rx_http_set_header(request, "Access-Control-Allow-Origin", origin);
    rx_http_set_header(request, "Access-Control-Expose-Headers", "Rxd-Last-Id, Rxd-Missed, Retry-After");
    rx_http_set_header(request, "Vary", "Origin");
    if (request->method != RX_HTTP_OPTIONS || !rx_http_header(request, "Access-Control-Request-Method"))
        return;
    rx_http_set_header(request, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE");
    rx_http_set_header(request, "Access-Control-Allow-Headers", "Content-Type, Last-Event-ID");
    rx_http_set_header(request, "Access-Control-Max-Age", "600");
}

bool http_guard(struct rx_http_request *request)
{
    const char *origin = rx_http_header(request, "Origin");
    bool nameless = !*request->host && request->old && !origin; /* no browser */
    if (!nameless && !is_ours(request)) {
        rx_http_reply_error(request, 403,
                            "\"%.100s\" is not a name of this server: ask by address, or list the name in http.hosts",
                            request->host);
        return false;
    }
    if (!origin || is_same(request, origin))
        return true;
    if (!is_allowed(request, origin)) {
        rx_http_reply_error(
            request, 403, "pages of \"%.100s\" may not ask here: list the origin in http.cors if they should", origin);
        return false;
    }
    allow(request, origin);
    return true;
}
