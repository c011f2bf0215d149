/* What a step keeps beyond the window that it runs in: it lives with the step that opens the windows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/graph_private.h"

/* Of one step inside. What was loaded is read when the step asks for it; until then it is a text. */
struct rx_kept {
    struct rx_kept *next;
    const struct rx_kept_class *class; /* NULL: not asked for yet */
    char *id;                          /* the step's */
    char *saved;
    size_t saved_length;
    _Alignas(16) char data[];
};

static struct rx_kept **find(struct rx_op *opener, const char *id)
{
    struct rx_kept **link = &opener->kept;
    while (*link && strcmp((*link)->id, id) != 0)
        link = &(*link)->next;
    return link;
}

static void destroy(struct rx_kept *k)
{
    if (k->class && k->class->clear)
        k->class->clear(k->data);
    free(k->id);
    free(k->saved);
    free(k);
}

static struct rx_kept *make(const char *id, size_t size)
{
    struct rx_kept *k = calloc(1, sizeof *k + size);
    if (k && !(k->id = strdup(id))) {
        free(k);
        return NULL;
    }
    return k;
}

/* In place of what was loaded, which it reads; what it cannot read it begins anew. */
static struct rx_kept *awake(const struct rx_kept_class *class, const struct rx_kept *asleep, const char *id,
                             struct rx_heap *heap)
{
    struct rx_kept *k = make(id, class->size);
    if (!k)
        return NULL;
    k->class = class;
    if (asleep) {
        struct rx_reader r = {
            .data = (const unsigned char *)asleep->saved, .length = asleep->saved_length, .heap = heap};
        if (class->load(k->data, &r) < 0) {
            class->clear(k->data);
            memset(k->data, 0, class->size);
        }
    }
    return k;
}

void *rx_kept_get(struct rx_op *op, const struct rx_kept_class *class)
{
    struct rx_op *opener = op->instance->opener;
    if (!opener || !(opener->class->base.flags & RX_OPENS_WINDOW))
        return NULL;
    struct rx_kept **link = find(opener, op->node->step->id), *old = *link;
    if (old && old->class)
        return old->data;
    struct rx_kept *k = awake(class, old, op->node->step->id, rx_op_heap(op));
    if (!k)
        return NULL;
    k->next = old ? old->next : NULL;
    *link = k;
    if (old)
        destroy(old);
    return k->data;
}

rx_time rx_windows_apart(const struct rx_op *op)
{
    const struct rx_op *opener = op->instance->opener;
    return opener && opener->class->apart ? opener->class->apart(opener) : RX_TIME_NEVER;
}

void rx_kept_finish(struct rx_op *opener)
{
    for (struct rx_kept *k = opener->kept, *next; k; k = next) {
        next = k->next;
        destroy(k);
    }
    opener->kept = NULL;
}

void rx_kept_save(const struct rx_op *opener, struct rx_writer *w)
{
    uint64_t count = 0;
    for (const struct rx_kept *k = opener->kept; k; k = k->next)
        count++;
    rx_write_uint(w, count);
    for (const struct rx_kept *k = opener->kept; k; k = k->next) {
        rx_write_text(w, k->id, strlen(k->id));
        size_t frame = rx_frame_begin(w);
        if (k->class)
            k->class->save(k->data, w);
        else
            rx_buffer_append(&w->buffer, k->saved, k->saved_length);
        rx_frame_end(w, frame);
    }
}

static void load_one(struct rx_op *opener, struct rx_reader *r)
{
    char id[256];
    size_t length;
    const char *text = rx_read_text(r, &length);
    struct rx_reader frame = rx_frame_open(r);
    if (rx_reader_failed(r) || length >= sizeof id) {
        rx_reader_fail(r, -EBADMSG);
        return;
    }
    memcpy(id, text, length);
    id[length] = '\0';
    struct rx_kept **link = find(opener, id), *k = *link ? NULL : make(id, 0);
    if (k)
        k->saved = malloc(frame.length + 1);
    if (!k || !k->saved) {
        rx_reader_fail(r, *link ? -EBADMSG : -ENOMEM);
        if (k)
            destroy(k);
        return;
    }
    memcpy(k->saved, frame.data, frame.length);
    k->saved_length = frame.length;
    *link = k;
}

void rx_kept_load(struct rx_op *opener, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--)
        load_one(opener, r);
}
