/* What an event looks like outside: its JSON, and the key of its scope. */
#ifndef RX_SINKS_FRAME_H
#define RX_SINKS_FRAME_H

#include "core/json/json.h"
#include "core/value/event.h"

/* The event's value as compact JSON. Where it is no object but its scope has a key or a window, {KEY: ..., "value": ...,
 * "window": {...}}: a reader of several devices could not tell them apart otherwise. */
void rx_frame_json(struct rx_buffer *out, const struct rx_event *);
/* The scope's key as canonical JSON: the value itself if there is one, a list if several. False: no key. */
bool rx_frame_key(struct rx_buffer *out, const struct rx_event *);

#endif
