/* gzip: replies are compressed for clients that take it, or decompressed for those that do not. */
#include "modules/gzip/compress.h"
#include "modules/gzip/gunzip.h"
#include "modules/gzip/gzip_conf.h"
#include "modules/gzip/policy.h"
#include "modules/gzip/recode.h"
#include "modules/gzip/zpool.h"

static unsigned gzip_index;

static void head_of_unmodified(request_t *r, const gzip_conf_t *c)
{
    if (recode_not_modified(r) && c->vary) recode_vary(&r->reply);
}

static int head(request_t *r)
{
    const gzip_conf_t *c = request_conf(r, gzip_index);
    if (!c->gzip && !c->gunzip) return 0;
    if (r->reply.status == 304) {
        head_of_unmodified(r, c);
    } else if (c->gzip && policy_compresses(r, c)) {
        if (c->vary) recode_vary(&r->reply);
        if (policy_wanted(r, c)) compress_start(r, c->level);
    } else if (c->gunzip && policy_decompresses(r)) {
        if (c->vary) recode_vary(&r->reply);
        if (policy_refused(r, c)) gunzip_start(r);
    }
    return 0;
}

/* $gzip_ratio: how many times smaller, with two decimals, rounded. */
static str_t get_ratio(request_t *r, const var_def_t *def, str_t name)
{
    uint64_t taken, made;
    (void)def, (void)name;
    if (!compress_counts(r, &taken, &made) || !made) return (str_t){NULL, 0};
    uint64_t whole = taken / made, hundredths = (taken % made * 100 + made / 2) / made;
    return pool_printf(r->pool, "%llu.%02llu", (unsigned long long)(whole + hundredths / 100),
                       (unsigned long long)(hundredths % 100));
}

static const var_def_t variables[] = {
    {"gzip_ratio", get_ratio, 0, VAR_NO_CACHE},
    {NULL, NULL, 0, 0},
};

static void worker_stop(const void *main_struct)
{
    (void)main_struct;
    zpool_trim();
}

static const http_hooks_t hooks = {.head = head, .variables = variables};

const module_t gzip_module = {
    .name = "gzip",
    .index = &gzip_index,
    .rows = gzip_conf_rows,
    .conf_size = sizeof(gzip_conf_t),
    .worker_stop = worker_stop,
    .hooks = &hooks,
};
