/* What the files of a replay share. */
#ifndef RX_PIPELINES_REPLAY_PRIVATE_H
#define RX_PIPELINES_REPLAY_PRIVATE_H

#include "pipelines/run/replay.h"
#include "pipelines/run/replay_lines.h"
#include "pipelines/run/replay_source.h"
#include "pipelines/run/world.h"

struct rx_replay_pending {
    struct rx_replay_feed *feed;
    struct rx_replay_note note;
};

struct rx_replay_output {
    struct rx_observer observer;
    struct rx_replay *replay;
    struct rx_hub *hub;
    char *name;  /* of the stream; outlives the hub */
    bool silent; /* it only keeps the pipeline running that an output branches off */
};

struct rx_replay {
    const struct rx_logical *logical;
    struct rx_plan_options plan_options;
    struct rx_world world;
    struct rx_replay_options options;
    struct rx_replay_feed *feeds; /* one per source */
    struct rx_replay_output *outputs;
    size_t output_count;
    struct rx_replay_lines lines;
    struct rx_replay_pending
        *notes; /* hot notes, kept until the end when there are cold sources: those must be known first */
    size_t note_count, note_capacity, note_done;
    struct rx_replay_feed *filling;
    rx_time last_at, end;
    unsigned input_line;
    unsigned long since_restart; /* events and timers */
    unsigned in_vain;            /* instants without a line, at the end, in which only endless timers fired */
    uint64_t lines_before;
    bool has_cold, begun, ended, started, failed;
};

/* replay_restart.c. Everything is saved, and goes on in a new world. */
int rx_replay_restart(struct rx_replay *, struct rx_error *reterr);
int rx_replay_begin_world(struct rx_replay *, struct rx_error *reterr);
void rx_replay_end_world(struct rx_replay *); /* everybody leaves, and what ran is gone; nobody is told */

#endif
