/* Taps of sources. */
#include "core/feed/source_tap.h"

#include "core/feed/source_record.h"

void rx_source_set_tap(struct rx_source *source, struct rx_source_tap *tap) { source->tap = tap; }

static void tell(struct rx_source *source, const struct rx_tapped *tapped)
{
    if (source->tap)
        source->tap->note(source->tap, source, tapped);
}

struct rx_value rx_source_tell_take(struct rx_source *source, struct rx_value decoded,
                                    const struct rx_message_info *info)
{
    tell(source, &(struct rx_tapped){.kind = RX_NEXT, .value = decoded, .info = info});
    return rx_source_record_pruned_take(source, decoded);
}

void rx_source_tap_end(struct rx_source *source, const struct rx_error *error)
{
    tell(source, &(struct rx_tapped){.kind = error ? RX_ERROR : RX_COMPLETE, .error = error});
    rx_source_tap_flush(source);
}
