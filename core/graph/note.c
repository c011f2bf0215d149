/* Watermarks: the two forms. */
#include "core/graph/note.h"

static rx_time add(rx_time a, rx_time b)
{
    rx_time sum;
    if (__builtin_add_overflow(a, b, &sum))
        return b < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

rx_time rx_watermark_running(rx_time reached, rx_time wall)
{
    rx_time ahead = reached == RX_WATERMARK_NONE ? INT64_MIN / 2 : reached - wall;
    rx_time t = add(RX_WATERMARK_CLOCK, ahead);
    return t > RX_WATERMARK_FIXED_MAX ? t : RX_WATERMARK_FIXED_MAX + 1;
}

rx_time rx_watermark_at(rx_time watermark, rx_time wall)
{
    return rx_watermark_is_running(watermark) ? add(wall, watermark - RX_WATERMARK_CLOCK) : watermark;
}

rx_time rx_watermark_less(rx_time watermark, rx_time by)
{
    if (watermark == RX_WATERMARK_NONE)
        return watermark;
    rx_time t = add(watermark, -by);
    return rx_watermark_is_running(watermark) && t <= RX_WATERMARK_FIXED_MAX ? RX_WATERMARK_FIXED_MAX + 1 : t;
}
