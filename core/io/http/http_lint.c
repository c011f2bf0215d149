/* The request lint: a strict reading of the raw header block, before evhttp sees a byte of it. */
#include "core/io/http/http_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { MAX_FIELDS = 128 };

struct text {
    const char *at;
    size_t length;
};

struct lint {
    struct http_head *head;
    size_t max_body;
    bool may_have_body, old; /* old: HTTP/1.0 */
    unsigned fields, hosts, lengths;
};

static bool refuse(struct lint *l, int status, const char *reason)
{
    l->head->status = status;
    l->head->reason = reason;
    return false;
}

static bool is(struct text t, const char *word)
{
    return t.length == strlen(word) && strncasecmp(t.at, word, t.length) == 0;
}

/* RFC 9110, 5.6.2 */
static bool is_token(struct text t)
{
    for (size_t i = 0; i < t.length; i++)
        if (!isalnum((unsigned char)t.at[i]) && (!t.at[i] || !strchr("!#$%&'*+-.^_`|~", t.at[i])))
            return false;
    return t.length > 0;
}

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

static bool lint_method(struct lint *l, struct text t)
{
    static const char *const with_body[] = {"POST", "PUT"}, *const without[] = {"GET", "HEAD", "DELETE", "OPTIONS"};
    if (!is_token(t))
        return refuse(l, 400, "the method is not a token");
    for (size_t i = 0; i < sizeof with_body / sizeof *with_body; i++)
        if (t.length == strlen(with_body[i]) && memcmp(t.at, with_body[i], t.length) == 0)
            return l->may_have_body = true;
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        if (t.length == strlen(without[i]) && memcmp(t.at, without[i], t.length) == 0)
            return true;
    return refuse(l, 501, "the method is not known here");
}

static bool is_escape(const char *at, const char *end)
{
    return end - at >= 3 && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]) &&
           !(at[1] == '0' && at[2] == '0');
}

/* "HOST[:PORT]" and then a path or nothing, strictly, so that evhttp finds no other authority in it. */
static bool is_authority_form(struct text t)
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
    return named && (c == end || *c == '/' || *c == '?');
}

static bool is_target(struct text t)
{
    if (t.length > 7 && strncasecmp(t.at, "http://", 7) == 0)
        return is_authority_form((struct text){t.at + 7, t.length - 7});
    return is(t, "*") || (t.length > 0 && t.at[0] == '/' && !(t.length > 1 && t.at[1] == '/'));
}

static bool lint_target(struct lint *l, struct text t)
{
    if (!is_target(t))
        return refuse(l, 400, "the request target is not a path");
    for (const char *c = t.at, *end = t.at + t.length; c < end; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7F || *c == '#')
            return refuse(l, 400, "a byte in the request target that must be percent-encoded");
        if (*c == '%' && !is_escape(c, end))
            return refuse(l, 400, "a bad percent-encoding in the request target");
    }
    return true;
}

static bool lint_version(struct lint *l, struct text t)
{
    l->old = t.length == 8 && memcmp(t.at, "HTTP/1.0", 8) == 0;
    if (l->old || (t.length == 8 && memcmp(t.at, "HTTP/1.1", 8) == 0))
        return true;
    bool formed = t.length == 8 && memcmp(t.at, "HTTP/", 5) == 0 && isdigit((unsigned char)t.at[5]) && t.at[6] == '.' &&
                  isdigit((unsigned char)t.at[7]);
    return formed ? refuse(l, 505, "HTTP/1.1 and HTTP/1.0 are spoken here")
                  : refuse(l, 400, "the request line does not end with an HTTP version");
}

static bool lint_request_line(struct lint *l, struct text line)
{
    const char *end = line.at + line.length;
    const char *first = memchr(line.at, ' ', line.length), *last = memrchr(line.at, ' ', line.length);
    if (!first || first == last)
        return refuse(l, 400, "the request line is not METHOD TARGET VERSION");
    return lint_method(l, (struct text){line.at, (size_t)(first - line.at)}) &&
           lint_target(l, (struct text){first + 1, (size_t)(last - first - 1)}) &&
           lint_version(l, (struct text){last + 1, (size_t)(end - last - 1)});
}

static bool lint_length(struct lint *l, struct text value)
{
    size_t length = 0;
    if (++l->lengths > 1)
        return refuse(l, 400, "more than one Content-Length");
    if (value.length == 0 || value.length > 18)
        return refuse(l, 400, "Content-Length is not a number of bytes");
    for (size_t i = 0; i < value.length; i++) {
        if (!isdigit((unsigned char)value.at[i]))
            return refuse(l, 400, "Content-Length is not a number of bytes");
        length = length * 10 + (size_t)(value.at[i] - '0');
    }
    if (length > l->max_body)
        return refuse(l, 413, "the body is larger than the limit");
    if (length > 0 && !l->may_have_body)
        return refuse(l, 400, "a body with a method that has none");
    l->head->body_length = length;
    return true;
}

static bool lint_host(struct lint *l, struct text value)
{
    if (++l->hosts > 1)
        return refuse(l, 400, "more than one Host");
    for (size_t i = 0; i < value.length; i++)
        if (!isalnum((unsigned char)value.at[i]) && !strchr("-._~%!$&'()*+,;=:[]", value.at[i]))
            return refuse(l, 400, "Host is not a host name");
    return true;
}

static bool lint_field(struct lint *l, struct text name, struct text value)
{
    if (is(name, "Transfer-Encoding"))
        return refuse(l, 411, "send the body with Content-Length: no transfer encoding is accepted");
    if (is(name, "Content-Length"))
        return lint_length(l, value);
    if (is(name, "Host"))
        return lint_host(l, value);
    if (is(name, "Expect") && !is(value, "100-continue"))
        return refuse(l, 417, "100-continue is the only expectation that is met");
    return true;
}

static struct text trim(struct text t)
{
    while (t.length && (*t.at == ' ' || *t.at == '\t'))
        t = (struct text){t.at + 1, t.length - 1};
    while (t.length && (t.at[t.length - 1] == ' ' || t.at[t.length - 1] == '\t'))
        t.length--;
    return t;
}

static bool lint_line(struct lint *l, struct text line)
{
    if (++l->fields > MAX_FIELDS)
        return refuse(l, 431, "too many header fields");
    if (line.at[0] == ' ' || line.at[0] == '\t')
        return refuse(l, 400, "a folded header line");
    const char *colon = memchr(line.at, ':', line.length);
    struct text name = {line.at, colon ? (size_t)(colon - line.at) : 0};
    if (!is_token(name))
        return refuse(l, 400, "a header line without a field name, or with space before its colon");
    return lint_field(l, name, trim((struct text){colon + 1, line.length - name.length - 1}));
}

void http_head_lint(const char *text, size_t length, size_t max_body, struct http_head *ret)
{
    struct lint l = {.head = ret, .max_body = max_body};
    const char *end = text + length - 2; /* the empty line */
    const char *stop = memchr(text, '\r', length);
    *ret = (struct http_head){0};
    if (!lint_request_line(&l, (struct text){text, (size_t)(stop - text)}))
        return;
    for (const char *line = stop + 2; line < end; line = stop + 2) {
        stop = memchr(line, '\r', (size_t)(end - line));
        if (!lint_line(&l, (struct text){line, (size_t)(stop - line)}))
            return;
    }
    if (l.hosts == 0 && !l.old)
        refuse(&l, 400, "no Host");
}
