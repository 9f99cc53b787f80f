#include "http/fetch.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/panic.h"
#include "core/process/worker.h"
#include "http/flow.h"
#include "http/http.h"

/* What the inner fiber asks of the outer one, and waits for. */
typedef enum offer {
    OFFER_NONE,
    OFFER_INTERIM,
    OFFER_BODY,
} offer_t;

struct fetch {
    request_t *outer;        /* NULL: has left */
    request_t *inner;        /* NULL: has ended */
    fiber_t *outer_fiber, *inner_fiber;
    const fetch_ops_t *ops;
    void *state;
    fetch_stage_t stage;
    verdict_t verdict;
    conn_t alone;            /* the inner request's connection once the client's may be gone */
    fetch_t *below;          /* that the inner request waits for */
    bool apart;              /* what it learns of origins is not the outer request's */
    list_t link;             /* among those that run */

    offer_t offer;
    int status;              /* of an interim response */
    const header_list_t *interim;
    const piece_t *pieces;
    unsigned n, flags;
    int result;
};

static list_t running = {&running, &running};

/* --- the inner request --- */

/* The client's body is not there to be read. */
static void drop_framing(header_list_t *headers)
{
    header_remove(headers, HEADER_EXPECT);
    header_remove(headers, HEADER_CONTENT_LENGTH);
    header_remove(headers, HEADER_TRANSFER_ENCODING);
}

/* Preconditions and ranges are judged on what is fetched, not where it is fetched (RFC 9111
   4.3.2). */
void fetch_whole(request_t *in)
{
    static const header_id_t dropped[] = {HEADER_IF_MATCH, HEADER_IF_NONE_MATCH,
                                          HEADER_IF_MODIFIED_SINCE, HEADER_IF_UNMODIFIED_SINCE,
                                          HEADER_IF_RANGE, HEADER_RANGE};
    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
        header_remove(&in->head.headers, dropped[i]);
}

static int sink_head(request_t *in);
static int sink_body(request_t *in, const piece_t *pieces, unsigned n, unsigned flags);
static int sink_interim(request_t *in, int status, const header_list_t *headers);

static void sink_abort(request_t *in)
{
    (void)in; /* reply.aborted tells */
}

static ssize_t sink_read(request_t *in, char *room, size_t n, str_t *piece)
{
    (void)in, (void)room, (void)n, (void)piece;
    return 0; /* there is no body */
}

static bool sink_readable(const request_t *in)
{
    (void)in;
    return true;
}

static int sink_wait(request_t *in, loop_fd_t *other, uint64_t timeout_ms)
{
    (void)in;
    return loop_wait(other, LOOP_READ, timeout_ms);
}

static void sink_watch(request_t *in, bool on)
{
    (void)in, (void)on; /* no client ends it by leaving */
}

/* Never detached: who asks for an upgrade is not fetched for. */
static const sink_ops_t sink = {
    .head = sink_head,
    .body = sink_body,
    .interim = sink_interim,
    .abort = sink_abort,
    .read = sink_read,
    .readable = sink_readable,
    .wait = sink_wait,
    .watch = sink_watch,
};

request_t *fetch_request(request_t *r)
{
    request_t *in = request_copy(r, &sink);
    drop_framing(&in->head.headers);
    fetch_whole(in);
    return in;
}

request_t *fetch_request_elsewhere(request_t *r, str_t uri)
{
    request_t *in = request_copy(r, &sink);
    drop_framing(&in->head.headers);
    in->elsewhere = true;
    in->method = STR("GET");
    in->method_id = in->head.method_id = METHOD_GET;
    request_reroute(in, pool_str(in->pool, uri), (str_t){NULL, 0});
    return in;
}

/* --- from the inner to the outer fiber --- */

/* Hands something over and waits until it was used up. 0 or a negative errno. */
static int offer(fetch_t *f, offer_t what)
{
    if (!f->outer) return -EPIPE;
    f->offer = what;
    f->result = -EPIPE;
    fiber_wake(f->outer_fiber);
    while (f->offer != OFFER_NONE)
        if (fiber_suspend(UINT64_MAX) < 0) return f->offer = OFFER_NONE, -ECANCELED;
    return f->result;
}

static void advance(fetch_t *f, fetch_stage_t stage)
{
    f->stage = stage;
    if (f->outer) fiber_wake(f->outer_fiber);
}

static int sink_head(request_t *in)
{
    fetch_t *f = in->sink_state;
    int taken = f->ops->head(f->state, in, f->outer != NULL);
    in->reply.head_sent = true;
    if (taken < 0) return taken;
    advance(f, taken == FETCH_TAKE ? FETCH_TAKEN : FETCH_RELAYED);
    return f->stage == FETCH_RELAYED && !f->outer ? -EPIPE : 0;
}

static int sink_body(request_t *in, const piece_t *pieces, unsigned n, unsigned flags)
{
    fetch_t *f = in->sink_state;
    if (f->stage == FETCH_TAKEN) return f->ops->body(f->state, in, pieces, n, flags);
    f->pieces = pieces;
    f->n = n;
    f->flags = flags;
    return offer(f, OFFER_BODY);
}

static int sink_interim(request_t *in, int status, const header_list_t *headers)
{
    fetch_t *f = in->sink_state;
    if (!f->outer) return 0;
    f->status = status;
    f->interim = headers;
    int err = offer(f, OFFER_INTERIM);
    return f->outer ? err : 0; /* a client that has left does not stop the fetch */
}

/* --- the inner fiber --- */

static void free_if_over(fetch_t *f)
{
    if (!f->outer && !f->inner) free(f);
}

/* What the outer request has to know when the inner one goes: which origins were asked, and what
   the last of them said. */
static void carry_over(fetch_t *f)
{
    request_t *in = f->inner, *out = f->outer;
    if (in->elsewhere) return;
    VEC_EACH(const upstream_attempt_t, a, &in->attempts)
    {
        upstream_attempt_t *copy = VEC_PUSH(out->pool, &out->attempts);
        *copy = *a;
        copy->address = pool_str(out->pool, a->address);
    }
    if (!in->upstream_headers) return;
    header_list_t *headers = POOL_NEW(out->pool, header_list_t);
    request_copy_fields(out->pool, in->upstream_headers, headers);
    out->upstream_headers = headers;
}

/* An internal redirect goes on in the outer request. */
static void carry_reroute(fetch_t *f)
{
    request_t *in = f->inner, *out = f->outer;
    if (f->verdict.kind == VERDICT_REFUSE && f->verdict.reason)
        f->verdict.reason = pool_cstr(out->pool, str_of(f->verdict.reason));
    if (f->verdict.kind != VERDICT_REROUTE) return;
    out->method = pool_str(out->pool, in->method);
    out->method_id = in->method_id;
    if (in->named.p) {
        request_reroute_named(out, pool_str(out->pool, in->named));
        return;
    }
    str_t args = in->args.p ? pool_str(out->pool, in->args) : in->args;
    request_reroute(out, pool_str(out->pool, in->uri), args);
}

static void end(fetch_t *f, verdict_t v)
{
    request_t *in = f->inner;
    f->ops->end(f->state, in, v);
    f->verdict = v;
    if (f->apart) f->verdict.reason = NULL; /* it goes with the request */
    if (f->outer && !f->apart) {
        carry_over(f);
        carry_reroute(f);
    }
    f->inner = NULL;
    list_remove(&f->link);
    request_end(in);
    worker_release();
    if (f->stage != FETCH_TAKEN) advance(f, FETCH_ENDED); /* that it was taken stays news */
    free_if_over(f);
}

static void run(void *arg)
{
    fetch_t *f = arg;
    end(f, f->inner->elsewhere ? flow_elsewhere(f->inner) : flow_content(f->inner));
}

/* The fetch whose inner request waits for this one; NULL: it was made for a client's request. */
static fetch_t *above(const fetch_t *f)
{
    return f->outer && f->outer->inner ? f->outer->sink_state : NULL;
}

/* The client's connection may be gone before the fetch: from here on it has one that is closed. */
static void detach(fetch_t *f)
{
    conn_t *c = f->inner->conn;
    if (f->below && f->below->inner) detach(f->below);
    f->alone = (conn_t){.stream = {.io = {.fd = -1}}, .listen = c->listen, .peer = c->peer,
                        .number = c->number, .accepted_ms = c->accepted_ms,
                        .requests = c->requests};
    f->inner->conn = &f->alone;
    request_set_conf(f->inner, f->inner->conf);
}

fetch_t *fetch_start(request_t *outer, request_t *inner, const fetch_ops_t *ops, void *state)
{
    if (!worker_hold()) return request_end(inner), NULL;
    fetch_t *f = calloc(1, sizeof(*f));
    if (!f) panic("out of memory: fetch");
    *f = (fetch_t){.outer = outer, .inner = inner, .ops = ops, .state = state};
    f->outer_fiber = outer ? fiber_self() : NULL;
    inner->sink_state = f;
    if (!outer) detach(f);
    f->inner_fiber = fiber_start(run, f);
    if (!f->inner_fiber) {
        worker_release();
        request_end(inner);
        free(f);
        return NULL;
    }
    list_push(&running, &f->link);
    if (above(f)) above(f)->below = f;
    return f;
}

/* --- the outer fiber --- */

static void answer_offer(fetch_t *f, int result)
{
    f->result = result;
    f->offer = OFFER_NONE;
    if (f->inner) fiber_wake(f->inner_fiber);
}

/* Waits until there is an offer, or the stage is no longer `stage`. False: cancelled. */
static bool wait_for_inner(fetch_t *f, fetch_stage_t stage)
{
    int err = 0;
    f->outer->sink->watch(f->outer, true);
    while (f->stage == stage && f->offer == OFFER_NONE && err == 0) err = fiber_suspend(UINT64_MAX);
    f->outer->sink->watch(f->outer, false);
    return err == 0;
}

fetch_stage_t fetch_wait(fetch_t *f)
{
    while (f->stage == FETCH_ASKING) {
        if (!wait_for_inner(f, FETCH_ASKING)) return FETCH_LEFT;
        if (f->offer == OFFER_INTERIM)
            answer_offer(f, reply_interim(f->outer, f->status, f->interim));
    }
    return f->stage;
}

/* The reply as the inner request made it; its texts must outlive that one. */
static void copy_reply(request_t *out, const request_t *in)
{
    const reply_t *from = &in->reply;
    reply_t *to = &out->reply;
    reply_reset(out, from->status);
    to->reason = request_copy_text(out->pool, from->reason);
    to->length = from->length;
    to->content_type = request_copy_text(out->pool, from->content_type);
    to->type_by_uri = from->type_by_uri;
    to->server = request_copy_text(out->pool, from->server);
    to->date = request_copy_text(out->pool, from->date);
    if (from->limit_rate_set) {
        to->limit_rate = from->limit_rate;
        to->limit_rate_set = true;
    }
    request_copy_fields(out->pool, &from->headers, &to->headers);
}

void fetch_head(fetch_t *f)
{
    copy_reply(f->outer, f->inner);
}

bool fetch_next(fetch_t *f, fetch_offer_t *out)
{
    if (!wait_for_inner(f, FETCH_RELAYED) || f->offer != OFFER_BODY) return false;
    *out = (fetch_offer_t){f->pieces, f->n, f->flags};
    return true;
}

void fetch_took(fetch_t *f, int err)
{
    answer_offer(f, err);
}

/* One offered part of the body. False: it was the last, or cannot be sent. */
static bool pass_body(fetch_t *f, const fetch_offer_t *o)
{
    request_t *out = f->outer;
    if (o->flags & BODY_LAST)
        request_copy_fields(out->pool, &f->inner->reply.trailers, &out->reply.trailers);
    int err = reply_body(out, o->pieces, o->n, o->flags);
    fetch_took(f, err);
    return err == 0 && !(o->flags & BODY_LAST);
}

verdict_t fetch_relay(fetch_t *f)
{
    request_t *out = f->outer;
    fetch_offer_t o;
    fetch_head(f);
    int err = reply_start(out);
    if (err == 0 && out->reply.head_only) err = reply_body(out, NULL, 0, BODY_LAST);
    while (err == 0 && !out->reply.finished && fetch_next(f, &o))
        if (!pass_body(f, &o)) break;
    if (!out->reply.finished) reply_abort(out);
    return VERDICT(REPLIED);
}

verdict_t fetch_verdict(fetch_t *f)
{
    return f->verdict;
}

void fetch_keep_apart(fetch_t *f)
{
    f->apart = true;
}

void fetch_leave(fetch_t *f)
{
    if (above(f)) above(f)->below = NULL;
    if (f->inner) {
        if (!f->apart) carry_over(f);
        detach(f);
    }
    f->outer = NULL;
    if (f->offer != OFFER_NONE) answer_offer(f, -EPIPE);
    free_if_over(f);
}

void fetch_cancel_all(void)
{
    LIST_EACH(l, &running) fiber_cancel(LIST_OF(l, fetch_t, link)->inner_fiber, -ECANCELED);
}
