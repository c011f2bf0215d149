/* Patterns: values that say what another one should be like.
 *
 * A value stands for itself; an object with one of these names says more:
 *   {$any: true}                  anything
 *   {$near: 21.5, within: 0.1}    a number at most so far away (without `within`: by a billionth of it)
 *   {$matches: "^pump-[0-9]+$"}   a text in which the regular expression is found
 *   {$where: "value > 20"}        whatever makes the condition true, as if it were an event
 *   {$subset: V}                  in the objects of V only what is named counts
 *   {$exact: V}                   V as it stands, with nothing more, and what looks like a pattern in it is none */
#ifndef RX_PIPELINES_PATTERN_H
#define RX_PIPELINES_PATTERN_H

#include "core/option/diagnostics.h"
#include "core/value/record.h"

enum {
    RX_PATTERN_SUBSET = 1, /* as under $subset from the start */
    RX_PATTERN_PLAIN = 2,  /* as under $exact */
};

/* Where it is told why a value is not what another one says: a line for each place that differs, "INDENT PATH: expected WANT, came
 * GOT\n", at the most RX_PATTERN_REASONS of them. */
#define RX_PATTERN_REASONS 8
struct rx_buffer;
struct rx_pattern_why {
    struct rx_buffer *out;
    const char *indent, *words[2]; /* "expected", "came" */
};

/* Whether `got` is what `want` says. `heap`: where conditions are compiled. `why` may be NULL. */
bool rx_pattern_fits(struct rx_heap *heap, struct rx_value want, struct rx_value got, unsigned flags,
                     const struct rx_pattern_why *why);
/* Diagnoses what is no pattern in a tree that will become one: an unknown $NAME, a condition that does not compile. */
void rx_pattern_check(const struct rx_tree *, struct rx_heap *, struct rx_diagnostics *);

#endif
