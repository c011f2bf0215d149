/* URLs (RFC 3986), as far as a connection needs them. */
#include "core/io/net/address.h"

#include <errno.h>
#include <string.h>

const struct rx_net_scheme rx_net_websocket_schemes[] = {
    {"ws://", 80, false, true},
    {"wss://", 443, true, true},
    {0},
};

static int parse_port(const char *text, size_t length, int *ret, struct rx_error *reterr)
{
    long port = 0;
    for (size_t i = 0; i < length && port <= 65535; i++)
        port = text[i] >= '0' && text[i] <= '9' ? port * 10 + (text[i] - '0') : 65536;
    if (length == 0 || port < 1 || port > 65535)
        return rx_error_set(reterr, -EINVAL, "url: the port must be 1 to 65535, not \"%.*s\"", (int)length, text);
    *ret = (int)port;
    return 0;
}

/* What could end a line of the request. */
static int parse_path(const char *text, struct rx_net_address *address, struct rx_error *reterr)
{
    size_t length = strcspn(text, "#");
    bool bare = *text == '?';
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7F || length + bare >= sizeof address->path)
            return rx_error_set(reterr, -EINVAL, "url: \"%.100s\" cannot be a path", text);
    address->path[0] = bare ? '/' : '\0';
    memcpy(address->path + bare, text, length);
    address->path[length + bare] = '\0';
    return 0;
}

static int parse_authority(const char *url, const char *host, struct rx_net_address *address, const char **ret_behind,
                           struct rx_error *reterr)
{
    bool bracketed = *host == '[';
    host += bracketed;
    size_t length = strcspn(host, bracketed ? "]/?#@" : ":/?#@");
    const char *behind = host + length + (bracketed && host[length] == ']');
    if (memchr(host, '@', strcspn(host, "/?#")))
        return rx_error_set(reterr, -EINVAL, "url: no user and password belong into it");
    if (length == 0 || length >= sizeof address->host || (bracketed && host[length] != ']'))
        return rx_error_set(reterr, -EINVAL, "url: no host in \"%.100s\"", url);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)host[i] <= ' ' || host[i] == 0x7F)
            return rx_error_set(reterr, -EINVAL, "url: no host in \"%.100s\"", url);
    if (*behind && !strchr(":/?#", *behind))
        return rx_error_set(reterr, -EINVAL, "url: \"%.100s\" cannot stand behind the host", behind);
    memcpy(address->host, host, length);
    *ret_behind = behind;
    if (*behind != ':')
        return 0;
    size_t digits = strcspn(behind + 1, "/?#");
    *ret_behind = behind + 1 + digits;
    return parse_port(behind + 1, digits, &address->port, reterr);
}

int rx_net_parse_url(const char *url, const struct rx_net_scheme *schemes, struct rx_net_address *ret,
                     struct rx_error *reterr)
{
    const struct rx_net_scheme *scheme = schemes;
    while (scheme->prefix && strncmp(url, scheme->prefix, strlen(scheme->prefix)) != 0)
        scheme++;
    if (!scheme->prefix)
        return -ENOENT;
    struct rx_net_address address = {.tls = scheme->tls, .websocket = scheme->websocket, .port = scheme->port};
    const char *behind = "";
    int r = parse_authority(url, url + strlen(scheme->prefix), &address, &behind, reterr);
    if (r == 0)
        r = parse_path(behind, &address, reterr);
    if (r == 0)
        *ret = address;
    return r;
}
