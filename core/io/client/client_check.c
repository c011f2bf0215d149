/* URLs and headers as configs and templates give them: what is wrong with them, and what may be shown of them. */
#include "core/io/client/client.h"

#include "core/io/net/header.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Behind "http://" or "https://"; NULL: it begins otherwise. */
static const char *behind_scheme(const char *url)
{
    if (strncasecmp(url, "http://", 7) == 0)
        return url + 7;
    return strncasecmp(url, "https://", 8) == 0 ? url + 8 : NULL;
}

/* The host and all behind it: without the user and password. */
static const char *host_of(const char *authority)
{
    const char *end = authority + strcspn(authority, "/?#"), *host = authority;
    for (const char *c = authority; c < end; c++)
        if (*c == '@')
            host = c + 1;
    return host;
}

int rx_client_check_url(const char *url, struct rx_error *reterr)
{
    const char *authority = behind_scheme(url), *host = authority ? host_of(authority) : NULL;
    if (!authority) {
        rx_error_set(reterr, -EINVAL, "a URL begins with http:// or https://");
        rx_error_hint(reterr, "for example http://127.0.0.1:9000/path");
        return -EINVAL;
    }
    if (strcspn(host, "/?#:") == 0)
        return rx_error_set(reterr, -EINVAL, "the URL names no host");
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 127)
            return rx_error_set(reterr, -EINVAL, "a URL holds no blanks or control characters");
    return 0;
}

int rx_client_check_header(const char *name, const char *text, struct rx_error *reterr)
{
    static const char *const own[] = {"Connection", "Content-Length", "Expect", "Host", "Transfer-Encoding", NULL};
    return rx_net_check_header(name, text, own, reterr);
}

int rx_client_check_headers(const struct rx_pairs *headers, struct rx_error *reterr)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < headers->count; i++)
        r = rx_client_check_header(headers->names[i], headers->texts[i], reterr);
    return r;
}

static bool is_text(const char *text, const char *other, size_t length)
{
    return strlen(text) == length && strncasecmp(text, other, length) == 0;
}

bool rx_client_url_is_of(const char *url, const struct rx_strings *hosts)
{
    const char *authority = behind_scheme(url), *host = authority ? host_of(authority) : "";
    size_t whole = strcspn(host, "/?#"), length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, "/?#:");
    for (size_t i = 0; i < hosts->count; i++) {
        const char *item = hosts->items[i];
        if (is_text(item, host, length) || is_text(item, host, whole) ||
            (*host == '[' && length > 2 && is_text(item, host + 1, length - 2)))
            return true;
    }
    return false;
}

void rx_client_name_url(const char *url, char *out, size_t size)
{
    const char *authority = behind_scheme(url);
    if (!authority) {
        snprintf(out, size, "an odd URL");
        return;
    }
    const char *host = host_of(authority);
    snprintf(out, size, "%.*s%.*s", (int)(authority - url), url, (int)strcspn(host, "?#"), host);
}
