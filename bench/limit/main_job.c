/* The limit's three feeds.
 *   bench_limit file PATH              lines of a file, or of a FIFO
 *   bench_limit http EVENTS            bodies of lines, POSTed to the port that it prints
 *   bench_limit mqtt PORT EVENTS       QoS 0 messages of a broker on loopback
 * Results go to the standard output; when EVENTS messages have come (or the file has ended), what is open is put out and the program ends. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "limit.h"

enum { READ_BYTES = 65536, MESSAGE_BYTES = 1 << 20 };

/* What has been read and not yet used. Its beginning is moved to the front before each read, so there is always room for one. */
struct input {
    int fd;
    char *data;
    size_t length;
};

struct job {
    struct limit_groups *groups;
    uint64_t events, wanted;
};

static void die(const char *why)
{
    fprintf(stderr, "bench_limit: %s\n", why);
    exit(1);
}

static struct input open_input(int fd)
{
    struct input input = {.fd = fd, .data = calloc(1, MESSAGE_BYTES + READ_BYTES + LIMIT_PADDING)};
    if (!input.data || fd < 0)
        die("cannot open its input");
    return input;
}

/* False at the end. */
static bool fill(struct input *input)
{
    if (input->length >= MESSAGE_BYTES)
        die("a message is longer than 1 MiB");
    ssize_t n = read(input->fd, input->data + input->length, READ_BYTES);
    input->length += n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void use(struct input *input, size_t length)
{
    input->length -= length;
    memmove(input->data, input->data + length, input->length);
}

static void take(struct job *job, const char *data, size_t length)
{
    struct limit_message message;
    job->events++;
    if (limit_message_read(data, length, &message))
        limit_groups_add(job->groups, &message);
}

static void take_clock(struct job *job)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    limit_groups_at(job->groups, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
}

/* The whole lines of `length` bytes; returns how many bytes they are. */
static size_t take_lines(struct job *job, const char *data, size_t length)
{
    const char *at = data, *end = data + length, *line_end;
    while ((line_end = memchr(at, '\n', (size_t)(end - at)))) {
        take(job, at, (size_t)(line_end - at));
        at = line_end + 1;
    }
    return (size_t)(at - data);
}

static void run_file(struct job *job, const char *path)
{
    struct input input = open_input(open(path, O_RDONLY));
    while (fill(&input)) {
        take_clock(job);
        use(&input, take_lines(job, input.data, input.length));
    }
    if (input.length)
        take(job, input.data, input.length);
    free(input.data);
}

static int loopback(struct sockaddr_in *address, int port)
{
    *address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return socket(AF_INET, SOCK_STREAM, 0);
}

/* The body's length; 0 until the head is whole. `ret_head` is that of the head. */
static size_t body_of(struct input *input, size_t *ret_head)
{
    static const char field[] = "Content-Length:";
    input->data[input->length] = '\0';
    char *end = strstr(input->data, "\r\n\r\n"), *at = strcasestr(input->data, field);
    if (!end)
        return 0;
    if (!at || at > end)
        die("a request without Content-Length");
    *ret_head = (size_t)(end - input->data) + 4;
    return strtoul(at + sizeof field - 1, NULL, 10);
}

static void take_body(struct job *job, struct input *input, size_t left)
{
    for (;;) {
        size_t here = input->length < left ? input->length : left;
        take_clock(job);
        here = take_lines(job, input->data, here);
        use(input, here);
        left -= here;
        if (left && input->length >= left) { /* the last line has no end */
            take(job, input->data, left);
            use(input, left);
            return;
        }
        if (!left || !fill(input))
            return;
    }
}

static void run_http(struct job *job)
{
    static const char answer[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int listener = loopback(&address, 0);
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        die("cannot listen");
    fprintf(stderr, "%d\n", ntohs(address.sin_port));
    struct input input = open_input(accept(listener, NULL, NULL));
    while (job->events < job->wanted && fill(&input)) {
        size_t head, body = body_of(&input, &head);
        if (!body)
            continue;
        use(&input, head);
        take_body(job, &input, body);
        if (write(input.fd, answer, sizeof answer - 1) < 0)
            die("cannot answer");
    }
    free(input.data);
}

/* The packets that are whole; returns how many bytes they are. Only PUBLISH of QoS 0 carries messages; an acknowledgement is passed over. */
static size_t take_packets(struct job *job, const unsigned char *data, size_t length)
{
    size_t at = 0;
    while (length - at >= 2) {
        size_t body = data[at + 1], head = 2;
        if (body & 128) {
            unsigned shift = 0;
            for (body = 0, head = 1; at + head < length; shift += 7) {
                body |= (size_t)(data[at + head] & 127) << shift;
                if (!(data[at + head++] & 128))
                    break;
            }
        }
        if (length - at - head < body || length - at < head)
            break;
        const unsigned char *packet = data + at + head;
        at += head + body;
        if ((packet[-(ptrdiff_t)head] & 0xf6) == 0x30) {
            size_t topic = 2 + ((size_t)packet[0] << 8 | packet[1]);
            take(job, (const char *)packet + topic, body - topic);
        }
    }
    return at;
}

static void run_mqtt(struct job *job, int port)
{
    static const unsigned char connect_packet[] = "\x10\x0e\0\4MQTT\4\2\0\0\0\2rx",
                               subscribe_packet[] = "\x82\x06\0\1\0\1#\0";
    struct sockaddr_in address;
    struct input input = open_input(loopback(&address, port));
    if (connect(input.fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        write(input.fd, connect_packet, sizeof connect_packet - 1) < 0 || !fill(&input))
        die("no broker");
    use(&input, input.length);
    if (write(input.fd, subscribe_packet, sizeof subscribe_packet - 1) < 0)
        die("no broker");
    while (job->events < job->wanted && fill(&input)) {
        take_clock(job);
        use(&input, take_packets(job, (const unsigned char *)input.data, input.length));
    }
    free(input.data);
}

int main(int argc, char **argv)
{
    struct job job = {.groups = limit_groups_create(STDOUT_FILENO)};
    if (argc == 3 && strcmp(argv[1], "file") == 0) {
        run_file(&job, argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "http") == 0) {
        job.wanted = strtoull(argv[2], NULL, 10);
        run_http(&job);
    } else if (argc == 4 && strcmp(argv[1], "mqtt") == 0) {
        job.wanted = strtoull(argv[3], NULL, 10);
        run_mqtt(&job, atoi(argv[2]));
    } else {
        die("usage: file PATH | http EVENTS | mqtt PORT EVENTS");
    }
    limit_groups_flush(job.groups);
    limit_groups_destroy(job.groups);
    fprintf(stderr, "%llu events\n", (unsigned long long)job.events);
    return 0;
}
