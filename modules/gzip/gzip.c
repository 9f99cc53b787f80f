/* gzip: replies are packed in a content coding that their client takes, or unpacked from one that
   it does not. */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/io/loop.h"
#include "modules/gzip/adapt.h"
#include "modules/gzip/body_pack.h"
#include "modules/gzip/body_unpack.h"
#include "modules/gzip/breach.h"
#include "modules/gzip/compress.h"
#include "modules/gzip/gunzip.h"
#include "modules/gzip/gzip_conf.h"
#include "modules/gzip/policy.h"
#include "modules/gzip/recode.h"
#include "modules/gzip/whole.h"

static unsigned gzip_index;

/* --- the reply's head --- */

/* Of a part, or of what the client holds. */
static void head_in_place(request_t *r, const gzip_conf_t *c)
{
    bool varies = policy_varies(r, c);
    if (r->reply.status == 304 && recode_not_modified(r)) varies = true;
    if (varies && c->vary) recode_vary(&r->reply);
}

/* The binary logarithm of what a window may have. */
static unsigned window_of(const gzip_coding_t *c)
{
    unsigned window = CODEC_WINDOW_LEAST;
    while (window < 8 * sizeof(size_t) - 2 && (size_t)2 << window <= c->window) window++;
    return window;
}

static unsigned adapted(unsigned level)
{
    static adapt_t state; /* of the worker */
    adapt_note(&state, clock_us_now(), loop_idle_us());
    return adapt_level(&state, level);
}

static void compress(request_t *r, const gzip_conf_t *c, coding_t coding)
{
    const gzip_coding_t *said = &c->coding[coding];
    compress_how_t how = {.coding = coding,
                          .level = c->adaptive ? adapted(said->level) : said->level,
                          .window = window_of(said),
                          .whole_most = c->whole_most};
    compress_start(r, &how);
}

static int head(request_t *r)
{
    const gzip_conf_t *c = request_conf(r, gzip_index);
    bool packs = c->coding[CODING_GZIP].on || c->coding[CODING_BR].on || c->coding[CODING_ZSTD].on;
    policy_t pack = {.varies = false}, unpack = {.varies = false};
    if (r->reply.recoded || (!packs && !c->gunzip)) return 0;
    if (r->reply.status == 304 || r->reply.status == 206) {
        head_in_place(r, c);
        return 0;
    }
    if (packs) pack = policy_compress(r, c);
    if (c->gunzip) unpack = policy_decompress(r, c);
    if ((pack.varies || unpack.varies) && c->vary) recode_vary(&r->reply);
    if (pack.coding && !(c->breach_guard && breach_threatens(r))) compress(r, c, pack.coding);
    if (unpack.coding) gunzip_start(r, unpack.coding, c->gunzip_ratio);
    return 0;
}

/* --- packed once, sent often --- */

static coding_t packed_coding(const request_t *r)
{
    const gzip_conf_t *c = request_conf(r, gzip_index);
    bool packs = c->coding[CODING_GZIP].on || c->coding[CODING_BR].on || c->coding[CODING_ZSTD].on;
    if (!packs || r->plain || (c->breach_guard && breach_threatens(r))) return CODING_IDENTITY;
    return policy_compress(r, c).coding;
}

/* The effort is made once: more of it than where every reply pays. */
static unsigned level_once(coding_t coding, const gzip_coding_t *said)
{
    static const unsigned least[CODING_COUNT] = {
        [CODING_GZIP] = 9, [CODING_BR] = 6, [CODING_ZSTD] = 12};
    return said->level > least[coding] ? said->level : least[coding];
}

static buf_t *pack_once(const request_t *r, coding_t coding, str_t content)
{
    const gzip_conf_t *c = request_conf(r, gzip_index);
    const gzip_coding_t *said = &c->coding[coding];
    return whole_pack(coding, level_once(coding, said), window_of(said), content);
}

typedef struct packing {
    const codec_t *codec;
    void *packer;
} packing_t;

static void *begin_packing(const request_t *r, coding_t coding, int64_t length)
{
    const gzip_conf_t *c = request_conf(r, gzip_index);
    const gzip_coding_t *said = &c->coding[coding];
    codec_wish_t wish = {.level = level_once(coding, said), .window = window_of(said),
                         .length = length};
    packing_t *p = malloc(sizeof(*p));
    if (!p) panic("out of memory: packing");
    p->codec = codec_of(coding);
    p->packer = p->codec->packer(&wish);
    return p;
}

static bool feed_packing(void *stream, str_t *in, bool last, buf_t *out)
{
    const packing_t *p = stream;
    return p->codec->pack(p->packer, in, last ? CODEC_END : CODEC_MORE, out);
}

static void end_packing(void *stream)
{
    packing_t *p = stream;
    p->codec->packer_end(p->packer);
    free(p);
}

static void packed_head(request_t *r, coding_t coding)
{
    const gzip_conf_t *c = request_conf(r, gzip_index);
    if (c->vary) recode_vary(&r->reply);
    if (coding) recode_head(&r->reply, coding);
    r->reply.recoded = true;
}

static const hooks_packer_t packer = {packed_coding, pack_once,    packed_head,
                                      begin_packing, feed_packing, end_packing};

/* --- the request's body --- */

/* Early: before anybody reads the body. */
static verdict_t unpack_body(request_t *r)
{
    const gzip_conf_t *c = request_conf(r, gzip_index);
    return c->body_unpack ? body_unpack_start(r, c->body_ratio) : VERDICT(NEXT);
}

/* Late: whoever looks at the body on the way sees it plain. */
static verdict_t pack_body(request_t *r)
{
    const gzip_conf_t *c = request_conf(r, gzip_index);
    const gzip_coding_t *said = &c->coding[c->body_pack];
    if (c->body_pack && policy_packs_body(r, said))
        body_pack_start(r, (coding_t)c->body_pack, said->level, window_of(said));
    return VERDICT(NEXT);
}

/* --- variables --- */

/* $gzip_ratio and its kin: how many times smaller, with two decimals, rounded. */
static str_t get_ratio(request_t *r, const var_def_t *def, str_t name)
{
    uint64_t taken, made;
    (void)name;
    if (!compress_counts(r, (coding_t)def->data, &taken, &made) || !made) return (str_t){NULL, 0};
    uint64_t whole = taken / made, hundredths = (taken % made * 100 + made / 2) / made;
    return pool_printf(r->pool, "%llu.%02llu", (unsigned long long)(whole + hundredths / 100),
                       (unsigned long long)(hundredths % 100));
}

static const var_def_t variables[] = {
    {"gzip_ratio", get_ratio, CODING_GZIP, VAR_NO_CACHE},
    {"brotli_ratio", get_ratio, CODING_BR, VAR_NO_CACHE},
    {"zstd_ratio", get_ratio, CODING_ZSTD, VAR_NO_CACHE},
    {NULL, NULL, 0, 0},
};

static void worker_stop(const void *main_struct)
{
    (void)main_struct;
    codec_trim();
    whole_trim();
}

static const http_hooks_t hooks = {
    .phase = {[PHASE_LIMIT] = unpack_body, [PHASE_CONTENT] = pack_body},
    .head = head,
    .packer = &packer,
    .variables = variables,
};

const module_t gzip_module = {
    .name = "gzip",
    .index = &gzip_index,
    .rows = gzip_conf_rows,
    .conf_size = sizeof(gzip_conf_t),
    .worker_stop = worker_stop,
    .hooks = &hooks,
};
