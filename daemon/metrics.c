/* Metrics: families, samples, rendering, and the process's own. */
#include "daemon/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const struct family {
    const char *name, *type, *help;
} families[] = {
#define RX_METRIC(symbol_, name_, type_, labels_, help_) {name_, type_, help_},
#include "daemon/metrics.def"
#undef RX_METRIC
};

void rx_metrics_finish(struct rx_metrics *m)
{
    for (size_t i = 0; i < RX_METRICS; i++)
        rx_buffer_finish(&m->samples[i]);
}

static void put_label_value(struct rx_buffer *b, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            rx_buffer_text(b, "\\n");
        else if (*value == '"' || *value == '\\')
            rx_buffer_printf(b, "\\%c", *value);
        else
            rx_buffer_append(b, value, 1);
    }
}

static struct rx_buffer *begin(struct rx_metrics *m, enum rx_metric metric, const char *const *labels)
{
    struct rx_buffer *b = &m->samples[metric];
    rx_buffer_text(b, families[metric].name);
    for (size_t i = 0; labels && labels[i]; i += 2) {
        rx_buffer_printf(b, "%s%s=\"", i ? "," : "{", labels[i]);
        put_label_value(b, labels[i + 1]);
        rx_buffer_text(b, "\"");
    }
    rx_buffer_text(b, labels && labels[0] ? "} " : " ");
    return b;
}

void rx_metrics_add(struct rx_metrics *m, enum rx_metric metric, double value, const char *const *labels)
{
    struct rx_buffer *b = begin(m, metric, labels);
    rx_json_write(b, rx_double(value));
    rx_buffer_text(b, "\n");
}

void rx_metrics_count(struct rx_metrics *m, enum rx_metric metric, uint64_t value, const char *const *labels)
{
    rx_buffer_printf(begin(m, metric, labels), "%llu\n", (unsigned long long)value);
}

void rx_metrics_merge(struct rx_metrics *into, const struct rx_metrics *from)
{
    for (size_t i = 0; i < RX_METRICS; i++)
        rx_buffer_append(&into->samples[i], from->samples[i].data, from->samples[i].length);
}

void rx_metrics_render(const struct rx_metrics *m, struct rx_buffer *out)
{
    for (size_t i = 0; i < RX_METRICS; i++) {
        if (!m->samples[i].length)
            continue;
        rx_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", families[i].name, families[i].help, families[i].name,
                         families[i].type);
        rx_buffer_append(out, m->samples[i].data, m->samples[i].length);
    }
}

/* ---- the process ---- */

static double resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    double n = -3; /* ".", "..", and the one that is counting */
    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Field 22 of proc(5)'s stat: clock ticks since boot. */
static double start_time(void)
{
    unsigned long long ticks = 0;
    struct timespec now, up;
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return 0;
    if (fscanf(file,
               "%*d (%*[^)]) %*c"
               " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &ticks) != 1)
        ticks = 0;
    fclose(file);
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9 +
           (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

void rx_metrics_of_process(struct rx_metrics *m)
{
    struct rusage usage;
    struct rlimit limit;
    const char *version[] = {"version", RXD_VERSION, NULL};
    rx_metrics_count(m, RX_METRIC_BUILD_INFO, 1, version);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        rx_metrics_add(m, RX_METRIC_CPU, seconds(usage.ru_utime) + seconds(usage.ru_stime), NULL);
    rx_metrics_add(m, RX_METRIC_RSS, resident_bytes(), NULL);
    rx_metrics_add(m, RX_METRIC_START_TIME, start_time(), NULL);
    rx_metrics_add(m, RX_METRIC_FDS, open_descriptors(), NULL);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        rx_metrics_count(m, RX_METRIC_FDS_MAX, limit.rlim_cur, NULL);
}
