// layer: io
/* Fan-out: deliveries a second of 120-byte SSE frames to many subscribers over loopback TCP, on one core.
 *
 * A child process reads all ends; the CPU of this process is what the figure is about, and is printed beside the time.
 * fanout [SUBSCRIBERS FRAMES_A_FLUSH [KIND [DELIVERIES]]]; without arguments the four cases of the plan. */
#include "core/io/serve/fanout.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FEW = 600000, MANY = 6000000 }; /* deliveries */

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static size_t resident_bytes(void)
{
    size_t pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%zu %zu", &pages, &resident) != 2)
        fail("statm");
    fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Connects `n` times and reads all that comes until each end has closed. */
static void read_all(struct sockaddr_in address, unsigned n)
{
    int poll = epoll_create1(0);
    for (unsigned i = 0; i < n; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
            fail("connect");
        fcntl(fd, F_SETFL, O_NONBLOCK);
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    }
    static char buffer[1 << 20];
    while (n) {
        struct epoll_event ready[256];
        int count = epoll_wait(poll, ready, 256, -1);
        for (int i = 0; i < count; i++)
            if (recv(ready[i].data.fd, buffer, sizeof buffer, MSG_TRUNC) <= 0) {
                close(ready[i].data.fd);
                n--;
            }
    }
    _exit(0);
}

static int listen_anywhere(struct sockaddr_in *ret)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof *ret;
    if (fd < 0 || bind(fd, (struct sockaddr *)ret, length) < 0 || listen(fd, 4096) < 0)
        fail("listen");
    getsockname(fd, (struct sockaddr *)ret, &length);
    return fd;
}

static void append_frame(struct rx_log_writer *writer, unsigned i)
{
    char json[128];
    int n = snprintf(json, sizeof json,
                     "{\"device\":\"sensor-%04u\",\"avg\":21.375,\"max\":%u.5,\"n\":%05u,\"window\":1700000000000}",
                     i % 1000, i % 40, i % 99999);
    if (rx_log_append(writer, &(struct rx_frame){.json = json, .json_length = (size_t)n}) < 0)
        fail("append");
}

static void run(unsigned subscribers, unsigned frames, enum rx_subscriber_kind kind, uint64_t goal)
{
    struct sockaddr_in address;
    int listener = listen_anywhere(&address);
    pid_t child = fork();
    if (child == 0)
        read_all(address, subscribers);
    struct rx_loop *loop;
    struct rx_log_writer *writer;
    struct rx_log *log;
    struct rx_fanouts *fanouts;
    struct rx_fanout *fanout;
    if (rx_loop_create(&loop) || rx_log_create(1, NULL, &writer, &log) || rx_fanouts_create(loop, NULL, &fanouts) ||
        rx_fanout_create(fanouts, log, RX_SLOW_SKIP, &fanout))
        fail("create");
    size_t before = resident_bytes();
    for (unsigned i = 0; i < subscribers; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        struct rx_conn *conn;
        if (fd < 0 || rx_conn_of_fd(loop, fd, &conn) ||
            rx_fanout_subscribe(fanout, &(struct rx_subscription){.conn = conn, .kind = kind, .cursor = 1}))
            fail("subscribe");
    }
    size_t each = (resident_bytes() - before) / subscribers;

    uint64_t sent = 0;
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; sent < goal; sent = rx_fanout_stats(fanout).frames) {
        uint64_t due = (uint64_t)(i + frames) * subscribers;
        for (unsigned k = 0; k < frames; k++)
            append_frame(writer, i++);
        rx_log_publish(writer);
        rx_fanout_collect(fanout);
        while (rx_fanout_stats(fanout).frames + rx_fanout_stats(fanout).skipped < due)
            rx_loop_once(loop, -1);
    }
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    struct rx_fanout_stats stats = rx_fanout_stats(fanout);
    printf("%-9s %6u subscribers %3u a flush: %6.2f M/s of CPU, %6.2f M/s of time, %5.1f bytes a frame, skipped %llu, "
           "%zu bytes a subscriber\n",
           kind == RX_SSE      ? "sse"
           : kind == RX_NDJSON ? "ndjson"
                               : "websocket",
           subscribers, frames, (double)sent / cpu / 1e6, (double)sent / wall / 1e6,
           (double)stats.bytes / (double)stats.frames, (unsigned long long)stats.skipped, each);
    rx_fanout_destroy(fanout);
    rx_fanouts_destroy(fanouts);
    rx_log_writer_destroy(writer);
    rx_log_destroy(log);
    rx_loop_destroy(loop);
    close(listener);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc > 2) {
        run((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), (enum rx_subscriber_kind)(argc > 3 ? atoi(argv[3]) : 0),
            argc > 4 ? strtoull(argv[4], NULL, 10) : MANY);
        return 0;
    }
    run(1000, 1, RX_SSE, FEW);
    run(1000, 16, RX_SSE, MANY);
    run(1000, 16, RX_NDJSON, MANY);
    run(1000, 16, RX_WEBSOCKET, MANY);
    run(10000, 1, RX_SSE, FEW);
    run(10000, 64, RX_SSE, MANY);
    return 0;
}
