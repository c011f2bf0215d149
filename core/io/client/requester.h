/* Asks over HTTP what steps want to know: the engine's caller (graph.h, request.h) over the worker's HTTP client. One worker. */
#ifndef RX_IO_REQUESTER_H
#define RX_IO_REQUESTER_H

#include "core/graph/graph.h"
#include "core/io/client/client.h"

struct rx_requester;
/* All borrowed; sets engine->caller, and takes it away again. -ENOMEM. */
int rx_requester_create(struct rx_client *, struct rx_loop *, struct rx_engine *, struct rx_requester **ret);
void rx_requester_destroy(struct rx_requester *); /* nothing may be pending. NULL is fine */

#endif
