/* The budget of filters, by whole seconds. */
#include "core/io/serve/filter_budget.h"

static void turn_to_now(struct rx_filter_budget *b)
{
    int64_t second = rx_sched_now(b->sched) / RX_SEC;
    if (b->second == second)
        return;
    b->second = second;
    b->spent = b->active = 0;
}

static uint64_t in_all(const struct rx_filter_budget *b) { return b->all ? b->all : RX_FILTER_ALL; }

bool rx_filter_charge(struct rx_filter_budget *b, struct rx_filter_account *a, uint64_t steps)
{
    turn_to_now(b);
    if (a->second != b->second || !a->spent) {
        *a = (struct rx_filter_account){.second = b->second};
        b->active++;
    }
    a->spent += steps;
    b->spent += steps;
    return a->spent <= (b->each ? b->each : RX_FILTER_EACH) &&
           (b->spent <= in_all(b) || a->spent <= in_all(b) / b->active);
}

bool rx_filter_may_begin(struct rx_filter_budget *b)
{
    turn_to_now(b);
    return b->spent < in_all(b);
}
