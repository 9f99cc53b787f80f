#include "modules/ssl/ssl_staple_fetch.h"

#include <errno.h>

#include "core/base/base64.h"
#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/process/bell.h"
#include "core/process/generation.h"
#include "http/client.h"
#include "http/http.h"
#include "http/resolve.h"
#include "http/uri.h"
#include "modules/ssl/acme_worker.h"

enum {
    LANES = 8,             /* certificates asked about at a time */
    STEP_MS = 10000,       /* of an exchange; thrice in all at most */
    ASK_LEAST = 1,         /* seconds */
    ASK_MOST = 24 * 3600,
    RETRY_LEAST = 5,
    RETRY_MOST = 600,
    REST_MOST = 60,
    HTTP_PORT = 80,
};

typedef struct lane {
    ssl_store_t *store;
    fiber_t *fiber;
    unsigned number; /* it has every LANESth certificate from this one on */
    bool resting;    /* until the next is due */
} lane_t;

static lane_t lanes[LANES]; /* of this process */
static bool stopping;

/* --- times --- */

time_t ssl_staple_fetch_again(time_t now, time_t until)
{
    time_t half = (until - now) / 2;
    return now + (half < ASK_LEAST ? ASK_LEAST : half > ASK_MOST ? ASK_MOST : half);
}

time_t ssl_staple_fetch_retry(time_t now, unsigned failures)
{
    time_t wait = RETRY_LEAST;
    for (unsigned i = 1; i < failures && wait < RETRY_MOST; i++) wait *= 2;
    return now + (wait < RETRY_MOST ? wait : RETRY_MOST);
}

/* --- one exchange --- */

typedef struct exchange {
    const ssl_staple_t *of;
    pool_t *pool;
    uri_t uri;
    uint64_t until; /* clock_ms */
    str_t body;
    const char *wrong;
} exchange_t;

static bool fail(exchange_t *x, const char *wrong)
{
    x->wrong = wrong;
    return false;
}

static bool fail_with(exchange_t *x, int err)
{
    return fail(x, err == -ENODATA ? "the responder closed the connection"
                   : err == -EBADMSG || err == -EMSGSIZE ? "the responder speaks no HTTP"
                                                         : strerror(-err));
}

static bool find_address(exchange_t *x, net_addr_t *addr)
{
    str_t host;
    uint16_t port;
    const char *why;
    resolver_answer_t found;
    if (!uri_split_host(x->uri.authority, &host, &port)) return fail(x, "its address is malformed");
    if (net_parse(x->uri.authority, HTTP_PORT, addr)) return true;
    resolver_t *r = resolve_for(x->of->http);
    if (!r || resolver_lookup(r, x->pool, host, &found, &why) < 0)
        return fail(x, r ? why : "there is no resolver");
    *addr = found.addrs[0];
    net_set_port(addr, port ? port : HTTP_PORT);
    return true;
}

/* The question stands in the path (RFC 5019 section 5), so that the answer may come from a
   cache. */
static str_t head_of(exchange_t *x, str_t question)
{
    str_t path = x->uri.path, escaped;
    escaped = uri_escape(x->pool, base64_encode(x->pool, question), URI_ESCAPE_COMPONENT);
    bool slashed = path.n && path.p[path.n - 1] == '/';
    return pool_printf(x->pool,
                       "GET " STR_FMT "%s" STR_FMT " HTTP/1.1\r\nHost: " STR_FMT "\r\n"
                       "Accept: application/ocsp-response\r\nConnection: close\r\n\r\n",
                       STR_ARG(path), slashed ? "" : "/", STR_ARG(escaped),
                       STR_ARG(x->uri.authority));
}

static bool read_body(exchange_t *x, client_t *c)
{
    strbuf_t body = {.pool = x->pool};
    for (;;) {
        str_t piece;
        ssize_t n = client_next(c, &piece);
        int err = n == -EAGAIN ? client_fill(c) : n < 0 ? (int)n : 0;
        if (err < 0) return fail_with(x, err);
        if (n == 0) break;
        if (n > 0) strbuf_add(&body, piece);
        if (body.n > SSL_OCSP_MOST) return fail(x, "the answer is too long");
        if (clock_ms() > x->until) return fail_with(x, -ETIMEDOUT);
    }
    x->body = strbuf_text(&body);
    return true;
}

static bool exchange(exchange_t *x, client_t *c, str_t head)
{
    enum { BUFFER = 4096, HEAD_MOST = 16 * 1024, STATUS_OK = 200 };
    struct iovec iov = {(char *)(uintptr_t)head.p, head.n};
    c->buffer_size = BUFFER;
    c->head_max = HEAD_MOST;
    c->send_timeout = c->read_timeout = STEP_MS;
    int err = client_send(c, &iov, 1);
    c->sent = err == 0;
    if (err >= 0) err = client_head(c);
    if (err < 0) return fail_with(x, err);
    if (c->head.status != STATUS_OK) return fail(x, "the responder's status is not 200");
    return read_body(x, c);
}

static bool ask(exchange_t *x, str_t url, str_t question)
{
    net_addr_t addr;
    int err;
    if (!uri_split(url, &x->uri) || !str_eq(x->uri.scheme, STR("http")))
        return fail(x, "the responder's address is no http:// URL");
    if (!find_address(x, &addr)) return false;
    origin_t *o = origin_open(&addr, NULL, STEP_MS, &err);
    if (!o) return fail_with(x, err);
    client_t *c = client_new(x->pool, o);
    bool ok = exchange(x, c, head_of(x, question));
    client_close(c);
    return ok;
}

/* --- one certificate --- */

/* One that is revoked is not shown as good any longer; otherwise what was said before holds. */
static void judge(exchange_t *x)
{
    const ssl_staple_t *s = x->of;
    ssl_staples_t *all = s->store->staples->root;
    time_t now = clock_unix(), until = 0;
    ssl_ocsp_subject_t of = ssl_stapling_subject(s);
    x->wrong = ssl_ocsp_judge(x->body, &of, now, &until);
    X509_free(of.issuer);
    ssl_staple_times_t times = {until, ssl_staple_fetch_again(now, until)};
    if (!x->wrong && !ssl_staples_put(all, s->place, x->body, times))
        fail(x, "there is no room for it");
    if (x->wrong == ssl_ocsp_revoked)
        ssl_staples_put(all, s->place, STR(""), (ssl_staple_times_t){.until = 0});
}

static const char no_issuer[] = "its issuer is not known";
static const char no_responder[] = "it names no OCSP responder";

static const char *renew(const ssl_staple_t *s)
{
    exchange_t x = {.of = s, .pool = pool_create(), .until = clock_ms() + 3 * STEP_MS};
    unsigned edition = s->edition;
    ssl_ocsp_subject_t of = ssl_stapling_subject(s);
    str_t url = s->responder.n ? s->responder : ssl_ocsp_responder(x.pool, of.cert);
    str_t question = of.issuer ? ssl_ocsp_question(x.pool, &of) : STR("");
    X509_free(of.issuer);
    if (!question.n) fail(&x, no_issuer);
    else if (!url.n) fail(&x, no_responder);
    else if (ask(&x, url, question)) {
        if (s->of->edition == edition) judge(&x);
        else fail(&x, "the certificate has been replaced meanwhile");
    }
    pool_destroy(x.pool);
    return x.wrong;
}

/* Some authorities have no responder, and the stopgap has no issuer: no fault of anybody's. */
static bool is_excused(ssl_staple_t *s, const char *wrong)
{
    if (!s->of->asked_for || (wrong != no_issuer && wrong != no_responder)) return false;
    if (wrong == no_responder && s->excused != s->edition)
        LOG(&log_main, LOG_NOTICE, 0, "\"ssl_stapling\" ignored for certificate \"%s\": %s",
            s->of->file.path, wrong);
    s->excused = s->edition;
    return true;
}

/* Asks when it is time; when it will be again. */
static time_t look_after(ssl_staple_t *s)
{
    ssl_staples_t *all = s->store->staples->root;
    if (!ssl_stapling_bind(s, true)) return clock_unix() + REST_MOST;
    time_t at = ssl_staples_times(all, s->place).ask_at;
    if (at > clock_unix()) return at;
    const char *wrong = renew(s);
    if (is_excused(s, wrong)) return clock_unix() + REST_MOST;
    s->failures = wrong ? s->failures + 1 : 0;
    if (!wrong) return ssl_staples_times(all, s->place).ask_at;
    if (fiber_cancelled(fiber_self())) return 0;
    at = ssl_staple_fetch_retry(clock_unix(), s->failures);
    ssl_staples_postpone(all, s->place, at);
    LOG(&log_main, LOG_ERR, 0,
        "no good OCSP response for certificate \"%s\": %s; asking again in %lld s",
        s->of->file.path, wrong, (long long)(at - clock_unix()));
    return at;
}

/* --- the process --- */

static int rest(lane_t *l, time_t next)
{
    time_t now = clock_unix();
    l->resting = true;
    int err = fiber_sleep(1000 * (uint64_t)(next > now ? next - now : 1));
    l->resting = false;
    return err;
}

static void run(void *arg)
{
    lane_t *l = arg;
    int err = 0;
    while (!err && !stopping) {
        time_t next = clock_unix() + REST_MOST;
        for (uint32_t i = l->number; i < l->store->fetched.n && !stopping; i += LANES) {
            time_t at = look_after(l->store->fetched.v[i]);
            if (at < next) next = at;
        }
        err = rest(l, next);
    }
    l->fiber = NULL;
    for (unsigned i = 0; i < LANES; i++)
        if (lanes[i].fiber) return;
    resolve_settle();
}

static void on_bell(bell_ear_t *ear)
{
    (void)ear;
    ssl_staple_fetch_wake();
}

/* Certificates that come by ACME are taken up here as workers do. */
static int follow_acme(const acme_all_t *all)
{
    static bell_ear_t ear = {.heard = on_bell};
    int err = all ? acme_worker_start(all) : 0;
    return all && !err ? bell_listen(&ear) : err;
}

static int start(void *arg)
{
    ssl_store_t *store = arg;
    for (unsigned i = 0; i < LANES && i < store->fetched.n; i++) {
        lanes[i] = (lane_t){.store = store, .number = i};
        lanes[i].fiber = fiber_start(run, &lanes[i]);
        if (!lanes[i].fiber) return -ENOMEM;
    }
    return follow_acme(store->acme);
}

static void stop(void *arg)
{
    (void)arg;
    stopping = true;
    for (unsigned i = 0; i < LANES; i++)
        if (lanes[i].fiber) fiber_cancel(lanes[i].fiber, -ECANCELED);
}

void ssl_staple_fetch_wake(void)
{
    for (unsigned i = 0; i < LANES; i++)
        if (lanes[i].fiber && lanes[i].resting) fiber_wake(lanes[i].fiber);
}

/* --- the configuration --- */

bool ssl_staple_fetch_want(conf_t *cf, ssl_store_t *store)
{
    const char *why;
    if (!store->fetched.n) return true;
    size_t *size = POOL_NEW(cf->pool, size_t);
    *size = ssl_staples_size(store->fetched.n);
    store->staples = zone_want(&generation_of(cf)->zones, STR("ssl stapling"), *size,
                               "ssl stapling", ssl_staples_init, size, &why);
    if (!store->staples) return conf_error(cf, NULL, 0, NULL, "%s", why);
    helper_want(&generation_of(cf)->helpers, &(helper_t){.name = "OCSP process",
                                                         .start = start,
                                                         .stop = stop,
                                                         .arg = store});
    return true;
}
