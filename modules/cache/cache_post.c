#include "modules/cache/cache_post.h"

#include "modules/cache/cache_choice.h"
#include "modules/cache/cache_keep.h"
#include "modules/cache/cache_key.h"

/* Bytes of a body that is kept. */
enum { LARGEST = 256 * 1024 };

typedef struct post {
    reply_t reply;      /* as it was made */
    store_fill_t *fill; /* NULL: nothing is being kept */
    buf_t *body;        /* as far as it has come; NULL: it goes through */
} post_t;

static bool is_candidate(const request_t *r)
{
    return r->method_id == METHOD_POST && !r->cache && !r->error_status &&
           r->upstream_headers && header_get(r->upstream_headers, HEADER_CONTENT_LOCATION);
}

void cache_post_look(request_t *r)
{
    if (!is_candidate(r)) return;
    const cache_conf_t *c = cache_choice_conf(r);
    str_t key = cache_key_text(c, r);
    if (!c->zone.store || !key.p) return;
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

/* --- the body --- */

static void end_fill(post_t *post)
{
    if (post->fill) store_fill_abandon(post->fill);
    post->fill = NULL;
}

static void end(void *arg)
{
    post_t *post = arg;
    end_fill(post);
    if (post->body) buf_return(post->body);
    post->body = NULL;
}

static bool gather(post_t *post, const piece_t *pieces, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (pieces[i].fd >= 0 || pieces[i].n > buf_room(post->body)) return false;
        buf_put(post->body, str_make(pieces[i].p, pieces[i].n));
    }
    return true;
}

/* What was gathered goes on. If it is not kept by now it will not be. */
static int let_go(post_t *post, filter_t *f, request_t *r, unsigned flags)
{
    end_fill(post);
    piece_t piece = PIECE_MEMORY(buf_str(post->body));
    int err = filter_pass(f, r, &piece, piece.n ? 1 : 0, flags);
    end(post);
    return err;
}

/* Held back until it is whole: who waits for the store must not wait for this client, too. */
static int hold(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    post_t *post = f->state;
    size_t before = post->body ? buf_used(post->body) : 0;
    if (!post->body) return filter_pass(f, r, pieces, n, flags);
    if (!gather(post, pieces, n)) { /* too large */
        post->body->last = post->body->start + before;
        int err = let_go(post, f, r, 0);
        return err < 0 ? err : filter_pass(f, r, pieces, n, flags);
    }
    if (!(flags & BODY_LAST)) return 0;
    if (store_fill_body(post->fill, buf_str(post->body)) == 0) {
        store_fill_commit(post->fill);
        post->fill = NULL;
    }
    return let_go(post, f, r, flags);
}

/* The turn to store it; none where somebody is at it already. */
static store_fill_t *take_turn(cache_use_t *u)
{
    store_t *s = u->conf->zone.store;
    pool_t *pool = u->r->pool;
    store_fill_t *fill = NULL;
    store_object_t *other = POOL_NEW(pool, store_object_t);
    u->variant = cache_key_variant(u->r, store_vary(s, &u->key));
    if (store_open(s, &u->key, u->variant, pool, &u->object) == STORE_HIT) store_close(&u->object);
    store_turn_t turn = store_join(s, &u->key, u->variant, NULL, pool, &u->object, other, &fill);
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
    if (post->reply.length > LARGEST || cache_keep_judge(&k) != STORABLE_YES) return;
    if (text_any(&u->conf->no_cache, r)) return;
    post->fill = take_turn(u);
    if (!post->fill) return;
    pool_defer(r->pool, end, post);
    if (cache_keep_begin(post->fill, &k, STR("")) < 0) return end(post);
    post->body = buf_take(post->reply.length >= 0 ? (size_t)post->reply.length : LARGEST);
    filter_push(r, hold, post);
    u->field.stored = true;
}
