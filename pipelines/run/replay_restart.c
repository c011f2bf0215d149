/* Restarts of a replay: between two events everything is saved, and goes on in a new world. */
#include <errno.h>

#include "pipelines/run/replay_private.h"
#include "pipelines/run/state.h"

int rx_replay_begin_world(struct rx_replay *r, struct rx_error *reterr)
{
    int result = rx_world_create(r->logical, &r->plan_options, &r->world, reterr);
    if (result == 0 && r->options.enter)
        r->options.enter(r->options.world_arg, &r->world);
    return result;
}

void rx_replay_end_world(struct rx_replay *r)
{
    if (!r->world.engine)
        return;
    if (r->options.leave)
        r->options.leave(r->options.world_arg, &r->world);
    rx_engine_enter(r->world.engine);
    rx_engine_close(r->world.engine);
    for (size_t i = 0; r->outputs && i < r->output_count; i++)
        rx_hub_unsubscribe(&r->outputs[i].observer);
    rx_engine_leave(r->world.engine);
    rx_world_destroy(&r->world);
}

static void save(struct rx_replay *r, struct rx_writer *w)
{
    struct rx_section section = {.kind = RX_SECTION_REPLAY, .name = "outputs", .class = "replay"};
    rx_state_begin(w, r->world.sched);
    rx_plan_save(r->world.plan, w);
    size_t at = rx_section_begin(w, &section);
    for (size_t i = 0; i < r->world.plan->source_count; i++)
        rx_source_save(r->world.plan->sources[i].source, w);
    for (size_t i = 0; i < r->output_count; i++)
        rx_observer_save(&r->outputs[i].observer, w);
    rx_section_end(w, at);
}

static void replace_hubs(struct rx_replay *r)
{
    struct rx_plan *plan = r->world.plan;
    for (size_t i = 0; i < plan->source_count; i++)
        rx_replay_feed_bind(&r->feeds[i], r->world.engine, &plan->sources[i]);
    for (size_t i = 0; i < r->output_count; i++)
        r->outputs[i].hub = rx_plan_find_hub(plan, r->outputs[i].name);
}

static int load(struct rx_replay *r, const struct rx_state *state, struct rx_error *reterr)
{
    struct rx_reader bytes;
    size_t kept = 0;
    rx_state_restore_sched(state, r->world.sched);
    int result = rx_plan_load(r->world.plan, state, &kept, reterr);
    if (result < 0)
        return result;
    if (kept != r->world.plan->pipeline_count || !rx_state_find(state, RX_SECTION_REPLAY, "outputs", NULL, &bytes))
        return rx_error_set(reterr, -EBADMSG, "the state is not of this config");
    for (size_t i = 0; i < r->world.plan->source_count; i++)
        rx_source_load(r->world.plan->sources[i].source, &bytes);
    for (size_t i = 0; i < r->output_count; i++)
        rx_observer_load(r->outputs[i].hub, &r->outputs[i].observer, &bytes);
    return rx_reader_failed(&bytes) ? rx_error_set(reterr, -EBADMSG, "the state of the outputs is damaged") : 0;
}

static int move_on(struct rx_replay *r, const struct rx_writer *saved, struct rx_error *reterr)
{
    struct rx_state *state = NULL;
    int result = rx_replay_begin_world(r, reterr);
    if (result < 0)
        return result;
    replace_hubs(r);
    struct rx_reader reader = {
        .data = (const unsigned char *)saved->buffer.data, .length = saved->buffer.length, .heap = r->world.heap};
    result = rx_state_open(&reader, &state, reterr);
    rx_engine_enter(r->world.engine); /* who reads what is known when all is loaded */
    if (result == 0)
        result = load(r, state, reterr);
    rx_engine_leave(r->world.engine);
    rx_state_close(state);
    return result;
}

static void set_quiet(struct rx_replay *r, bool quiet)
{
    for (size_t i = 0; i < r->world.plan->source_count; i++)
        r->feeds[i].quiet = quiet;
}

int rx_replay_restart(struct rx_replay *r, struct rx_error *reterr)
{
    struct rx_writer saved = {0};
    r->since_restart = 0;
    if (r->filling)
        rx_replay_feed_flush(r->filling);
    save(r, &saved);
    if (saved.buffer.failed) {
        rx_buffer_finish(&saved.buffer);
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    }
    set_quiet(r, true);
    rx_replay_end_world(r);
    /* The other kind of plan each time: fused and unfused read each other's state, but for what keeps a state of its own. */
    if (r->options.alternate_fusion) {
        r->plan_options.no_fusion = !r->plan_options.no_fusion;
        r->plan_options.fuse_states = true;
    }
    int result = move_on(r, &saved, reterr);
    if (r->world.plan)
        set_quiet(r, false);
    rx_buffer_finish(&saved.buffer);
    return result;
}
