// layer: io
/* Topic patterns and topics: PATTERN, a line break, TOPIC. What matches must match as libmosquitto says. */
#include <mosquitto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct rx_topic *topic, const char *text, size_t length)
{
    struct rx_topic_span spans[RX_TOPIC_CAPTURES_MAX] = {0};
    const char *filter = rx_topic_filter(topic);
    bool theirs, ours = rx_topic_match(topic, text, length, spans);
    for (size_t i = 0; ours && i < rx_topic_capture_count(topic); i++)
        if (spans[i].text < text || spans[i].text + spans[i].length > text + length)
            abort();
    if (filter[0] == '$' || !rx_topic_is_name(text, length) ||
        mosquitto_topic_matches_sub(filter, text, &theirs) != MOSQ_ERR_SUCCESS)
        return;
    if (ours != theirs)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *pattern = malloc(size + 1);
    struct rx_topic *topic;
    if (!pattern)
        return 0;
    memcpy(pattern, data, size);
    pattern[size] = '\0';
    char *text = strchr(pattern, '\n');
    if (text)
        *text++ = '\0';
    if (text && rx_topic_parse(pattern, &topic, NULL) == 0) {
        compare(topic, text, strlen(text));
        rx_topic_destroy(topic);
    }
    free(pattern);
    return 0;
}
