/* The listening socket: addresses in words, and accepting that pauses while no descriptor is left. */
#include "core/io/http/http_internal.h"

#include <errno.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };
static const rx_time PAUSE = 100 * RX_MSEC;
static const rx_time BEAT = 1 * RX_SEC;

static void resume_in(struct rx_http_server *server, rx_time delay)
{
    struct rx_sched *sched = rx_loop_sched(server->loop);
    rx_sched_arm(sched, &server->resume, rx_loop_clock(server->loop) + delay);
}

void http_listener_resume(struct rx_http_server *server)
{
    if (server->listener && !server->draining)
        evconnlistener_enable(server->listener);
}

static void on_resume(struct rx_timer *timer)
{
    struct rx_http_server *server = (void *)((char *)timer - offsetof(struct rx_http_server, resume));
    http_listener_resume(server);
    resume_in(server, BEAT);
}

/* The accept itself failed, which the check after each accept makes rare. evhttp's argument tells no server: the beat
 * resumes. */
static void on_accept_error(struct evconnlistener *listener, void *evhttp)
{
    (void)evhttp;
    evconnlistener_disable(listener);
}

void http_listener_check(struct rx_http_server *server)
{
    int probe = fcntl(server->spare, F_DUPFD_CLOEXEC, 0);
    if (probe >= 0) {
        close(probe);
        return;
    }
    evconnlistener_disable(server->listener);
    resume_in(server, PAUSE);
}

static int bind_to(const struct addrinfo *at)
{
    int on = 1, off = 0;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
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
    server->port = port_of(fd);
    struct evconnlistener *listener = evconnlistener_new(rx_loop_base(server->loop), NULL, NULL,
                                                         LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!listener) {
        close(fd);
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    }
    if (!evhttp_bind_listener(server->evhttp, listener)) {
        evconnlistener_free(listener);
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    }
    evconnlistener_set_error_cb(listener, on_accept_error);
    server->listener = listener;
    server->resume.fire = on_resume;
    resume_in(server, BEAT);
    return 0;
}
