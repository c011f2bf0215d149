/* Connecting on a thread of its own. */
#include "core/io/net/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io/loop/errand.h"

enum { CONNECT_MS = 10000 }; /* for each address */

struct rx_dial {
    struct rx_errand errand;
    int fd;
    char why[160];
    char host[256], port[8];
};

static void orphaned(struct rx_errand *errand)
{
    struct rx_dial *dial = (struct rx_dial *)errand;
    if (dial->fd >= 0)
        close(dial->fd);
    free(dial);
}

static int wait_connected(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    int r = poll(&ready, 1, CONNECT_MS);
    if (r == 0)
        return -ETIMEDOUT;
    if (r < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

/* A connected socket, or negative errno. */
static int try_address(const struct addrinfo *address)
{
    int on = 1, r = 0;
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        r = errno == EINPROGRESS ? wait_connected(fd) : -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static int look_up_and_connect(struct rx_dial *dial)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *addresses = NULL;
    int code = getaddrinfo(dial->host, dial->port, &hints, &addresses);
    if (code != 0) {
        snprintf(dial->why, sizeof dial->why, "cannot find the host %.80s: %s", dial->host,
                 code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
        return -1;
    }
    int fd = -EHOSTUNREACH;
    for (const struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next)
        fd = try_address(a);
    freeaddrinfo(addresses);
    if (fd < 0)
        snprintf(dial->why, sizeof dial->why, "%.80s, port %s: %s", dial->host, dial->port, strerror(-fd));
    return fd < 0 ? -1 : fd;
}

static void work(struct rx_errand *errand)
{
    struct rx_dial *dial = (struct rx_dial *)errand;
    dial->fd = look_up_and_connect(dial);
}

int rx_dial_start(struct rx_wake *wake, const char *host, int port, struct rx_dial **ret)
{
    struct rx_dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return -ENOMEM;
    snprintf(dial->host, sizeof dial->host, "%s", host);
    snprintf(dial->port, sizeof dial->port, "%d", port);
    int r = rx_errand_start(&dial->errand, wake, work, orphaned);
    if (r < 0)
        free(dial);
    else
        *ret = dial;
    return r;
}

bool rx_dial_finish(struct rx_dial *dial, int *ret_fd, char *why, size_t why_size)
{
    if (!rx_errand_take(&dial->errand))
        return false;
    *ret_fd = dial->fd;
    snprintf(why, why_size, "%s", dial->why);
    free(dial);
    return true;
}

void rx_dial_abandon(struct rx_dial *dial)
{
    if (dial && rx_errand_abandon(&dial->errand))
        orphaned(&dial->errand);
}
