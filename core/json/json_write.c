/* The JSON writer: compact, iterative, any depth. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/number.h"
#include "core/json/json_private.h"
#include "core/value/timestamp.h"

enum { FRAMES_INLINE = 32, TEXT_TIME_MAX = 48 };

/* A container that is being written, and the entry that comes next. */
struct frame {
    struct rx_value container;
    uint32_t next, count;
};

struct writer {
    struct rx_buffer *out;
    size_t end; /* of `out`, where it is enough; SIZE_MAX: the whole value is wanted */
    struct frame *frames;
    size_t depth, capacity;
    struct frame inline_[FRAMES_INLINE];
};

static inline bool reserve(struct rx_buffer *out, size_t more)
{
    return (more <= out->capacity - out->length && !out->failed) || rx_buffer_reserve(out, more) == 0;
}

static inline void put_byte(struct rx_buffer *out, char byte)
{
    if (reserve(out, 1))
        out->data[out->length++] = byte;
}

/* Bytes that may stand in a JSON string as they are. */
static bool is_plain(unsigned char byte) { return byte >= 0x20 && byte != '"' && byte != '\\'; }

static size_t put_escape(char *out, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    const char *named = strchr("\"\"\\\\\bb\ff\nn\rr\tt", byte);
    out[0] = '\\';
    if (byte && named) {
        out[1] = named[1];
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = hex[byte >> 4];
    out[5] = hex[byte & 15];
    return 6;
}

/* The length of the run at the start that needs no escape. */
static inline size_t plain_length(const char *text, size_t length)
{
    size_t i = 0;
    while (length - i >= 8) {
        uint64_t marks = rx_json_marks(rx_load64_little(text + i), 0);
        if (marks)
            return i + (size_t)__builtin_ctzll(marks) / 8;
        i += 8;
    }
    while (i < length && is_plain((unsigned char)text[i]))
        i++;
    return i;
}

static inline uint32_t load32(const char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Copies a text, and answers whether it needs an escape; what it has written is of no use then. */
static inline bool copy_plain(char *out, const char *text, size_t length)
{
    uint64_t marks = 0;
    if (length >= 8) {
        for (size_t i = 0; i + 8 <= length; i += 8) {
            marks |= rx_json_marks(rx_load64_little(text + i), 0);
            memcpy(out + i, text + i, 8);
        }
        marks |= rx_json_marks(rx_load64_little(text + length - 8), 0);
        memcpy(out + length - 8, text + length - 8, 8);
    } else if (length >= 4) {
        uint32_t first = load32(text), last = load32(text + length - 4);
        marks = rx_json_marks((uint64_t)last << 32 | first, 0);
        memcpy(out, &first, 4);
        memcpy(out + length - 4, &last, 4);
    } else {
        for (size_t i = 0; i < length; i++) {
            marks |= !is_plain((unsigned char)text[i]);
            out[i] = text[i];
        }
    }
    return !marks;
}

static void write_escaped(struct rx_buffer *out, const char *text, size_t length)
{
    put_byte(out, '"');
    for (;;) {
        size_t plain = plain_length(text, length);
        if (!reserve(out, plain + 8))
            return;
        memcpy(out->data + out->length, text, plain);
        out->length += plain;
        if (plain == length)
            break;
        out->length += put_escape(out->data + out->length, (unsigned char)text[plain]);
        text += plain + 1;
        length -= plain + 1;
    }
    out->data[out->length++] = '"';
}

void rx_json_write_string(struct rx_buffer *out, const char *text, size_t length)
{
    if (!reserve(out, length + 2))
        return;
    char *p = out->data + out->length;
    if (!copy_plain(p + 1, text, length)) {
        write_escaped(out, text, length);
        return;
    }
    p[0] = p[length + 1] = '"';
    out->length += length + 2;
}

static void write_double(struct rx_buffer *out, double d)
{
    if (!isfinite(d))
        rx_buffer_append(out, "null", 4);
    else if (reserve(out, RX_NUMBER_TEXT_MAX))
        out->length += rx_format_double(out->data + out->length, d);
}

static void write_int(struct rx_buffer *out, int64_t i)
{
    if (reserve(out, RX_NUMBER_TEXT_MAX))
        out->length += rx_format_int(out->data + out->length, i);
}

static void write_uint(struct rx_buffer *out, uint64_t u)
{
    if (reserve(out, RX_NUMBER_TEXT_MAX))
        out->length += rx_format_uint(out->data + out->length, u);
}

/* RFC 4648, section 4. */
static void write_base64(struct rx_buffer *out, const char *text, size_t length)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (rx_buffer_reserve(out, (length + 2) / 3 * 4 + 2) < 0)
        return;
    char *p = out->data + out->length;
    *p++ = '"';
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t bits = (uint32_t)(unsigned char)text[i] << 16;
        bits |= left > 1 ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)(unsigned char)text[i + 2] : 0;
        *p++ = alphabet[bits >> 18];
        *p++ = alphabet[bits >> 12 & 63];
        *p++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *p++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *p++ = '"';
    out->length = (size_t)(p - out->data);
}

static char *put_padded(char *p, uint32_t number, int digits)
{
    for (int i = digits; i-- > 0; number /= 10)
        p[i] = (char)('0' + number % 10);
    return p + digits;
}

static char *put_fraction(char *p, uint32_t nanoseconds)
{
    if (nanoseconds == 0)
        return p;
    *p++ = '.';
    if (nanoseconds % 1000000 == 0)
        return put_padded(p, nanoseconds / 1000000, 3);
    if (nanoseconds % 1000 == 0)
        return put_padded(p, nanoseconds / 1000, 6);
    return put_padded(p, nanoseconds, 9);
}

/* RFC 3339, section 5.6; null outside of the years 1 to 9999 that it can express. */
static void write_timestamp(struct rx_buffer *out, int64_t seconds, uint32_t nanoseconds)
{
    int64_t days = seconds / 86400, year;
    uint32_t month, day;
    if (seconds % 86400 < 0)
        days--;
    uint32_t of_day = (uint32_t)(seconds - days * 86400);
    if (days < -719162 || days > 2932896) {
        rx_buffer_append(out, "null", 4);
        return;
    }
    rx_civil_from_days(days, &year, &month, &day);
    char text[TEXT_TIME_MAX], *p = text;
    *p++ = '"';
    p = put_padded(p, (uint32_t)year, 4);
    *p++ = '-';
    p = put_padded(p, month, 2);
    *p++ = '-';
    p = put_padded(p, day, 2);
    *p++ = 'T';
    p = put_padded(p, of_day / 3600, 2);
    *p++ = ':';
    p = put_padded(p, of_day / 60 % 60, 2);
    *p++ = ':';
    p = put_padded(p, of_day % 60, 2);
    p = put_fraction(p, nanoseconds);
    *p++ = 'Z';
    *p++ = '"';
    rx_buffer_append(out, text, (size_t)(p - text));
}

static void write_duration(struct rx_buffer *out, int64_t seconds, uint32_t nanoseconds)
{
    char text[TEXT_TIME_MAX], *p = text;
    *p++ = '"';
    if (seconds < 0) {
        *p++ = '-';
        if (nanoseconds) {
            seconds++;
            nanoseconds = 1000000000 - nanoseconds;
        }
    }
    p += rx_format_uint(p, seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds);
    if (nanoseconds) {
        *p++ = '.';
        p = put_padded(p, nanoseconds, 9);
        while (p[-1] == '0')
            p--;
    }
    *p++ = 's';
    *p++ = '"';
    rx_buffer_append(out, text, (size_t)(p - text));
}

static void write_scalar(struct rx_buffer *out, struct rx_value v)
{
    switch (v.kind) {
    case RX_BOOL:
        rx_buffer_append(out, v.u.b ? "true" : "false", v.u.b ? 4 : 5);
        break;
    case RX_INT:
        write_int(out, v.u.i);
        break;
    case RX_UINT:
        write_uint(out, v.u.u);
        break;
    case RX_DOUBLE:
        write_double(out, v.u.d);
        break;
    case RX_TIMESTAMP:
        write_timestamp(out, v.u.i, v.aux);
        break;
    case RX_DURATION:
        write_duration(out, v.u.i, v.aux);
        break;
    case RX_STRING:
        rx_json_write_string(out, v.u.text, v.aux);
        break;
    case RX_BYTES:
        write_base64(out, v.u.text, v.aux);
        break;
    case RX_TYPE: {
        const char *name = rx_kind_name((enum rx_kind)v.u.i);
        rx_json_write_string(out, name, strlen(name));
        break;
    }
    default:
        rx_buffer_append(out, "null", 4);
    }
}

/* JSON's keys are strings: others are written as they would be, in quotes. */
static void write_key(struct rx_buffer *out, struct rx_value key)
{
    bool quotes = key.kind == RX_NULL || key.kind == RX_BOOL || key.kind == RX_INT || key.kind == RX_UINT ||
                  key.kind == RX_DOUBLE;
    if (quotes)
        put_byte(out, '"');
    write_scalar(out, key);
    if (quotes)
        put_byte(out, '"');
}

static bool push(struct writer *writer, struct rx_value container, uint32_t count)
{
    if (writer->depth == writer->capacity) {
        bool is_inline = writer->frames == writer->inline_;
        struct frame *frames =
            realloc(is_inline ? NULL : writer->frames, 2 * writer->capacity * sizeof *writer->frames);
        if (!frames) {
            writer->out->failed = true;
            return false;
        }
        if (is_inline)
            memcpy(frames, writer->inline_, sizeof writer->inline_);
        writer->frames = frames;
        writer->capacity *= 2;
    }
    writer->frames[writer->depth++] = (struct frame){.container = container, .count = count};
    return true;
}

/* As much of a text as may be wanted. */
static struct rx_value shortened(const struct writer *writer, struct rx_value v)
{
    size_t wanted = writer->end > writer->out->length ? writer->end - writer->out->length : 0;
    if ((v.kind != RX_STRING && v.kind != RX_BYTES) || v.aux <= wanted)
        return v;
    while (v.kind == RX_STRING && wanted && ((unsigned char)v.u.text[wanted] & 0xC0) == 0x80)
        wanted--;
    v.aux = (uint32_t)wanted;
    return v;
}

/* Writes a value, a container only up to its opening bracket. */
static void open_value(struct writer *writer, struct rx_value v)
{
    while (v.kind == RX_OPTIONAL)
        v = v.u.optional->present ? v.u.optional->value : rx_null();
    if (__builtin_expect(writer->end != SIZE_MAX, 0))
        v = shortened(writer, v);
    if (v.kind == RX_LIST) {
        put_byte(writer->out, '[');
        push(writer, v, v.u.list->count);
    } else if (v.kind == RX_MAP || v.kind == RX_RECORD) {
        put_byte(writer->out, '{');
        push(writer, v, rx_object_count(v));
    } else {
        write_scalar(writer->out, v);
    }
}

static bool is_scalar(struct rx_value v)
{
    return v.kind != RX_LIST && v.kind != RX_MAP && v.kind != RX_RECORD && v.kind != RX_OPTIONAL;
}

/* The members of a record, up to one that is a container. */
static void write_members(struct writer *writer, struct frame *frame)
{
    const struct rx_record *record = frame->container.u.record;
    for (uint32_t i = frame->next, count = frame->count; i < count; i++) {
        const struct rx_key *key = record->shape->keys[i];
        if (i > 0)
            put_byte(writer->out, ',');
        rx_json_write_string(writer->out, key->text, key->length);
        put_byte(writer->out, ':');
        frame->next = i + 1;
        if (!is_scalar(record->values[i])) {
            open_value(writer, record->values[i]);
            return;
        }
        write_scalar(writer->out, record->values[i]);
    }
}

/* Goes on with the innermost container: its next entry, or its end. */
static void step(struct writer *writer)
{
    struct frame *frame = &writer->frames[writer->depth - 1];
    bool is_list = frame->container.kind == RX_LIST;
    if (frame->next == frame->count) {
        put_byte(writer->out, is_list ? ']' : '}');
        writer->depth--;
        return;
    }
    if (frame->container.kind == RX_RECORD && writer->end == SIZE_MAX) {
        write_members(writer, frame);
        return;
    }
    uint32_t i = frame->next++;
    if (i > 0)
        put_byte(writer->out, ',');
    if (is_list) {
        open_value(writer, frame->container.u.list->items[i]);
        return;
    }
    struct rx_value key, value;
    rx_object_entry(frame->container, i, &key, &value);
    if (__builtin_expect(writer->end != SIZE_MAX, 0))
        key = shortened(writer, key);
    write_key(writer->out, key);
    put_byte(writer->out, ':');
    open_value(writer, value);
}

static void write_up_to(struct rx_buffer *out, struct rx_value v, size_t end)
{
    struct writer writer;
    writer.out = out;
    writer.end = end;
    writer.frames = writer.inline_;
    writer.capacity = FRAMES_INLINE;
    writer.depth = 0;
    open_value(&writer, v);
    while (writer.depth > 0 && !out->failed && out->length < end)
        step(&writer);
    if (writer.frames != writer.inline_)
        free(writer.frames);
}

void rx_json_write(struct rx_buffer *out, struct rx_value v) { write_up_to(out, v, SIZE_MAX); }

void rx_json_write_cut(struct rx_buffer *out, struct rx_value v, size_t limit)
{
    write_up_to(out, v, out->length + limit);
}
