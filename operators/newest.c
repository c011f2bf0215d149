/* The newest event, and what it waits for. */
#include "operators/newest.h"

#include <errno.h>

/* ---- the event ---- */

void rx_newest_forget(struct rx_op *op, struct rx_newest *n, enum rx_account account)
{
    if (!n->pending)
        return;
    rx_event_unref(&n->event);
    n->pending = false;
    rx_hold(op, -1);
    rx_count(op, account, 1);
}

void rx_newest_keep(struct rx_op *op, struct rx_newest *n, const struct rx_event *event)
{
    rx_newest_forget(op, n, RX_SUPERSEDED);
    n->event = rx_event_ref(event);
    n->event.time -= rx_wall(op);
    n->pending = true;
    rx_hold(op, 1);
}

bool rx_newest_emit(struct rx_op *op, struct rx_newest *n)
{
    if (!n->pending)
        return false;
    struct rx_event out = rx_event_ref(&n->event);
    out.time += rx_wall(op);
    rx_newest_forget(op, n, RX_USED);
    rx_emit(op, &out, 1);
    rx_event_unref(&out);
    return true;
}

void rx_newest_save(const struct rx_newest *n, struct rx_writer *w)
{
    rx_write_bool(w, n->pending);
    if (n->pending)
        rx_write_event(w, &n->event);
}

void rx_newest_load(struct rx_op *op, struct rx_newest *n, struct rx_reader *r)
{
    n->pending = rx_read_bool(r);
    if (!n->pending)
        return;
    n->event = rx_read_event(r);
    rx_hold(op, 1);
}

/* ---- the pause ---- */

int rx_pause_check(const struct rx_pause *p, const char *step, struct rx_error *reterr)
{
    if (p->timed != (p->with != NULL))
        return 0;
    rx_error_set(reterr, -EINVAL, "`%s` needs either `for`, a duration, or `with`, a stream", step);
    rx_error_hint(reterr, "write %s: 1s, or %s: {with: OTHER}", step, step);
    return -EINVAL;
}

/* One that was begun meanwhile, by an event that the stream had at once, counts no more. */
void rx_pause_begin(struct rx_op *op, struct rx_pause *p, const struct rx_event *event)
{
    if (!p->with) {
        rx_timer_arm(op, 0, rx_now(op) + p->time);
        return;
    }
    struct rx_instance *stream = rx_instance_open_for(op, 0, p, event);
    if (!rx_op_live(op))
        return;
    rx_instance_close(p->stream);
    p->stream = stream;
}

bool rx_pause_lasts(const struct rx_op *op, const struct rx_pause *p)
{
    return p->with ? p->stream != NULL : rx_timer_is_armed(op, 0);
}

void rx_pause_stop(struct rx_op *op, struct rx_pause *p)
{
    struct rx_instance *stream = p->stream;
    p->stream = NULL;
    rx_instance_close(stream);
    if (!p->with)
        rx_timer_stop(op, 0);
}

void rx_pause_save(const struct rx_pause *p, struct rx_writer *w)
{
    if (!p->with)
        return;
    rx_write_bool(w, p->stream != NULL);
    if (!p->stream)
        return;
    rx_write_event(w, rx_instance_outer(p->stream));
    rx_instance_save(p->stream, w);
}

void rx_pause_load(struct rx_op *op, struct rx_pause *p, struct rx_reader *r)
{
    if (!p->with || !rx_read_bool(r))
        return;
    struct rx_event outer = rx_read_event(r);
    p->stream = rx_instance_load_for(op, 0, p, &outer, r);
    rx_event_unref(&outer);
}
