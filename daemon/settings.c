/* Settings of the daemon. */
#include "daemon/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define SECONDS(s_) .type = RX_OPTION_DURATION, .min = (s_), .max = 86400

static const struct rx_option http_options[] = {
    {.name = "listen",
     .help = "address:port of the HTTP endpoint",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct rx_http_settings, listen, const char *),
     .fallback = "127.0.0.1:8088",
     .flags = RX_POSITIONAL},
    {.name = "max_body",
     .help = "the largest request body",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct rx_http_settings, max_body, uint64_t),
     .fallback = "16MiB",
     .min = 1024,
     .max = 1073741824},
    {.name = "max_bodies",
     .help = "what all request bodies may take together, twice max_body at least; beyond it, 503",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct rx_http_settings, max_bodies, uint64_t),
     .fallback = "128MiB",
     .min = 1024,
     .max = 1099511627776},
    {.name = "max_client_bodies",
     .help = "what one client's (an address's) may, max_body at least; beyond it, 429",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct rx_http_settings, max_client_bodies, uint64_t),
     .fallback = "64MiB",
     .min = 1024,
     .max = 1099511627776},
    {.name = "hosts",
     .help = "names of this server, besides its addresses and localhost; another Host is 403",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct rx_http_settings, hosts, struct rx_strings)},
    {.name = "cors",
     .help = "origins of other sites' pages that may ask, such as https://a.example; \"*\": any",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct rx_http_settings, cors, struct rx_strings)},
    {.name = "max_header",
     .help = "the largest request head",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct rx_http_settings, max_header, uint64_t),
     .fallback = "16KiB",
     .min = 1024,
     .max = 1048576},
    {.name = "max_connections",
     .help = "beyond it, 503",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct rx_http_settings, max_connections, int64_t),
     .fallback = "12000",
     .min = 1,
     .max = 1000000},
    {.name = "header_deadline",
     .help = "until the last byte of a request's head",
     SECONDS(0.1),
     .offset = RX_AT(struct rx_http_settings, header_deadline, rx_time),
     .fallback = "10s"},
    {.name = "body_deadline",
     .help = "until the last byte of a request's body",
     SECONDS(0.1),
     .offset = RX_AT(struct rx_http_settings, body_deadline, rx_time),
     .fallback = "60s"},
    {.name = "idle_deadline",
     .help = "a kept connection without a request",
     SECONDS(0.1),
     .offset = RX_AT(struct rx_http_settings, idle_deadline, rx_time),
     .fallback = "75s"},
    {.name = "drain_deadline",
     .help = "after SIGTERM, until what is left is cut off",
     SECONDS(0),
     .offset = RX_AT(struct rx_http_settings, drain_deadline, rx_time),
     .fallback = "5s"},
    {.name = "insecure",
     .help = "listen on a network without tokens or TLS: anyone there may read and write",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct rx_http_settings, insecure, bool),
     .fallback = "false"},
    {0},
};

const struct rx_class rx_http_settings_class = {
    .name = "http",
    .summary = "the HTTP endpoint",
    .options = http_options,
    .state_size = sizeof(struct rx_http_settings),
};

static const char *const levels[] = {"error", "warning", "info", "debug", NULL};

static const struct rx_option log_options[] = {
    {.name = "level",
     .help = "the least severe kind of line that is written",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct rx_log_settings, level, int),
     .fallback = "info",
     .choices = levels,
     .flags = RX_POSITIONAL},
    {0},
};

const struct rx_class rx_log_settings_class = {
    .name = "log",
    .summary = "what is logged, to stderr",
    .options = log_options,
    .state_size = sizeof(struct rx_log_settings),
};

static void read_workers(const struct rx_tree *tree, struct rx_diagnostics *diagnostics, unsigned *ret)
{
    char *end = NULL;
    *ret = 1;
    if (!tree)
        return;
    unsigned long n = tree->text ? strtoul(tree->text, &end, 10) : 0;
    if (!tree->text || *end || n < 1 || n > RX_WORKERS_MAX)
        rx_diagnosef(diagnostics, tree, "workers: 2", "workers is a number from 1 to %d", RX_WORKERS_MAX);
    else
        *ret = (unsigned)n;
}

/* ---- descriptors ---- */

enum { SPARE_DESCRIPTORS = 48, PER_WORKER = 16, PER_BROKER = 2 };

static size_t files_of(const struct rx_tree *sinks)
{
    size_t n = rx_tree_get(sinks, "file") != NULL;
    for (size_t i = 0; sinks->kind == RX_TREE_LIST && i < sinks->count; i++)
        n += rx_tree_get(sinks->items[i], "file") != NULL;
    return n;
}

static unsigned count_descriptors(const struct rx_forest *forest, unsigned workers)
{
    const struct rx_tree *brokers = rx_forest_section(forest, "brokers");
    const struct rx_tree *pipelines = rx_forest_section(forest, "pipelines");
    size_t n = SPARE_DESCRIPTORS + workers * (PER_WORKER + (brokers ? brokers->count : 0) * PER_BROKER);
    for (size_t i = 0; pipelines && pipelines->kind == RX_TREE_MAP && i < pipelines->count; i++) {
        const struct rx_tree *to = rx_tree_get(pipelines->items[i], "to");
        n += to ? files_of(to) : 0;
    }
    return (unsigned)n;
}

static unsigned connections_within(unsigned wanted, unsigned reserved)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return wanted;
    rlim_t left = limit.rlim_cur > 2 * (rlim_t)reserved ? limit.rlim_cur - reserved : limit.rlim_cur / 2;
    return left < wanted ? (unsigned)left : wanted;
}

/* ---- reading ---- */

/* By address or as localhost: any other name is what a resolver makes of it. */
static bool is_loopback(const char *listen)
{
    char host[64];
    struct in_addr address;
    size_t length = (size_t)(strrchr(listen, ':') - listen);
    if (length >= sizeof host)
        return false;
    memcpy(host, listen, length);
    host[length] = 0;
    if (inet_pton(AF_INET, host, &address) == 1)
        return (ntohl(address.s_addr) >> 24) == 127;
    return strcmp(host, "[::1]") == 0 || strcmp(host, "localhost") == 0;
}

static void check_listen(const struct rx_settings *s, const struct rx_tree *at, struct rx_diagnostics *diagnostics)
{
    struct rx_error error;
    if (rx_http_check_address(s->http.listen, &error) < 0)
        rx_diagnose(diagnostics, at, &error);
    else if (!is_loopback(s->http.listen) && !s->http.insecure)
        rx_diagnosef(diagnostics, at, "http: {listen: \"127.0.0.1:8088\"}, or add insecure: true",
                     "listening on \"%s\" would let anyone on that network read and write", s->http.listen);
}

int rx_settings_read(const struct rx_forest *forest, struct rx_plan_arena *arena, const char *listen_override,
                     struct rx_diagnostics *diagnostics, struct rx_settings *ret)
{
    const struct rx_tree *start = rx_forest_start(forest), *http = rx_forest_section(forest, "http");
    const struct rx_tree *listen = http ? rx_tree_get(http, "listen") : NULL;
    *ret = (struct rx_settings){0};
    rx_options_parse(&rx_http_settings_class, http, http ? http : start, arena, &ret->http, diagnostics);
    const struct rx_tree *log = rx_forest_section(forest, "log");
    rx_options_parse(&rx_log_settings_class, log, log ? log : start, arena, &ret->log, diagnostics);
    read_workers(rx_forest_section(forest, "workers"), diagnostics, &ret->workers);
    ret->descriptors = count_descriptors(forest, ret->workers);
    if (listen_override)
        ret->http.listen = listen_override;
    if (ret->http.listen)
        check_listen(ret, listen_override ? NULL : listen ? listen : http ? http : start, diagnostics);
    return rx_diagnostics_count(diagnostics) > 0 ? -EINVAL : 0;
}

/* ---- what a reload cannot change ---- */

static bool same_tree(const struct rx_tree *a, const struct rx_tree *b)
{
    if (!a || !b)
        return a == b;
    if (a->kind != b->kind)
        return false;
    if (a->kind == RX_TREE_SCALAR)
        return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = (a->kind != RX_TREE_MAP || same_tree(a->keys[i], b->keys[i])) && same_tree(a->items[i], b->items[i]);
    return same;
}

static void refuse_change(const struct rx_forest *next, const struct rx_tree *where, const char *name,
                          struct rx_diagnostics *diagnostics)
{
    rx_diagnosef(diagnostics, where ? where : rx_forest_start(next),
                 "restart rxd to change it, or put back what it was",
                 "%s is read at the start, and a reload cannot change it", name);
}

void rx_settings_compare(const struct rx_forest *now, const struct rx_forest *next, bool listen_overridden,
                         struct rx_diagnostics *diagnostics)
{
    const struct rx_class *class = &rx_http_settings_class;
    const struct rx_tree *old = rx_forest_section(now, "http"), *new = rx_forest_section(next, "http");
    for (const struct rx_option *o = class->options; o->name; o++) {
        const struct rx_tree *value = new ? rx_option_tree(class, new, o) : NULL;
        char name[80];
        if ((listen_overridden && strcmp(o->name, "listen") == 0) ||
            same_tree(old ? rx_option_tree(class, old, o) : NULL, value))
            continue;
        snprintf(name, sizeof name, "http.%s", o->name);
        refuse_change(next, value ? value : new, name, diagnostics);
    }
    const struct rx_tree *workers = rx_forest_section(next, "workers");
    if (!same_tree(rx_forest_section(now, "workers"), workers))
        refuse_change(next, workers, "workers", diagnostics);
}

struct rx_http_limits rx_settings_http_limits(const struct rx_settings *settings)
{
    const struct rx_http_settings *s = &settings->http;
    unsigned connections = connections_within((unsigned)s->max_connections, settings->descriptors);
    return (struct rx_http_limits){.max_header = s->max_header,
                                   .max_body = s->max_body,
                                   .max_bodies = s->max_bodies,
                                   .max_client_bodies = s->max_client_bodies,
                                   .hosts = s->hosts,
                                   .origins = s->cors,
                                   .header_deadline = s->header_deadline,
                                   .body_deadline = s->body_deadline,
                                   .idle_deadline = s->idle_deadline,
                                   .max_connections = connections};
}
