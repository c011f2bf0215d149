/* What the config says about the daemon itself: `http:`, `workers:`, `log:`. */
#ifndef RX_DAEMON_SETTINGS_H
#define RX_DAEMON_SETTINGS_H

#include "core/io/http/http.h"
#include "core/option/option.h"
#include "pipelines/config/config_read.h"

#define RX_WORKERS_MAX 64

struct rx_http_settings {
    const char *listen;
    uint64_t max_body, max_header, max_bodies, max_client_bodies;
    struct rx_strings hosts, cors;
    int64_t max_connections;
    rx_time header_deadline, body_deadline, idle_deadline, drain_deadline;
    bool insecure;
};

struct rx_log_settings {
    int level; /* enum rx_log_level's order: error, warning, info, debug */
};

struct rx_settings {
    struct rx_http_settings http;
    struct rx_log_settings log;
    unsigned workers;
    unsigned descriptors; /* that workers, brokers and files of this config need, and some to spare */
};

extern const struct rx_class rx_http_settings_class, rx_log_settings_class;

/* Diagnoses what differs and is read at the start only: `http` and `workers`. */
void rx_settings_compare(const struct rx_forest *now, const struct rx_forest *next, bool listen_overridden,
                         struct rx_diagnostics *);

/* 0, or -EINVAL with the mistakes. Texts live in the arena. `listen_override` (--listen) wins; NULL: none. Refuses an
 * address that is not loopback unless `insecure: true` says that it is meant. */
int rx_settings_read(const struct rx_forest *, struct rx_plan_arena *, const char *listen_override,
                     struct rx_diagnostics *, struct rx_settings *ret);
/* Connections stay below what the process's limit leaves of descriptors, whatever `max_connections` says: a broker that
 * comes back needs one too. */
struct rx_http_limits rx_settings_http_limits(const struct rx_settings *);

#endif
