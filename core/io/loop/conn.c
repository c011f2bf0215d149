/* Connections, and the class of those over a plain descriptor. */
#include "core/io/loop/conn.h"

#include "core/io/loop/loop_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct conn_class {
    ssize_t (*read)(struct rx_conn *, void *data, size_t size);
    ssize_t (*writev)(struct rx_conn *, const struct iovec *, unsigned count);
    void (*end)(struct rx_conn *);
    void (*close)(struct rx_conn *);
};

struct rx_conn {
    const struct conn_class *class;
    rx_conn_fn ready;
    void *arg;
    struct rx_watch watch;
};

/* ---- over a descriptor ---- */

static bool is_passing(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

static ssize_t outcome(ssize_t n) { return n >= 0 ? n : is_passing(errno) ? -EAGAIN : -errno; }

static ssize_t fd_read(struct rx_conn *c, void *data, size_t size)
{
    ssize_t n;
    do
        n = recv(c->watch.fd, data, size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

static ssize_t fd_writev(struct rx_conn *c, const struct iovec *iov, unsigned count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count};
    ssize_t n;
    do
        n = sendmsg(c->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

static void fd_end(struct rx_conn *c) { shutdown(c->watch.fd, SHUT_WR); }

static void fd_close(struct rx_conn *c) { close(c->watch.fd); }

static const struct conn_class over_fd = {.read = fd_read, .writev = fd_writev, .end = fd_end, .close = fd_close};

/* ---- any ---- */

static void on_ready(void *arg, int fd, unsigned events)
{
    struct rx_conn *c = arg;
    (void)fd;
    if (c->ready)
        c->ready(c->arg, events);
}

int rx_conn_of_fd(struct rx_loop *loop, int fd, struct rx_conn **ret)
{
    struct rx_conn *c = malloc(sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct rx_conn){.class = &over_fd};
    rx_watch_init(&c->watch, loop, fd, on_ready, c);
    *ret = c;
    return 0;
}

void rx_conn_set_owner(struct rx_conn *c, rx_conn_fn ready, void *arg)
{
    c->ready = ready;
    c->arg = arg;
}

int rx_conn_watch(struct rx_conn *c, unsigned events) { return rx_watch_set(&c->watch, events); }
ssize_t rx_conn_read(struct rx_conn *c, void *data, size_t size) { return c->class->read(c, data, size); }
ssize_t rx_conn_writev(struct rx_conn *c, const struct iovec *iov, unsigned n) { return c->class->writev(c, iov, n); }
void rx_conn_end(struct rx_conn *c) { c->class->end(c); }
int rx_conn_fd(const struct rx_conn *c) { return c->watch.fd; }

void rx_conn_close(struct rx_conn *c)
{
    if (!c)
        return;
    rx_watch_finish(&c->watch);
    c->class->close(c);
    free(c);
}
