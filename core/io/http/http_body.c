/* What is held of request bodies, and of whose: bounded for each client and in all. */
#include "core/io/http/http_private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 4096 };

/* IPv4 as it is mapped into IPv6; of IPv6 the network, since a host may have all of it. */
static void address_of(const struct sockaddr *peer, unsigned char ret[static 16])
{
    memset(ret, 0, 16);
    if (peer->sa_family == AF_INET) {
        ret[10] = ret[11] = 0xFF;
        memcpy(ret + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    } else if (peer->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
        memcpy(ret, v6, IN6_IS_ADDR_V4MAPPED(v6) ? 16 : 8);
    }
}

static struct http_client **place_of(struct rx_http_server *server, const unsigned char address[static 16])
{
    unsigned hash = 0;
    for (unsigned i = 0; i < 16; i++)
        hash = hash * 31 + address[i];
    struct http_client **at = &server->clients[hash % HTTP_CLIENTS];
    while (*at && memcmp((*at)->address, address, 16) != 0)
        at = &(*at)->next;
    return at;
}

struct http_client *http_client_get(struct rx_http_server *server, const struct sockaddr *peer)
{
    unsigned char address[16];
    address_of(peer, address);
    struct http_client **at = place_of(server, address);
    if (*at)
        return http_client_ref(*at);
    struct http_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->uses = 1;
    memcpy(client->address, address, sizeof address);
    return *at = client;
}

struct http_client *http_client_ref(struct http_client *client)
{
    client->uses++;
    return client;
}

void http_client_unref(struct rx_http_server *server, struct http_client *client)
{
    if (!client || --client->uses > 0)
        return;
    *place_of(server, client->address) = client->next;
    free(client);
}

static size_t grown(const struct rx_http_request *request, size_t need)
{
    size_t most = request->body_expected ? request->body_expected : request->server->limits.max_body;
    size_t capacity = request->body_capacity ? request->body_capacity * 2 : FIRST;
    capacity = capacity < most ? capacity : most;
    return capacity < need ? need : capacity;
}

int http_request_reserve(struct rx_http_request *request, size_t more, const char **ret_reason)
{
    struct rx_http_server *server = request->server;
    size_t need = request->body_length + more;
    if (need <= request->body_capacity)
        return 0;
    size_t capacity = grown(request, need), added = capacity - request->body_capacity;
    *ret_reason = "the bodies of this client's requests take too much memory together; send fewer at a time";
    if (request->client->held + added > server->limits.max_client_bodies)
        return 429;
    *ret_reason = "the bodies of all requests take too much memory together; try again";
    if (server->stats.held + added > server->limits.max_bodies)
        return 503;
    char *moved = realloc(request->body, capacity);
    *ret_reason = "out of memory";
    if (!moved)
        return 503;
    request->body = moved;
    request->body_capacity = capacity;
    request->held += added;
    request->client->held += added;
    server->stats.held += added;
    return 0;
}

void http_request_release(struct rx_http_request *request)
{
    if (!request->server)
        return;
    request->client->held -= request->held;
    request->server->stats.held -= request->held;
    request->held = 0;
}
