/* The options of what reads over HTTP, and its headers. */
#include "core/io/client/target.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const struct rx_option options[] = {
    {.name = "headers",
     .help =
         "headers of each request: {Authorization: \"Bearer ${TOKEN}\"}; they are sent to the host of the url alone",
     .type = RX_OPTION_PAIRS,
     .offset = RX_AT(struct rx_client_target, headers, struct rx_pairs)},
    {.name = "tls",
     .help = "whom to trust, and who we are, with https",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct rx_client_target, tls, struct rx_tls_options),
     .group = &rx_tls_class,
     .given = RX_AT(struct rx_client_target, tls_given, bool)},
    {0},
};

const struct rx_class rx_client_target_class = {
    .name = "target", .options = options, .state_size = sizeof(struct rx_client_target)};

int rx_client_target_check(const struct rx_client_target *to, struct rx_error *reterr)
{
    if (to->headers.count > RX_TARGET_HEADERS_MAX)
        return rx_error_set(reterr, -EINVAL, "headers: %zu of them; at most %d", to->headers.count,
                            RX_TARGET_HEADERS_MAX);
    int r = to->url ? rx_client_check_url(to->url, reterr) : 0; /* that it is missing has been told */
    return r == 0 ? rx_client_check_headers(&to->headers, reterr) : r;
}

void rx_client_headers_begin(struct rx_client_headers *headers, const struct rx_client_target *to)
{
    headers->count = to->headers.count;
    for (size_t i = 0; i < headers->count; i++) {
        headers->names[i] = to->headers.names[i];
        headers->texts[i] = to->headers.texts[i];
    }
}

void rx_client_headers_add(struct rx_client_headers *headers, const char *name, const char *text)
{
    bool there = !*text || headers->count == sizeof headers->names / sizeof *headers->names;
    for (size_t i = 0; i < headers->count && !there; i++)
        there = strcasecmp(headers->names[i], name) == 0;
    if (there)
        return;
    headers->names[headers->count] = name;
    headers->texts[headers->count++] = text;
}

struct rx_pairs rx_client_headers_pairs(const struct rx_client_headers *headers)
{
    return (struct rx_pairs){.names = headers->names, .texts = headers->texts, .count = headers->count};
}
