#include "modules/cache/store_command.h"

#include <errno.h>

#include "modules/cache/store.h"

/* --- the status --- */

static void write_counts(report_t *r, const store_stats_t *s)
{
    static const char *const answers[STORE_ANSWERS] = {
        "hits", "misses", "expired", "stale", "updating", "revalidated", "bypassed"};
    for (unsigned i = 0; i < STORE_ANSWERS; i++) report_count(r, answers[i], s->answers[i]);
    report_count(r, "coalesced", s->coalesced);
    report_count(r, "opened", s->opened);
    report_count(r, "opened_memory", s->opened_memory);
    report_count(r, "passes", s->passes);
    report_count(r, "waited", s->waited);
    report_count(r, "followed", s->followed);
    report_count(r, "packed", s->packed);
    report_count(r, "stored", s->stored);
    report_count(r, "refreshed", s->refreshed);
    report_count(r, "abandoned", s->abandoned);
    report_count(r, "evicted", s->evicted);
    report_count(r, "inactive", s->inactive);
    report_count(r, "purged", s->purged);
    report_count(r, "broken", s->broken);
    report_count(r, "recoveries", s->recoveries);
}

static void write_gauges(report_t *r, const store_stats_t *s)
{
    report_gauge(r, "entries", s->entries);
    report_gauge(r, "entries_max", s->entries_max);
    report_gauge(r, "bytes", s->bytes);
    report_gauge(r, "bytes_max", s->bytes_max);
    report_gauge(r, "memory_bytes", s->memory_bytes);
    report_gauge(r, "memory_max", s->memory_max);
    report_flag(r, "loading", s->loading);
    report_flag(r, "full", s->full);
}

static void write_cache(report_t *r, const void *main_struct)
{
    for (store_t *s = store_first(main_struct); s; s = store_next(s)) {
        store_stats_t stats = store_stats(s);
        report_item(r, "zone", store_name(s));
        write_counts(r, &stats);
        write_gauges(r, &stats);
        report_close(r);
    }
}

const report_section_t store_sections[] = {{"cache", write_cache}, {NULL, NULL}};

/* --- purges --- */

static bool purge_one(ctl_call_t *call, store_t *s, str_t what, str_t text, bool soft)
{
    if (str_eq(what, STR("key"))) {
        store_key_t key = store_key(text);
        ctl_say(call, "%u purged\n", store_purge_key(s, &key, soft));
        return true;
    }
    if (str_eq(what, STR("tag"))) {
        store_purge_tag(s, text, soft);
        return true;
    }
    if (!str_eq(what, STR("prefix")))
        return ctl_fail(call, "\"" STR_FMT "\" cannot be purged: key, tag, prefix, all",
                        STR_ARG(what));
    int err = store_purge_prefix(s, text, soft);
    if (err == -EINVAL)
        return ctl_fail(call, "a prefix has at most %d bytes", STORE_PREFIX_MAX);
    return err == 0 || ctl_fail(call, "too many prefixes are still being purged, try again later");
}

static store_t *find(const void *main_struct, str_t name)
{
    store_t *s = store_first(main_struct);
    while (s && !str_eq(store_name(s), name)) s = store_next(s);
    return s;
}

/* purge ZONE all [soft] | purge ZONE key|tag|prefix TEXT [soft] */
static bool purge(ctl_call_t *call, const void *main_struct)
{
    str_t what = call->words[2];
    bool all = str_eq(what, STR("all"));
    unsigned n = all ? 3 : 4;
    bool soft = call->n == n + 1 && str_eq(call->words[n], STR("soft"));
    store_t *s = find(main_struct, call->words[1]);
    if (!s)
        return ctl_fail(call, "there is no cache zone \"" STR_FMT "\"", STR_ARG(call->words[1]));
    if (call->n != n + soft)
        return ctl_fail(call, "purge ZONE all [soft], or purge ZONE key|tag|prefix TEXT [soft]");
    if (!all) return purge_one(call, s, what, call->words[3], soft);
    store_purge_all(s, soft);
    return true;
}

const ctl_command_t store_commands[] = {
    {"purge", "ZONE all|key KEY|tag TAG|prefix PREFIX [soft]", 2, 4,
     "drops stored responses of a cache, or makes them stale", purge},
    {NULL, NULL, 0, 0, NULL, NULL},
};
