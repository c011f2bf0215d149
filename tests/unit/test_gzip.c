// layer: io
/* gzip: what is unpacked in any pieces is the same, damage is told, bounds hold; bodies of HTTP requests; files. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/io/gzip/gzip.h"
#include "core/io/http/http.h"

enum { PACKED_MAX = 1 << 16, BODY_MAX = 1 << 20 };

static char packed[PACKED_MAX];

/* Appends a member that unpacks to `length` bytes at `text` (NULL: zeros). Answers the bytes there are then. */
static size_t pack(size_t at, const char *text, size_t length)
{
    z_stream stream = {0};
    char *bytes = text ? NULL : calloc(1, length);
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)(text ? text : bytes);
    stream.avail_in = (uInt)length;
    stream.next_out = (Bytef *)packed + at;
    stream.avail_out = (uInt)(sizeof packed - at);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t end = sizeof packed - stream.avail_out;
    deflateEnd(&stream);
    free(bytes);
    return end;
}

/* ---- the stream ---- */

/* Unpacks by `piece` bytes of input into `room` at a time. Answers the length, or the error. */
static long unpack(size_t length, size_t piece, size_t room, char *out, size_t size, bool *ret_whole)
{
    struct rx_gunzip *g = rx_gunzip_create();
    size_t total = 0;
    long n = 0;
    for (size_t at = 0; n >= 0 && at < length; at += piece) {
        const char *input = packed + at;
        size_t left = length - at < piece ? length - at : piece;
        do {
            ck_assert_uint_le(total + room, size);
            n = rx_gunzip_step(g, &input, &left, out + total, room);
            total += n > 0 ? (size_t)n : 0;
        } while (n >= 0 && (left > 0 || (size_t)n == room));
    }
    *ret_whole = rx_gunzip_whole(g);
    rx_gunzip_destroy(g);
    return n < 0 ? n : (long)total;
}

START_TEST(pieces_do_not_matter)
{
    char out[256];
    bool whole;
    size_t length = pack(pack(0, "one member, ", 12), "and another", 11);
    for (size_t piece = 1; piece <= length; piece++)
        for (size_t room = 1; room < 40; room += 6) {
            ck_assert_int_eq(unpack(length, piece, room, out, sizeof out, &whole), 23);
            ck_assert(whole && memcmp(out, "one member, and another", 23) == 0);
        }
}
END_TEST

START_TEST(a_part_is_not_whole_and_damage_is_told)
{
    char out[4096];
    bool whole;
    size_t length = pack(0, "a text that is long enough to be packed, packed, packed", 55);
    for (size_t part = 1; part < length; part++) {
        ck_assert_int_ge(unpack(part, 7, 64, out, sizeof out, &whole), 0);
        ck_assert(!whole);
    }
    packed[length - 6] ^= 1; /* of the checksum */
    ck_assert_int_eq(unpack(length, 7, 64, out, sizeof out, &whole), -EBADMSG);
    memcpy(packed, "{\"n\":1}", 7);
    ck_assert_int_eq(unpack(7, 7, 64, out, sizeof out, &whole), -EBADMSG);
}
END_TEST

/* ---- bodies ---- */

static struct rx_loop *loop;
static struct rx_http_server *server;
static char answer[4096];

static void count_body(void *arg, struct rx_http_request *request)
{
    char text[64];
    size_t length;
    (void)arg;
    char *body = rx_http_body_take(request, &length);
    int n = snprintf(text, sizeof text, "%zu %.5s", length, body ? body : "");
    rx_http_reply(request, 200, "text/plain", text, (size_t)n);
    free(body);
}

static const struct rx_http_route route = {RX_HTTP_POST, "/count", RX_HTTP_OPEN, NULL, count_body};

static void listen_to_bodies(void)
{
    struct rx_error error;
    ck_assert_int_eq(rx_loop_create(&loop), 0);
    ck_assert_int_eq(
        rx_http_listen(loop, "127.0.0.1:0", &(struct rx_http_limits){.max_body = BODY_MAX}, &server, &error), 0);
    ck_assert_int_eq(rx_http_routes(server, &route, 1, NULL), 0);
}

static void stop_listening(void)
{
    rx_http_destroy(server);
    rx_loop_destroy(loop);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)rx_http_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void say(int fd, const char *bytes, size_t length)
{
    rx_time end = rx_loop_clock(loop) + 10 * RX_SEC;
    while (length > 0 && rx_loop_clock(loop) < end) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return;
        bytes += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
        rx_loop_once(loop, 0);
    }
}

/* POSTs what is packed, `piece` bytes at a time; the connection ends with the answer. The status. */
static int post(const char *encoding, size_t length, bool chunked, size_t piece)
{
    char head[256];
    int fd = dial();
    size_t heard = 0;
    int n =
        snprintf(head, sizeof head,
                 "POST /count HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Encoding: %s\r\n", encoding);
    n += chunked ? snprintf(head + n, sizeof head - (size_t)n, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", length)
                 : snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n\r\n", length);
    say(fd, head, (size_t)n);
    for (size_t at = 0; at < length; at += piece)
        say(fd, packed + at, length - at < piece ? length - at : piece);
    if (chunked)
        say(fd, "\r\n0\r\n\r\n", 7);
    for (rx_time end = rx_loop_clock(loop) + 10 * RX_SEC; rx_loop_clock(loop) < end;) {
        ssize_t got = recv(fd, answer + heard, sizeof answer - 1 - heard, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        heard += got > 0 ? (size_t)got : 0;
        rx_loop_once(loop, 1);
    }
    answer[heard] = '\0';
    close(fd);
    for (int i = 0; i < 5; i++)
        rx_loop_once(loop, 0);
    ck_assert_uint_eq(rx_http_stats(server).held, 0);
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

START_TEST(a_packed_body_arrives_unpacked)
{
    size_t length = pack(0, "hello, hello, hello", 19);
    for (int chunked = 0; chunked < 2; chunked++)
        for (size_t piece = 1; piece <= length; piece += 5) {
            ck_assert_int_eq(post("gzip", length, chunked, piece), 200);
            ck_assert_ptr_nonnull(strstr(answer, "19 hello"));
        }
    ck_assert_int_eq(post("identity", length, false, length), 200);
    ck_assert_int_eq(post("X-GZIP", length, false, length), 200);
}
END_TEST

START_TEST(the_unpacked_size_counts_against_the_limit)
{
    size_t length = pack(0, NULL, BODY_MAX);
    ck_assert_uint_lt(length, 4096);
    ck_assert_int_eq(post("gzip", length, false, length), 200);
    ck_assert_ptr_nonnull(strstr(answer, "1048576 "));
    length = pack(0, NULL, BODY_MAX + 1);
    ck_assert_int_eq(post("gzip", length, false, length), 413);
    ck_assert_ptr_nonnull(strstr(answer, "unpacks to more than the limit"));
    length = pack(0, NULL, 60 * BODY_MAX);
    ck_assert_int_eq(post("gzip", length, true, 100), 413);
}
END_TEST

START_TEST(what_is_no_gzip_or_ends_early_or_another_encoding_is_refused)
{
    size_t length = pack(0, "hello, hello, hello", 19);
    ck_assert_int_eq(post("gzip", length - 1, false, length), 400);
    ck_assert_ptr_nonnull(strstr(answer, "ends before its gzip does"));
    ck_assert_int_eq(post("br", length, false, length), 415);
    ck_assert_ptr_nonnull(strstr(answer, "send gzip"));
    ck_assert_int_eq(post("gzip, gzip", length, false, length), 415);
    memcpy(packed, "{\"n\":1}", 7);
    ck_assert_int_eq(post("gzip", 7, false, 7), 400);
    ck_assert_ptr_nonnull(strstr(answer, "no gzip"));
}
END_TEST

/* ---- files ---- */

START_TEST(a_file_is_packed_with_its_rights_or_not_at_all)
{
    char folder[] = "/tmp/rxd-gzip-XXXXXX", from[64], to[64], command[160];
    struct rx_error error = {0};
    struct stat made;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(from, sizeof from, "%s/a", folder);
    snprintf(to, sizeof to, "%s/a.gz", folder);
    int fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 20000; i++)
        ck_assert_int_eq(dprintf(fd, "{\"n\":%d}\n", i) > 0, 1);
    close(fd);
    ck_assert_msg(rx_gzip_file(from, to, &error) == 0, "%s", error.message);
    ck_assert(stat(to, &made) == 0 && (made.st_mode & 0777) == 0600);
    snprintf(command, sizeof command, "gzip -dc %s | cmp - %s", to, from);
    ck_assert_int_eq(system(command), 0);
    snprintf(to, sizeof to, "%s/none/a.gz", folder);
    ck_assert_int_eq(rx_gzip_file(from, to, &error), -ENOENT);
    ck_assert_int_eq(rx_gzip_file(to, from, &error), -ENOENT);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gzip");
    TCase *stream = tcase_create("stream"), *bodies = tcase_create("bodies");
    tcase_add_test(stream, pieces_do_not_matter);
    tcase_add_test(stream, a_part_is_not_whole_and_damage_is_told);
    tcase_add_test(stream, a_file_is_packed_with_its_rights_or_not_at_all);
    tcase_add_checked_fixture(bodies, listen_to_bodies, stop_listening);
    tcase_add_test(bodies, a_packed_body_arrives_unpacked);
    tcase_add_test(bodies, the_unpacked_size_counts_against_the_limit);
    tcase_add_test(bodies, what_is_no_gzip_or_ends_early_or_another_encoding_is_refused);
    suite_add_tcase(suite, stream);
    suite_add_tcase(suite, bodies);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
