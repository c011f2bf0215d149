/* Moulds: what the messages of a source have in common, byte for byte, so that a message like the last one is not parsed but
 * compared. A mould is the text between the scalars of a message (braces, keys, colons, commas and the space around them as
 * they were written), where each scalar goes, and the block that came of it. Each scalar is read and checked as in any
 * message, skipped ones too. At the first difference the parser takes the message from its start: it alone knows errors. */
#ifndef RX_CORE_JSON_MOULD_H
#define RX_CORE_JSON_MOULD_H

#include "core/json/json_private.h"

/* The value of a message that is like one before, and what is behind it. NULL: it is for the parser. The last byte before `end`
 * is a closing bracket, which ends the message; or with `line` a newline, and the message is a line, which may end before.
 */
const char *rx_moulds_follow(struct rx_heap *, struct rx_moulds *, const char *text, const char *end, bool line,
                             struct rx_value *ret);
/* Takes the mould of a message that the parser has made `value` of, if it has one and it is time for one. */
void rx_moulds_learn(struct rx_moulds *, const char *text, size_t length, struct rx_value value);
void rx_moulds_forget(struct rx_moulds *);

#endif
