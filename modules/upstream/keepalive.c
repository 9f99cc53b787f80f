#include "modules/upstream/keepalive.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/process/worker.h"

static void init(keepalive_t *k)
{
    list_init(&k->recent);
    for (unsigned i = 0; i < KEEPALIVE_BUCKETS; i++) list_init(&k->buckets[i]);
}

/* Of unix sockets: all the same. */
static uint32_t hash_of(const net_addr_t *to)
{
    const uint32_t golden = 2654435769u; /* 2^32 over the golden ratio (Knuth 6.4): spreads */
    str_t bytes = net_bytes(to);
    uint32_t hash = net_port(to), word;
    for (size_t i = 0; i + sizeof(word) <= bytes.n; i += sizeof(word)) {
        memcpy(&word, bytes.p + i, sizeof(word));
        hash = (hash ^ word) * golden;
    }
    return hash;
}

static list_t *bucket_of(keepalive_t *k, uint32_t hash)
{
    return &k->buckets[(uint64_t)hash * KEEPALIVE_BUCKETS >> 32];
}

static bool speaks(const origin_t *o, const tls_client_t *tls)
{
    return tls ? tls_serves(&o->stream, tls->ctx, tls->name) : !tls_ssl(&o->stream);
}

static bool fits(const origin_t *o, const net_addr_t *to, const net_addr_t *from)
{
    if (!net_eq(&o->peer, to)) return false;
    return from && from->len ? o->from.len && net_eq(&o->from, from) : o->from.len == 0;
}

static void forget(origin_t *o)
{
    keepalive_t *k = o->keeper;
    list_remove(&o->link);
    list_remove(&o->bucket);
    k->count--;
}

origin_t *keepalive_take(keepalive_t *k, const net_addr_t *to, const net_addr_t *from,
                         const tls_client_t *tls)
{
    if (k->count == 0) return NULL;
    uint32_t hash = hash_of(to);
    LIST_EACH(l, bucket_of(k, hash))
    {
        origin_t *o = LIST_OF(l, origin_t, bucket);
        if (o->hash != hash || !fits(o, to, from) || !speaks(o, tls)) continue;
        forget(o);
        origin_resume(o);
        return o;
    }
    return NULL;
}

static bool is_worn(const origin_t *o, const keepalive_conf_t *conf)
{
    return conf->keep == 0 || o->exchanges >= conf->requests || worker_stopping ||
           clock_ms() - o->opened_ms >= conf->time;
}

/* Readiness that was not used up may be a leftover of a full read: asking settles it. */
static bool is_quiet(origin_t *o)
{
    unsigned ready = o->stream.io.ready;
    if (ready & (LOOP_HUP | LOOP_ERROR)) return false;
    if (!stream_readable(&o->stream)) return true;
    char byte;
    return stream_try_read(&o->stream, &byte, 1) == -EAGAIN;
}

void keepalive_put(keepalive_t *k, const keepalive_conf_t *conf, origin_t *o)
{
    if (is_worn(o, conf) || !is_quiet(o)) {
        origin_close(o);
        return;
    }
    if (!k->recent.next) init(k);
    if (k->count >= conf->keep) {
        origin_t *oldest = LIST_OF(k->recent.prev, origin_t, link);
        forget(oldest);
        origin_close(oldest);
    }
    o->keeper = k;
    o->hash = hash_of(&o->peer);
    list_push_front(&k->recent, &o->link);
    list_push_front(bucket_of(k, o->hash), &o->bucket);
    k->count++;
    origin_rest(o, conf->timeout, forget);
}
