/* A worker's tables: read again when their files change; a bad file leaves the table that was. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/io/loop/file_watch.h"
#include "daemon/log.h"
#include "daemon/worker_private.h"

struct rx_worker_table {
    struct rx_worker_table *next;
    struct rx_plan_table *table;
    struct rx_file_watch *watch;
};

/* What is wrong with it stands in the handle, and so in the conditions. */
static void on_changed(void *arg, const char *text, size_t length, const struct rx_error *error)
{
    struct rx_plan_table *t = arg;
    if (error) {
        rx_table_missed(&t->handle, error);
        return;
    }
    if (rx_table_replace(&t->handle, text, length, NULL) < 0)
        return;
    char rows[24];
    snprintf(rows, sizeof rows, "%zu", rx_table_rows(t->handle.table));
    const char *pairs[] = {"pipeline", t->step->pipeline, "step", t->step->label, "file", t->handle.path, "rows", rows,
                           NULL};
    rx_log(RX_LOG_INFO, "a table was read again", pairs);
}

void rx_worker_unwatch_tables(struct rx_worker *w)
{
    for (struct rx_worker_table *t = w->tables, *next; t; t = next) {
        next = t->next;
        rx_file_watch_destroy(t->watch);
        free(t);
    }
    w->tables = NULL;
}

int rx_worker_watch_tables(struct rx_worker *w)
{
    rx_worker_unwatch_tables(w);
    int r = 0;
    for (struct rx_plan_table *p = w->plan->tables; r == 0 && p; p = p->next) {
        struct rx_worker_table *t = calloc(1, sizeof *t);
        if (!t)
            return -ENOMEM;
        *t = (struct rx_worker_table){.next = w->tables, .table = p};
        w->tables = t;
        r = rx_file_watch_create(w->loop, p->handle.path, RX_TABLE_BYTES_MAX, p->read, on_changed, p, &t->watch);
    }
    return r;
}
