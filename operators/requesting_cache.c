/* Answers that the http step keeps: good ones, by what was asked, for a while; past the bound the one that was used longest ago goes. */
#include "operators/requesting.h"

struct cached {
    struct rx_value reply;
    rx_time expires;
};

static void drop(struct rx_keytable *t, struct rx_keyed *e)
{
    rx_value_unref(((struct cached *)rx_keyed_data(t, e))->reply);
    rx_keytable_remove(t, e);
}

static void add(struct rx_keytable *t, struct rx_value request, struct rx_value reply, rx_time expires)
{
    struct rx_keyed *e = rx_keytable_add(t, &request, rx_keytable_hash(&request, 1));
    if (e)
        *(struct cached *)rx_keyed_data(t, e) = (struct cached){.reply = rx_value_ref(reply), .expires = expires};
}

bool http_cache_find(struct http *h, struct rx_value request, struct rx_value *ret)
{
    struct rx_keytable *t = &h->step->cache;
    if (!h->cache_given || !t->count)
        return false;
    struct rx_keyed *e = rx_keytable_find(t, &request, rx_keytable_hash(&request, 1));
    struct cached *c = e ? rx_keyed_data(t, e) : NULL;
    if (c && c->expires <= rx_now(&h->op)) {
        drop(t, e);
        return false;
    }
    if (c)
        *ret = c->reply;
    return c;
}

/* Without memory it is not kept. */
void http_cache_keep(struct http *h, struct rx_value request, struct rx_value answer)
{
    struct rx_keytable *t = &h->step->cache;
    struct rx_reply reply;
    if (!h->cache_given || !rx_reply_read(answer, &reply) || !http_is_good(&reply))
        return;
    if (!t->heap)
        rx_keytable_init(t, rx_op_heap(&h->op), 1, sizeof(struct cached));
    struct rx_keyed *e = t->count ? rx_keytable_find(t, &request, rx_keytable_hash(&request, 1)) : NULL;
    if (e)
        drop(t, e);
    while ((int64_t)t->count >= h->cache.max)
        drop(t, rx_keytable_oldest(t));
    add(t, request, answer, rx_now(&h->op) + h->cache.ttl);
}

/* In order of use. */
void http_cache_save(const struct http_step *s, struct rx_writer *w)
{
    struct rx_keytable *t = (struct rx_keytable *)(uintptr_t)&s->cache;
    uint32_t count = t->heap && t->count && rx_keytable_rank(t) == 0 ? t->count : 0;
    rx_write_uint(w, count);
    for (uint32_t i = 0; i < count; i++) {
        struct rx_keyed *e = rx_keytable_ranked(t, i);
        const struct cached *c = rx_keyed_data(t, e);
        rx_write_value(w, e->keys[0]);
        rx_write_value(w, c->reply);
        rx_write_int(w, c->expires);
    }
}

static void load_one(struct rx_keytable *t, struct rx_reader *r)
{
    struct rx_value request = rx_read_value(r), reply = rx_read_value(r);
    rx_time expires = rx_read_int(r);
    bool good = !rx_reader_failed(r);
    if (good && (!t->count || !rx_keytable_find(t, &request, rx_keytable_hash(&request, 1))))
        add(t, request, reply, expires);
    rx_value_unref(request);
    rx_value_unref(reply);
}

void http_cache_load(struct http_step *s, struct rx_reader *r)
{
    uint64_t count = rx_read_uint(r);
    if (count && !rx_reader_failed(r))
        rx_keytable_init(&s->cache, r->heap, 1, sizeof(struct cached));
    for (; count > 0 && !rx_reader_failed(r); count--)
        load_one(&s->cache, r);
}

void http_cache_finish(struct http_step *s)
{
    if (!s->cache.heap)
        return;
    for (struct rx_keyed *e; (e = rx_keytable_first(&s->cache));)
        drop(&s->cache, e);
    rx_keytable_finish(&s->cache);
}
