/* rxd run: the daemon, in the foreground. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/command.h"
#include "daemon/front/front.h"
#include "daemon/log.h"

struct running {
    struct rx_loop *loop;
    struct rx_front *front;
    const struct rx_paths *paths;
    const char *listen; /* given on the command line; NULL */
    struct rx_forest *forest;
};

static int parse(int argc, char **argv, struct rx_paths *paths, const char **listen)
{
    for (int i = 1; i < argc; i++) {
        if (rx_paths_take(paths, argc, argv, &i)) {
            if (i < 0)
                return rx_usage("run", "-c needs a file or folder");
        } else if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc) {
            struct rx_error error;
            if (rx_http_check_address(*listen = argv[++i], &error) < 0)
                return rx_usage("run", "%s", error.message);
        } else if (argv[i][0] == '-' && argv[i][1]) {
            return rx_usage("run", "unexpected argument \"%s\"", argv[i]);
        } else {
            rx_paths_add(paths, argv[i]);
        }
    }
    return rx_paths_finish(paths, "run");
}

/* ---- SIGTERM and SIGINT ---- */

static struct rx_wake *terminate; /* signal handlers reach nothing else */
static volatile sig_atomic_t asked_to_end;

/* The first asks for a drain. The second means now, whatever the threads are doing. */
static void on_terminate_signal(int number)
{
    static const char now[] = "rxd: a second signal: ending at once\n";
    int error = errno;
    (void)number;
    if (asked_to_end) {
        if (write(STDERR_FILENO, now, sizeof now - 1) < 0)
            _exit(1);
        _exit(1);
    }
    asked_to_end = 1;
    rx_wake_signal(terminate);
    errno = error;
}

static void on_terminate(void *arg)
{
    struct running *r = arg;
    rx_log(RX_LOG_INFO, "draining", NULL);
    rx_front_drain(r->front);
}

static int watch_terminate(struct running *r)
{
    struct sigaction action = {.sa_handler = on_terminate_signal, .sa_flags = SA_RESTART};
    int result = rx_wake_create(r->loop, on_terminate, r, &terminate);
    sigemptyset(&action.sa_mask);
    if (result == 0 && (sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0))
        result = -errno;
    return result;
}

static void unwatch_terminate(void)
{
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    rx_wake_destroy(terminate);
    terminate = NULL;
}

/* A thread that does not come back cannot be joined, nor what it uses freed. */
static void end_without_workers(void)
{
    rx_log(RX_LOG_ERROR, "a worker did not stop within http.drain_deadline: ending without it", NULL);
    _exit(1);
}

/* ---- SIGHUP ---- */

/* The mistakes go to stderr whole; the condition tells the first. */
static void refuse(struct running *r, const struct rx_diagnostics *diagnostics)
{
    struct rx_buffer text = {0};
    rx_show(diagnostics);
    rx_diagnostics_render(diagnostics, &text);
    size_t first = text.length ? strcspn(text.data, "\n") : 0;
    char reason[240];
    snprintf(reason, sizeof reason, "%.*s", (int)first, text.length ? text.data : "");
    rx_front_refused(r->front, reason);
    rx_buffer_finish(&text);
}

static void refuse_for(struct running *r, const struct rx_error *error)
{
    const char *pairs[] = {"error", error->message, NULL};
    rx_log(RX_LOG_ERROR, "cannot reload; the old pipelines run on", pairs);
    rx_front_refused(r->front, error->message);
}

/* A bad config is told, and the old graph runs on. */
static void on_reloaded(void *arg, int result, const struct rx_diagnostics *diagnostics, const struct rx_error *error,
                        bool again)
{
    struct running *r = arg;
    if (result == 0)
        rx_front_refused(r->front, NULL);
    else if (diagnostics && rx_diagnostics_count(diagnostics) > 0)
        refuse(r, diagnostics);
    else
        refuse_for(r, error);
    if (!again)
        sd_notify(0, "READY=1");
}

static void on_hangup(void *arg)
{
    struct running *r = arg;
    if (asked_to_end)
        return;
    sd_notify(0, "RELOADING=1");
    rx_front_reload(r->front, &(struct rx_front_reload_options){.paths = r->paths->items,
                                                                .path_count = r->paths->count,
                                                                .listen_overridden = r->listen != NULL,
                                                                .done = on_reloaded,
                                                                .arg = r});
}

static void announce(const struct rx_front *front, const char *listen)
{
    char url[300];
    int host = (int)(strrchr(listen, ':') ? strrchr(listen, ':') - listen : 0);
    snprintf(url, sizeof url, "http://%.*s:%u/", host ? host : 9, host ? listen : "127.0.0.1", rx_front_port(front));
    const char *pairs[] = {"url", url, "version", RXD_VERSION, NULL};
    rx_log(RX_LOG_INFO, "listening", pairs);
    sd_notifyf(0, "READY=1\nSTATUS=listening at %s", url);
}

static int run_front(struct running *r, const struct rx_settings *settings, struct rx_diagnostics *diagnostics,
                     struct rx_error *reterr)
{
    int result = rx_front_create(r->loop, r->forest, settings, diagnostics, &r->front, reterr);
    if (result < 0)
        return result;
    result = watch_terminate(r);
    if (result == 0)
        result = rx_loop_signal(r->loop, SIGHUP, on_hangup, r);
    if (result == 0 && rx_diagnostics_remarks(diagnostics) > 0)
        rx_log(RX_LOG_WARNING, "the config has what looks like slips; rxd check shows them", NULL);
    if (result == 0) {
        announce(r->front, settings->http.listen);
        result = rx_loop_run(r->loop);
    }
    if (asked_to_end && !rx_front_ended(r->front))
        end_without_workers();
    unwatch_terminate();
    rx_front_destroy(r->front);
    rx_log(RX_LOG_INFO, "stopped", NULL);
    return result;
}

static int run(const struct rx_paths *paths, const char *listen, struct rx_diagnostics *diagnostics,
               struct rx_error *reterr)
{
    struct running r = {.paths = paths, .listen = listen};
    struct rx_settings settings;
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_plan_arena *arena = heap ? rx_plan_arena_create(heap) : NULL;
    int result = arena ? rx_loop_create(&r.loop) : -ENOMEM;
    if (result == 0)
        result = rx_forest_read(paths->items, paths->count, diagnostics, &r.forest);
    if (result == 0)
        result = rx_settings_read(r.forest, arena, listen, diagnostics, &settings);
    if (result == 0) {
        rx_log_configure((enum rx_log_level)settings.log.level);
        result = run_front(&r, &settings, diagnostics, reterr);
    }
    rx_forest_destroy(r.forest);
    rx_loop_destroy(r.loop);
    rx_plan_arena_destroy(arena);
    rx_heap_destroy(heap);
    return result;
}

/* Every connection is a descriptor; the soft limit is low for the sake of select(), which nothing here uses. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int failed(int result, const struct rx_error *error)
{
    fprintf(stderr, "rxd: %s\n", error->message[0] ? error->message : strerror(-result));
    return 1;
}

int rx_command_run(int argc, char **argv)
{
    struct rx_paths paths = {0};
    const char *listen = NULL;
    int status = parse(argc, argv, &paths, &listen);
    if (status)
        return status;
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error of the write, as a full disk is */
    struct rx_error error = {0};
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    if (!diagnostics)
        return 1;
    int result = run(&paths, listen, diagnostics, &error);
    if (rx_diagnostics_count(diagnostics) > 0) {
        rx_show(diagnostics);
        status = rx_config_status(diagnostics, result);
    } else if (result < 0)
        status = failed(result, &error);
    rx_diagnostics_destroy(diagnostics);
    return status;
}
