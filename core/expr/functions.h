/* The tables of functions, one for each library. */
#ifndef RX_CORE_EXPR_FUNCTIONS_H
#define RX_CORE_EXPR_FUNCTIONS_H

#include "core/expr/internal.h"
#include "core/value/timestamp.h"

extern const struct rx_function rx_functions_convert[];
extern const struct rx_function rx_functions_string[];
extern const struct rx_function rx_functions_math[];
extern const struct rx_function rx_functions_time[];
extern const struct rx_function rx_functions_list[];
extern const struct rx_function rx_functions_optional[];
extern const struct rx_function rx_functions_encode[];
extern const struct rx_function rx_functions_regex[];

/* "1h30m", "-1.5s", "250ms" (Go's spelling) to seconds (floor) and nanoseconds; -EINVAL, -ERANGE. */
int rx_duration_parse(const char *text, size_t length, int64_t *ret_seconds, uint32_t *ret_nanos);
/* As rx_json_write prints them, without quotes. */
struct rx_value rx_time_text(struct rx_call *, struct rx_value);

/* A civil date of the proleptic Gregorian calendar. */
struct rx_civil {
    int64_t year;
    unsigned month, day, hour, minute, second; /* month and day from 1 */
    unsigned weekday, yearday;                 /* from 0: Sunday, 1 January */
};
struct rx_civil rx_civil_from_seconds(int64_t seconds);

/* Seconds east of UTC at a time in a zone: "Europe/Berlin", "+02:00", "UTC". -EINVAL: no such zone. */
int rx_zone_offset(struct rx_call *, struct rx_value zone, int64_t seconds, int *ret_offset);

/* Room for `count` values, malloc'ed; NULL: no memory. */
struct rx_value *rx_call_items(struct rx_call *, uint32_t count);
/* A list of the values; they are taken and `items` is freed. NULL items: -ENOMEM. */
int rx_give_items(struct rx_call *, struct rx_value *items, uint32_t count, struct rx_value *ret);

/* Appends a regular expression written so that the DFA matcher need not count; false: it cannot be, or not so shortly. */
enum { RX_REGEX_UNROLLED_MAX = 12000 };
bool rx_regex_unroll(struct rx_value pattern, struct rx_buffer *out);
int rx_function_matches(struct rx_call *, const struct rx_value *args, unsigned count, struct rx_value *ret);
int rx_function_lower(struct rx_call *, const struct rx_value *args, unsigned count, struct rx_value *ret);
int rx_function_upper(struct rx_call *, const struct rx_value *args, unsigned count, struct rx_value *ret);
int rx_function_list_index_of(struct rx_call *, const struct rx_value *args, unsigned count, struct rx_value *ret);
int rx_function_format(struct rx_call *, const struct rx_value *args, unsigned count, struct rx_value *ret);

#endif
