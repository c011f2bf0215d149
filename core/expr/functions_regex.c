/* Regular expressions by PCRE2, bounded by the budget of the evaluation: matches, and the regex extension of CEL.
 *
 * matches asks whether, not where. A short text is tried by backtracking under a small match limit of PCRE2's own, a long one
 * with each step counted against a small allowance. What is not settled then goes to the DFA matcher, which follows all
 * ways at once and so takes time in proportion to the text; each state of it at each character is counted too. What that
 * matcher cannot do (too many states at once, recursion) is left to backtracking under the budget.
 *
 * Captures need backtracking: extract, extractAll and replace count every step. */
#include <errno.h>
#include <stdio.h>
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
    STEP = 5,  /* of backtracking */
    STATE = 3, /* of the DFA matcher, at one character */
    SHORT_LIMIT = 32,
    ALLOWANCE =
        2000,     /* steps of backtracking in a long text, and one for each byte, before the DFA matcher takes over */
    STATES = 500, /* that the DFA matcher may follow at once */
    WORKSPACE = 2 + 6 * STATES,
    GROUPS = 10, /* that can be spoken of: \0 to \9 */
};

/* The ways in which a pattern is compiled. */
enum way { PLAIN, COUNTING, LINEAR, CAPTURING, WAYS };

struct pattern {
    struct rx_value text; /* referenced; RX_NULL: free */
    pcre2_code *codes[WAYS];
    bool not_linear; /* the DFA matcher cannot do it */
};

struct rx_regex_cache {
    struct pattern patterns[CACHED];
    unsigned next; /* to be replaced */
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_compile_context *compile;
    int *workspace; /* of the DFA matcher, once it is used */
};

static void pattern_finish(struct pattern *pattern)
{
    rx_value_unref(pattern->text);
    for (unsigned way = 0; way < WAYS; way++)
        pcre2_code_free(pattern->codes[way]);
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
    free(cache->workspace);
    free(cache);
}

static pcre2_compile_context *compile_context(void)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context)
        pcre2_set_parens_nest_limit(context, NEST_MAX);
    return context;
}

static struct rx_regex_cache *cache_create(void)
{
    struct rx_regex_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->match = pcre2_match_data_create(GROUPS, NULL);
    cache->context = pcre2_match_context_create(NULL);
    cache->compile = compile_context();
    if (!cache->match || !cache->context || !cache->compile) {
        rx_regex_cache_destroy(cache);
        return NULL;
    }
    pcre2_set_heap_limit(cache->context, 4096); /* KiB */
    return cache;
}

/* ---- compiling ---- */

/* Compiles within the limits. NULL: `message` says why not, or is empty when there is no memory. */
static pcre2_code *compile_text(pcre2_compile_context *context, struct rx_value text, uint32_t extra, size_t longest,
                                char *message, size_t size)
{
    const uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    char reason[80] = "";
    int error;
    size_t offset;
    uint32_t references = 0, behind = 0;
    *message = '\0';
    if (text.aux > longest) {
        snprintf(message, size, "the pattern is longer than %zu bytes", longest);
        return NULL;
    }
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text.u.text, text.aux, options | extra, &error, &offset, context);
    if (!code && error != PCRE2_ERROR_HEAP_FAILED) {
        pcre2_get_error_message(error, (PCRE2_UCHAR *)reason, sizeof reason);
        snprintf(message, size, "the pattern is wrong at character %zu: %s",
                 rx_utf8_count(text.u.text, offset < text.aux ? offset : text.aux) + 1, reason);
    }
    if (!code)
        return NULL;
    pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &references);
    pcre2_pattern_info(code, PCRE2_INFO_MAXLOOKBEHIND, &behind);
    if (!references && behind <= 1)
        return code;
    snprintf(message, size, "the pattern uses %s, which RE2 syntax does not have",
             references ? "a back reference" : "a look behind");
    pcre2_code_free(code);
    return NULL;
}

int rx_regex_check(struct rx_value text, char *message, size_t size)
{
    pcre2_compile_context *context = compile_context();
    pcre2_code *code = context ? compile_text(context, text, 0, PATTERN_MAX, message, size) : NULL;
    int r = code ? 0 : context && *message ? -EINVAL : -ENOMEM;
    pcre2_code_free(code);
    pcre2_compile_context_free(context);
    return r;
}

static int compile_plainly(struct rx_call *call, struct rx_regex_cache *cache, struct rx_value text, uint32_t extra,
                           size_t longest, pcre2_code **ret)
{
    char message[120];
    size_t size = 0;
    if (rx_call_charge(call, COMPILE_STEPS + text.aux) < 0)
        return -ETIME;
    pcre2_code *code = compile_text(cache->compile, text, extra, longest, message, sizeof message);
    if (!code)
        return *message ? rx_call_fail(call, -EINVAL, "%s", message) : -ENOMEM;
    pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size);
    if (rx_call_charge(call, size / 8) < 0) {
        pcre2_code_free(code);
        return -ETIME;
    }
    *ret = code;
    return 0;
}

/* May the pattern call itself? Then it must not stand inside another one. A literal may look so: no harm. */
static bool may_recurse(struct rx_value text)
{
    static const char *const calls[] = {"(?R", "(?0", "(?&", "(?P>", "(?+", "(?-", "\\g"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (memmem(text.u.text, text.aux, calls[i], strlen(calls[i])))
            return true;
    return false;
}

/* For the DFA matcher: from the start of the text, whatever stands before a match. So all places where one may begin are
 * followed at once, not one after the other. NULL: it cannot be written so (a comment or a quotation that is open at its
 * end, a verb at its start, counts too high). */
static int compile_linear(struct rx_call *call, struct rx_regex_cache *cache, struct rx_value text, pcre2_code **ret)
{
    static const char before[] = "(?s:.*?)(?:";
    struct rx_buffer whole = {0};
    struct rx_failure *failure = &call->expr->failures[0];
    *ret = NULL;
    rx_buffer_append(&whole, before, sizeof before - 1);
    bool can = !may_recurse(text) && rx_regex_unroll(text, &whole);
    if (!can) {
        rx_buffer_finish(&whole);
        return 0;
    }
    rx_buffer_append(&whole, ")", 1);
    int r = whole.failed ? -ENOMEM
                         : compile_plainly(call, cache, rx_string_static(whole.data, (uint32_t)whole.length),
                                           PCRE2_NO_AUTO_CAPTURE | PCRE2_AUTO_CALLOUT | PCRE2_ANCHORED,
                                           RX_REGEX_UNROLLED_MAX + 50, ret);
    rx_buffer_finish(&whole);
    if (r == -EINVAL)
        rx_failure_clear(failure);
    return r == -EINVAL ? 0 : r;
}

static int compile(struct rx_call *call, struct pattern *pattern, struct rx_value text, enum way way)
{
    static const uint32_t extra[WAYS] = {[PLAIN] = PCRE2_NO_AUTO_CAPTURE,
                                         [COUNTING] = PCRE2_NO_AUTO_CAPTURE | PCRE2_AUTO_CALLOUT,
                                         [CAPTURING] = PCRE2_AUTO_CALLOUT};
    struct rx_regex_cache *cache = call->expr->regexes;
    if (way != LINEAR)
        return compile_plainly(call, cache, text, extra[way], PATTERN_MAX, &pattern->codes[way]);
    int r = compile_linear(call, cache, text, &pattern->codes[way]);
    pattern->not_linear = r == 0 && !pattern->codes[way];
    return r;
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

/* The compiled pattern from the cache, made if need be. NULL only for LINEAR: that cannot be. */
static int get_code(struct rx_call *call, struct rx_value text, enum way way, pcre2_code **ret)
{
    struct rx_regex_cache **cache = &call->expr->regexes;
    if (!*cache && !(*cache = cache_create()))
        return -ENOMEM;
    struct pattern *pattern = find_pattern(*cache, text);
    bool known = pattern->codes[way] || (way == LINEAR && pattern->not_linear);
    int r = known ? 0 : compile(call, pattern, text, way);
    if (r < 0)
        return r;
    if (pattern->text.kind != RX_STRING) {
        pattern->text = rx_value_compact(call->heap, text);
        if (pattern->text.kind != RX_STRING) {
            pattern_finish(pattern);
            return -ENOMEM;
        }
    }
    *ret = pattern->codes[way];
    return 0;
}

/* ---- matching, with every step counted ---- */

struct count {
    struct rx_call *call;
    size_t at;     /* where the last step stood */
    uint64_t here; /* states of the DFA matcher at one character */
    uint64_t left; /* of the allowance */
};

/* Each step pays for itself and for what it went past. */
static int on_step(pcre2_callout_block *block, void *data)
{
    struct count *count = data;
    size_t far = block->current_position > count->at ? block->current_position - count->at : 0;
    uint64_t steps = STEP + far / 16;
    count->at = block->current_position;
    if (rx_call_charge(count->call, steps) < 0 || count->left < steps)
        return PCRE2_ERROR_MATCHLIMIT;
    count->left -= steps;
    return 0;
}

/* Each state pays for itself, and for being compared with those before it. */
static int on_state(pcre2_callout_block *block, void *data)
{
    struct count *count = data;
    count->here = block->current_position == count->at ? count->here + 1 : 0;
    count->at = block->current_position;
    return rx_call_charge(count->call, STATE + count->here / 6) < 0 ? PCRE2_ERROR_MATCHLIMIT : 0;
}

/* Backtracking from `from` on, as PCRE2 answers: the matched groups, PCRE2_ERROR_*. Steps beyond `allowance` end it with
 * PCRE2_ERROR_MATCHLIMIT. */
static int match_counted(struct rx_call *call, const pcre2_code *code, struct rx_value text, size_t from,
                         uint64_t allowance)
{
    struct rx_regex_cache *cache = call->expr->regexes;
    struct count count = {call, from, 0, allowance};
    pcre2_set_callout(cache->context, on_step, &count);
    pcre2_set_match_limit(cache->context, UINT32_MAX);
    int r =
        pcre2_match(code, (PCRE2_SPTR)text.u.text, text.aux, from, PCRE2_NO_UTF_CHECK, cache->match, cache->context);
    pcre2_set_callout(cache->context, NULL, NULL);
    return r;
}

static int match_quickly(struct rx_call *call, const pcre2_code *code, struct rx_value text)
{
    struct rx_regex_cache *cache = call->expr->regexes;
    pcre2_set_match_limit(cache->context, SHORT_LIMIT);
    return pcre2_match(code, (PCRE2_SPTR)text.u.text, text.aux, 0, PCRE2_NO_UTF_CHECK, cache->match, cache->context);
}

static int match_linearly(struct rx_call *call, const pcre2_code *code, struct rx_value text)
{
    struct rx_regex_cache *cache = call->expr->regexes;
    struct count count = {call, SIZE_MAX, 0, 0};
    if (!cache->workspace && !(cache->workspace = malloc(WORKSPACE * sizeof *cache->workspace)))
        return PCRE2_ERROR_NOMEMORY;
    pcre2_set_callout(cache->context, on_state, &count);
    pcre2_set_match_limit(cache->context, UINT32_MAX);
    int r = pcre2_dfa_match(code, (PCRE2_SPTR)text.u.text, text.aux, 0, PCRE2_NO_UTF_CHECK | PCRE2_DFA_SHORTEST,
                            cache->match, cache->context, cache->workspace, WORKSPACE);
    pcre2_set_callout(cache->context, NULL, NULL);
    return r;
}

static bool is_over_budget(const struct rx_call *call) { return call->expr->steps > call->expr->budget; }

static bool is_settled(int r) { return r >= 0 || r == PCRE2_ERROR_NOMATCH; }

/* What PCRE2 answered and is no answer. */
static int unsettled(struct rx_call *call, int r)
{
    if (is_over_budget(call))
        return -ETIME;
    if (r == PCRE2_ERROR_NOMEMORY)
        return -ENOMEM;
    rx_call_charge(call, call->expr->budget);
    return rx_call_fail(call, -ETIME, "matching takes too long");
}

/* One attempt by `way`; *ret_result as PCRE2 answers. */
static int attempt(struct rx_call *call, const struct rx_value *args, enum way way, uint64_t allowance, int *ret_result)
{
    pcre2_code *code = NULL;
    int r = get_code(call, args[1], way, &code);
    if (r < 0)
        return r;
    if (!code)
        return 0;
    *ret_result = way == PLAIN    ? match_quickly(call, code, args[0])
                  : way == LINEAR ? match_linearly(call, code, args[0])
                                  : match_counted(call, code, args[0], 0, allowance);
    return !is_settled(*ret_result) && is_over_budget(call) ? -ETIME : 0;
}

int rx_function_matches(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    int result = PCRE2_ERROR_MATCHLIMIT, r = 0;
    bool is_short = args[0].aux <= SHORT_TEXT;
    if (is_short && rx_call_charge(call, args[0].aux) < 0)
        return -ETIME;
    r = attempt(call, args, is_short ? PLAIN : COUNTING, ALLOWANCE + args[0].aux, &result);
    if (r == 0 && !is_settled(result))
        r = attempt(call, args, LINEAR, 0, &result);
    if (r == 0 && !is_settled(result))
        r = attempt(call, args, COUNTING, UINT64_MAX, &result);
    if (r == 0 && !is_settled(result))
        r = unsettled(call, result);
    if (r == 0)
        *ret = rx_bool(result >= 0);
    return r;
}

/* ---- regex.extract, regex.extractAll, regex.replace ---- */

/* Going through the matches of a text, as Go's regexp does: an empty one right behind the one before it is none. */
struct search {
    struct rx_call *call;
    struct rx_value text;
    pcre2_code *code;
    size_t from, last_end; /* SIZE_MAX: no match yet */
    const size_t *pairs;   /* of the match: start and end of each group */
};

static int search_open(struct search *s, struct rx_call *call, struct rx_value text, struct rx_value pattern)
{
    *s = (struct search){.call = call, .text = text, .last_end = SIZE_MAX};
    return get_code(call, pattern, CAPTURING, &s->code);
}

/* 1: the next match, 0: no more, or a negative errno. */
static int search_next(struct search *s)
{
    while (s->from <= s->text.aux) {
        int r = match_counted(s->call, s->code, s->text, s->from, UINT64_MAX);
        if (r == PCRE2_ERROR_NOMATCH)
            break;
        if (r < 0)
            return unsettled(s->call, r);
        s->pairs = pcre2_get_ovector_pointer(s->call->expr->regexes->match);
        size_t start = s->pairs[0], end = s->pairs[1];
        bool again = start == end && end == s->last_end;
        size_t size = end < s->text.aux ? rx_utf8_next(s->text.u.text + end, s->text.aux - end) : 1;
        s->from = start == end ? end + size : end;
        if (again)
            continue;
        s->last_end = end;
        return 1;
    }
    s->from = SIZE_MAX;
    return 0;
}

static uint32_t group_count(const struct search *s)
{
    uint32_t groups = 0;
    pcre2_pattern_info(s->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    return groups;
}

/* extract gives the match, or its only group. */
static int one_group(const struct search *s, uint32_t *ret_group)
{
    *ret_group = group_count(s);
    return *ret_group <= 1 ? 0 : rx_call_fail(s->call, -EINVAL, "the pattern has more than one capturing group");
}

/* An empty group is none, as in cel-go. */
static bool has_group(const struct search *s, uint32_t group)
{
    return group == 0 || (s->pairs[2 * group] != PCRE2_UNSET && s->pairs[2 * group + 1] > s->pairs[2 * group]);
}

static struct rx_value group_text(const struct search *s, uint32_t group)
{
    return rx_call_string(s->call, s->text.u.text + s->pairs[2 * group], s->pairs[2 * group + 1] - s->pairs[2 * group]);
}

static int extract(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct search s;
    uint32_t group;
    int r = search_open(&s, call, args[0], args[1]);
    if (r < 0 || (r = one_group(&s, &group)) < 0 || (r = search_next(&s)) < 0)
        return r;
    if (r == 0 || !has_group(&s, group)) {
        *ret = rx_optional_none();
        return 0;
    }
    struct rx_value text = group_text(&s, group);
    *ret = text.kind == RX_STRING ? rx_optional_take(call->heap, text) : rx_null();
    return ret->kind == RX_OPTIONAL ? 0 : -ENOMEM;
}

struct texts {
    struct rx_value *items;
    uint32_t count, capacity;
};

static int texts_add_take(struct texts *texts, struct rx_value text)
{
    if (text.kind != RX_STRING)
        return -ENOMEM;
    if (texts->count == texts->capacity) {
        uint32_t capacity = texts->capacity ? 2 * texts->capacity : 16;
        struct rx_value *items = realloc(texts->items, capacity * sizeof *items);
        if (!items) {
            rx_value_unref(text);
            return -ENOMEM;
        }
        texts->items = items;
        texts->capacity = capacity;
    }
    texts->items[texts->count++] = text;
    return 0;
}

static int extract_all(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct search s;
    struct texts found = {0};
    uint32_t group;
    int r = search_open(&s, call, args[0], args[1]);
    if (r < 0 || (r = one_group(&s, &group)) < 0)
        return r;
    while ((r = search_next(&s)) > 0) {
        r = rx_call_charge(call, 5);
        if (r == 0 && has_group(&s, group))
            r = texts_add_take(&found, group_text(&s, group));
        if (r < 0)
            break;
    }
    if (r == 0)
        return rx_give_items(call, found.items ? found.items : rx_call_items(call, 0), found.count, ret);
    while (found.count)
        rx_value_unref(found.items[--found.count]);
    free(found.items);
    return r;
}

/* In a replacement \0 to \9 are the match and its groups, \\ a backslash; anything else behind one is a mistake. */
static int check_replacement(const struct search *s, struct rx_value with)
{
    uint32_t groups = group_count(s);
    for (uint32_t i = 0; i < with.aux; i++) {
        if (with.u.text[i] != '\\')
            continue;
        char c = ++i < with.aux ? with.u.text[i] : '\0';
        if (c != '\\' && (c < '0' || c > '9'))
            return rx_call_fail(s->call, -EINVAL,
                                "in a replacement a backslash stands before a digit or another backslash");
        if (c != '\\' && (uint32_t)(c - '0') > groups)
            return rx_call_fail(s->call, -EINVAL, "the replacement uses group %c, the pattern has %u", c, groups);
    }
    return 0;
}

static int append(struct rx_call *call, struct rx_buffer *out, const char *text, size_t length)
{
    if (rx_call_charge(call, 1 + length / 16) < 0)
        return -ETIME;
    rx_buffer_append(out, text, length);
    return out->failed ? -ENOMEM : 0;
}

static int append_replacement(const struct search *s, struct rx_value with, struct rx_buffer *out)
{
    uint32_t i = 0;
    int r = 0;
    while (r == 0 && i < with.aux) {
        const char *at = with.u.text + i, *slash = memchr(at, '\\', with.aux - i);
        size_t plain = slash ? (size_t)(slash - at) : with.aux - i;
        r = append(s->call, out, at, plain);
        i += (uint32_t)plain;
        if (r < 0 || !slash)
            break;
        char c = with.u.text[i + 1];
        size_t group = c == '\\' ? 0 : 2 * (size_t)(c - '0');
        if (c == '\\')
            r = append(s->call, out, "\\", 1);
        else if (s->pairs[group] != PCRE2_UNSET)
            r = append(s->call, out, s->text.u.text + s->pairs[group], s->pairs[group + 1] - s->pairs[group]);
        i += 2;
    }
    return r;
}

static int replace_in(struct search *s, struct rx_value with, int64_t limit, struct rx_buffer *out)
{
    size_t done = 0;
    int r = check_replacement(s, with);
    while (r == 0 && limit != 0 && (r = search_next(s)) > 0) {
        r = append(s->call, out, s->text.u.text + done, s->pairs[0] - done);
        done = s->pairs[1];
        if (r == 0)
            r = append_replacement(s, with, out);
        limit -= limit > 0;
    }
    return r < 0 ? r : append(s->call, out, s->text.u.text + done, s->text.aux - done);
}

/* A negative count means all. */
static int replace(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    struct search s;
    struct rx_buffer out = {0};
    int r = search_open(&s, call, args[0], args[1]);
    if (r == 0)
        r = replace_in(&s, args[2], count > 3 ? args[3].u.i : -1, &out);
    if (r == 0) {
        *ret = rx_call_string(call, out.data ? out.data : "", out.length);
        r = ret->kind == RX_STRING ? 0 : -ENOMEM;
    }
    rx_buffer_finish(&out);
    return r;
}

#define TEXT RX_K_STRING

/* clang-format off */
const struct rx_function rx_functions_regex[] = {
    {"regex.extract", RX_F_GLOBAL | RX_F_PATTERN, 2, 2, {TEXT, TEXT}, RX_K_OPTIONAL, extract, "regex.extract(text, \"pattern\")",
     "The first match, or what its capturing group (at most one) caught; none where there is no match.",
     "regex.extract(\"item-A, item-B\", r\"item-(\\w+)\").orValue(\"\")", "\"A\""},
    {"regex.extractAll", RX_F_GLOBAL | RX_F_PATTERN, 2, 2, {TEXT, TEXT}, RX_K_LIST, extract_all, "regex.extractAll(text, \"pattern\")",
     "All matches, or what their capturing group (at most one) caught.",
     "regex.extractAll(\"id:123, id:456\", r\"\\d+\")", "[\"123\",\"456\"]"},
    {"regex.replace", RX_F_GLOBAL | RX_F_PATTERN, 3, 4, {TEXT, TEXT, TEXT, RX_K_INT | RX_K_JSON}, RX_K_STRING, replace,
     "regex.replace(text, \"pattern\", replacement)",
     "Every (or the first n) match replaced; in the replacement \\1 to \\9 are the groups, \\0 the match.",
     "regex.replace(\"foo bar\", \"(fo)o (ba)r\", r\"\\2 \\1\")", "\"ba fo\""},
    {0},
};
/* clang-format on */
