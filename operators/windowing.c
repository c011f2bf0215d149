/* The panes of window and buffer. */
#include "operators/windowing.h"

#include <stdlib.h>

struct pane *rx_pane_add(struct window *w, struct pane **link, rx_time begins, rx_time ends)
{
    struct pane *pane = calloc(1, sizeof *pane);
    if (!pane) {
        rx_fail_memory(&w->op);
        return NULL;
    }
    pane->start = begins;
    pane->end = ends;
    pane->next = *link;
    *link = pane;
    if (w->last == link)
        w->last = &pane->next;
    w->pane_count++;
    return pane;
}

static void unlink_pane(struct window *w, struct pane *pane)
{
    struct pane **link = &w->first;
    while (*link != pane)
        link = &(*link)->next;
    *link = pane->next;
    if (!pane->next)
        w->last = link;
    w->pane_count--;
}

void rx_pane_open(struct window *w, struct pane *pane)
{
    if (pane->opened)
        return;
    pane->opened = true;
    const struct rx_mark *mark = rx_mark_with_window(rx_op_heap(&w->op), rx_op_mark(&w->op), pane->start, pane->end, 0);
    pane->instance = rx_instance_open(&w->op, 0, mark, pane);
}

bool rx_pane_feed(struct window *w, struct pane *pane, const struct rx_event *event)
{
    pane->seen++;
    rx_pane_open(w, pane);
    return pane->instance && rx_instance_next(pane->instance, event, 1);
}

/* The pane is out of the list before its instance hears of the end: what that sets off finds it gone. */
void rx_pane_close(struct window *w, struct pane *pane)
{
    struct rx_instance *instance = pane->instance;
    unlink_pane(w, pane);
    if (instance) {
        rx_instance_set_tag(instance, NULL);
        rx_instance_complete(instance);
    }
    free(pane);
}

bool rx_pane_is_full(const struct window *w, const struct pane *pane)
{
    return w->max && pane->seen >= (uint64_t)w->max;
}
