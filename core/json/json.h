/* JSON: the event decoder and the writer.
 *
 * The decoder is one pass over the bytes, strict RFC 8259: UTF-8 checked, depth bounded, int64 exact (RX_INT with
 * RX_FLAG_JSON), other numbers correctly rounded doubles (1e999 is an error), the last of duplicate keys wins, a lone
 * surrogate escape is rejected. Not recursive. One thread (the heap's). */
#ifndef RX_CORE_JSON_H
#define RX_CORE_JSON_H

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/value/record.h"

/* Which top-level fields a plan can reach. Skipped fields are still checked. */
struct rx_fields;
struct rx_fields *rx_fields_create(struct rx_heap *); /* starts empty: no field is needed */
void rx_fields_destroy(struct rx_fields *);
int rx_fields_add(struct rx_fields *, const char *name, size_t length);
void rx_fields_add_all(struct rx_fields *); /* every field is needed */
bool rx_fields_all(const struct rx_fields *);
bool rx_fields_has(const struct rx_fields *, const char *name, size_t length);
size_t rx_fields_count(const struct rx_fields *);
const struct rx_key *rx_fields_at(const struct rx_fields *, size_t i);

struct rx_json_limits {
    unsigned max_depth; /* 0: 128 */
    unsigned max_keys;  /* keys in one object; 0: 65,536 */
};

/* Decodes one JSON text (leading and trailing white space allowed). `fields` NULL: all. The result is one block that
 * holds the text's strings and all objects; the caller's to unref. Errors: -EBADMSG (syntax), -EILSEQ (UTF-8, surrogate),
 * -ERANGE (number), -E2BIG (limit), -ENOMEM; `reterr->at` is the place in `text`. */
int rx_json_decode(struct rx_heap *, const struct rx_fields *fields, const struct rx_json_limits *, const char *text,
                   size_t length, struct rx_value *ret, struct rx_error *reterr);

/* The line at `at`, where its text is like one that was decoded before with these fields: its value, as rx_json_decode would have
 * it, and what is behind its newline. NULL: find its end, and decode it. The byte before `end` is a newline. */
const char *rx_json_decode_line(struct rx_heap *, const struct rx_fields *fields, const char *at, const char *end,
                                struct rx_value *ret);

/* Whether a text is a JSON number in range, true or false, and which. */
bool rx_json_is_scalar(const char *text, size_t length, struct rx_value *ret);
/* A text that is a JSON number, true or false as such (a cell of a table), any other as the string it is: UTF-8, which the
 * caller has checked. A number out of range stays text. The caller's; RX_NULL on allocation failure. */
struct rx_value rx_json_scalar(struct rx_heap *, const char *text, size_t length);

/* Writes a value as compact JSON: shortest round-trip doubles, whole doubles below 1e15 without a fraction as JSON
 * does ("3.0" is written 3), NaN and infinities as null, bytes as base64, timestamps as RFC 3339 UTC with as many
 * fractional digits as needed (0, 3, 6 or 9), durations as "1.5s", optionals as their value or null, types by name. */
void rx_json_write(struct rx_buffer *, struct rx_value);
/* The same, but ends (in the middle of it) once `limit` bytes are written: for messages. */
void rx_json_write_cut(struct rx_buffer *, struct rx_value, size_t limit);
void rx_json_write_string(struct rx_buffer *, const char *text, size_t length);

#endif
