/*
 * auth_request: another request, asked first, says whether this one may come in.
 *
 *     auth_request /verify; auth_request_set $user $upstream_http_x_user;
 *
 * An answer of 2xx lets the client in, 401 (with its challenge) and 403 are passed on, any other is
 * a 500. The question is an inner request with the client's header fields and without a body; of
 * its answer the head alone counts.
 */
#include "http/fetch.h"
#include "http/http.h"

typedef struct auth_set {
    unsigned var;
    text_t value; /* evaluated in the inner request */
} auth_set_t;

typedef VEC(auth_set_t) auth_sets_t;

typedef struct auth_request_conf {
    str_t uri; /* n 0: nobody is asked */
    auth_sets_t sets;
} auth_request_conf_t;

/* One question; in the outer request's pool, used only while that waits. */
typedef struct question {
    request_t *r;
    const auth_request_conf_t *conf;
    int status;
} question_t;

static unsigned auth_request_index;

/* --- the answer, in the inner request's fiber --- */

static int take_head(void *state, request_t *in, bool outer_waits)
{
    question_t *q = state;
    if (!outer_waits) return FETCH_TAKE;
    q->status = in->reply.status;
    VEC_EACH(const auth_set_t, set, &q->conf->sets)
        var_put(q->r, set->var, pool_str(q->r->pool, text_eval(&set->value, in)));
    if (q->status == 401 && header_get(&in->reply.headers, HEADER_WWW_AUTHENTICATE))
        q->r->challenge = pool_str(q->r->pool, header_join(&in->reply.headers,
                                                           STR("WWW-Authenticate")));
    return FETCH_TAKE;
}

static int drop_body(void *state, request_t *in, const piece_t *pieces, unsigned n, unsigned flags)
{
    (void)state, (void)in, (void)pieces, (void)n, (void)flags;
    return 0;
}

static void end(void *state, request_t *in, verdict_t v)
{
    (void)state, (void)in, (void)v;
}

static const fetch_ops_t ops = {take_head, drop_body, end};

/* --- in a request --- */

static verdict_t judge(request_t *r, int status)
{
    if (status >= 200 && status < 300) return VERDICT(GRANT);
    if (status == 401 || status == 403) return verdict_refuse(status, LOG_ERR, NULL);
    return verdict_refuse(500, LOG_ERR,
                          pool_printf(r->pool, "auth request unexpected status: %d", status).p);
}

static verdict_t ask(request_t *r)
{
    const auth_request_conf_t *c = request_conf(r, auth_request_index);
    if (!c->uri.n) return VERDICT(NEXT);
    question_t q = {.r = r, .conf = c};
    request_t *in = fetch_request_elsewhere(r, c->uri);
    fetch_whole(in); /* a 304 would be no answer */
    fetch_t *f = fetch_start(r, in, &ops, &q);
    if (!f) return verdict_refuse(503, LOG_ERR, "no connection is left for an auth request");
    fetch_stage_t stage = fetch_wait(f);
    int status = stage == FETCH_ENDED ? fetch_verdict(f).status : q.status;
    fetch_leave(f);
    if (stage == FETCH_LEFT)
        return verdict_refuse(499, LOG_INFO, "client prematurely closed connection while waiting "
                                             "for an auth request");
    return judge(r, status);
}

/* --- while the configuration is read --- */

static bool set_uri(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    auth_request_conf_t *c = conf;
    str_t uri = node->words[1].text;
    (void)row;
    if (uri.n && uri.p[0] != '/' && !str_eq(uri, STR("off")))
        return conf_error(cf, node, 1, "a URI of this server, for example /verify, or off",
                          "\"" STR_FMT "\" does not begin with \"/\"", STR_ARG(uri));
    c->uri = str_eq(uri, STR("off")) ? STR("") : uri;
    return true;
}

static bool add_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    auth_request_conf_t *c = conf;
    (void)row;
    int var = var_define_word(cf, node, 1);
    if (var < 0) return false;
    auth_set_t *set = VEC_PUSH(cf->pool, &c->sets);
    set->var = (unsigned)var;
    return text_compile(cf, node, 2, node->words[2].text, &set->value);
}

#define CONF auth_request_conf_t

static const conf_row_t rows[] = {
    CONF_CUSTOM("auth_request", CONF_HTTP_ALL, 0, 1, 1, set_uri, CONF_FIELD(CONF, uri, str_t), NULL,
                "the URI that is asked whether a client may come in (2xx: yes), or off"),
    CONF_CUSTOM("auth_request_set", CONF_HTTP_ALL, CONF_MANY, 2, 2, add_set,
                CONF_FIELD(CONF, sets, auth_sets_t), NULL,
                "a variable that is set when the auth request has been answered, and to what"),
    CONF_END,
};

static const http_hooks_t hooks = {.phase = {[PHASE_ACCESS] = ask}};

const module_t auth_request_module = {
    .name = "auth_request",
    .index = &auth_request_index,
    .rows = rows,
    .conf_size = sizeof(auth_request_conf_t),
    .hooks = &hooks,
};
