/* The state of a worker, written and read in sections. */
#include "pipelines/run/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/pipeline_run.h"

#define MAGIC "rxd state"

static void write_string(struct rx_writer *w, const char *text) { rx_write_text(w, text, strlen(text)); }

void rx_state_begin(struct rx_writer *w, const struct rx_sched *sched)
{
    write_string(w, MAGIC);
    rx_write_uint(w, RX_STATE_FORMAT);
    rx_write_int(w, rx_sched_now(sched));
    rx_write_uint(w, rx_sched_next_sequence(sched));
}

size_t rx_section_begin(struct rx_writer *w, const struct rx_section *section)
{
    rx_write_uint(w, section->kind);
    write_string(w, section->name);
    write_string(w, section->class);
    rx_write_uint(w, section->version);
    rx_write_uint(w, section->hash);
    return rx_frame_begin(w);
}

void rx_section_end(struct rx_writer *w, size_t at) { rx_frame_end(w, at); }

/* ---- reading ---- */

struct entry {
    struct rx_section section; /* its texts are not terminated: see `texts` */
    struct rx_reader bytes;
};

struct rx_state {
    rx_time now;
    uint64_t next_sequence;
    struct entry *entries;
    size_t count, capacity;
    struct rx_buffer texts; /* names and classes, each with a zero byte behind it */
};

/* The place of the text in `texts`, for now as an offset, since the buffer may still move. */
static const char *keep_text(struct rx_state *s, struct rx_reader *r)
{
    size_t length = 0, at = s->texts.length;
    const char *text = rx_read_text(r, &length);
    rx_buffer_append(&s->texts, text ? text : "", length);
    rx_buffer_append(&s->texts, "", 1);
    return (const char *)(uintptr_t)at;
}

static int read_entry(struct rx_state *s, struct rx_reader *r)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 64;
        struct entry *entries = realloc(s->entries, capacity * sizeof *entries);
        if (!entries)
            return -ENOMEM;
        s->entries = entries;
        s->capacity = capacity;
    }
    struct entry *e = &s->entries[s->count++];
    e->section.kind = (enum rx_section_kind)rx_read_uint(r);
    e->section.name = keep_text(s, r);
    e->section.class = keep_text(s, r);
    e->section.version = rx_read_uint(r);
    e->section.hash = rx_read_uint(r);
    e->bytes = rx_frame_open(r);
    return r->failed;
}

static int read_all(struct rx_state *s, struct rx_reader *r, struct rx_error *reterr)
{
    size_t length = 0;
    const char *magic = rx_read_text(r, &length);
    if (rx_reader_failed(r) || length != strlen(MAGIC) || memcmp(magic, MAGIC, length) != 0)
        return rx_error_set(reterr, -EBADMSG, "this is no state of rxd");
    uint64_t format = rx_read_uint(r);
    if (format > RX_STATE_FORMAT)
        return rx_error_set(reterr, -EPROTO, "the state has format %llu, of a newer rxd; this one knows %d",
                            (unsigned long long)format, RX_STATE_FORMAT);
    s->now = rx_read_int(r);
    s->next_sequence = rx_read_uint(r);
    while (!rx_reader_failed(r) && r->position < r->length)
        if (read_entry(s, r) == -ENOMEM || s->texts.failed)
            return rx_error_set(reterr, -ENOMEM, "out of memory");
    return rx_reader_failed(r) ? rx_error_set(reterr, -EBADMSG, "the state is cut off or damaged") : 0;
}

static int compare(const void *a, const void *b)
{
    const struct rx_section *x = &((const struct entry *)a)->section, *y = &((const struct entry *)b)->section;
    return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->name, y->name);
}

int rx_state_open(const struct rx_reader *reader, struct rx_state **ret, struct rx_error *reterr)
{
    struct rx_state *s = calloc(1, sizeof *s);
    struct rx_reader r = *reader;
    if (!s)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    int result = read_all(s, &r, reterr);
    if (result < 0) {
        rx_state_close(s);
        return result;
    }
    for (size_t i = 0; i < s->count; i++) {
        s->entries[i].section.name = s->texts.data + (uintptr_t)s->entries[i].section.name;
        s->entries[i].section.class = s->texts.data + (uintptr_t)s->entries[i].section.class;
    }
    if (s->count)
        qsort(s->entries, s->count, sizeof *s->entries, compare);
    *ret = s;
    return 0;
}

void rx_state_close(struct rx_state *s)
{
    if (!s)
        return;
    rx_buffer_finish(&s->texts);
    free(s->entries);
    free(s);
}

void rx_state_restore_sched(const struct rx_state *s, struct rx_sched *sched)
{
    rx_sched_run_until(sched, s->now, false);
    rx_sched_restore(sched, s->next_sequence);
}

bool rx_state_find(const struct rx_state *s, enum rx_section_kind kind, const char *name,
                   struct rx_section *ret_section, struct rx_reader *ret)
{
    struct entry key = {.section = {.kind = kind, .name = name}};
    const struct entry *e = s->count ? bsearch(&key, s->entries, s->count, sizeof key, compare) : NULL;
    if (!e)
        return false;
    if (ret_section)
        *ret_section = e->section;
    *ret = e->bytes;
    return true;
}

/* ---- plans ---- */

static void save_hub(const struct rx_hub *hub, struct rx_writer *w)
{
    struct rx_section section = {.kind = RX_SECTION_HUB, .name = rx_hub_name(hub), .class = "hub"};
    size_t at = rx_section_begin(w, &section);
    rx_hub_save(hub, w);
    rx_section_end(w, at);
}

static void load_hub(struct rx_hub *hub, const struct rx_state *s)
{
    struct rx_reader r;
    if (rx_state_find(s, RX_SECTION_HUB, rx_hub_name(hub), NULL, &r))
        rx_hub_load(hub, &r);
}

void rx_plan_save(const struct rx_plan *plan, struct rx_writer *w)
{
    for (size_t i = 0; i < plan->source_count; i++) {
        save_hub(plan->sources[i].hub, w);
        save_hub(plan->sources[i].errors, w);
    }
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        const struct rx_plan_pipeline *p = &plan->pipelines[i];
        save_hub(p->errors, w);
        save_hub(p->late, w);
        for (size_t k = 0; k < p->branch_count; k++)
            save_hub(p->branches[k].hub, w);
        struct rx_section section = {.kind = RX_SECTION_PIPELINE, .name = p->name, .class = "pipeline"};
        size_t at = rx_section_begin(w, &section);
        rx_pipeline_run_save(p->run, w);
        rx_section_end(w, at);
    }
}

void rx_plan_discard(struct rx_plan *plan)
{
    for (size_t i = 0; i < plan->pipeline_count; i++)
        rx_pipeline_run_discard(plan->pipelines[i].run);
}

int rx_plan_load(struct rx_plan *plan, const struct rx_state *s, size_t *ret_kept, struct rx_error *reterr)
{
    size_t kept = 0;
    int result = 0;
    rx_engine_enter(plan->engine);
    for (size_t i = 0; i < plan->source_count; i++) {
        load_hub(plan->sources[i].hub, s);
        rx_hub_resume(plan->sources[i].hub);
        load_hub(plan->sources[i].errors, s);
    }
    for (size_t i = 0; i < plan->pipeline_count && result == 0; i++) {
        struct rx_plan_pipeline *p = &plan->pipelines[plan->ordered[i]];
        struct rx_reader r;
        load_hub(p->errors, s);
        load_hub(p->late, s);
        for (size_t k = 0; k < p->branch_count; k++)
            load_hub(p->branches[k].hub, s);
        if (!rx_state_find(s, RX_SECTION_PIPELINE, p->name, NULL, &r) || !rx_pipeline_run_same(p->run, &r))
            continue;
        if (rx_pipeline_run_load(p->run, &r) < 0)
            result = rx_error_set(reterr, -EBADMSG, "the state of pipeline \"%s\" is damaged", p->name);
        kept += result == 0;
    }
    if (result < 0)
        rx_plan_discard(plan);
    rx_engine_leave(plan->engine);
    if (ret_kept)
        *ret_kept = kept;
    return result;
}
