/* The config's JSON Schema (draft 2020-12), made from the option tables: what editors check and complete by. */
#ifndef RX_DAEMON_SCHEMA_H
#define RX_DAEMON_SCHEMA_H

#include <jansson.h>

/* The whole schema; the caller's. NULL: no memory. Whatever `rxd check` accepts is valid by it; what is not valid is a mistake, but
 * names, expressions, ranges of durations and what options go together it cannot tell. */
json_t *rx_schema_create(void);

#endif
