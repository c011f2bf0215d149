/* The limit: the main job as a program that does nothing else, to know how far down the time of an event can go.
 *
 * filter metric == "temperature" -> group by device -> average, maximum and count over 5 s of the clock -> one stream of results.
 * What it does: every message is read as JSON, its keys in any order, with white space, nested values and escapes; what is no JSON or no
 * UTF-8 is rejected; decimal numbers are right to the last bit. What it does not, and rxd does: say what it rejected and why; take groups
 * longer than 40 bytes (they are passed over) and keys with escapes (they are other keys); bound its groups; keep a ledger,
 * positions, or the messages for whoever asks later; serve its results to more than one; read a config. */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Readable bytes that stand behind every message and every key: loads are of 16. */
enum { LIMIT_PADDING = 64, LIMIT_KEY = 40 };

struct limit_text {
    const char *data;
    size_t length;
};

struct limit_message {
    struct limit_text device, metric;
    double value;
};

/* One message, without what ends it. False where it is no object with the three fields. */
bool limit_message_read(const char *data, size_t length, struct limit_message *ret);

/* A number of JSON at `data`; NULL where there is none, else what stands behind it. */
const char *limit_number_read(const char *data, double *ret);

/* The job itself. Results go to `out`, a line each. */
struct limit_groups;
struct limit_groups *limit_groups_create(int out);
void limit_groups_destroy(struct limit_groups *groups);
void limit_groups_add(struct limit_groups *groups, const struct limit_message *message);
/* Closes the window if `now` (ns since the epoch) is past its end, and opens the next. */
void limit_groups_at(struct limit_groups *groups, int64_t now);
/* Writes what the open window has. */
void limit_groups_flush(struct limit_groups *groups);

#endif
