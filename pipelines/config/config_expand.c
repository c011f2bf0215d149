/* ${VAR}, ${VAR:-default}, ${VAR:?message} and ${file:/path} inside scalars. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipelines/config/config_private.h"

enum { FILE_MAX = 64 << 10 };

struct expander {
    const char *text;
    unsigned flags;
    size_t before; /* bytes that ${} made in the scalars before this one */
    struct rx_buffer out;
    struct rx_splice *splices;
    size_t count;
};

static int fail(struct rx_error *reterr, size_t offset, const char *message, const char *word, size_t length,
                const char *hint)
{
    rx_error_set(reterr, -EINVAL, message, (int)(length < 200 ? length : 200), word);
    rx_error_hint(reterr, "%s", hint);
    if (reterr)
        reterr->at.offset = offset;
    return -EINVAL;
}

/* ${NAME:?message}: the message is the user's own. */
static int fail_demand(struct rx_error *reterr, size_t offset, const char *message, size_t length, const char *name,
                       size_t name_length)
{
    char hint[160];
    snprintf(hint, sizeof hint, "set the environment variable %.*s", name_length < 100 ? (int)name_length : 100, name);
    return fail(reterr, offset, length > 0 ? "%.*s" : "an environment variable is missing%.*s", message, length, hint);
}

static int read_regular(const char *path, struct rx_buffer *out)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int r = fstat(fd, &status) < 0 ? -errno : !S_ISREG(status.st_mode) ? -EINVAL : 0;
    size_t start = out->length;
    while (r == 0 && out->length - start <= FILE_MAX) {
        char part[4096];
        ssize_t got = read(fd, part, sizeof part);
        if (got <= 0) {
            r = got < 0 ? -errno : 0;
            break;
        }
        rx_buffer_append(out, part, (size_t)got);
    }
    close(fd);
    return r == 0 && out->length - start > FILE_MAX ? -EFBIG : r;
}

/* The file's content without its last line break. */
static int expand_file(struct expander *expander, const char *path, size_t length, size_t offset,
                       struct rx_error *reterr)
{
    char *name = strndup(path, length);
    if (!name)
        return -ENOMEM;
    size_t start = expander->out.length;
    int r = read_regular(name, &expander->out);
    free(name);
    if (r < 0) {
        rx_error_set(reterr, -EINVAL, "cannot read the file `%.*s`: %s", (int)(length < 200 ? length : 200), path,
                     r == -EFBIG ? "it is larger than 64 KiB" : strerror(-r));
        rx_error_hint(reterr, "rxd must be able to read it as the user that it runs as");
        if (reterr)
            reterr->at.offset = offset;
        return -EINVAL;
    }
    struct rx_buffer *out = &expander->out;
    if (out->length > start && out->data[out->length - 1] == '\n')
        out->length--;
    if (out->length > start && out->data[out->length - 1] == '\r')
        out->length--;
    return 0;
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static int expand_variable(struct expander *expander, const char *inside, size_t length, size_t offset,
                           struct rx_error *reterr)
{
    size_t name_length = 0;
    while (name_length < length && is_name(inside[name_length], name_length == 0))
        name_length++;
    const char *rest = inside + name_length;
    size_t rest_length = length - name_length;
    bool fallback = rest_length >= 2 && memcmp(rest, ":-", 2) == 0;
    bool demand = rest_length >= 2 && memcmp(rest, ":?", 2) == 0;
    if (name_length == 0 || (rest_length > 0 && !fallback && !demand))
        return fail(reterr, offset, "`${%.*s}` is not a variable", inside, length,
                    "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:/path}; $${ for a literal ${");
    char *name = strndup(inside, name_length);
    if (!name)
        return -ENOMEM;
    const char *value = getenv(name);
    free(name);
    if (value && (*value || !(fallback || demand)))
        rx_buffer_text(&expander->out, value);
    else if (fallback)
        rx_buffer_append(&expander->out, rest + 2, rest_length - 2);
    else if (demand)
        return fail_demand(reterr, offset, rest + 2, rest_length - 2, inside, name_length);
    else
        return fail(reterr, offset, "the environment variable `%.*s` is not set", inside, name_length,
                    "set it, or give a default: ${NAME:-default}");
    return 0;
}

/* One ${...} that starts at `at`. Answers its length in *ret. */
static int expand_one(struct expander *expander, size_t at, size_t length, size_t *ret, struct rx_error *reterr)
{
    const char *inside = expander->text + at + 2;
    const char *close = memchr(inside, '}', length - at - 2);
    if (!close)
        return fail(reterr, at, "a `${` without its `}`%.*s", "", 0, "write $${ for a literal ${");
    if (expander->flags & RX_FOREST_LITERAL)
        return fail(reterr, at, "`${%.*s}` is not expanded here: only config files on the server may use it", inside,
                    (size_t)(close - inside), "write the value itself, or $${ for a literal ${");
    size_t inner = (size_t)(close - inside), start = expander->out.length;
    int r = inner >= 5 && memcmp(inside, "file:", 5) == 0 ? expand_file(expander, inside + 5, inner - 5, at, reterr)
                                                          : expand_variable(expander, inside, inner, at, reterr);
    if (r < 0)
        return r;
    if (expander->before + expander->out.length > RX_CONFIG_BYTES_MAX)
        return fail(reterr, at, "the config is too large once its `${` are expanded%.*s", "", 0, "at most 16 MiB");
    expander->splices[expander->count++] =
        (struct rx_splice){.at = start, .length = expander->out.length - start, .source_length = inner + 3};
    *ret = inner + 3;
    return 0;
}

static int expand_all(struct expander *expander, size_t length, struct rx_error *reterr)
{
    size_t at = 0;
    while (at < length) {
        const char *text = expander->text + at;
        size_t taken = 1;
        if (length - at >= 3 && memcmp(text, "$${", 3) == 0) {
            expander->splices[expander->count++] =
                (struct rx_splice){.at = expander->out.length, .length = 2, .source_length = 3};
            rx_buffer_text(&expander->out, "${");
            taken = 3;
        } else if (length - at >= 2 && memcmp(text, "${", 2) == 0) {
            int r = expand_one(expander, at, length, &taken, reterr);
            if (r < 0)
                return r;
        } else {
            rx_buffer_append(&expander->out, text, 1);
        }
        at += taken;
    }
    return expander->out.failed ? -ENOMEM : 0;
}

static size_t count_dollars(const struct rx_tree *scalar)
{
    size_t count = 0;
    for (size_t i = 0; i + 1 < scalar->length; i++)
        count += scalar->text[i] == '$' && scalar->text[i + 1] == '{';
    return count;
}

int config_expand(struct rx_tree *scalar, unsigned flags, struct config_pool *pool, struct rx_error *reterr)
{
    size_t dollars = count_dollars(scalar);
    if (dollars == 0)
        return 0;
    struct expander expander = {.text = scalar->text, .flags = flags, .before = pool->expanded};
    expander.splices = config_alloc(pool, dollars * sizeof *expander.splices);
    int r = expander.splices ? expand_all(&expander, scalar->length, reterr) : -ENOMEM;
    char *text = r == 0 ? config_copy(pool, expander.out.data, expander.out.length) : NULL;
    if (r == 0 && !text)
        r = -ENOMEM;
    if (r == 0) {
        scalar->text = text;
        scalar->length = expander.out.length;
        scalar->splices = expander.splices;
        scalar->splice_count = expander.count;
        pool->expanded += expander.out.length;
    }
    rx_buffer_finish(&expander.out);
    return r;
}
