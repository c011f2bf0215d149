/* MQTT topics: patterns with captures, and matching (MQTT 5.0, section 4.7; 3.1.1 is the same). Any thread. */
#ifndef RX_IO_MQTT_TOPIC_H
#define RX_IO_MQTT_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

#define RX_TOPIC_BYTES_MAX    65535
#define RX_TOPIC_CAPTURES_MAX 16

/* A pattern: an MQTT filter in which {name} stands for one level (+) and, at the end, {name...} for the rest (#).
 * "$share/GROUP/PATTERN" is a shared subscription: it matches as PATTERN. */
struct rx_topic;
/* -EINVAL with a sentence and the place in the text; -ENOMEM. */
int rx_topic_parse(const char *pattern, struct rx_topic **ret, struct rx_error *reterr);
void rx_topic_destroy(struct rx_topic *);
const char *rx_topic_filter(const struct rx_topic *); /* what to subscribe to */
size_t rx_topic_capture_count(const struct rx_topic *);
const char *rx_topic_capture_name(const struct rx_topic *, size_t i);

struct rx_topic_span {
    const char *text; /* into the topic; not NUL-terminated */
    size_t length;
};
/* Whether the topic matches; fills one span per capture, in order of the pattern ({name...} of nothing is ""). */
bool rx_topic_match(const struct rx_topic *, const char *topic, size_t length, struct rx_topic_span *captures);

uint64_t rx_topic_hash(const char *topic, size_t length); /* see topic_hash.h */

/* Whether a message can be published to it: 1 to 65,535 bytes of UTF-8 without NUL, + or #. */
bool rx_topic_is_name(const char *topic, size_t length);

#endif
