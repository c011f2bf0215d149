/* The wall clock, where it is set: told in the log, and counted. */
#include <stdio.h>

#include "daemon/front/front_private.h"
#include "daemon/log.h"

static void on_clock(void *arg, enum rx_clock_news news, rx_time by)
{
    struct rx_front *f = arg;
    char seconds[40];
    const char *pairs[] = {"seconds", seconds, NULL};
    snprintf(seconds, sizeof seconds, "%.1f", (double)by / 1e9);
    switch (news) {
    case RX_CLOCK_FORWARD:
        f->clock_forward++;
        rx_log(RX_LOG_WARNING, "the wall clock was set forward", pairs);
        break;
    case RX_CLOCK_SUSPENDED:
        f->clock_forward++;
        rx_log(RX_LOG_WARNING, "the machine was suspended: waits go on where they were", pairs);
        break;
    case RX_CLOCK_BACK:
        f->clock_back++;
        rx_log(
            RX_LOG_WARNING,
            "the wall clock was set back: times of events and windows on the epoch stand still until it has caught up",
            pairs);
        break;
    case RX_CLOCK_CAUGHT_UP:
        rx_log(RX_LOG_INFO, "the wall clock has caught up", NULL);
        break;
    }
}

void rx_front_watch_clock(struct rx_front *f) { rx_loop_on_clock(f->loop, on_clock, f); }

void rx_front_clock_metrics(const struct rx_front *f, struct rx_metrics *m)
{
    rx_metrics_count(m, RX_METRIC_CLOCK_STEPS, f->clock_forward, (const char *const[]){"direction", "forward", NULL});
    rx_metrics_count(m, RX_METRIC_CLOCK_STEPS, f->clock_back, (const char *const[]){"direction", "back", NULL});
}
