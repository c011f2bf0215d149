/* Where a request may lead: the guard before private addresses, and redirects. */
#include "core/io/client/client_private.h"
#include "core/io/client/guard.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* ---- the guard ---- */

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct rx_fetch *fetch = arg;
    (void)purpose;
    if (rx_guard_is_private(&address->addr)) {
        fetch->refused_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A connection that another request has made may lead where this one must not. */
static int on_connected(void *arg, char *address, char *local, int port, int local_port)
{
    struct rx_fetch *fetch = arg;
    (void)local, (void)port, (void)local_port;
    fetch->refused_address = rx_guard_is_private_text(address);
    return fetch->refused_address ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* A proxy would look names up by itself. */
CURLcode fetch_guard(struct rx_fetch *fetch, bool guarded)
{
    const struct rx_curl *curl = fetch->client->curl;
    curl_opensocket_callback open = guarded ? on_open : NULL;
    curl_prereq_callback connected = guarded ? on_connected : NULL;
    const char *proxy = guarded ? "" : NULL; /* NULL: as the environment says */
    bool set = curl->easy_setopt(fetch->easy, CURLOPT_OPENSOCKETFUNCTION, open) == CURLE_OK &&
               curl->easy_setopt(fetch->easy, CURLOPT_OPENSOCKETDATA, fetch) == CURLE_OK &&
               curl->easy_setopt(fetch->easy, CURLOPT_PREREQFUNCTION, connected) == CURLE_OK &&
               curl->easy_setopt(fetch->easy, CURLOPT_PREREQDATA, fetch) == CURLE_OK;
    return set ? curl->easy_setopt(fetch->easy, CURLOPT_PROXY, proxy) : CURLE_FAILED_INIT;
}

/* ---- redirects ---- */

struct origin {
    char *scheme, *host, *port;
};

static void free_origin(const struct rx_curl *curl, struct origin *o)
{
    curl->free(o->scheme);
    curl->free(o->host);
    curl->free(o->port);
}

static bool read_origin(const struct rx_curl *curl, const char *url, struct origin *ret)
{
    CURLU *parsed = curl->url();
    bool right = parsed && curl->url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                 curl->url_get(parsed, CURLUPART_SCHEME, &ret->scheme, 0) == CURLUE_OK &&
                 curl->url_get(parsed, CURLUPART_HOST, &ret->host, 0) == CURLUE_OK &&
                 curl->url_get(parsed, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    curl->url_cleanup(parsed);
    return right;
}

/* The headers, a token among them perhaps, are meant for one host: only the step from http to https on their usual ports is another
 * origin that is as good. */
static bool is_same(const struct origin *from, const struct origin *to)
{
    if (strcasecmp(from->host, to->host) != 0)
        return false;
    if (strcmp(from->scheme, to->scheme) == 0)
        return strcmp(from->port, to->port) == 0;
    return strcmp(to->scheme, "https") == 0 && strcmp(from->port, "80") == 0 && strcmp(to->port, "443") == 0;
}

enum leads { NOWHERE, TO_THE_SAME, ELSEWHERE };

static bool is_http(const char *scheme) { return strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0; }

static enum leads leads(const struct rx_fetch *fetch, const char *from, const char *to)
{
    const struct rx_curl *curl = fetch->client->curl;
    struct origin a = {0}, b = {0};
    enum leads result = NOWHERE;
    if (read_origin(curl, from, &a) && read_origin(curl, to, &b)) {
        bool less_secure = strcmp(a.scheme, "https") == 0 && strcmp(b.scheme, "https") != 0;
        if (is_same(&a, &b))
            result = TO_THE_SAME;
        else if (fetch->options.redirects && is_http(b.scheme) && !less_secure)
            result = ELSEWHERE;
    }
    free_origin(curl, &a);
    free_origin(curl, &b);
    return result;
}

static bool is_header(const char *line, const char *name)
{
    size_t length = strlen(name);
    return strncasecmp(line, name, length) == 0 && (line[length] == ':' || line[length] == ';');
}

static bool stays(const char *line, bool elsewhere, bool bare)
{
    if (is_header(line, "Content-Type"))
        return !bare;
    return !elsewhere || is_header(line, "Accept") || is_header(line, "Expect");
}

static bool leave_headers_out(struct rx_fetch *fetch, bool elsewhere, bool bare)
{
    const struct rx_curl *curl = fetch->client->curl;
    struct curl_slist *kept = NULL, *longer;
    for (const struct curl_slist *line = fetch->headers; line; line = line->next) {
        if (!stays(line->data, elsewhere, bare))
            continue;
        longer = curl->slist_append(kept, line->data);
        if (!longer) {
            curl->slist_free_all(kept);
            return false;
        }
        kept = longer;
    }
    bool set = curl->easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, kept) == CURLE_OK;
    curl->slist_free_all(set ? fetch->headers : kept);
    if (set)
        fetch->headers = kept;
    return set;
}

static bool becomes_get(const struct rx_fetch *fetch)
{
    long status = 0;
    fetch->client->curl->easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    return !fetch->gets && (status == 303 || (fetch->posts && (status == 301 || status == 302)));
}

static bool make_get(struct rx_fetch *fetch)
{
    const struct rx_curl *curl = fetch->client->curl;
    fetch->gets = true;
    fetch->posts = false;
    return curl->easy_setopt(fetch->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
           curl->easy_setopt(fetch->easy, CURLOPT_CUSTOMREQUEST, (char *)NULL) == CURLE_OK;
}

/* What is sent there, and what it may be. */
static bool turn(struct rx_fetch *fetch, const char *to, bool elsewhere)
{
    const struct rx_fetch_options *o = &fetch->options;
    bool bare = becomes_get(fetch);
    if ((elsewhere || bare) && !leave_headers_out(fetch, elsewhere, bare))
        return false;
    if (bare && !make_get(fetch))
        return false;
    if (!elsewhere)
        return true;
    bool trusted = o->may_be_private && o->may_be_private(o->arg, to);
    return fetch_guard(fetch, !trusted) == CURLE_OK;
}

bool fetch_follow(struct rx_fetch *fetch)
{
    const struct rx_curl *curl = fetch->client->curl;
    const char *from = NULL, *to = NULL;
    if (!fetch->redirects || !fetch->headed || fetch->told || fetch->result != CURLE_OK)
        return false;
    curl->easy_getinfo(fetch->easy, CURLINFO_EFFECTIVE_URL, &from);
    curl->easy_getinfo(fetch->easy, CURLINFO_REDIRECT_URL, &to);
    enum leads where = from && to ? leads(fetch, from, to) : NOWHERE;
    if (where == NOWHERE || !turn(fetch, to, where == ELSEWHERE) ||
        curl->easy_setopt(fetch->easy, CURLOPT_URL, to) != CURLE_OK)
        return false;
    fetch->redirects--;
    fetch->headed = fetch->finished = false;
    fetch->head_bytes = 0;
    rx_buffer_clear(&fetch->body);
    if (curl->multi_add_handle(fetch->client->multi, fetch->easy) == CURLM_OK)
        return true;
    fetch->finished = true;
    fetch->result = CURLE_OUT_OF_MEMORY;
    return false;
}
