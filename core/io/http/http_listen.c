/* The listening socket: addresses in words, and accepting that leaves descriptors for the rest of the process. */
#include "core/io/http/http_private.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    BATCH = 256,  /* accepted in a row */
    RESERVE = 64, /* descriptors for brokers, files, and telling clients that there are too many */
    EXCESS = 16   /* clients that are told so at a time; the others are closed at once */
};
static const rx_time PAUSE = 100 * RX_MSEC;

struct http_listener {
    struct rx_http_server *server;
    struct rx_watch *watch;
    struct rx_timer resume; /* accepts again after a pause */
    int fd;
};

/* The lowest free descriptor is taken for each: its number tells how many there are. */
static bool is_reserved(int fd)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur == RLIM_INFINITY)
        return false;
    rlim_t reserve = files.rlim_cur / 4 < RESERVE ? files.rlim_cur / 4 : RESERVE;
    return (rlim_t)fd >= files.rlim_cur - reserve;
}

static void take_in(struct rx_http_server *server, int fd, const struct sockaddr *peer)
{
    bool excess = server->stats.open - server->excess + server->taken >= server->limits.max_connections;
    excess = excess || is_reserved(fd);
    if (excess && server->excess >= EXCESS) {
        server->stats.refused++;
        close(fd);
        return;
    }
    http_connection_open(server, fd, peer, excess);
}

/* Without a free descriptor the socket would stay ready for ever. */
static void pause_for_a_while(struct http_listener *l)
{
    struct rx_loop *loop = l->server->loop;
    rx_watch_set(l->watch, 0);
    rx_sched_arm(rx_loop_sched(loop), &l->resume, rx_loop_clock(loop) + PAUSE);
}

static bool is_passing(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO || error == EPERM;
}

static void on_connections(void *arg, int fd, unsigned events)
{
    struct http_listener *l = arg;
    (void)events;
    for (unsigned i = 0; i < BATCH; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t length = sizeof peer;
        int got = accept4(fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (got >= 0)
            take_in(l->server, got, (struct sockaddr *)&peer);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        else if (!is_passing(errno)) {
            pause_for_a_while(l);
            return;
        }
    }
}

void http_listener_resume(struct rx_http_server *server)
{
    struct http_listener *l = server->listener;
    if (!l || !rx_timer_armed(&l->resume))
        return;
    rx_sched_stop(rx_loop_sched(server->loop), &l->resume);
    rx_watch_set(l->watch, RX_READABLE);
}

static void on_resume(struct rx_timer *timer)
{
    struct http_listener *l = (void *)((char *)timer - offsetof(struct http_listener, resume));
    rx_watch_set(l->watch, RX_READABLE);
}

static int bind_to(const struct addrinfo *at)
{
    int on = 1, off = 0;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what is accepted inherits it */
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, BACKLOG)) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* "HOST:PORT", "[V6]:PORT", ":PORT". */
static int split_address(const char *address, char host[static 256], char port[static 8], struct rx_error *reterr)
{
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;
    bool bracketed = length >= 2 && address[0] == '[' && address[length - 1] == ']';
    if (!colon || length >= 256 || strlen(colon + 1) >= 8 || !colon[1] ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || strtol(colon + 1, NULL, 10) > 65535 ||
        (!bracketed && memchr(address, ':', length)))
        return rx_error_set(reterr, -EINVAL,
                            "\"%s\" is not an address to listen on, such as 127.0.0.1:8088 or [::1]:8088", address);
    snprintf(host, 256, "%.*s", (int)(length - (bracketed ? 2 : 0)), address + (bracketed ? 1 : 0));
    snprintf(port, 8, "%s", colon + 1);
    return 0;
}

int rx_http_check_address(const char *address, struct rx_error *reterr)
{
    char host[256], port[8];
    return split_address(address, host, port, reterr);
}

/* Without a host all addresses: IPv6 first, whose socket takes IPv4 too. */
static int open_socket(const char *address, struct rx_error *reterr)
{
    char host[256], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list = NULL;
    int r = split_address(address, host, port, reterr);
    if (r)
        return r;
    int failure = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (failure)
        return rx_error_set(reterr, -EADDRNOTAVAIL, "cannot listen on %s: %s", address, gai_strerror(failure));
    r = -EADDRNOTAVAIL;
    for (int want_v6 = *host ? -1 : 1; want_v6 >= -1 && r < 0; want_v6 -= *host ? 2 : 1)
        for (struct addrinfo *at = list; at && r < 0; at = at->ai_next)
            if (want_v6 < 0 || (at->ai_family == AF_INET6) == (want_v6 == 1))
                r = bind_to(at);
    freeaddrinfo(list);
    return r >= 0 ? r : rx_error_set(reterr, r, "cannot listen on %s: %s", address, strerror(-r));
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    char port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&name, &length) == 0)
        getnameinfo((struct sockaddr *)&name, length, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    return (unsigned)strtoul(port, NULL, 10);
}

int http_listener_open(struct rx_http_server *server, const char *address, struct rx_error *reterr)
{
    int fd = open_socket(address, reterr);
    if (fd < 0)
        return fd;
    struct http_listener *l = calloc(1, sizeof *l);
    if (!l || rx_watch_create(server->loop, fd, RX_READABLE, on_connections, l, &l->watch) < 0) {
        free(l);
        close(fd);
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    }
    l->server = server;
    l->fd = fd;
    l->resume.fire = on_resume;
    server->port = port_of(fd);
    server->listener = l;
    return 0;
}

void http_listener_close(struct rx_http_server *server)
{
    struct http_listener *l = server->listener;
    if (!l)
        return;
    rx_sched_stop(rx_loop_sched(server->loop), &l->resume);
    rx_watch_destroy(l->watch);
    close(l->fd);
    free(l);
    server->listener = NULL;
}
