/* What the files of a site share. */
#ifndef RX_DAEMON_SITE_PRIVATE_H
#define RX_DAEMON_SITE_PRIVATE_H

#include "daemon/front/site.h"

/* A broker of the config. A reload keeps it where nothing in it has changed, with the connection, and with the config that
 * its options are borrowed from. */
struct named_broker {
    unsigned refs;
    const char *name;
    uint64_t hash; /* of the options; of one that is written where it is used: 0 */
    const struct rx_broker_options *options;
    const struct rx_broker_options *written; /* the same, before each worker's client_id was made different */
    struct rx_forest *forest;                /* NULL: written where it is used, with options of its own */
    struct rx_plan_arena *arena;
    struct rx_broker *broker; /* made when a source or sink asks for it */
    uint64_t losses;          /* of the connection, that rx_site_health has told */
};

struct brokers {
    struct named_broker **items;
    size_t count;
};

struct rx_site_owner {
    struct rx_site site;
    struct rx_site_options options;
    struct brokers brokers, staged; /* staged: of a config that is being taken over */
    bool staging;
    struct rx_client *client; /* NULL: nobody has asked for it */
};

/* site_brokers.c */
/* The brokers of `brokers:`. -EINVAL is told by the diagnostics; -ENOMEM. */
int site_read_brokers(struct rx_site_owner *, const struct rx_forest *, struct brokers *ret, struct rx_diagnostics *);
void site_drop_brokers(struct brokers *);
struct rx_broker *site_find_broker(struct rx_site *, const char *name);               /* rx_site.broker */
struct rx_broker *site_broker_of(struct rx_site *, const struct rx_broker_options *); /* rx_site.broker_of */

#endif
