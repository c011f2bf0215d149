// layer: io
/* MQTT topics: what patterns become, what they match, and what they refuse. */
#include "core/io/mqtt/mqtt_topic.h"
#include "core/io/mqtt/topic_hash.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

START_TEST(captures_become_wildcards)
{
    static const struct {
        const char *pattern, *filter;
        size_t captures;
    } cases[] = {
        {"sensors/{device}/{metric}", "sensors/+/+", 2},
        {"{all...}", "#", 1},
        {"a/+/{rest...}", "a/+/#", 1},
        {"plain", "plain", 0},
        {"/a//b/", "/a//b/", 0},
        {"$SYS/#", "$SYS/#", 0},
        {"$share/g/a/{x}", "$share/g/a/+", 1},
        {"a/#", "a/#", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_topic *topic;
        struct rx_error error;
        ck_assert_msg(rx_topic_parse(cases[i].pattern, &topic, &error) == 0, "%s", cases[i].pattern);
        ck_assert_str_eq(rx_topic_filter(topic), cases[i].filter);
        ck_assert_uint_eq(rx_topic_capture_count(topic), cases[i].captures);
        rx_topic_destroy(topic);
    }
}
END_TEST

START_TEST(a_mistake_is_refused_at_its_column)
{
    static const struct {
        const char *pattern;
        unsigned column;
    } cases[] = {
        {"", 1},          {"a/#/b", 3},   {"a/b+", 4},      {"a/x{y}", 4}, {"a/{y}x", 3}, {"{a...}/b", 1},
        {"a/{}", 4},      {"a/{1}", 4},   {"{x}/{x}", 6},   {"\xFF", 1},   {"a/{x", 3},   {"$share/g", 8},
        {"$share//a", 8}, {"a/{...}", 4}, {"$share/g/", 8}, {"a/}", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rx_topic *topic = NULL;
        struct rx_error error;
        ck_assert_msg(rx_topic_parse(cases[i].pattern, &topic, &error) == -EINVAL, "%s", cases[i].pattern);
        ck_assert_msg(error.at.column == cases[i].column, "%s: column %u", cases[i].pattern, error.at.column);
        ck_assert_ptr_null(topic);
    }
}
END_TEST

/* The captures as "a|b", or "-" where nothing matches. */
static const char *matched(const char *pattern, const char *text)
{
    static char out[256];
    struct rx_topic *topic;
    struct rx_topic_span spans[RX_TOPIC_CAPTURES_MAX];
    size_t used = 0;
    ck_assert_int_eq(rx_topic_parse(pattern, &topic, NULL), 0);
    strcpy(out, "-");
    if (rx_topic_match(topic, text, strlen(text), spans)) {
        out[0] = '\0';
        for (size_t i = 0; i < rx_topic_capture_count(topic); i++)
            used += (size_t)snprintf(out + used, sizeof out - used, "%s%.*s", i ? "|" : "", (int)spans[i].length,
                                     spans[i].text);
    }
    rx_topic_destroy(topic);
    return out;
}

START_TEST(matching_is_as_the_standard_says)
{
    static const struct {
        const char *pattern, *topic, *captures;
    } cases[] = {
        {"sensors/{d}/{m}", "sensors/a/temp", "a|temp"},
        {"sensors/{d}/{m}", "sensors/a", "-"},
        {"sensors/{d}/{m}", "sensors/a/b/c", "-"},
        {"sensors/{d}", "sensors/", ""},
        {"sport/tennis/#", "sport/tennis", ""},
        {"sport/{rest...}", "sport/a/b", "a/b"},
        {"sport/{rest...}", "sport", ""},
        {"sport/{rest...}", "sports", "-"},
        {"{all...}", "a/b", "a/b"},
        {"+/+", "/finance", ""},
        {"/+", "/finance", ""},
        {"+", "/finance", "-"},
        {"#", "$SYS/x", "-"},
        {"+/x", "$SYS/x", "-"},
        {"$SYS/{x}", "$SYS/x", "x"},
        {"$share/g/a/{x}", "a/1", "1"},
        {"a", "a/", "-"},
        {"a/{x}/c/{y...}", "a/b/c/d/e", "b|d/e"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(strcmp(matched(cases[i].pattern, cases[i].topic), cases[i].captures) == 0, "%s on %s: %s",
                      cases[i].pattern, cases[i].topic, matched(cases[i].pattern, cases[i].topic));
}
END_TEST

START_TEST(only_plain_topics_can_be_published_to)
{
    ck_assert(rx_topic_is_name("a/b", 3));
    ck_assert(rx_topic_is_name("/", 1));
    ck_assert(!rx_topic_is_name("", 0));
    ck_assert(!rx_topic_is_name("a/+", 3));
    ck_assert(!rx_topic_is_name("#", 1));
    ck_assert(!rx_topic_is_name("a\0b", 3));
    ck_assert(!rx_topic_is_name("\xFF", 1));
}
END_TEST

/* At every length, and every byte at every place, against the check byte by byte. */
START_TEST(the_bytes_of_a_topic_are_checked_with_its_hash)
{
    char topic[41], same[41];
    uint64_t hash, other;
    memset(same, 'a', sizeof same);
    for (size_t length = 0; length < sizeof topic; length++) {
        memset(topic, 'a', sizeof topic);
        ck_assert(rx_topic_hash_plain(topic, length, &hash));
        ck_assert_uint_eq(hash, rx_topic_hash(topic, length));
        for (size_t at = 0; at < length; at++)
            for (int byte = 0; byte < 256; byte++) {
                topic[at] = (char)byte;
                bool plain = byte < 128 && rx_topic_is_name(topic, length);
                ck_assert_msg(rx_topic_hash_plain(topic, length, &other) == plain, "%d at %zu of %zu", byte, at,
                              length);
                ck_assert((other == hash) == (byte == 'a'));
                ck_assert(rx_topic_is_same(topic, same, length) == (byte == 'a'));
                topic[at] = 'a';
            }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt_topic");
    TCase *t = tcase_create("mqtt_topic");
    suite_add_tcase(suite, t);
    tcase_add_test(t, captures_become_wildcards);
    tcase_add_test(t, a_mistake_is_refused_at_its_column);
    tcase_add_test(t, matching_is_as_the_standard_says);
    tcase_add_test(t, only_plain_topics_can_be_published_to);
    tcase_add_test(t, the_bytes_of_a_topic_are_checked_with_its_hash);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
