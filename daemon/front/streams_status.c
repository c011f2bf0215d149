/* What is told of the served streams: metrics, and what is wrong with their subscribers. */
#include "daemon/front/api_streams.h"

static void add_metrics(void *arg, const struct rx_stream_info *s)
{
    struct rx_metrics *m = arg;
    const struct {
        enum rx_metric metric;
        const char *reason;
        uint64_t value;
    } samples[] = {
        {RX_METRIC_SERVED_FRAMES, NULL, s->events},
        {RX_METRIC_SERVED_LOST, NULL, s->lost},
        {RX_METRIC_SERVED_SUBSCRIBERS, NULL, s->fanout.subscribers},
        {RX_METRIC_SERVED_KEYS, NULL, s->keys},
        {RX_METRIC_SERVED_SENT, NULL, s->fanout.frames},
        {RX_METRIC_SERVED_BYTES, NULL, s->fanout.bytes},
        {RX_METRIC_SERVED_SKIPPED, "slow", s->fanout.skipped},
        {RX_METRIC_SERVED_SKIPPED, "burst", s->fanout.lost},
        {RX_METRIC_SERVED_DROPPED, "stalled", s->fanout.stalled},
        {RX_METRIC_SERVED_DROPPED, "overtaken", s->fanout.overtaken},
        {RX_METRIC_SERVED_DROPPED, "filter", s->fanout.exhausted},
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const char *labels[] = {"stream", s->name, samples[i].reason ? "reason" : NULL, samples[i].reason, NULL};
        rx_metrics_count(m, samples[i].metric, samples[i].value, labels);
    }
}

void rx_streams_metrics(struct rx_streams *streams, struct rx_metrics *m) { rx_streams_each(streams, add_metrics, m); }

static void state(void *arg, const struct rx_stream_info *s)
{
    struct rx_health *h = arg;
    rx_health_counts(h, RX_CONDITION_STREAM_GAPS, s->name, "burst", s->fanout.lost,
                     "events come faster than they can be taken in");
    rx_health_counts(h, RX_CONDITION_STREAM_GAPS, s->name, "slow", s->fanout.skipped,
                     "a subscriber reads more slowly than events come");
    rx_health_counts(h, RX_CONDITION_SUBSCRIBERS_ENDED, s->name, "stalled", s->fanout.stalled,
                     "a subscriber took nothing, or said nothing, until its deadline");
    rx_health_counts(h, RX_CONDITION_SUBSCRIBERS_ENDED, s->name, "overtaken", s->fanout.overtaken,
                     "a subscriber was too far behind");
    rx_health_counts(h, RX_CONDITION_SUBSCRIBERS_ENDED, s->name, "filter", s->fanout.exhausted,
                     "a subscriber's filter takes too much time");
}

void rx_streams_health(struct rx_streams *streams, struct rx_health *h) { rx_streams_each(streams, state, h); }
