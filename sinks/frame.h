/* What an event looks like outside: its JSON, and the key of its scope. */
#ifndef RX_SINKS_FRAME_H
#define RX_SINKS_FRAME_H

#include "core/json/json.h"
#include "core/option/option.h"
#include "core/value/event.h"

/* The event's value as compact JSON. Where it is no object but its scope has a key or a window, {KEY: ..., "value": ...,
 * "window": {...}}: a reader of several devices could not tell them apart otherwise. */
void rx_frame_json(struct rx_buffer *out, const struct rx_event *);
/* What a sink's `payload` makes of an event, in place of what is in `out`: text as it is, anything else as JSON; without a
 * shaper rx_frame_json. *ret_text: it is text; false: bytes. Negative errno with reterr. */
#define RX_PAYLOAD_HELP                                                                                                \
    "what is sent, a template: text is sent as it is, anything else as JSON; default: the event as JSON"
int rx_frame_payload(struct rx_buffer *out, struct rx_shaper *, const struct rx_event *, struct rx_heap *,
                     bool *ret_text, struct rx_error *reterr);
/* The scope's key as canonical JSON: the value itself if there is one, a list if several. False: no key. */
bool rx_frame_key(struct rx_buffer *out, const struct rx_event *);

#endif
