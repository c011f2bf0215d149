/* The brokers of one worker: those of the config, and those that are written where they are used. */
#include "daemon/front/site_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

/* What is still to be sent goes with it: that is told. */
static void end_broker(struct rx_broker *broker)
{
    struct rx_broker_status s;
    char count[24];
    if (!broker)
        return;
    rx_broker_status(broker, &s);
    if (s.queued + s.inflight > 0) {
        snprintf(count, sizeof count, "%zu", s.queued + s.inflight);
        const char *pairs[] = {"broker", s.name, "messages", count, "state", s.state, "error", s.last_error, NULL};
        rx_log(RX_LOG_WARNING, "messages to the broker are dropped: it did not take them in time", pairs);
    }
    rx_broker_destroy(broker);
}

static void drop_broker(struct named_broker *b)
{
    if (!b || --b->refs > 0)
        return;
    end_broker(b->broker);
    rx_plan_arena_destroy(b->arena);
    rx_forest_destroy(b->forest);
    free(b);
}

void site_drop_brokers(struct brokers *brokers)
{
    for (size_t i = 0; i < brokers->count; i++)
        drop_broker(brokers->items[i]);
    free(brokers->items);
    *brokers = (struct brokers){0};
}

static struct named_broker *find(const struct brokers *brokers, const char *name)
{
    for (size_t i = 0; i < brokers->count; i++)
        if (strcmp(brokers->items[i]->name, name) == 0)
            return brokers->items[i];
    return NULL;
}

/* The connection, made when somebody first asks for it. NULL: errno says why. */
static struct rx_broker *connection_of(struct rx_site_owner *owner, struct named_broker *b)
{
    struct rx_error error = {0};
    if (b->broker || rx_broker_create(owner->site.loop, b->name, b->options, &b->broker, &error) == 0)
        return b->broker;
    const char *pairs[] = {"broker", b->name, "error", error.message, NULL};
    rx_log(RX_LOG_ERROR, "cannot set up the broker", pairs);
    errno = error.code == -ENOMEM ? ENOMEM : EIO;
    return NULL;
}

static struct brokers *current(struct rx_site_owner *owner)
{
    return owner->staging ? &owner->staged : &owner->brokers;
}

struct rx_broker *site_find_broker(struct rx_site *site, const char *name)
{
    struct named_broker *b = find(current(site->owner), name);
    errno = ENOENT;
    return b ? connection_of(site->owner, b) : NULL;
}

/* Each worker has its own connection, and a broker drops one of two clients of the same name. */
static int name_client(struct rx_site_owner *owner, struct named_broker *b, struct rx_broker_options *options)
{
    if (!options->client_id || owner->options.worker == 0)
        return 0;
    size_t size = strlen(options->client_id) + 16;
    char *id = rx_plan_alloc(b->arena, size);
    if (!id)
        return -ENOMEM;
    snprintf(id, size, "%s-%u", options->client_id, owner->options.worker);
    options->client_id = id;
    return 0;
}

static struct named_broker *create_broker(struct rx_site_owner *owner, const struct rx_forest *forest, const char *name)
{
    struct named_broker *b = calloc(1, sizeof *b);
    struct rx_plan_arena *arena = rx_plan_arena_create(owner->options.heap);
    if (!b || !arena) {
        free(b);
        rx_plan_arena_destroy(arena);
        return NULL;
    }
    *b =
        (struct named_broker){.refs = 1, .name = name, .arena = arena, .forest = forest ? rx_forest_ref(forest) : NULL};
    return b;
}

/* ---- brokers that are written where they are used ---- */

static struct named_broker *find_same(const struct brokers *brokers, const struct rx_broker_options *options)
{
    for (size_t i = 0; i < brokers->count; i++)
        if (rx_broker_options_same(brokers->items[i]->written, options))
            return brokers->items[i];
    return NULL;
}

static int add(struct brokers *brokers, struct named_broker *b)
{
    struct named_broker **grown = reallocarray(brokers->items, brokers->count + 1, sizeof(struct named_broker *));
    if (!grown)
        return -ENOMEM;
    brokers->items = grown;
    brokers->items[brokers->count++] = b;
    return 0;
}

/* Its URL, numbered where another has it already. */
static const char *make_name(struct rx_site_owner *owner, struct rx_plan_arena *arena, const char *url)
{
    size_t size = strlen(url) + 12;
    char *name = rx_plan_alloc(arena, size);
    unsigned number = 1;
    if (!name)
        return NULL;
    snprintf(name, size, "%s", url);
    while (find(&owner->brokers, name) || find(&owner->staged, name))
        snprintf(name, size, "%s#%u", url, ++number);
    return name;
}

static struct named_broker *create_inline(struct rx_site_owner *owner, const struct rx_broker_options *options)
{
    struct named_broker *b = create_broker(owner, NULL, NULL);
    struct rx_broker_options *written = b ? rx_plan_alloc(b->arena, sizeof *written) : NULL;
    struct rx_broker_options *own = b ? rx_plan_alloc(b->arena, sizeof *own) : NULL;
    if (written && own && rx_broker_options_copy(options, b->arena, written) == 0) {
        *own = *written;
        b->written = written;
        b->options = own;
        b->name = make_name(owner, b->arena, options->url);
        if (b->name && name_client(owner, b, own) == 0)
            return b;
    }
    drop_broker(b);
    return NULL;
}

struct rx_broker *site_broker_of(struct rx_site *site, const struct rx_broker_options *options)
{
    struct rx_site_owner *owner = site->owner;
    struct brokers *brokers = current(owner);
    struct named_broker *b = find_same(brokers, options);
    if (b)
        return connection_of(owner, b);
    b = owner->staging ? find_same(&owner->brokers, options) : NULL; /* goes on over the reload */
    if (b)
        b->refs++;
    else
        b = create_inline(owner, options);
    if (!b || add(brokers, b) < 0) {
        drop_broker(b);
        errno = ENOMEM;
        return NULL;
    }
    return connection_of(owner, b);
}

/* ---- brokers of the config ---- */

/* A sink may have the will of the connection that it names. */
struct will {
    struct rx_value value;
};
static const struct rx_option will_options[] = {
    {.name = "will", .type = RX_OPTION_VALUE, .offset = RX_AT(struct will, value, struct rx_value)},
    {0},
};
static const struct rx_class will_class = {.name = "will", .options = will_options, .state_size = sizeof(struct will)};

static bool is_scalar(const struct rx_tree *tree, const char *text)
{
    return tree && tree->kind == RX_TREE_SCALAR && strcmp(tree->text, text) == 0;
}

static int take_will(struct named_broker *b, struct rx_broker_options *options, const struct rx_tree *sink,
                     struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *mqtt = sink->kind == RX_TREE_MAP ? rx_tree_get(sink, "mqtt") : NULL;
    const struct rx_tree *will = mqtt && mqtt->kind == RX_TREE_MAP ? rx_tree_get(mqtt, "will") : NULL;
    struct will image = {0};
    if (!will || !is_scalar(rx_tree_get(mqtt, "broker"), b->name))
        return 0;
    struct rx_tree name = {.text = "will", .length = 4, .file = will->file, .at = will->at}, *keys[] = {&name};
    struct rx_tree *items[] = {(struct rx_tree *)(uintptr_t)will}; /* only read */
    struct rx_tree map = {
        .kind = RX_TREE_MAP, .file = will->file, .at = will->at, .keys = keys, .items = items, .count = 1};
    int r = rx_options_parse(&will_class, &map, will, b->arena, &image, diagnostics);
    if (r < 0)
        return r;
    if (options->will.kind != RX_NULL && !rx_value_equal(options->will, image.value))
        rx_diagnosef(diagnostics, will, "a sink with url: in place of broker: has a connection of its own",
                     "the broker \"%s\" has another will already; a connection has one", b->name);
    options->will = image.value;
    b->hash ^= rx_options_hash(&will_class, &map, &image);
    return 0;
}

static int take_wills(struct named_broker *b, struct rx_broker_options *options, const struct rx_forest *forest,
                      struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *pipelines = rx_forest_section(forest, "pipelines");
    int r = 0;
    for (size_t i = 0; pipelines && pipelines->kind == RX_TREE_MAP && i < pipelines->count; i++) {
        const struct rx_tree *p = pipelines->items[i], *to = p->kind == RX_TREE_MAP ? rx_tree_get(p, "to") : NULL;
        if (to && to->kind == RX_TREE_MAP)
            r = r < 0 ? r : take_will(b, options, to, diagnostics);
        for (size_t k = 0; to && to->kind == RX_TREE_LIST && k < to->count; k++)
            r = r < 0 ? r : take_will(b, options, to->items[k], diagnostics);
    }
    return r;
}

static void warn(const struct rx_broker_options *options, const struct rx_tree *broker,
                 struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *client = rx_tree_get(broker, "client");
    const char *text;
    for (size_t i = 0; client && (text = rx_broker_warning(options, i)); i++) {
        struct rx_error note = {0};
        rx_error_set(&note, -EINVAL, "%s", text);
        rx_remark_inside(diagnostics, client, &note);
    }
}

/* NULL after a mistake, diagnosed; *ret_r is -ENOMEM where it is none. */
static struct named_broker *read_broker(struct rx_site_owner *owner, const struct rx_forest *forest,
                                        const struct rx_tree *key, const struct rx_tree *tree,
                                        struct rx_diagnostics *diagnostics, int *ret_r)
{
    struct rx_error error;
    struct named_broker *b = create_broker(owner, forest, key->text);
    struct rx_broker_options *options = b ? rx_plan_alloc(b->arena, rx_broker_class.state_size) : NULL;
    size_t told = rx_diagnostics_count(diagnostics);
    int parsed = options ? rx_options_parse(&rx_broker_class, tree, key, b->arena, options, diagnostics) : -ENOMEM;
    bool silent = parsed < 0 && rx_diagnostics_count(diagnostics) == told; /* no mistake of the config, then */
    *ret_r = parsed == -ENOMEM || silent || rx_diagnostics_starved(diagnostics) ? -ENOMEM : 0;
    if (parsed == 0) {
        struct rx_broker_options *written = rx_plan_alloc(b->arena, sizeof *written);
        if (written)
            *written = *options;
        b->written = written;
        *ret_r = *ret_r < 0 || !written ? -ENOMEM : name_client(owner, b, options);
        if (rx_broker_check(options, &error) < 0)
            rx_options_blame(&rx_broker_class, tree, key, &error, diagnostics);
        warn(options, tree, diagnostics);
        b->options = options;
        b->hash = rx_options_hash(&rx_broker_class, tree, options);
        if (take_wills(b, options, forest, diagnostics) == -ENOMEM)
            *ret_r = -ENOMEM;
        if (*ret_r == 0)
            return b;
    }
    drop_broker(b);
    return NULL;
}

/* The one that runs already where it is the same. */
static struct named_broker *same_or_new(struct rx_site_owner *owner, struct named_broker *b)
{
    struct named_broker *old = find(&owner->brokers, b->name);
    if (!old || old->hash != b->hash)
        return b;
    old->refs++;
    drop_broker(b);
    return old;
}

int site_read_brokers(struct rx_site_owner *owner, const struct rx_forest *forest, struct brokers *ret,
                      struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *section = rx_forest_section(forest, "brokers");
    size_t n = section && section->kind == RX_TREE_MAP ? section->count : 0;
    int r = 0;
    ret->items = calloc(n + 1, sizeof(struct named_broker *));
    if (!ret->items)
        return -ENOMEM;
    if (section && section->kind != RX_TREE_MAP)
        rx_diagnosef(diagnostics, section, "home: {url: mqtt://127.0.0.1:1883}",
                     "brokers is a mapping of name to broker");
    for (size_t i = 0; i < n && r == 0; i++) {
        struct named_broker *b = read_broker(owner, forest, section->keys[i], section->items[i], diagnostics, &r);
        if (!b)
            continue;
        b = same_or_new(owner, b);
        ret->items[ret->count++] = b;
    }
    return r;
}
