/* The strict reading of requests: heads, and bodies by length or in chunks. */
#include "core/io/http/http_parse.h"

#include "core/io/http/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct reader {
    struct http_head *head;
    size_t max_body;
    bool may_have_body, absolute;
    unsigned hosts, lengths, codings, origins;
};

static bool refuse(struct reader *r, int status, const char *reason)
{
    r->head->status = status;
    r->head->reason = reason;
    return false;
}

bool http_is(struct http_text t, const char *word)
{
    return t.length == strlen(word) && strncasecmp(t.at, word, t.length) == 0;
}

static bool is_token_byte(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c)); /* RFC 9110, 5.6.2 */
}

static bool is_token(struct http_text t)
{
    for (size_t i = 0; i < t.length; i++)
        if (!is_token_byte(t.at[i]))
            return false;
    return t.length > 0;
}

static struct http_text trim(struct http_text t)
{
    while (t.length && (*t.at == ' ' || *t.at == '\t'))
        t = (struct http_text){t.at + 1, t.length - 1};
    while (t.length && (t.at[t.length - 1] == ' ' || t.at[t.length - 1] == '\t'))
        t.length--;
    return t;
}

bool http_has_word(struct http_text list, const char *word)
{
    while (list.length) {
        const char *comma = memchr(list.at, ',', list.length);
        size_t n = comma ? (size_t)(comma - list.at) : list.length;
        if (http_is(trim((struct http_text){list.at, n}), word))
            return true;
        n += comma != NULL;
        list = (struct http_text){list.at + n, list.length - n};
    }
    return false;
}

static unsigned hex(char c) { return c <= '9' ? (unsigned)(c - '0') : ((unsigned char)c | 0x20u) - 'a' + 10u; }

void http_decode(struct http_text t, bool plus, char *out)
{
    for (size_t i = 0; i < t.length; i++) {
        char c = t.at[i];
        if (c == '%') {
            c = (char)(hex(t.at[i + 1]) << 4 | hex(t.at[i + 2]));
            i += 2;
        }
        *out++ = plus && t.at[i] == '+' ? ' ' : c;
    }
    *out = 0;
}

/* ---- the head ---- */

long http_head_scan(const char *text, size_t length, size_t *scanned)
{
    for (size_t i = *scanned; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool after_return = i > 0 && text[i - 1] == '\r';
        if ((c == '\n') != after_return)
            return -1;
        if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7F)
            return -1;
        if (c == '\n' && i >= 3 && text[i - 2] == '\n')
            return (long)i + 1;
    }
    *scanned = length;
    return 0;
}

static bool read_method(struct reader *r, struct http_text t)
{
    static const struct {
        const char *name;
        enum rx_http_method method;
        bool may_have_body;
    } methods[] = {{"GET", RX_HTTP_GET, false},  {"HEAD", RX_HTTP_HEAD, false},
                   {"POST", RX_HTTP_POST, true}, {"DELETE", RX_HTTP_DELETE, false},
                   {"PUT", RX_HTTP_PUT, true},   {"OPTIONS", RX_HTTP_OPTIONS, false}};
    if (!is_token(t))
        return refuse(r, 400, "the method is not a token");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (t.length != strlen(methods[i].name) || memcmp(t.at, methods[i].name, t.length) != 0)
            continue;
        r->head->method = methods[i].method;
        r->may_have_body = methods[i].may_have_body;
        return true;
    }
    return refuse(r, 501, "the method is not known here");
}

static bool is_escape(const char *at, const char *end)
{
    return end - at >= 3 && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]) &&
           !(at[1] == '0' && at[2] == '0');
}

/* "HOST[:PORT]" up to a path, a query or the end: its length, 0 if it is none. */
static size_t authority_length(struct http_text t)
{
    const char *end = t.at + t.length, *c = t.at;
    while (c < end && (isalnum((unsigned char)*c) || *c == '.' || *c == '-'))
        c++;
    bool named = c > t.at;
    if (c < end && *c == ':') {
        long port = 0;
        for (c++; c < end && isdigit((unsigned char)*c) && port <= 65535; c++)
            port = port * 10 + (*c - '0');
        named = named && port > 0 && port <= 65535;
    }
    return named && (c == end || *c == '/' || *c == '?') ? (size_t)(c - t.at) : 0;
}

/* Takes "http://HOST[:PORT]" off. */
static bool take_authority(struct reader *r, struct http_text *t)
{
    if (t->length <= 7 || strncasecmp(t->at, "http://", 7) != 0)
        return true;
    struct http_text rest = {t->at + 7, t->length - 7};
    size_t length = authority_length(rest);
    r->absolute = true;
    r->head->host = (struct http_text){rest.at, length};
    *t = (struct http_text){rest.at + length, rest.length - length};
    return length > 0;
}

static bool is_path(const struct reader *r, struct http_text t)
{
    if (r->absolute && (t.length == 0 || t.at[0] == '?'))
        return true;
    if (http_is(t, "*"))
        return r->head->method == RX_HTTP_OPTIONS;
    return t.length > 0 && t.at[0] == '/' && (r->absolute || !(t.length > 1 && t.at[1] == '/'));
}

static bool read_target(struct reader *r, struct http_text t)
{
    for (const char *c = t.at, *end = t.at + t.length; c < end; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7F || *c == '#')
            return refuse(r, 400, "a byte in the request target that must be percent-encoded");
        if (*c == '%' && !is_escape(c, end))
            return refuse(r, 400, "a bad percent-encoding in the request target");
    }
    if (!take_authority(r, &t) || !is_path(r, t))
        return refuse(r, 400, "the request target is not a path");
    const char *mark = t.length ? memchr(t.at, '?', t.length) : NULL;
    size_t length = mark ? (size_t)(mark - t.at) : t.length;
    r->head->path = length ? (struct http_text){t.at, length} : (struct http_text){"/", 1};
    r->head->query = mark ? (struct http_text){mark + 1, t.length - length - 1} : (struct http_text){"", 0};
    return true;
}

static bool read_version(struct reader *r, struct http_text t)
{
    r->head->old = t.length == 8 && memcmp(t.at, "HTTP/1.0", 8) == 0;
    if (r->head->old || (t.length == 8 && memcmp(t.at, "HTTP/1.1", 8) == 0))
        return true;
    bool formed = t.length == 8 && memcmp(t.at, "HTTP/", 5) == 0 && isdigit((unsigned char)t.at[5]) && t.at[6] == '.' &&
                  isdigit((unsigned char)t.at[7]);
    return formed ? refuse(r, 505, "HTTP/1.1 and HTTP/1.0 are spoken here")
                  : refuse(r, 400, "the request line does not end with an HTTP version");
}

static bool read_request_line(struct reader *r, struct http_text line)
{
    const char *end = line.at + line.length;
    const char *first = memchr(line.at, ' ', line.length), *last = memrchr(line.at, ' ', line.length);
    if (!first || first == last)
        return refuse(r, 400, "the request line is not METHOD TARGET VERSION");
    return read_method(r, (struct http_text){line.at, (size_t)(first - line.at)}) &&
           read_target(r, (struct http_text){first + 1, (size_t)(last - first - 1)}) &&
           read_version(r, (struct http_text){last + 1, (size_t)(end - last - 1)});
}

static bool read_length(struct reader *r, struct http_text value)
{
    size_t length = 0;
    if (++r->lengths > 1)
        return refuse(r, 400, "more than one Content-Length");
    if (value.length == 0 || value.length > 18)
        return refuse(r, 400, "Content-Length is not a number of bytes");
    for (size_t i = 0; i < value.length; i++) {
        if (!isdigit((unsigned char)value.at[i]))
            return refuse(r, 400, "Content-Length is not a number of bytes");
        length = length * 10 + (size_t)(value.at[i] - '0');
    }
    if (length > r->max_body)
        return refuse(r, 413, "the body is larger than the limit");
    if (length > 0 && !r->may_have_body)
        return refuse(r, 400, "a body with a method that has none");
    r->head->body_length = length;
    return true;
}

static bool read_host(struct reader *r, struct http_text value)
{
    if (!r->absolute)
        r->head->host = value;
    if (++r->hosts > 1)
        return refuse(r, 400, "more than one Host");
    for (size_t i = 0; i < value.length; i++)
        if (!isalnum((unsigned char)value.at[i]) && !strchr("-._~%!$&'()*+,;=:[]", value.at[i]))
            return refuse(r, 400, "Host is not a host name");
    return true;
}

/* RFC 9112, 6.1: with the last coding known and a length beside it absent, there is one reading. */
static bool read_coding(struct reader *r, struct http_text value)
{
    if (++r->codings > 1)
        return refuse(r, 400, "more than one Transfer-Encoding");
    if (r->head->old)
        return refuse(r, 400, "Transfer-Encoding in a request of version 1.0");
    if (!http_is(value, "chunked"))
        return refuse(r, 501, "chunked is the only transfer coding that is understood");
    if (!r->may_have_body)
        return refuse(r, 400, "a body with a method that has none");
    return r->head->chunked = true;
}

static bool read_connection(struct reader *r, struct http_text value)
{
    if (http_has_word(value, "close"))
        r->head->keep = false;
    else if (r->head->old && http_has_word(value, "keep-alive"))
        r->head->keep = true;
    return true;
}

static bool read_field(struct reader *r, struct http_text name, struct http_text value)
{
    if (http_is(name, "Transfer-Encoding"))
        return read_coding(r, value);
    if (http_is(name, "Content-Length"))
        return read_length(r, value);
    if (http_is(name, "Host"))
        return read_host(r, value);
    if (http_is(name, "Connection"))
        return read_connection(r, value);
    if (http_is(name, "Origin") && ++r->origins > 1)
        return refuse(r, 400, "more than one Origin");
    if (http_is(name, "Expect")) {
        if (!http_is(value, "100-continue"))
            return refuse(r, 417, "100-continue is the only expectation that is met");
        r->head->expects = !r->head->old;
    }
    return true;
}

static bool read_line(struct reader *r, struct http_text line)
{
    if (r->head->field_count == HTTP_FIELDS_MAX)
        return refuse(r, 431, "too many header fields");
    if (line.at[0] == ' ' || line.at[0] == '\t')
        return refuse(r, 400, "a folded header line");
    const char *colon = memchr(line.at, ':', line.length);
    struct http_text name = {line.at, colon ? (size_t)(colon - line.at) : 0};
    if (!is_token(name))
        return refuse(r, 400, "a header line without a field name, or with space before its colon");
    struct http_text value = trim((struct http_text){colon + 1, line.length - name.length - 1});
    r->head->fields[r->head->field_count++] = (struct http_field){name, value};
    return read_field(r, name, value);
}

void http_head_read(const char *text, size_t length, size_t max_body, struct http_head *ret)
{
    struct reader r = {.head = ret, .max_body = max_body};
    const char *end = text + length - 2; /* the empty line */
    const char *stop = memchr(text, '\r', length);
    memset(ret, 0, offsetof(struct http_head, fields));
    ret->host.at = "";
    if (!read_request_line(&r, (struct http_text){text, (size_t)(stop - text)}))
        return;
    ret->keep = !ret->old;
    for (const char *line = stop + 2; line < end; line = stop + 2) {
        stop = memchr(line, '\r', (size_t)(end - line));
        if (!read_line(&r, (struct http_text){line, (size_t)(stop - line)}))
            return;
    }
    if (r.hosts == 0 && !ret->old)
        refuse(&r, 400, "no Host");
    else if (r.codings && r.lengths)
        refuse(&r, 400, "both Transfer-Encoding and Content-Length");
}

/* ---- the body ---- */

enum body_state {
    WHOLE,
    BY_LENGTH,
    SIZE,      /* in the digits of a chunk's size */
    EXTENSION, /* behind ';', up to the line's end */
    SIZE_END,  /* the line feed is to come; likewise the other _END */
    DATA,
    DATA_RETURN,
    DATA_END,
    TRAILER, /* at the start of a line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_END,
    LAST_END
};

enum { SIZE_DIGITS = 8, OVERHEAD = 4096 };

void http_body_begin(struct http_body *b, const struct http_head *head, size_t max_body)
{
    *b = (struct http_body){.left = head->body_length, .room = max_body, .overhead = OVERHEAD};
    b->state = head->chunked ? SIZE : head->body_length ? BY_LENGTH : WHOLE;
    if (head->chunked)
        b->left = 0;
}

bool http_body_whole(const struct http_body *b) { return b->state == WHOLE && !b->status; }

size_t http_body_ahead(const struct http_body *b) { return b->state == BY_LENGTH || b->state == DATA ? b->left : 0; }

static void spoil(struct http_body *b, int status, const char *reason)
{
    b->status = status;
    b->reason = reason;
}

static void become(struct http_body *b, bool right, enum body_state next)
{
    b->state = (unsigned char)next;
    if (!right)
        spoil(b, 400, "a chunk of the body that is not as it must be");
}

static bool is_text_byte(char c) { return ((unsigned char)c >= ' ' && c != 0x7F) || c == '\t'; }

static void count_overhead(struct http_body *b, char c)
{
    if (b->overhead == 0)
        spoil(b, 431, "too many bytes in chunk extensions and trailers");
    else if (is_text_byte(c))
        b->overhead--;
    else
        spoil(b, 400, "a control byte in a chunk extension or trailer");
}

static void take_size(struct http_body *b, char c)
{
    if (isxdigit((unsigned char)c) && b->digits < SIZE_DIGITS) {
        b->left = b->left << 4 | hex(c);
        b->digits++;
    } else if (c == ';' && b->digits) {
        b->state = EXTENSION;
    } else {
        become(b, c == '\r' && b->digits, SIZE_END);
    }
    if (b->left > b->room)
        spoil(b, 413, "the body is larger than the limit");
}

static void begin_data(struct http_body *b, char c)
{
    become(b, c == '\n', b->left ? DATA : TRAILER);
    b->room -= b->left;
    b->digits = 0;
}

/* One byte of what is around the data. */
static void take_frame(struct http_body *b, char c)
{
    switch ((enum body_state)b->state) {
    case SIZE:
        take_size(b, c);
        break;
    case EXTENSION:
    case TRAILER_VALUE:
        if (c == '\r')
            b->state = b->state == EXTENSION ? SIZE_END : TRAILER_END;
        else
            count_overhead(b, c);
        break;
    case SIZE_END:
        begin_data(b, c);
        break;
    case DATA_RETURN:
        become(b, c == '\r', DATA_END);
        break;
    case DATA_END:
        become(b, c == '\n', SIZE);
        break;
    case TRAILER:
        count_overhead(b, c == '\r' ? ' ' : c);
        if (!b->status)
            become(b, c == '\r' || is_token_byte(c), c == '\r' ? LAST_END : TRAILER_NAME);
        break;
    case TRAILER_NAME:
        count_overhead(b, c);
        if (!b->status)
            become(b, c == ':' || is_token_byte(c), c == ':' ? TRAILER_VALUE : TRAILER_NAME);
        break;
    case TRAILER_END:
        become(b, c == '\n', TRAILER);
        break;
    case LAST_END:
        become(b, c == '\n', WHOLE);
        break;
    case WHOLE:
    case BY_LENGTH:
    case DATA:
        break;
    }
}

size_t http_body_feed(struct http_body *b, const char *text, size_t length, struct http_text *ret_piece)
{
    size_t used = 0;
    *ret_piece = (struct http_text){text, 0};
    while (used < length && !b->status && b->state != WHOLE && b->state != DATA && b->state != BY_LENGTH)
        take_frame(b, text[used++]);
    if (b->status || (b->state != DATA && b->state != BY_LENGTH))
        return used;
    size_t n = length - used < b->left ? length - used : b->left;
    *ret_piece = (struct http_text){text + used, n};
    b->left -= n;
    if (b->left == 0)
        b->state = b->state == DATA ? DATA_RETURN : WHOLE;
    return used + n;
}
