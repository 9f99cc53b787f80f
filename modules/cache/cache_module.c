/*
 * cache_module: proxy_cache as content: answers from the store what may be answered from it, and
 * fetches what may be stored, once for all who ask. What is neither is left to the modules that ask
 * origins.
 */
#include "core/base/clock.h"
#include "http/fetch.h"
#include "modules/cache/cache.h"
#include "modules/cache/cache_choice.h"
#include "modules/cache/cache_fill.h"
#include "modules/cache/cache_key.h"
#include "modules/cache/cache_parts.h"
#include "modules/cache/cache_post.h"
#include "modules/cache/cache_purge.h"
#include "modules/cache/cache_serve.h"
#include "modules/cache/cache_slice.h"
#include "modules/cache/cache_tail.h"
#include "modules/cache/invalidate.h"

/* How often a request looks again after others have fetched, before it asks for itself. */
enum { ROUNDS_MAX = 4 };

unsigned cache_index;

static const str_t cache_name = STR_INIT("proxyd");

/* --- which requests --- */

static bool is_for_us(const cache_conf_t *c, const request_t *r)
{
    const header_list_t *headers = &r->head.headers;
    bool post = r->method_id == METHOD_POST;
    if (r->method_id != METHOD_GET && r->method_id != METHOD_HEAD && !post) return false;
    if (post ? !(c->methods & 1u << METHOD_POST) : body_present(r)) return false;
    return !header_get(headers, HEADER_UPGRADE);
}

/* proxy_cache_max_range_offset: of what is not stored such a range is the origin's. As in nginx the
   end of something, too, lies behind any offset. */
static bool is_beyond(const cache_use_t *u)
{
    const cache_conf_t *c = u->conf;
    str_t range = header_value(&u->r->head.headers, HEADER_RANGE);
    if (!c->max_range_offset_set || u->part.n || u->r->method_id != METHOD_GET ||
        !str_istarts(range, STR("bytes=")))
        return false;
    return str_istarts(range, STR("bytes=-")) || cache_slice_from(u->r) >= c->max_range_offset;
}

/* Made by a cache, to fill it or for a part. */
static bool is_own(const request_t *r)
{
    return r->inner && !r->elsewhere;
}

/* What goes to the origin as it is, and comes back unstored. */
static bool is_not_fetched(const cache_use_t *u)
{
    bool head = u->r->method_id == METHOD_HEAD && !u->conf->convert_head;
    return head || is_beyond(u);
}

static void close_object(void *arg)
{
    cache_use_t *u = arg;
    if (u->found) store_close(&u->object);
    u->found = false;
}

/* The request's dealings with the cache; those of a part have been begun by cache_slice. NULL: its
   key is too long. */
static cache_use_t *begin(const cache_conf_t *c, request_t *r)
{
    cache_use_t *u = is_own(r) ? r->cache : POOL_NEW(r->pool, cache_use_t);
    str_t key = cache_key_text(c, r);
    u->r = r;
    u->conf = c;
    u->field = (status_field_t){.cache = cache_name, .fwd = STATUS_FIELD_MISS};
    cache_control_request(r->pool, &r->head.headers, &u->cc);
    r->cache = u;
    u->whole = key;
    if (u->part.n && key.p) key = cache_key_part(r->pool, key, &u->part);
    if (!key.p) return u->status = "MISS", NULL;
    u->key = store_key(key);
    pool_defer(r->pool, close_object, u);
    return u;
}

/* --- what is there --- */

/* Reads the entry of what was opened. */
static bool read_entry(cache_use_t *u)
{
    if (entry_read(u->r->pool, u->object.head, &u->entry)) return true;
    store_remove(&u->object);
    close_object(u);
    return false;
}

/* Softly purged: its freshness has ended now. */
static void end_freshness(entry_t *e)
{
    freshness_t *f = &e->decide.freshness;
    int64_t age = freshness_age(f, clock_unix());
    if (f->lifetime > age) f->lifetime = age;
}

/* Whether what was found may be sent though the origin ought to have been asked. */
static bool may_be_stale(const cache_use_t *u)
{
    enum { NEVER = CACHE_CONTROL_MUST_REVALIDATE | CACHE_CONTROL_PROXY_REVALIDATE |
                   CACHE_CONTROL_NO_CACHE | REUSE_S_MAXAGE };
    return u->found && !(u->entry.decide.flags & NEVER) && u->entry.decide.status < 500 &&
           !(u->cc.flags & CACHE_CONTROL_NO_CACHE);
}

static store_found_t look_up(cache_use_t *u)
{
    store_t *s = u->conf->zone.store;
    close_object(u);
    u->variant = cache_key_variant(u->r, store_vary(s, &u->key));
    store_found_t found = store_open(s, &u->key, u->variant, u->r->pool, &u->object);
    u->found = found == STORE_HIT;
    if (!u->fresh) u->seen = u->object;
    if (u->found && read_entry(u) && u->object.stale) end_freshness(&u->entry);
    if (u->found && u->tail && !cache_tail_covers(u)) close_object(u);
    u->may_be_stale = may_be_stale(u);
    u->decision =
        reuse_decide(METHOD_GET, &u->cc, u->found ? &u->entry.decide : NULL, clock_unix());
    if (u->decision.fwd == STATUS_FIELD_URI_MISS && u->variant.n)
        u->decision.fwd = STATUS_FIELD_VARY_MISS;
    return found;
}

/* What was found has come since the request did: while somebody fetches, the old one is there
   still. */
static bool is_new(const cache_use_t *u)
{
    return u->found && u->fresh && !store_is_same(&u->object, &u->seen);
}

/* --- answers --- */

static verdict_t serve(cache_use_t *u, const char *status)
{
    if (!u->status) u->status = status;
    u->kept = true;
    return cache_serve(u);
}

static verdict_t serve_hit(cache_use_t *u, const char *status)
{
    u->field.hit = true;
    u->field.fwd = STATUS_FIELD_NO_FWD;
    u->field.has_ttl = true;
    u->field.ttl = u->decision.left;
    return serve(u, status);
}

/* The modules that ask origins answer, and nothing of it is stored. */
static verdict_t alone(cache_use_t *u)
{
    if (!u->status) u->status = "MISS";
    return VERDICT(NEXT);
}

/* The origin did not answer: 502 or 504, without a head. */
static bool stale_when_lost(const cache_use_t *u, int status)
{
    unsigned use = u->conf->use_stale;
    unsigned wanted = status == 504 ? CACHE_STALE_TIMEOUT : CACHE_STALE_ERROR | CACHE_STALE_INVALID;
    if (!u->found || status < 500) return false;
    if (use & CACHE_STALE_OFF) return u->decision.stale_if_error; /* the response's own word */
    return u->decision.stale_if_lost || (use & wanted && u->may_be_stale);
}

/* --- fetching --- */

static const char *status_of(const cache_use_t *u)
{
    if (u->outcome == CACHE_REFRESHED) return "REVALIDATED";
    return u->found ? "EXPIRED" : "MISS";
}

/* Without a head, or with one that is not wanted. */
static verdict_t ended(cache_use_t *u, verdict_t v)
{
    bool lost = v.kind == VERDICT_REFUSE && stale_when_lost(u, v.status);
    if (!u->status) u->status = status_of(u);
    if ((u->outcome == CACHE_FAILED || lost) && u->found) {
        u->status = "STALE";
        return serve(u, "STALE");
    }
    /* Aborted by us: it could neither be stored nor validated. */
    return v.kind == VERDICT_REPLIED ? alone(u) : v;
}

/* Waits for the fetch. *again: look once more, it is there. */
static verdict_t await(cache_use_t *u, fetch_t *f, bool *again)
{
    verdict_t v = VERDICT(NEXT);
    switch (fetch_wait(f)) {
    case FETCH_TAKEN:
        if (!u->status) u->status = status_of(u);
        *again = u->fresh = u->fetched = true;
        break;
    case FETCH_RELAYED:
        if (!u->status) u->status = status_of(u);
        v = fetch_relay(f);
        break;
    case FETCH_ENDED:
        *again = u->outcome == CACHE_WHOLE;
        if (*again) cache_tail_leave(u), u->in_one = true;
        else v = ended(u, fetch_verdict(f));
        break;
    default: v = verdict_refuse(499, LOG_INFO, NULL); break;
    }
    fetch_leave(f);
    return v;
}

static verdict_t fetch(cache_use_t *u, store_fill_t *fill, bool *again)
{
    fetch_t *f = cache_fill_start(u, fill, false);
    if (!f) return alone(u);
    return await(u, f, again);
}

/* Somebody else is fetching, and its answer has begun: read along. */
static verdict_t follow(cache_use_t *u, const store_object_t *o)
{
    close_object(u);
    u->object = *o;
    u->found = true;
    if (!read_entry(u) || (u->tail && !cache_tail_covers(u))) return alone(u);
    u->fresh = true;
    u->field.collapsed = !u->fetched;
    return serve(u, "HIT");
}

/* The turn to fetch, and what to do when somebody else has it. */
static verdict_t take_turn(cache_use_t *u, uint64_t timeout_ms, bool background, bool *again)
{
    store_object_t *o = POOL_NEW(u->r->pool, store_object_t);
    store_fill_t *fill = NULL;
    store_wait_t wait = {timeout_ms, u->conf->lock_age};
    u->r->sink->watch(u->r, true);
    store_turn_t turn = store_join(u->conf->zone.store, &u->key, u->variant, &wait, u->r->pool,
                                   &u->object, o, &fill);
    u->r->sink->watch(u->r, false);
    switch (turn) {
    case STORE_FILLER:
        if (u->fetched) return store_fill_abandon(fill), alone(u); /* it broke off, or was purged */
        if (!background) return fetch(u, fill, again);
        cache_fill_start(u, fill, true);
        return VERDICT(NEXT);
    case STORE_FOLLOWS:
        if (!background) return follow(u, o);
        store_close(o);
        return VERDICT(NEXT);
    case STORE_RETRY:
        *again = u->fresh = u->field.collapsed = true;
        return VERDICT(NEXT);
    case STORE_GONE: return verdict_refuse(499, LOG_INFO, NULL);
    default: return alone(u);
    }
}

/* Has what is stale fetched anew, without waiting for it. */
static verdict_t update_in_background(cache_use_t *u, const char *status)
{
    bool again;
    u->status = status;
    take_turn(u, 0, true, &again);
    return serve_hit(u, status);
}

/* Of what is not stored a range that begins far inside (nobody waits for the bytes before it), and
   anything of which much is there in such parts. */
static bool is_for_parts(const cache_use_t *u)
{
    const cache_conf_t *c = u->conf;
    if (u->part.n || u->tail || u->in_one || u->found || c->slice || c->max_range_offset_set ||
        u->r->method_id == METHOD_POST || is_not_fetched(u))
        return false;
    return cache_slice_from(u->r) >= CACHE_SLICE_SIZE || cache_parts_suffice(u);
}

/* By `slice`, unless the whole is there (of an origin that gives no ranges). */
static bool is_cut(cache_use_t *u)
{
    if (!u->conf->slice || u->part.n || u->r->method_id == METHOD_POST || is_not_fetched(u))
        return false;
    look_up(u);
    return !u->found;
}

/* Whether the end of what is not stored as a whole may do. */
static bool is_for_tail(const cache_use_t *u)
{
    const cache_conf_t *c = u->conf;
    return !u->part.n && !u->tail && !u->in_one && !u->found && !c->slice &&
           !c->max_range_offset_set && cache_slice_only_range(u->r);
}

/* Looks there for a range: what is asked for, or what is fresh and has it. */
static store_found_t look_up_tail(cache_use_t *u)
{
    if (!cache_tail_enter(u)) return STORE_MISS;
    store_found_t found = look_up(u);
    if (cache_tail_asked(u->r) || (u->found && u->decision.action == REUSE_HIT)) return found;
    cache_tail_leave(u);
    return look_up(u);
}

static verdict_t in_slices(cache_use_t *u, uint64_t size, bool picky, bool *again)
{
    u->in_one = true;
    verdict_t v = cache_slice(u, size, picky, again);
    if (*again) u->status = NULL;
    return v;
}

static verdict_t ask_origin(cache_use_t *u, bool *again)
{
    const cache_conf_t *c = u->conf;
    if (is_not_fetched(u)) return u->status = status_of(u), alone(u);
    bool updating = c->use_stale & CACHE_STALE_UPDATING && u->may_be_stale && !u->fresh;
    if (!u->fresh) u->field.fwd = u->decision.fwd;
    bool counted = c->min_uses > 1 && !u->fresh;
    if (counted && store_use(c->zone.store, &u->key) < c->min_uses) return alone(u);
    if (updating && c->background_update) return update_in_background(u, "STALE");
    verdict_t v = take_turn(u, c->lock && !updating ? c->lock_timeout : 0, false, again);
    bool busy = v.kind == VERDICT_NEXT && !*again;
    if (!updating || !busy) return v;
    u->status = "UPDATING";
    return serve_hit(u, u->status);
}

/* One look at the store and what follows from it. *again: look once more. */
static verdict_t look_and_answer(cache_use_t *u, bool *again)
{
    if (look_up(u) == STORE_PASS) {
        u->passed = true;
        return alone(u);
    }
    if (is_for_parts(u)) return in_slices(u, CACHE_SLICE_SIZE, true, again);
    if (is_for_tail(u) && look_up_tail(u) == STORE_PASS) {
        u->passed = true;
        return alone(u);
    }
    if (is_new(u)) return serve(u, "HIT");
    switch (u->decision.action) {
    case REUSE_HIT: return serve_hit(u, u->decision.left > 0 ? "HIT" : "STALE");
    case REUSE_STALE_WHILE_REVALIDATE: return update_in_background(u, "STALE");
    case REUSE_GATEWAY_TIMEOUT:
        return verdict_refuse(504, LOG_INFO, "not in the cache, and the client wants nothing else");
    default: return ask_origin(u, again);
    }
}

/* Whatever there is: it is fetched anew. */
static verdict_t bypass(cache_use_t *u)
{
    u->status = "BYPASS";
    u->field.fwd = STATUS_FIELD_BYPASS;
    if (is_not_fetched(u)) return alone(u);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        bool again = false;
        look_up(u);
        if (is_new(u)) return serve(u, "BYPASS");
        close_object(u);
        verdict_t v = take_turn(u, i ? u->conf->lock_timeout : 0, false, &again);
        if (!again) return v;
    }
    return alone(u);
}

static verdict_t answer(cache_use_t *u)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        bool again = false;
        verdict_t v = look_and_answer(u, &again);
        if (!again) return v;
    }
    return alone(u);
}

/* NULL: it fills a cache. */
static const cache_conf_t *conf_of(request_t *r)
{
    const cache_use_t *part = r->cache;
    if (!is_own(r)) return cache_choice_conf(r);
    return part ? part->conf : NULL;
}

static verdict_t cache_content(request_t *r)
{
    const cache_conf_t *c = conf_of(r);
    bool whole = true;
    if (!c || !c->zone.store) return VERDICT(NEXT);
    if (!is_own(r) && text_any(&c->purge, r)) return cache_purge(c, r);
    if (!is_own(r) && (!is_for_us(c, r) || !hooks_ask_origin(r))) return VERDICT(NEXT);
    int err = r->method_id == METHOD_POST ? body_gather(r) : 0; /* it may be part of the key */
    if (err < 0) return body_verdict(r, err);
    cache_use_t *u = begin(c, r);
    if (!u) return VERDICT(NEXT);
    if (is_cut(u)) {
        verdict_t v = in_slices(u, c->slice, false, &whole);
        if (!whole) return v;
    }
    return text_any(&c->bypass, r) ? bypass(u) : answer(u);
}

/* --- replies of others --- */

static void note_status(cache_use_t *u)
{
    header_list_t *headers = &u->r->reply.headers;
    if (!u->conf->status_field || u->noted) return;
    u->noted = true;
    str_t before = (str_t){NULL, 0};
    if (header_get(headers, HEADER_CACHE_STATUS)) {
        before = header_join(headers, header_name(HEADER_CACHE_STATUS));
        header_remove(headers, HEADER_CACHE_STATUS);
    }
    header_add_id(headers, HEADER_CACHE_STATUS,
                  status_field_append(u->r->pool, before, &u->field));
}

/* Every reply once, and parts of one not. */
static void count(cache_use_t *u)
{
    static const char *const names[STORE_ANSWERS] = {"HIT",   "MISS",     "EXPIRED",
                                                     "STALE", "UPDATING", "REVALIDATED",
                                                     "BYPASS"};
    unsigned i = 0;
    if (u->counted || is_own(u->r) || !u->status) return;
    u->counted = true;
    while (i < STORE_ANSWERS && strcmp(names[i], u->status) != 0) i++;
    if (i < STORE_ANSWERS) store_answered(u->conf->zone.store, i, u->field.collapsed);
}

/* PURGE is for the cache itself, which has dropped by now what it is to drop. */
static const cache_conf_t *conf_of_change(request_t *r)
{
    if (r->error_status || !invalidate_unsafe(r->method)) return NULL;
    const cache_conf_t *c = cache_choice_conf(r);
    return c->zone.store && !text_any(&c->purge, r) ? c : NULL;
}

static int cache_head(request_t *r)
{
    const cache_use_t *u = r->cache;
    const cache_conf_t *c = u && !u->post ? NULL : conf_of_change(r);
    if (c) {
        cache_purge_invalidate(c, r);
        if (u) cache_post_begin(r->cache);
    }
    if (u) count(r->cache);
    if (u && !r->error_status) note_status(r->cache);
    return 0;
}

static str_t get_status(request_t *r, const var_def_t *def, str_t name)
{
    const cache_use_t *u = r->cache;
    (void)def, (void)name;
    return u && u->status ? str_of(u->status) : (str_t){NULL, 0};
}

static str_t get_slice_range(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    return cache_key_slice_range(r);
}

static const var_def_t variables[] = {
    {"upstream_cache_status", get_status, 0, VAR_NO_CACHE},
    {"slice_range", get_slice_range, 0, VAR_NO_CACHE},
    {NULL, NULL, 0, 0},
};

static const http_hooks_t hooks = {
    .phase = {[PHASE_CONTENT] = cache_content},
    .made = cache_post_look,
    .head = cache_head,
    .variables = variables,
};

const module_t cache_module = {
    .name = "cache",
    .index = &cache_index,
    .rows = cache_conf_rows,
    .conf_size = sizeof(cache_conf_t),
    .hooks = &hooks,
};
