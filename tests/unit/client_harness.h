/* A source or sink that speaks HTTP, with options from YAML, beside the server that it speaks to. */
#ifndef RX_TESTS_CLIENT_HARNESS_H
#define RX_TESTS_CLIENT_HARNESS_H

#include "core/io/client/client.h"
#include "pipelines/config/config_read.h"
#include "tests/unit/http_peer.h"
#include "tests/unit/source_harness.h"

struct client_world {
    struct harness h;
    struct rx_client *client;
    struct peer *peer;
    struct rx_forest *forests[16];
    size_t forest_count;
};

static struct client_world world;

static inline struct rx_client *world_client(struct rx_site *site, struct rx_error *reterr)
{
    (void)site, (void)reterr;
    return world.client;
}

static inline void world_setup(void)
{
    struct rx_error error = {0};
    memset(&world, 0, sizeof world);
    harness_init(&world.h);
    ck_assert_msg(rx_client_create(world.h.loop, &world.client, &error) == 0, "%s", error.message);
    world.h.site.client = world_client;
    world.peer = peer_create(world.h.loop);
}

static inline void world_teardown(void)
{
    rx_client_destroy(world.client);
    peer_destroy(world.peer);
    harness_finish(&world.h);
    for (size_t i = 0; i < world.forest_count; i++)
        rx_forest_destroy(world.forests[i]);
}

/* 0, or the mistake's errno with all that is said of it in `out`. URL in the text stands for the server's. */
static inline int world_parse(const struct rx_class *class, const char *yaml, void *image, struct rx_buffer *out)
{
    struct rx_buffer text = {0};
    for (const char *at = yaml, *url; *at; at = url ? url + 3 : at + strlen(at)) {
        url = strstr(at, "URL");
        rx_buffer_append(&text, at, url ? (size_t)(url - at) : strlen(at));
        rx_buffer_text(&text, url ? world.peer->url : "");
    }
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_forest **forest = &world.forests[world.forest_count++];
    int r = rx_forest_read_text(text.data, text.length, "rxd.yaml", RX_FOREST_FRAGMENT, diagnostics, forest);
    if (r == 0)
        r = rx_options_parse(class, rx_forest_root(*forest), rx_forest_root(*forest), world.h.arena, image,
                             diagnostics);
    rx_diagnostics_render(diagnostics, out);
    rx_buffer_append(out, "", 1);
    rx_diagnostics_destroy(diagnostics);
    rx_buffer_finish(&text);
    return r;
}

static inline void *world_image(const struct rx_class *class, const char *yaml)
{
    struct rx_buffer said = {0};
    void *image = calloc(1, class->state_size);
    ck_assert_msg(world_parse(class, yaml, image, &said) == 0, "%s", said.data);
    rx_buffer_finish(&said);
    return image;
}

/* The newest texts are not needed any more. */
static inline void world_forget(size_t count)
{
    for (; count > 0; count--)
        rx_forest_destroy(world.forests[--world.forest_count]);
}

/* Common options of sources stand among the others, as users may write them. */
static inline struct feed *world_feed(const struct rx_source_class *class, const char *yaml)
{
    struct rx_buffer own = {0}, beside = {0};
    struct rx_source_common common = {0};
    for (const char *line = yaml, *next; *line; line = next) {
        char name[40];
        next = line + strcspn(line, "\n");
        next += *next == '\n';
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, ":"), line);
        rx_buffer_append(harness_is_common(&class->base, name) ? &beside : &own, line, (size_t)(next - line));
    }
    rx_buffer_append(&own, "", 1);
    rx_buffer_text(&beside, beside.length ? "" : "{}");
    rx_buffer_append(&beside, "", 1);
    struct rx_source *source = world_image(&class->base, own.data);
    struct rx_source_common *given = world_image(rx_source_common_of(class), beside.data);
    common = *given;
    free(given);
    rx_buffer_finish(&own);
    rx_buffer_finish(&beside);
    return feed_of(&world.h, class, source, &common);
}

static inline bool world_elapsed(rx_time since, rx_time span) { return rx_loop_clock(world.h.loop) - since >= span; }

#endif
