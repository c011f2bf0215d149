/* What sinks have in common. */
#include "core/feed/sink.h"

#include <stddef.h>

const char *const rx_full_choices[] = {"drop", "pause", NULL};
