// layer: sources
/* MQTT against a real mosquitto: delivery, captures, retained, overlaps, restarts, absence, queue, passwords. */
#include <errno.h>
#include <time.h>

#include "tests/unit/mqtt_harness.h"

extern const struct rx_source_class rx_source_mqtt;

static struct harness h;
static struct server server;
static struct client receiver, sender;
static struct rx_publisher publisher;
static char url[64];

static struct rx_broker *find_broker(struct rx_site *site, const char *name)
{
    (void)site;
    return strcmp(name, "b") == 0 ? receiver.broker : NULL;
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    harness_init(&h);
    h.site.broker = find_broker;
    server_init(&server, NULL);
    snprintf(url, sizeof url, "mqtt://localhost:%u", server.port);
    memset(&publisher, 0, sizeof publisher);
    receiver = sender = (struct client){0};
}

static void connect_sender(void)
{
    sender = client_create(&h, url, NULL);
    rx_broker_publisher_join(sender.broker, &publisher);
}

static void teardown(void)
{
    if (sender.broker)
        rx_broker_publisher_leave(sender.broker, &publisher);
    client_destroy(&sender);
    client_destroy(&receiver);
    server_finish(&server);
    harness_finish(&h);
}

static void publish(const char *topic, const char *payload, int qos)
{
    client_send(&sender, &publisher, topic, payload, qos, false);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Subscriptions are in place once a message of one's own comes back. One probe at a time: when one comes, none is left
 * on the way. */
static void until_subscribed(struct feed *feed, const char *topic)
{
    size_t before = feed->events.count;
    harness_until(&h, status_of(&receiver).connected && status_of(&sender).connected);
    while (feed->events.count == before) {
        publish(topic, "\"probe\"", 1);
        harness_until(&h, publisher.held == 0);
        double patience = seconds() + 0.3;
        harness_until(&h, feed->events.count > before || seconds() > patience);
    }
}

static void receive_at(const char *version, const char *qos)
{
    receiver = client_create(&h, url, "version", version, NULL);
    connect_sender();
    struct feed *feed =
        feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "sensors/{device}/{metric}", "qos", qos, NULL);
    feed_subscribe(feed);
    until_subscribed(feed, "sensors/a/b");
    ck_assert_str_eq(feed->events.lines[0], "{\"value\":\"probe\",\"device\":\"a\",\"metric\":\"b\"}");
    size_t before = feed->events.count;
    uint64_t delivered = publisher.delivered;
    for (int i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "{\"n\":%d}", i);
        publish("sensors/d1/temp", text, atoi(qos));
        if (i % 50 == 0)
            rx_loop_once(h.loop, 0);
    }
    harness_until(&h, feed->events.count == before + 1000);
    ck_assert_str_eq(feed->events.lines[before], "{\"n\":0,\"device\":\"d1\",\"metric\":\"temp\"}");
    ck_assert_str_eq(feed->events.lines[before + 999], "{\"n\":999,\"device\":\"d1\",\"metric\":\"temp\"}");
    harness_until(&h, publisher.held == 0);
    ck_assert_uint_eq(publisher.delivered, delivered + 1000);
    ck_assert_uint_eq(feed->source->connects, 1);
    feed_destroy(feed);
}

START_TEST(every_message_arrives_once_with_its_captures)
{
    static const char *const versions[] = {"3.1.1", "5"}, *const levels[] = {"0", "1", "2"};
    server_start(&server);
    receive_at(versions[_i / 3], levels[_i % 3]);
}
END_TEST

START_TEST(overlapping_topics_deliver_each_message_once_to_each_source)
{
    static const char *const versions[] = {"3.1.1", "5"};
    server_start(&server);
    receiver = client_create(&h, url, "version", versions[_i], NULL);
    connect_sender();
    struct feed *one =
        feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "a/{x}", "topic", "a/#", "topic", "+/b", NULL);
    struct feed *two = feed_create(&h, &rx_source_mqtt, "broker", "b", "topics", "{all...}", NULL);
    struct feed *three = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "a/b", NULL);
    feed_subscribe(one);
    feed_subscribe(two);
    feed_subscribe(three);
    until_subscribed(three, "a/b");
    /* The first probe may have come before the last subscription was in place. */
    size_t in_one = one->events.count, in_two = two->events.count, in_three = three->events.count;
    for (int i = 0; i < 100; i++)
        publish("a/b", "1", 1);
    publish("a/end", "2", 1);
    harness_until(&h, strcmp(two->events.lines[two->events.count - 1], "{\"value\":2,\"all\":\"a/end\"}") == 0);
    harness_until(&h, three->events.count >= in_three + 100 && one->events.count >= in_one + 101);
    publish("done", "3", 1);
    harness_until(&h, strcmp(two->events.lines[two->events.count - 1], "{\"value\":3,\"all\":\"done\"}") == 0);
    ck_assert_uint_eq(one->events.count, in_one + 101);
    ck_assert_uint_eq(two->events.count, in_two + 102);
    ck_assert_uint_eq(three->events.count, in_three + 100);
    ck_assert_str_eq(one->events.lines[0], "{\"value\":\"probe\",\"x\":\"b\"}");
    feed_destroy(one);
    feed_destroy(two);
    feed_destroy(three);
}
END_TEST

START_TEST(retained_messages_are_used_or_skipped)
{
    server_start(&server);
    receiver = client_create(&h, url, NULL);
    connect_sender();
    client_send(&sender, &publisher, "state/a", "\"kept\"", 1, true);
    harness_until(&h, publisher.delivered == 1);
    struct feed *use = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "state/{d}", NULL);
    struct feed *skip = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "state/a", "retained", "skip", NULL);
    use->source->reaches = RX_REACHES_META;
    feed_subscribe(use);
    feed_subscribe(skip);
    harness_until(&h, use->events.count > 0);
    ck_assert_str_eq(use->events.lines[0], "{\"value\":\"kept\",\"d\":\"a\"}");
    ck_assert(rx_object_get_text(use->events.last.meta, "retained")->u.b);
    until_subscribed(skip, "state/a");
    ck_assert_str_eq(skip->events.lines[0], "\"probe\"");
    ck_assert(!rx_object_get_text(use->events.last.meta, "retained")->u.b);
    feed_destroy(use);
    feed_destroy(skip);
}
END_TEST

START_TEST(a_broker_that_restarts_is_found_again_and_the_gap_is_counted)
{
    server_start(&server);
    receiver = client_create(&h, url, NULL);
    connect_sender();
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "t/#", "qos", "1", NULL);
    feed_subscribe(feed);
    until_subscribed(feed, "t/a");
    server_stop(&server, SIGKILL);
    harness_until(&h, !status_of(&receiver).connected && !status_of(&sender).connected);
    ck_assert(!feed->source->connected);
    size_t before = feed->events.count;
    server_start(&server);
    until_subscribed(feed, "t/a");
    ck_assert_uint_gt(feed->events.count, before);
    struct rx_broker_status status = status_of(&receiver);
    ck_assert_uint_eq(status.connects, 2);
    ck_assert_uint_eq(status.disconnects, 1);
    ck_assert_uint_eq(status.gaps, 1);
    ck_assert_uint_eq(feed->source->connects, 2);
    ck_assert_uint_eq(feed->source->disconnects, 1);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_session_that_the_broker_kept_leaves_no_gap)
{
    server_start(&server);
    receiver = client_create(&h, url, "clean_start", "false", "client_id", "kept", NULL);
    connect_sender();
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "t/#", "qos", "1", NULL);
    feed_subscribe(feed);
    until_subscribed(feed, "t/a");
    size_t before = feed->events.count;
    /* Another connection takes our identity: the broker throws us out, and we come back to our session. */
    struct client other = client_create(&h, url, "clean_start", "false", "client_id", "kept", NULL);
    struct rx_publisher nobody = {0};
    rx_broker_publisher_join(other.broker, &nobody);
    harness_until(&h, status_of(&receiver).disconnects >= 1);
    rx_broker_publisher_leave(other.broker, &nobody);
    client_destroy(&other);
    publish("t/x", "\"meanwhile\"", 1);
    harness_until(&h, feed->events.count > before);
    ck_assert_str_eq(feed->events.lines[before], "\"meanwhile\"");
    ck_assert_uint_eq(status_of(&receiver).gaps, 0);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_broker_that_is_absent_at_the_start_is_waited_for)
{
    receiver = client_create(&h, url, NULL);
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "t/#", NULL);
    feed_subscribe(feed);
    harness_until(&h, status_of(&receiver).failures >= 2);
    ck_assert_ptr_nonnull(strstr(status_of(&receiver).last_error, "onnect"));
    server_start(&server);
    connect_sender();
    until_subscribed(feed, "t/a");
    ck_assert_uint_eq(status_of(&receiver).connects, 1);
    ck_assert_uint_eq(status_of(&receiver).gaps, 0);
    feed_destroy(feed);
}
END_TEST

START_TEST(what_is_sent_while_the_broker_is_away_waits_in_a_bounded_queue)
{
    sender = client_create(&h, url, "max_queue", "10", NULL);
    rx_broker_publisher_join(sender.broker, &publisher);
    for (int i = 0; i < 10; i++)
        publish("t/a", "1", i % 3);
    ck_assert_int_eq(rx_broker_publish(sender.broker, &publisher, "t/a", 3, "1", 1, 0, false), -EAGAIN);
    ck_assert_uint_eq(status_of(&sender).dropped, 1);
    ck_assert_uint_eq(status_of(&sender).queued, 10);
    ck_assert_uint_eq(publisher.held, 10);
    server_start(&server);
    harness_until(&h, publisher.delivered == 10);
    ck_assert_uint_eq(publisher.held, 0);
    ck_assert_uint_eq(status_of(&sender).queued, 0);
    ck_assert_uint_eq(status_of(&sender).inflight, 0);
}
END_TEST

START_TEST(more_than_may_be_in_flight_is_sent_in_order)
{
    server_start(&server);
    receiver = client_create(&h, url, NULL);
    sender = client_create(&h, url, "max_inflight", "5", NULL);
    rx_broker_publisher_join(sender.broker, &publisher);
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "t/#", "qos", "1", NULL);
    feed_subscribe(feed);
    until_subscribed(feed, "t/a");
    size_t before = feed->events.count;
    for (int i = 0; i < 5000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        ck_assert_int_eq(rx_broker_publish(sender.broker, &publisher, "t/a", 3, text, strlen(text), 1, false), 0);
    }
    rx_broker_flush(sender.broker);
    ck_assert_uint_eq(status_of(&sender).inflight, 5);
    harness_until(&h, feed->events.count == before + 5000);
    for (int i = 0; i < 5000; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d", i);
        ck_assert_str_eq(feed->events.lines[before + (size_t)i], text);
    }
    feed_destroy(feed);
}
END_TEST

START_TEST(a_message_that_is_too_large_or_no_json_is_rejected_and_the_next_arrives)
{
    server_start(&server);
    receiver = client_create(&h, url, NULL);
    connect_sender();
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "t/#", "max_message", "1KiB", NULL);
    feed_subscribe(feed);
    until_subscribed(feed, "t/a");
    size_t before = feed->events.count;
    char *big = malloc(8000001);
    memset(big, '1', 8000000);
    big[8000000] = '\0';
    publish("t/a", big, 1);
    publish("t/a", "{\"a\":", 1);
    publish("t/a", "5", 1);
    harness_until(&h, feed->events.count == before + 1);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_TOO_LARGE], 1);
    ck_assert_uint_eq(feed->source->rejected[RX_REJECT_SYNTAX], 1);
    ck_assert_uint_eq(feed->rejects.count, 2);
    free(big);
    feed_destroy(feed);
}
END_TEST

START_TEST(a_subscriber_may_leave_inside_a_message_and_come_again)
{
    server_start(&server);
    receiver = client_create(&h, url, NULL);
    connect_sender();
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "t/#", NULL);
    struct feed *marker = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "marker", NULL);
    feed_subscribe(marker);
    feed_subscribe(feed);
    until_subscribed(feed, "t/a");
    feed->events.leave_after = feed->events.count + 300;
    for (int i = 0; i < 1000; i++)
        publish("t/a", "5", 0);
    harness_until(&h, feed->events.count == feed->events.leave_after);
    ck_assert(!feed->source->running);
    publish("t/a", "6", 1);
    /* Behind it nothing is on its way any more. */
    publish("marker", "7", 1);
    harness_until(&h, marker->events.count == 1);
    feed->events.leave_after = 0;
    size_t before = feed->events.count;
    feed_subscribe(feed);
    until_subscribed(feed, "t/b");
    ck_assert_str_eq(feed->events.lines[before], "\"probe\"");
    feed_destroy(feed);
    feed_destroy(marker);
}
END_TEST

/* Messages that wait are not acknowledged, the connection is read on, and they come in their order. */
START_TEST(a_paused_source_gets_what_came_when_it_goes_on)
{
    server_start(&server);
    receiver = client_create(&h, url, "version", _i % 2 ? "5" : "3.1.1", NULL);
    connect_sender();
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "t/#", "qos", "2", NULL);
    struct feed *other = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "u", "qos", "1", NULL);
    feed_subscribe(feed);
    feed_subscribe(other);
    until_subscribed(feed, "t/a");
    until_subscribed(other, "u");
    size_t before = feed->events.count, others = other->events.count;
    feed->source->class->pause(feed->source, true);
    for (int i = 0; i < 10; i++) {
        char text[8];
        snprintf(text, sizeof text, "%d", i);
        publish("t/a", text, _i / 2);
    }
    publish("u", "1", 0);
    harness_until(&h, status_of(&receiver).parked == 10 && other->events.count == others + 1);
    ck_assert_uint_eq(feed->events.count, before);
    if (!other_client())
        ck_assert_uint_eq(status_of(&receiver).unanswered, _i / 2 ? 10 : 0);
    feed->source->class->pause(feed->source, false);
    publish("t/a", "10", _i / 2);
    harness_until(&h, feed->events.count == before + 11);
    for (int i = 0; i <= 10; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d", i);
        ck_assert_str_eq(feed->events.lines[before + (size_t)i], text);
    }
    harness_until(&h, status_of(&receiver).unanswered == 0);
    ck_assert_uint_eq(status_of(&receiver).parked, 0);
    feed_destroy(feed);
    feed_destroy(other);
}
END_TEST

START_TEST(a_source_that_stops_and_comes_again_misses_nothing_in_a_session_that_is_kept)
{
    if (other_client())
        return; /* it has acknowledged already */
    server_start(&server);
    receiver = client_create(&h, url, "clean_start", "false", "client_id", "kept", NULL);
    connect_sender();
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "t/#", "qos", "1", NULL);
    feed_subscribe(feed);
    until_subscribed(feed, "t/a");
    size_t before = feed->events.count;
    rx_hub_unsubscribe(&feed->events.observer);
    ck_assert(!feed->source->running);
    publish("t/a", "1", 1);
    publish("t/b", "2", 1);
    harness_until(&h, status_of(&receiver).parked == 2);
    ck_assert_uint_eq(status_of(&receiver).unanswered, 2);
    feed_subscribe(feed);
    harness_until(&h, feed->events.count == before + 2);
    ck_assert_str_eq(feed->events.lines[before], "1");
    ck_assert_str_eq(feed->events.lines[before + 1], "2");
    harness_until(&h, status_of(&receiver).unanswered == 0);
    ck_assert_uint_eq(status_of(&receiver).unclaimed, 0);
    /* Once the config has no use for it any more, the subscription ends. */
    rx_hub_unsubscribe(&feed->events.observer);
    rx_broker_drop_unused(receiver.broker);
    struct feed *marker = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "marker", NULL);
    feed_subscribe(marker);
    until_subscribed(marker, "marker");
    uint64_t received = status_of(&receiver).received;
    size_t marks = marker->events.count;
    publish("t/a", "3", 1);
    publish("marker", "4", 1);
    harness_until(&h, marker->events.count == marks + 1);
    ck_assert_uint_eq(status_of(&receiver).received, received + 1);
    feed_destroy(marker);
    feed_destroy(feed);
}
END_TEST

START_TEST(what_a_publisher_queued_is_sent_after_it_has_left)
{
    sender = client_create(&h, url, NULL);
    struct rx_publisher brief = {0};
    rx_broker_publisher_join(sender.broker, &brief);
    rx_broker_publisher_join(sender.broker, &publisher);
    for (int i = 0; i < 5; i++)
        client_send(&sender, &brief, "t/a", "1", i % 3, false);
    uint64_t number = rx_broker_publisher_number(&brief);
    rx_broker_publisher_leave(sender.broker, &brief);
    ck_assert_uint_eq(status_of(&sender).orphans, 5);
    /* And counted again by who comes in its place. */
    struct rx_publisher heir = {0};
    rx_broker_publisher_join(sender.broker, &heir);
    ck_assert_uint_eq(rx_broker_publisher_adopt(sender.broker, &heir, _i ? number : 99), _i ? 5 : 0);
    ck_assert_uint_eq(status_of(&sender).orphans, _i ? 0 : 5);
    server_start(&server);
    harness_until(&h, rx_broker_idle(sender.broker) && status_of(&sender).sent == 5);
    ck_assert_uint_eq(heir.delivered, _i ? 5 : 0);
    ck_assert_uint_eq(heir.held, 0);
    ck_assert_uint_eq(status_of(&sender).orphans, 0);
    rx_broker_publisher_leave(sender.broker, &heir);
}
END_TEST

START_TEST(a_birth_is_published_at_each_connection)
{
    static struct rx_value birth;
    static const char text[] = "{\"topic\":\"born\",\"payload\":\"here\",\"qos\":1}";
    server_start(&server);
    receiver = client_create(&h, url, NULL);
    ck_assert_int_eq(rx_json_decode(h.heap, NULL, NULL, text, sizeof text - 1, &birth, NULL), 0);
    sender = client_create(&h, url, NULL);
    sender.options->birth = birth;
    rx_broker_destroy(sender.broker);
    struct rx_error error;
    ck_assert_int_eq(rx_broker_create(h.loop, "test", sender.options, &sender.broker, &error), 0);
    rx_broker_publisher_join(sender.broker, &publisher);
    harness_until(&h, status_of(&sender).sent == 1);
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "born", NULL);
    feed_subscribe(feed);
    harness_until(&h, feed->events.count == 1);
    ck_assert_str_eq(feed->events.lines[0], "\"here\"");
    feed_destroy(feed);
    rx_value_unref(birth);
}
END_TEST

START_TEST(it_speaks_over_websocket)
{
    if (other_client())
        return; /* check refuses it */
    unsigned port = free_port();
    server_finish(&server);
    char extra[128];
    snprintf(extra, sizeof extra, "allow_anonymous true\nlistener %u 127.0.0.1\nprotocol websockets\n", port);
    server_init(&server, extra);
    server_start(&server);
    snprintf(url, sizeof url, "ws://localhost:%u/mqtt", port);
    receive_at(_i ? "5" : "3.1.1", "2");
    char big[70001];
    memset(big, '7', sizeof big - 1);
    big[0] = big[sizeof big - 2] = '"';
    big[sizeof big - 1] = '\0';
    struct feed *feed = feed_create(&h, &rx_source_mqtt, "broker", "b", "topic", "big", "qos", "1", NULL);
    feed_subscribe(feed);
    until_subscribed(feed, "big");
    size_t before = feed->events.count;
    for (int i = 0; i < 20; i++)
        publish("big", big, 1);
    harness_until(&h, feed->events.count == before + 20);
    feed_destroy(feed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt");
    TCase *t = tcase_create("mqtt");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, every_message_arrives_once_with_its_captures, 0, 6);
    tcase_add_loop_test(t, overlapping_topics_deliver_each_message_once_to_each_source, 0, 2);
    tcase_add_test(t, retained_messages_are_used_or_skipped);
    tcase_add_test(t, a_broker_that_restarts_is_found_again_and_the_gap_is_counted);
    tcase_add_test(t, a_session_that_the_broker_kept_leaves_no_gap);
    tcase_add_test(t, a_broker_that_is_absent_at_the_start_is_waited_for);
    tcase_add_test(t, what_is_sent_while_the_broker_is_away_waits_in_a_bounded_queue);
    tcase_add_test(t, more_than_may_be_in_flight_is_sent_in_order);
    tcase_add_test(t, a_message_that_is_too_large_or_no_json_is_rejected_and_the_next_arrives);
    tcase_add_test(t, a_subscriber_may_leave_inside_a_message_and_come_again);
    tcase_add_loop_test(t, a_paused_source_gets_what_came_when_it_goes_on, 0, 6);
    tcase_add_test(t, a_source_that_stops_and_comes_again_misses_nothing_in_a_session_that_is_kept);
    tcase_add_loop_test(t, what_a_publisher_queued_is_sent_after_it_has_left, 0, 2);
    tcase_add_test(t, a_birth_is_published_at_each_connection);
    tcase_add_loop_test(t, it_speaks_over_websocket, 0, 2);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
