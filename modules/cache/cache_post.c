#include "modules/cache/cache_post.h"

#include "modules/cache/cache_keep.h"
#include "modules/cache/cache_key.h"

typedef struct post {
    reply_t reply;      /* as it was made */
    store_fill_t *fill; /* NULL: nothing is being kept */
} post_t;

static bool is_candidate(const cache_conf_t *c, const request_t *r)
{
    return c->store && r->method_id == METHOD_POST && !r->cache && !r->error_status &&
           r->upstream_headers && header_get(r->upstream_headers, HEADER_CONTENT_LOCATION);
}

void cache_post_look(request_t *r)
{
    const cache_conf_t *c = request_conf(r, cache_index);
    if (!is_candidate(c, r)) return;
    str_t key = cache_key_text(c, r);
    if (!key.p) return;
    cache_use_t *u = POOL_NEW(r->pool, cache_use_t);
    post_t *post = POOL_NEW(r->pool, post_t);
    post->reply = r->reply;
    post->reply.content_type = request_copy_text(r->pool, r->reply.content_type);
    request_copy_fields(r->pool, &r->reply.headers, &post->reply.headers);
    u->r = r;
    u->conf = c;
    u->key = store_key(key);
    u->field = (status_field_t){.cache = STR("proxyd"), .fwd = STATUS_FIELD_METHOD};
    u->post = post;
    cache_control_request(r->pool, &r->head.headers, &u->cc);
    r->cache = u;
}

/* --- the body, on its way --- */

static void drop(void *arg)
{
    post_t *post = arg;
    if (post->fill) store_fill_abandon(post->fill);
    post->fill = NULL;
}

static int write_down(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    post_t *post = f->state;
    for (unsigned i = 0; i < n && post->fill; i++) {
        str_t data = str_make(pieces[i].p, pieces[i].n);
        if (pieces[i].fd >= 0 || store_fill_body(post->fill, data) < 0) drop(post);
    }
    if (post->fill && flags & BODY_LAST) {
        store_fill_commit(post->fill);
        post->fill = NULL;
    }
    return filter_pass(f, r, pieces, n, flags);
}

/* The turn to store it; none where somebody is at it already. */
static store_fill_t *take_turn(cache_use_t *u)
{
    store_t *s = u->conf->store;
    pool_t *pool = u->r->pool;
    store_fill_t *fill = NULL;
    store_object_t *other = POOL_NEW(pool, store_object_t);
    u->variant = cache_key_variant(u->r, store_vary(s, &u->key));
    if (store_open(s, &u->key, u->variant, pool, &u->object) == STORE_HIT) store_close(&u->object);
    store_turn_t turn = store_join(s, &u->key, u->variant, 0, pool, &u->object, other, &fill);
    if (turn == STORE_FOLLOWS) store_close(other);
    return turn == STORE_FILLER ? fill : NULL;
}

void cache_post_begin(cache_use_t *u)
{
    request_t *r = u->r;
    post_t *post = u->post;
    cache_keep_t k = {.conf = u->conf, .in = r, .request = &u->cc, .method = METHOD_POST,
                      .asked_ms = r->began_ms,
                      .status = (unsigned)post->reply.status, .headers = r->upstream_headers,
                      .reply = &post->reply};
    if (cache_keep_judge(&k) != STORABLE_YES) return;
    if (text_any(&u->conf->no_cache, r)) return;
    post->fill = take_turn(u);
    if (!post->fill) return;
    pool_defer(r->pool, drop, post);
    if (cache_keep_begin(post->fill, &k, STR("")) < 0) return drop(post);
    filter_push(r, write_down, post);
    u->field.stored = true;
}
