/* Headers of requests. */
#include "core/io/net/header.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

bool rx_net_is_token(const char *text)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return *text && text[strspn(text, token)] == '\0';
}

int rx_net_check_header(const char *name, const char *text, const char *const *own, struct rx_error *reterr)
{
    if (!rx_net_is_token(name))
        return rx_error_set(reterr, -EINVAL, "\"%.60s\" is no name of a header", name);
    for (const char *const *o = own; *o; o++)
        if (strcasecmp(name, *o) == 0)
            return rx_error_set(reterr, -EINVAL, "the header %s is written by rxd itself", *o);
    for (const char *c = text; *c; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 127)
            return rx_error_set(reterr, -EINVAL, "the header %.60s holds a control character, such as a line break",
                                name);
    return 0;
}
