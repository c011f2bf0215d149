/* Diagnostics: mistakes in configs, collected and reported all at once, each with file:line:column, the source line, a caret
 * and a hint. They copy what they show, so they may outlive the trees. One thread. */
#ifndef RX_CORE_DIAGNOSTICS_H
#define RX_CORE_DIAGNOSTICS_H

#include "core/option/tree.h"

struct rx_buffer;
struct rx_diagnostics;
struct rx_diagnostics *rx_diagnostics_create(void);
void rx_diagnostics_destroy(struct rx_diagnostics *);

/* Adds a mistake at a node (its start), or at an offset inside a scalar's text (an expression's error: the column is
 * mapped back into the file, also for quoted and block scalars as well as can be). `node` NULL: no place. */
void rx_diagnose(struct rx_diagnostics *, const struct rx_tree *node, const struct rx_error *);
void rx_diagnose_inside(struct rx_diagnostics *, const struct rx_tree *scalar, const struct rx_error *);
void rx_diagnosef(struct rx_diagnostics *, const struct rx_tree *node, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Something legal that looks like a slip: shown as a warning, and not counted as a mistake. At a node, or inside a scalar. */
void rx_remark(struct rx_diagnostics *, const struct rx_tree *node, const struct rx_error *);
void rx_remark_inside(struct rx_diagnostics *, const struct rx_tree *scalar, const struct rx_error *);
/* "out of memory" there: none of the config's mistakes, see rx_diagnostics_starved. */
void rx_diagnose_starved(struct rx_diagnostics *, const struct rx_tree *node);
/* What is found from here on in a line that has a mistake already follows from that one, and is left out. */
void rx_diagnostics_settle(struct rx_diagnostics *);

size_t rx_diagnostics_count(const struct rx_diagnostics *);
size_t rx_diagnostics_remarks(const struct rx_diagnostics *);
/* Memory ran out on the way (an error of -ENOMEM was among them, or one could not be kept): what is counted need not be the
 * config's fault. */
bool rx_diagnostics_starved(const struct rx_diagnostics *);
/* "file:line:col: message\n    source line\n    ^\n  hint: ...\n" for each, in order of file and place, no repeats. */
void rx_diagnostics_render(const struct rx_diagnostics *, struct rx_buffer *out);

#endif
