/* The layout of the last message, kept as a tree of guesses at the keys of the next. */
#include "core/json/json_mould.h"

void rx_layout_forget(struct rx_layout *layout)
{
    rx_moulds_forget(&layout->moulds);
    memset(layout, 0, sizeof *layout);
}

void rx_layout_open(struct rx_layout *layout, uint64_t age)
{
    if (layout->count && !layout->full && layout->age == age)
        return;
    if (layout->age != age)
        rx_moulds_forget(&layout->moulds);
    layout->age = age;
    layout->root = layout->list_root = RX_NO_GUESS;
    layout->count = 1;
    layout->full = false;
    layout->guesses[RX_NO_GUESS] = (struct rx_guess){.length = 0};
}

/* The guess that `link` leads to, a new one where there is none yet. */
static struct rx_guess *open_guess(struct rx_layout *layout, uint16_t *link)
{
    struct rx_guess *none = &layout->guesses[RX_NO_GUESS];
    if (link == &none->next || link == &none->child)
        return none;
    if (*link == RX_NO_GUESS) {
        if (layout->count == RX_GUESSES) {
            layout->full = true;
            return none;
        }
        *link = layout->count++;
        layout->guesses[*link] = (struct rx_guess){.length = 0};
    }
    return &layout->guesses[*link];
}

struct rx_guess *rx_layout_learn(struct rx_layout *layout, uint16_t *link, const char *text, size_t length,
                                 const struct rx_key *key)
{
    struct rx_guess *guess = open_guess(layout, link);
    if (guess != &layout->guesses[RX_NO_GUESS]) {
        guess->length = length <= RX_GUESS_TEXT_MAX ? (uint8_t)length : 0;
        memcpy(guess->text, text, guess->length);
        guess->key = key;
        guess->before = guess->after = NULL;
    }
    return guess;
}
