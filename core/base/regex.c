#define PCRE2_CODE_UNIT_WIDTH 8

#include "core/base/regex.h"

#include <pcre2.h>
#include <stdio.h>

#include "core/base/panic.h"

/* What one match may cost: steps of the matcher, nesting, kibibytes of heap. */
enum { STEPS_MAX = 1000000, DEPTH_MAX = 100000, HEAP_MAX_KIB = 8192 };
enum { JIT_STACK_MIN = 32 << 10, JIT_STACK_MAX = 512 << 10 };

struct regex {
    pcre2_code *code;
    uint32_t groups;
    uint32_t names, name_size; /* of the table: two bytes group number, the name, a NUL */
    const unsigned char *name_table;
};

/* Shared by all matches of the process: a match never suspends, its result is copied out. */
static pcre2_match_context *context;
static pcre2_match_data *data;

static void prepare(void)
{
    if (context) return;
    context = pcre2_match_context_create(NULL);
    data = pcre2_match_data_create(REGEX_GROUPS_MAX, NULL);
    pcre2_jit_stack *stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
    if (!context || !data) panic("out of memory: regular expressions");
    pcre2_set_match_limit(context, STEPS_MAX);
    pcre2_set_depth_limit(context, DEPTH_MAX);
    pcre2_set_heap_limit(context, HEAP_MAX_KIB);
    if (stack) pcre2_jit_stack_assign(context, NULL, stack);
}

static void release(void *code)
{
    pcre2_code_free(code);
}

static regex_t *make(pool_t *pool, pcre2_code *code)
{
    regex_t *re = POOL_NEW(pool, regex_t);
    re->code = code;
    pool_defer(pool, release, code);
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
    pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &re->names);
    pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &re->name_size);
    pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &re->name_table);
    return re;
}

regex_t *regex_compile(pool_t *pool, str_t pattern, bool fold_case, char *error, size_t *at)
{
    int code;
    uint32_t options = fold_case ? PCRE2_CASELESS : 0;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""), pattern.n,
                                         options, &code, at, NULL);
    if (!compiled) {
        pcre2_get_error_message(code, (PCRE2_UCHAR *)error, REGEX_ERROR_MAX);
        return NULL;
    }
    regex_t *re = make(pool, compiled);
    if (re->groups >= REGEX_GROUPS_MAX) {
        snprintf(error, REGEX_ERROR_MAX, "more than %d groups", REGEX_GROUPS_MAX - 1);
        *at = pattern.n;
        return NULL;
    }
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* where it cannot, the matcher interprets */
    return re;
}

static void copy_groups(str_t subject, unsigned count, regex_match_t *m)
{
    const size_t *at = pcre2_get_ovector_pointer(data);
    m->subject = subject;
    m->count = count;
    for (unsigned i = 0; i < count; i++) {
        bool unset = at[2 * i] == PCRE2_UNSET;
        m->start[i] = unset ? -1 : (int32_t)at[2 * i];
        m->end[i] = unset ? -1 : (int32_t)at[2 * i + 1];
    }
}

int regex_match(const regex_t *re, str_t subject, regex_match_t *m)
{
    if (subject.n > INT32_MAX) return -1;
    prepare();
    int rc = pcre2_match(re->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, 0, 0, data,
                         context);
    if (rc == PCRE2_ERROR_NOMATCH) return 0;
    if (rc < 0) return -1;
    if (m) copy_groups(subject, (unsigned)rc, m);
    return 1;
}

str_t regex_group(const regex_match_t *m, unsigned group)
{
    if (group >= m->count || m->start[group] < 0 || m->end[group] < m->start[group])
        return (str_t){NULL, 0}; /* the end before the start: \K in a lookahead */
    return str_sub(m->subject, (size_t)m->start[group], (size_t)m->end[group]);
}

bool regex_name(const regex_t *re, unsigned i, str_t *name, unsigned *group)
{
    if (i >= re->names) return false;
    const unsigned char *entry = re->name_table + (size_t)i * re->name_size;
    *group = (unsigned)entry[0] << 8 | entry[1];
    *name = str_of((const char *)entry + 2);
    return true;
}

unsigned regex_groups(const regex_t *re)
{
    return re->groups;
}
