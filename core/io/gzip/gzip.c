/* gzip by zlib. */
#include "core/io/gzip/gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { GZIP = 16, CHUNK = 64 * 1024 }; /* GZIP: added to the window bits, in zlib's words */

struct rx_gunzip {
    z_stream stream;
    bool whole;
};

struct rx_gunzip *rx_gunzip_create(void)
{
    struct rx_gunzip *g = calloc(1, sizeof *g);
    if (g && inflateInit2(&g->stream, GZIP + MAX_WBITS) != Z_OK) {
        free(g);
        return NULL;
    }
    return g;
}

void rx_gunzip_destroy(struct rx_gunzip *g)
{
    if (!g)
        return;
    inflateEnd(&g->stream);
    free(g);
}

static uInt at_most(size_t length) { return length < INT32_MAX ? (uInt)length : INT32_MAX; }

/* A member has ended, and there is more: another one. */
static bool begin_member(struct rx_gunzip *g)
{
    if (!g->whole)
        return true;
    g->whole = false;
    return inflateReset(&g->stream) == Z_OK;
}

long rx_gunzip_step(struct rx_gunzip *g, const char **at, size_t *length, char *out, size_t room)
{
    size_t written = 0;
    int r = Z_OK;
    while (written < room && r == Z_OK && (*length > 0 || !g->whole)) {
        uInt input = at_most(*length), space = at_most(room - written);
        if (!begin_member(g))
            return -EBADMSG;
        g->stream.next_in = (Bytef *)(uintptr_t)*at;
        g->stream.avail_in = input;
        g->stream.next_out = (Bytef *)out + written;
        g->stream.avail_out = space;
        r = inflate(&g->stream, Z_NO_FLUSH);
        *at += input - g->stream.avail_in;
        *length -= input - g->stream.avail_in;
        written += space - g->stream.avail_out;
        g->whole = r == Z_STREAM_END;
        r = g->whole ? Z_OK : r;
    }
    if (r != Z_OK && r != Z_BUF_ERROR) /* that one: it wants more input */
        return r == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
    return (long)written;
}

bool rx_gunzip_whole(const struct rx_gunzip *g) { return g->whole; }

/* ---- files ---- */

static int write_all(int fd, const unsigned char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno != EINTR)
            return -errno;
        bytes += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int pack_some(z_stream *stream, int flush, int to, unsigned char *out)
{
    int r;
    do {
        stream->next_out = out;
        stream->avail_out = CHUNK;
        deflate(stream, flush);
        r = write_all(to, out, CHUNK - stream->avail_out);
    } while (r == 0 && stream->avail_out == 0);
    return r;
}

static int pack(z_stream *stream, int from, int to, unsigned char *in, unsigned char *out)
{
    ssize_t n;
    int r = 0;
    do {
        n = read(from, in, CHUNK);
        if (n < 0)
            return -errno;
        stream->next_in = in;
        stream->avail_in = (uInt)n;
        r = pack_some(stream, n > 0 ? Z_NO_FLUSH : Z_FINISH, to, out);
    } while (r == 0 && n > 0);
    return r == 0 && fsync(to) < 0 ? -errno : r;
}

static int pack_with_memory(int from, int to)
{
    z_stream stream = {0};
    unsigned char *buffers = malloc(2 * CHUNK);
    if (!buffers)
        return -ENOMEM;
    int r = deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK
                ? pack(&stream, from, to, buffers, buffers + CHUNK)
                : -ENOMEM;
    deflateEnd(&stream);
    free(buffers);
    return r;
}

int rx_gzip_file(const char *from, const char *to, struct rx_error *reterr)
{
    struct stat old;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0 || fstat(in, &old) < 0) {
        int code = -errno;
        if (in >= 0)
            close(in);
        return rx_error_set(reterr, code, "%.160s: %s", from, strerror(-code));
    }
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, old.st_mode & 0777);
    int r = out < 0 ? -errno : pack_with_memory(in, out);
    close(in);
    if (out >= 0 && close(out) < 0 && r == 0)
        r = -errno;
    if (r < 0 && out >= 0)
        unlink(to);
    return r < 0 ? rx_error_set(reterr, r, "%.160s: %s", to, strerror(-r)) : 0;
}
