/* stub */
#include "core/heap_private.h"
void rx_json_scratch_destroy(struct rx_json_scratch *s) { (void)s; }
