// layer: io
/* URLs of what we connect to: what is taken can be written into a request. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/net/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rx_net_address address;
    struct rx_error error = {0};
    char *url = malloc(size + 6);
    memcpy(url, "ws://", 5);
    memcpy(url + 5, data, size);
    url[size + 5] = '\0';
    int r = rx_net_parse_url(url, rx_net_websocket_schemes, &address, &error);
    if (r == 0 && (!address.host[0] || address.port < 1 || address.port > 65535 || strpbrk(address.path, " \r\n\t") ||
                   strpbrk(address.host, " \r\n\t/@") || (address.path[0] && address.path[0] != '/')))
        abort();
    if (r < 0 && !error.message[0])
        abort();
    free(url);
    return 0;
}
