/* Config files, folders and texts to one forest: sections merged, names checked, mistakes told with both places. */
#include "pipelines/config/config_read.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/option/option.h"
#include "pipelines/config/config_private.h"

struct config_chunk {
    struct config_chunk *older;
    size_t used, size;
    max_align_t data[];
};

struct rx_forest {
    atomic_uint refs;
    struct config_pool pool;
    unsigned flags;
    struct rx_tree *root;  /* the merged map of sections */
    struct rx_tree *start; /* the first file's first node */
    bool torn;             /* a file is missing, or is no tree */
};

/* The top-level keys. Named: a map of things that share a namespace of their own or with others. */
static const struct section {
    const char *name, *entry;
} sections[] = {
    {"http", NULL},    {"brokers", "a broker"}, {"sources", "a source"}, {"pipelines", "a pipeline"},
    {"workers", NULL}, {"log", NULL},           {"max_state", NULL},
};
enum { SECTIONS = sizeof sections / sizeof *sections };

void *config_alloc(struct config_pool *pool, size_t size)
{
    enum { CHUNK = 16 << 10 };
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct config_chunk *chunk = pool->newest;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;
        chunk = calloc(1, sizeof *chunk + room);
        if (!chunk)
            return NULL;
        *chunk = (struct config_chunk){.older = pool->newest, .size = room};
        pool->newest = chunk;
    }
    void *memory = (char *)chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

char *config_copy(struct config_pool *pool, const char *text, size_t length)
{
    char *copy = config_alloc(pool, length + 1);
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

void config_pool_finish(struct config_pool *pool)
{
    while (pool->newest) {
        struct config_chunk *chunk = pool->newest;
        pool->newest = chunk->older;
        free(chunk);
    }
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < SECTIONS; i++)
        if (strcmp(sections[i].name, name) == 0)
            return true;
    return false;
}

static void unknown_section(struct rx_diagnostics *diagnostics, const struct rx_tree *key)
{
    const char *names[SECTIONS + 1] = {0};
    char hint[200] = "a config has: ";
    for (size_t i = 0; i < SECTIONS; i++)
        names[i] = sections[i].name;
    const char *nearest = rx_nearest(key->text, names);
    size_t used = strlen(hint);
    for (size_t i = 0; i < SECTIONS; i++)
        used += (size_t)snprintf(hint + used, sizeof hint - used, "%s%s", i ? ", " : "", names[i]);
    if (nearest)
        snprintf(hint, sizeof hint, "did you mean `%s`?", nearest);
    rx_diagnosef(diagnostics, key, hint, "`%.60s` is not a section of a config", key->text);
}

/* "`x` is defined twice: first in a.yaml, line 3". */
static void defined_twice(struct rx_diagnostics *diagnostics, const struct rx_tree *second, const struct rx_tree *first)
{
    rx_diagnosef(diagnostics, second, "rename one of them", "`%.80s` is defined twice: first at %.200s:%u:%u",
                 second->text, first->file->path, first->at.line, first->at.column);
}

static const struct rx_tree *find_key(const struct rx_tree *map, const char *name)
{
    for (size_t i = 0; map && map->kind == RX_TREE_MAP && i < map->count; i++)
        if (strcmp(map->keys[i]->text, name) == 0)
            return map->keys[i];
    return NULL;
}

/* A map with room for `more` entries behind those of `map` (which may be NULL). */
static struct rx_tree *widened(struct rx_forest *forest, const struct rx_tree *map, const struct rx_tree *like,
                               size_t more)
{
    size_t count = map ? map->count : 0;
    struct rx_tree *wide = config_alloc(&forest->pool, sizeof *wide);
    struct rx_tree **keys = config_alloc(&forest->pool, (count + more + 1) * sizeof(struct rx_tree *));
    struct rx_tree **items = config_alloc(&forest->pool, (count + more + 1) * sizeof(struct rx_tree *));
    if (!wide || !keys || !items)
        return NULL;
    *wide = map ? *map : *like;
    for (size_t i = 0; i < count; i++) {
        keys[i] = map->keys[i];
        items[i] = map->items[i];
    }
    wide->count = count;
    wide->keys = keys;
    wide->items = items;
    return wide;
}

static void append(struct rx_tree *map, struct rx_tree *key, struct rx_tree *item)
{
    map->keys[map->count] = key;
    map->items[map->count++] = item;
}

/* A section that several files give: its entries together. */
static int merge_section(struct rx_forest *forest, struct rx_tree **slot, struct rx_tree *key, struct rx_tree *more,
                         const struct rx_tree *first_key, struct rx_diagnostics *diagnostics)
{
    if ((*slot)->kind != RX_TREE_MAP || more->kind != RX_TREE_MAP) {
        defined_twice(diagnostics, key, first_key);
        return 0;
    }
    struct rx_tree *merged = widened(forest, *slot, *slot, more->count);
    if (!merged)
        return -ENOMEM;
    for (size_t i = 0; i < more->count; i++) {
        const struct rx_tree *first = find_key(*slot, more->keys[i]->text);
        if (first)
            defined_twice(diagnostics, more->keys[i], first);
        else
            append(merged, more->keys[i], more->items[i]);
    }
    *slot = merged;
    return 0;
}

static int merge_tree(struct rx_forest *forest, struct rx_tree *tree, struct rx_diagnostics *diagnostics)
{
    if (tree->kind != RX_TREE_MAP) {
        rx_diagnosef(diagnostics, tree, "write sections, such as `pipelines:`", "a config is a mapping of sections");
        return 0;
    }
    struct rx_tree *root = widened(forest, forest->root, tree, tree->count);
    if (!root)
        return -ENOMEM;
    for (size_t i = 0; i < tree->count; i++) {
        struct rx_tree *key = tree->keys[i];
        size_t at = 0;
        while (at < root->count && strcmp(root->keys[at]->text, key->text) != 0)
            at++;
        if (!is_section(key->text))
            unknown_section(diagnostics, key);
        else if (at == root->count)
            append(root, key, tree->items[i]);
        else if (merge_section(forest, &root->items[at], key, tree->items[i], root->keys[at], diagnostics) < 0)
            return -ENOMEM;
    }
    forest->root = root;
    return 0;
}

static int add_text(struct rx_forest *forest, const char *path, const char *text, size_t length,
                    struct rx_diagnostics *diagnostics)
{
    struct rx_file *file = config_alloc(&forest->pool, sizeof *file);
    char *kept_path = config_copy(&forest->pool, path, strlen(path));
    char *kept = config_copy(&forest->pool, text, length);
    struct rx_tree *tree = NULL;
    if (!file || !kept_path || !kept)
        return -ENOMEM;
    *file = (struct rx_file){.path = kept_path, .text = kept, .length = length};
    int r = config_parse(file, forest->flags, &forest->pool, diagnostics, &tree);
    if (r == -ENOMEM)
        return r;
    forest->torn = forest->torn || (r < 0 && !tree);
    if (!tree) /* empty; or told, and the other files are still worth reading */
        return 0;
    if (!forest->start)
        forest->start = tree;
    if (forest->flags & RX_FOREST_FRAGMENT) {
        forest->root = tree;
        return 0;
    }
    return merge_tree(forest, tree, diagnostics);
}

static void check_names(const struct rx_forest *forest, const struct section *section,
                        struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *map = rx_forest_section(forest, section->name);
    char hint[120];
    if (!section->entry || !map)
        return;
    if (map->kind != RX_TREE_MAP) {
        snprintf(hint, sizeof hint, "write the name of %s, then a colon and what it is", section->entry);
        rx_diagnosef(diagnostics, map, hint, "`%s` expects a mapping of names", section->name);
        return;
    }
    for (size_t i = 0; i < map->count; i++) {
        const char *name = map->keys[i]->text;
        if (rx_is_name(name))
            continue;
        const char *advice =
            strchr(name, '.') ? "dots are rxd's own: NAME.errors, NAME.late" : "use letters, digits, _ and -";
        rx_diagnosef(diagnostics, map->keys[i], advice, "`%.60s` cannot be the name of %s", name, section->entry);
    }
}

/* Sources and pipelines are both named in `from`. */
static void check_shared_names(const struct rx_forest *forest, struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *sources = rx_forest_section(forest, "sources");
    const struct rx_tree *pipelines = rx_forest_section(forest, "pipelines");
    for (size_t i = 0; pipelines && pipelines->kind == RX_TREE_MAP && i < pipelines->count; i++) {
        const struct rx_tree *source = find_key(sources, pipelines->keys[i]->text);
        if (source)
            rx_diagnosef(diagnostics, pipelines->keys[i], "rename one of them",
                         "`%.80s` is already the name of a source, at %.200s:%u:%u", source->text, source->file->path,
                         source->at.line, source->at.column);
    }
}

static int check_forest(const struct rx_forest *forest, struct rx_diagnostics *diagnostics)
{
    if (forest->flags & RX_FOREST_FRAGMENT)
        return 0;
    for (size_t i = 0; i < SECTIONS; i++)
        check_names(forest, &sections[i], diagnostics);
    check_shared_names(forest, diagnostics);
    return 0;
}

static void cannot_read(struct rx_diagnostics *diagnostics, const char *path, int error)
{
    rx_diagnosef(diagnostics, NULL, NULL, "cannot read `%.300s`: %s", path,
                 error == -EFBIG ? "it is larger than 16 MiB" : strerror(-error));
}

static int read_all(FILE *file, struct rx_buffer *out)
{
    char part[16384];
    size_t got;
    while ((got = fread(part, 1, sizeof part, file)) > 0) {
        rx_buffer_append(out, part, got);
        if (out->length > RX_CONFIG_BYTES_MAX)
            return -EFBIG;
    }
    return ferror(file) ? -EIO : out->failed ? -ENOMEM : 0;
}

static int add_file(struct rx_forest *forest, const char *path, struct rx_diagnostics *diagnostics)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct rx_buffer text = {0};
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    int r = file ? read_all(file, &text) : -errno;
    if (file && !is_stdin)
        fclose(file);
    if (r < 0 && r != -ENOMEM) {
        cannot_read(diagnostics, path, r);
        forest->torn = true;
        r = 0;
    } else if (r == 0) {
        r = add_text(forest, is_stdin ? "<stdin>" : path, text.data, text.length, diagnostics);
    }
    rx_buffer_finish(&text);
    return r;
}

static int is_config(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    if (!dot || entry->d_name[0] == '.')
        return 0;
    return strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int add_folder(struct rx_forest *forest, const char *path, struct rx_diagnostics *diagnostics)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_config, by_name), r = 0;
    if (count < 0) {
        cannot_read(diagnostics, path, -errno);
        forest->torn = true;
        return 0;
    }
    for (int i = 0; i < count; i++) {
        char *full;
        if (r == 0 && asprintf(&full, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", entries[i]->d_name) < 0)
            r = -ENOMEM;
        if (r == 0) {
            r = add_file(forest, full, diagnostics);
            free(full);
        }
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int add_path(struct rx_forest *forest, const char *path, struct rx_diagnostics *diagnostics)
{
    struct stat status;
    if (strcmp(path, "-") != 0 && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return add_folder(forest, path, diagnostics);
    return add_file(forest, path, diagnostics);
}

/* Gives the forest out if there are trees to look at, else destroys it. */
static int finish(struct rx_forest *forest, int r, size_t mistakes_before, struct rx_diagnostics *diagnostics,
                  struct rx_forest **ret)
{
    if (r == 0)
        r = check_forest(forest, diagnostics);
    if (r == 0 && rx_diagnostics_count(diagnostics) > mistakes_before)
        r = -EINVAL;
    if (r == -ENOMEM || (r < 0 && forest->torn))
        rx_forest_destroy(forest);
    else
        *ret = forest;
    return r;
}

/* A file that was emptied by accident must not stop everything at the next reload. */
static void refuse_empty(const struct rx_forest *forest, const char *path, struct rx_diagnostics *diagnostics)
{
    if (!forest->root || forest->root->count == 0)
        rx_diagnosef(diagnostics, forest->start, "sources: {in: {http: {}}}  pipelines: {out: {from: in}}",
                     "the config is empty: %s says nothing of sources, pipelines or http", path);
}

static struct rx_forest *create(void)
{
    struct rx_forest *forest = calloc(1, sizeof *forest);
    if (forest)
        atomic_init(&forest->refs, 1);
    return forest;
}

int rx_forest_read(const char *const *paths, size_t n, struct rx_diagnostics *diagnostics, struct rx_forest **ret)
{
    struct rx_forest *forest = create();
    size_t before = rx_diagnostics_count(diagnostics);
    int r = forest ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_path(forest, paths[i], diagnostics);
    if (r == 0 && rx_diagnostics_count(diagnostics) == before)
        refuse_empty(forest, n ? paths[0] : "", diagnostics);
    return forest ? finish(forest, r, before, diagnostics, ret) : r;
}

int rx_forest_read_text(const char *text, size_t length, const char *path_label, unsigned flags,
                        struct rx_diagnostics *diagnostics, struct rx_forest **ret)
{
    struct rx_forest *forest = create();
    size_t before = rx_diagnostics_count(diagnostics);
    if (!forest)
        return -ENOMEM;
    forest->flags = flags;
    return finish(forest, add_text(forest, path_label, text, length, diagnostics), before, diagnostics, ret);
}

struct rx_forest *rx_forest_ref(const struct rx_forest *forest)
{
    struct rx_forest *shared = (struct rx_forest *)(uintptr_t)forest;
    atomic_fetch_add(&shared->refs, 1);
    return shared;
}

void rx_forest_destroy(struct rx_forest *forest)
{
    if (!forest || atomic_fetch_sub(&forest->refs, 1) > 1)
        return;
    config_pool_finish(&forest->pool);
    free(forest);
}

const struct rx_tree *rx_forest_section(const struct rx_forest *forest, const char *name)
{
    return rx_tree_get(forest->root, name);
}

const struct rx_tree *rx_forest_root(const struct rx_forest *forest) { return forest->root; }

const struct rx_tree *rx_forest_start(const struct rx_forest *forest) { return forest->start; }
