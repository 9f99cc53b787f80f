/*
 * mirror: a request is sent to another URI, too, whose answer nobody gets.
 *
 *     location / { mirror /mirror; proxy_pass http://app; }
 *     location = /mirror { internal; proxy_pass http://test$request_uri; }
 *
 * The copy is an inner request that nobody waits for: neither this request nor the next one of its
 * connection. With a body to copy that is gathered whole first.
 */
#include "http/fetch.h"
#include "http/http.h"

typedef struct mirror_conf {
    conf_strs_t uris;
    bool body;
} mirror_conf_t;

static unsigned mirror_index;

/* --- of the answer --- */

static int take_head(void *state, request_t *in, bool outer_waits)
{
    (void)state, (void)in, (void)outer_waits;
    return FETCH_TAKE;
}

static int drop_body(void *state, request_t *in, const piece_t *pieces, unsigned n, unsigned flags)
{
    (void)state, (void)in, (void)pieces, (void)n, (void)flags;
    return 0;
}

static void end(void *state, request_t *in, verdict_t v)
{
    (void)state;
    if (v.kind == VERDICT_REFUSE && v.reason) LOG(&in->log, v.level, 0, "%s", v.reason);
}

static const fetch_ops_t ops = {take_head, drop_body, end};

/* --- in a request --- */

/* The same request but for its URI. */
static void send_copy(request_t *r, const mirror_conf_t *c, str_t uri)
{
    request_t *in = fetch_request_elsewhere(r, uri);
    in->method = pool_str(in->pool, r->method);
    in->method_id = r->method_id;
    in->head.method_id = r->head.method_id;
    in->args = request_copy_text(in->pool, r->args);
    int err = c->body && body_present(r) ? body_share(r, in) : 0;
    if (err < 0) {
        LOG(&r->log, LOG_ERR, -err, "the body cannot be mirrored");
        request_end(in);
        return;
    }
    if (!fetch_start(NULL, in, &ops, NULL))
        LOG(&r->log, LOG_WARNING, 0, "no connection is left to mirror the request");
}

static verdict_t mirror(request_t *r)
{
    const mirror_conf_t *c = request_conf(r, mirror_index);
    if (!c->uris.n || r->inner) return VERDICT(NEXT);
    int err = c->body ? body_gather(r) : 0;
    if (err < 0) return body_verdict(r, err);
    VEC_EACH(const str_t, uri, &c->uris) send_copy(r, c, *uri);
    return VERDICT(NEXT);
}

/* --- while the configuration is read --- */

static bool add_uri(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t uri = node->words[1].text;
    if (str_eq(uri, STR("off"))) return true;
    if (!str_starts(uri, STR("/")))
        return conf_error(cf, node, 1, "a URI of this server, for example /mirror, or off",
                          "\"" STR_FMT "\" does not begin with \"/\"", STR_ARG(uri));
    *VEC_PUSH(cf->pool, CONF_AT(row, conf, conf_strs_t)) = uri;
    return true;
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("mirror", CONF_HTTP_ALL, CONF_MANY, 1, 1, add_uri,
                CONF_FIELD(mirror_conf_t, uris, conf_strs_t), NULL,
                "a URI that requests are sent to as well, or off; its answer is dropped"),
    CONF_FLAG("mirror_request_body", CONF_HTTP_ALL, mirror_conf_t, body, "on",
              "whether the copy has the request's body"),
    CONF_END,
};

static const http_hooks_t hooks = {.phase = {[PHASE_PRECONTENT] = mirror}};

const module_t mirror_module = {
    .name = "mirror",
    .index = &mirror_index,
    .rows = rows,
    .conf_size = sizeof(mirror_conf_t),
    .hooks = &hooks,
};
