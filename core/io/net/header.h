/* Headers that a config gives for a request of ours. */
#ifndef RX_IO_NET_HEADER_H
#define RX_IO_NET_HEADER_H

#include <stdbool.h>

#include "core/base/error.h"

/* RFC 9110, 5.5 and 5.6.2. `own`: headers that frame the message and are ours to write, NULL-terminated; in any case. -EINVAL
 * with a sentence. */
int rx_net_check_header(const char *name, const char *text, const char *const *own, struct rx_error *reterr);
bool rx_net_is_token(const char *text); /* RFC 9110, 5.6.2 */

#endif
