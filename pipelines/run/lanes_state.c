/* The state of lanes: while nothing is on its way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/lanes_private.h"

static int save(struct rx_lanes *g, struct rx_writer *w)
{
    rx_write_int(w, g->passed);
    rx_write_uint(w, g->barrier);
    rx_write_bool(w, g->ending);
    rx_write_int(w, g->error.code);
    rx_write_text(w, g->error.message, strlen(g->error.message));
    rx_write_uint(w, g->count);
    for (unsigned i = 0; i < g->count; i++) {
        size_t frame = rx_frame_begin(w);
        rx_lane_save_common(g->lanes[i], w);
        rx_frame_end(w, frame);
    }
    for (unsigned part = 0; part < RX_PARTS_MAX; part++)
        rx_lane_save_part(g->lanes[part % g->count], part, w);
    return g->host->in_flight ? -EBUSY : 0;
}

/* There may have been more lanes, or fewer: each begins with what one of them had. */
static void load_common(struct rx_lanes *g, struct rx_reader *r)
{
    struct rx_reader frames[RX_PARTS_MAX];
    uint64_t n = rx_read_uint(r);
    if (n < 1 || n > RX_PARTS_MAX)
        rx_reader_fail(r, -EBADMSG);
    for (uint64_t i = 0; i < n && !rx_reader_failed(r); i++)
        frames[i] = rx_frame_open(r);
    for (unsigned i = 0; i < g->count && !rx_reader_failed(r); i++) {
        struct rx_reader own = frames[i % n];
        rx_lane_load_common(g->lanes[i], &own);
        rx_frame_close(r, &own);
    }
}

static int load(struct rx_lanes *g, struct rx_reader *r)
{
    size_t length = 0;
    g->passed = rx_read_int(r);
    g->barrier = rx_read_uint(r);
    g->ending = rx_read_bool(r);
    int code = (int)rx_read_int(r);
    const char *message = rx_read_text(r, &length);
    if (code)
        rx_error_set(&g->error, code, "%.*s", (int)length, message);
    load_common(g, r);
    for (unsigned part = 0; part < RX_PARTS_MAX && !rx_reader_failed(r); part++)
        rx_lane_load_part(g->lanes[part % g->count], part, r);
    for (unsigned i = 0; i < g->count; i++) {
        struct rx_ledger *held = calloc(g->lanes[i]->step_count + 1, sizeof *held);
        if (!held) {
            rx_reader_fail(r, -ENOMEM);
            break;
        }
        g->lanes[i]->barrier = g->barrier;
        rx_lane_load_time(g->lanes[i], g->passed, rx_op_is_away(g->op), g->ending && !code);
        rx_lane_account(g->lanes[i], held);
        rx_lanes_add_accounts(g, held);
        free(held);
        if (g->ending)
            rx_lanes_parcel(g->lanes[i]); /* for who was over already to say so again */
    }
    rx_lanes_arm(g);
    return r->failed;
}

void rx_lanes_bind_state(struct rx_lane_host *base)
{
    base->save = save;
    base->load = load;
}
