/* matches: regular expressions by PCRE2, bounded by the budget of the evaluation.
 *
 * A short text is tried under a small match limit of PCRE2's own. Else every step of the pattern calls back, so that also
 * the scanning inside one step counts: PCRE2 limits only the backtracking of each starting place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/expr/functions.h"

enum {
    CACHED = 8,
    SHORT_TEXT = 256,
    PATTERN_MAX = 4096,
    NEST_MAX = 100,
    COMPILE_STEPS = 200,
    STEP = 5,
    SHORT_LIMIT = 32
};

struct pattern {
    struct rx_value text; /* referenced; RX_NULL: free */
    pcre2_code *plain, *counting;
};

struct rx_regex_cache {
    struct pattern patterns[CACHED];
    unsigned next; /* to be replaced */
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_compile_context *compile;
};

static void pattern_finish(struct pattern *pattern)
{
    rx_value_unref(pattern->text);
    pcre2_code_free(pattern->plain);
    pcre2_code_free(pattern->counting);
    *pattern = (struct pattern){.text = rx_null()};
}

void rx_regex_cache_destroy(struct rx_regex_cache *cache)
{
    if (!cache)
        return;
    for (unsigned i = 0; i < CACHED; i++)
        pattern_finish(&cache->patterns[i]);
    pcre2_match_data_free(cache->match);
    pcre2_match_context_free(cache->context);
    pcre2_compile_context_free(cache->compile);
    free(cache);
}

static struct rx_regex_cache *cache_create(void)
{
    struct rx_regex_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->match = pcre2_match_data_create(1, NULL);
    cache->context = pcre2_match_context_create(NULL);
    cache->compile = pcre2_compile_context_create(NULL);
    if (!cache->match || !cache->context || !cache->compile) {
        rx_regex_cache_destroy(cache);
        return NULL;
    }
    pcre2_set_parens_nest_limit(cache->compile, NEST_MAX);
    pcre2_set_max_pattern_length(cache->compile, PATTERN_MAX);
    pcre2_set_heap_limit(cache->context, 4096); /* KiB */
    return cache;
}

static int bad_pattern(struct rx_call *call, int error, size_t offset)
{
    char message[80] = "";
    pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
    return rx_call_fail(call, -EINVAL, "the pattern is wrong at character %zu: %s", offset + 1, message);
}

static int compile(struct rx_call *call, struct rx_regex_cache *cache, struct rx_value text, uint32_t extra,
                   pcre2_code **ret)
{
    const uint32_t options =
        PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE;
    int error;
    size_t offset;
    uint32_t references = 0, behind = 0;
    if (rx_call_charge(call, COMPILE_STEPS + text.aux) < 0)
        return -ETIME;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)text.u.text, text.aux, options | extra, &error, &offset, cache->compile);
    if (!code)
        return error == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : bad_pattern(call, error, offset);
    pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &references);
    pcre2_pattern_info(code, PCRE2_INFO_MAXLOOKBEHIND, &behind);
    if (references || behind > 1) {
        pcre2_code_free(code);
        return rx_call_fail(call, -EINVAL, "the pattern uses %s, which RE2 syntax does not have",
                            references ? "a back reference" : "a look behind");
    }
    *ret = code;
    return 0;
}

static struct pattern *find_pattern(struct rx_regex_cache *cache, struct rx_value text)
{
    for (unsigned i = 0; i < CACHED; i++)
        if (cache->patterns[i].text.kind == RX_STRING && cache->patterns[i].text.aux == text.aux &&
            memcmp(cache->patterns[i].text.u.text, text.u.text, text.aux) == 0)
            return &cache->patterns[i];
    struct pattern *pattern = &cache->patterns[cache->next++ % CACHED];
    pattern_finish(pattern);
    return pattern;
}

/* The compiled pattern from the cache, made if need be. */
static int get_code(struct rx_call *call, struct rx_value text, bool counting, pcre2_code **ret)
{
    struct rx_regex_cache **cache = &call->expr->regexes;
    if (!*cache && !(*cache = cache_create()))
        return -ENOMEM;
    struct pattern *pattern = find_pattern(*cache, text);
    pcre2_code **slot = counting ? &pattern->counting : &pattern->plain;
    int r = *slot ? 0 : compile(call, *cache, text, counting ? PCRE2_AUTO_CALLOUT : 0, slot);
    if (r < 0)
        return r;
    if (pattern->text.kind != RX_STRING) {
        pattern->text = rx_value_compact(call->heap, text);
        if (pattern->text.kind != RX_STRING) {
            pattern_finish(pattern);
            return -ENOMEM;
        }
    }
    *ret = *slot;
    return 0;
}

struct count {
    struct rx_call *call;
    size_t at; /* where the last step stood */
};

static int on_step(pcre2_callout_block *block, void *data)
{
    struct count *count = data;
    size_t far = block->current_position > count->at ? block->current_position - count->at : 0;
    count->at = block->current_position;
    return rx_call_charge(count->call, STEP + far / 16) < 0 ? PCRE2_ERROR_MATCHLIMIT : 0;
}

/* Answers PCRE2's result: 0 and more a match, PCRE2_ERROR_*. -ETIME and the like are kept apart in *ret_failed. */
static int run(struct rx_call *call, const struct rx_value *args, bool counting, uint32_t limit, int *ret_failed)
{
    pcre2_code *code = NULL;
    *ret_failed = get_code(call, args[1], counting, &code);
    if (*ret_failed < 0)
        return 0;
    struct rx_regex_cache *cache = call->expr->regexes;
    struct count state = {call, 0};
    pcre2_set_callout(cache->context, counting ? on_step : NULL, &state);
    pcre2_set_match_limit(cache->context, limit);
    int r =
        pcre2_match(code, (PCRE2_SPTR)args[0].u.text, args[0].aux, 0, PCRE2_NO_UTF_CHECK, cache->match, cache->context);
    pcre2_set_callout(cache->context, NULL, NULL);
    return r;
}

/* A short text is tried under a limit so small that it needs no counting; what does not fit is counted from anew. */
int rx_function_matches(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    int failed, r = PCRE2_ERROR_MATCHLIMIT;
    if (args[0].aux <= SHORT_TEXT && rx_call_charge(call, args[0].aux) < 0)
        return -ETIME;
    if (args[0].aux <= SHORT_TEXT && ((r = run(call, args, false, SHORT_LIMIT, &failed)), failed < 0))
        return failed;
    if (r == PCRE2_ERROR_MATCHLIMIT && ((r = run(call, args, true, UINT32_MAX, &failed)), failed < 0))
        return failed;
    if (r >= 0 || r == PCRE2_ERROR_NOMATCH) {
        *ret = rx_bool(r >= 0);
        return 0;
    }
    if (r == PCRE2_ERROR_NOMEMORY)
        return -ENOMEM;
    return rx_call_charge(call, call->expr->budget) < 0 ? -ETIME
                                                        : rx_call_fail(call, -ETIME, "matching takes too long");
}
