/* Users' tests: which steps and branches of a config they reached, all together.
 *
 * A step is reached by an event. Its branches are: that its condition was true, and false; that its on_error was taken, where one is
 * written; that what it catches was there to catch; and of a step that feeds streams of its own each of these. */
#ifndef RX_PIPELINES_TEST_COVERAGE_H
#define RX_PIPELINES_TEST_COVERAGE_H

#include "pipelines/run/world.h"

struct rx_test_coverage;
/* The plan is borrowed. NULL: no memory. */
struct rx_test_coverage *rx_test_coverage_create(const struct rx_logical *);
void rx_test_coverage_destroy(struct rx_test_coverage *);
/* Adds what a world has come to. */
void rx_test_coverage_add(struct rx_test_coverage *, const struct rx_world *);
/* Every place, in order of the config, as "FILE:LINE:COLUMN: STEP: WHAT", and whether it was reached. */
void rx_test_coverage_each(const struct rx_test_coverage *, void (*each)(void *arg, const char *place, bool reached),
                           void *arg);

#endif
