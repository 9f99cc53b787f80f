#include "modules/ssl/acme_agent.h"

#include <errno.h>
#include <openssl/rand.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/fiber.h"
#include "core/process/bell.h"
#include "http/resolve.h"
#include "modules/ssl/acme_files.h"
#include "modules/ssl/acme_order.h"
#include "modules/ssl/acme_policy.h"
#include "modules/ssl/acme_x509.h"

enum {
    SETTLE_MS = 1000,    /* workers that have just been started are to be there for the challenge */
    LOCK_MS = 1000,      /* how often the state_path is tried */
    LOOK_MS = 3600 * 1000, /* how often the clock on the wall is looked at */
    ALL_BELLS = (1 << BELLS) - 1,
};

typedef struct agent {
    struct agent *next;
    const acme_all_t *all;
    const acme_issuer_t *issuer;
    acme_board_t *board;
    fiber_t *fiber; /* NULL: it has ended */
    bool idle;      /* it sleeps until something is due */
    int lock;
    unsigned hurries;
} agent_t;

static agent_t *agents;
static bool stopping;

static uint32_t draw(void)
{
    uint32_t lot = 0;
    return RAND_bytes((unsigned char *)&lot, sizeof(lot)) == 1 ? lot : 0;
}

static bool is_mine(const agent_t *a, unsigned i)
{
    return a->all->certificates.v[i]->issuer == a->issuer;
}

/* --- when --- */

/* For these very names, with a key of this very kind. */
static bool is_wanted(const acme_certificate_t *c, const tls_identity_t *id)
{
    acme_key_type_t type;
    return acme_x509_is_for(id->cert, &c->names) && acme_key_type_of(id->key, &type) &&
           acme_key_type_eq(type, c->key_type);
}

/* In ms since 1970; 0: long since. fresh: it has come just now. */
static uint64_t renewal_of(const agent_t *a, const tls_identity_t *id, bool fresh)
{
    int64_t from, to, at, least = (int64_t)(a->issuer->retry_least / 1000);
    if (!acme_x509_life(id->cert, &from, &to)) from = to = 0;
    at = fresh ? acme_policy_next(from, to, clock_unix(), least, draw())
               : acme_policy_renewal(from, to, draw());
    return at > 0 ? (uint64_t)at * 1000 : 0;
}

/* What lies in the state_path; nothing that serves, or not for long: now. */
static void plan(const agent_t *a, unsigned i)
{
    const char *why;
    tls_identity_t id;
    acme_board_row_t row;
    const acme_certificate_t *c = a->all->certificates.v[i];
    acme_board_read(a->board, i, &row);
    bool there = acme_files_read(c, &id, &why);
    bool failing = (row.state == ACME_BOARD_FAILED || row.state == ACME_BOARD_ASKING) &&
                   row.next_ms > clock_unix_ms();
    if (!there && why)
        LOG(&log_main, LOG_ERR, 0, "acme: \"%s\" is not used: %s", c->path.p, why);
    if (failing) {
        row.state = ACME_BOARD_FAILED;
    } else {
        bool good = there && is_wanted(c, &id);
        row.next_ms = good ? renewal_of(a, &id, false) : 0;
        row.state = good ? ACME_BOARD_ISSUED : ACME_BOARD_WAITING;
    }
    if (there) tls_identity_clear(&id);
    acme_board_write(a->board, i, &row);
}

/* --- asking --- */

static void note_success(const agent_t *a, unsigned i, const tls_identity_t *id)
{
    acme_board_row_t row;
    acme_board_read(a->board, i, &row);
    row = (acme_board_row_t){.state = ACME_BOARD_ISSUED,
                             .version = row.version + 1,
                             .next_ms = renewal_of(a, id, true)};
    acme_board_write(a->board, i, &row);
    bell_ring(ALL_BELLS);
    LOG(&log_main, LOG_NOTICE, 0, "acme: " STR_FMT " has given a certificate for " STR_FMT,
        STR_ARG(a->issuer->name), STR_ARG(a->all->certificates.v[i]->name));
}

static uint64_t pause_of(const agent_t *a, unsigned failures, uint64_t asked_ms)
{
    return acme_policy_pause(failures, a->issuer->retry_least, a->issuer->retry_most, asked_ms,
                             draw());
}

static void note_failure(const agent_t *a, unsigned i, uint64_t asked_ms, const char *wrong)
{
    acme_board_row_t row;
    const acme_issuer_t *issuer = a->issuer;
    acme_board_read(a->board, i, &row);
    if (row.failures < UINT_MAX) row.failures++;
    uint64_t pause = pause_of(a, row.failures, asked_ms);
    row.state = ACME_BOARD_FAILED;
    row.next_ms = clock_unix_ms() + pause;
    acme_board_set_error(&row, wrong);
    acme_board_write(a->board, i, &row);
    LOG(&log_main, LOG_ERR, 0,
        "acme: no certificate for " STR_FMT " from " STR_FMT ": %s; tried again in %llu s",
        STR_ARG(a->all->certificates.v[i]->name), STR_ARG(issuer->name), wrong,
        (unsigned long long)(pause / 1000));
}

static const char *ask(const agent_t *a, const acme_certificate_t *c, acme_session_t *s,
                       tls_identity_t *out)
{
    const char *wrong = acme_session_open(s, a->issuer, s->pool);
    if (!wrong) wrong = acme_order_run(s, c, out);
    if (wrong) return wrong;
    int err = acme_files_write(c, out);
    if (err == 0) return NULL;
    tls_identity_clear(out);
    return pool_printf(s->pool, "\"%s\" cannot be written (%d: %s)", c->path.p, -err,
                       strerror(-err)).p;
}

/* Should this process die of it, the next one waits as after a failure. */
static void begin(const agent_t *a, unsigned i, acme_board_row_t *before)
{
    acme_board_row_t row;
    acme_board_read(a->board, i, before);
    row = *before;
    row.state = ACME_BOARD_ASKING;
    row.next_ms = clock_unix_ms() + pause_of(a, row.failures + 1, 0);
    acme_board_write(a->board, i, &row);
}

static void serve(const agent_t *a, unsigned i)
{
    acme_board_row_t before;
    tls_identity_t id = {.cert = NULL};
    acme_session_t s = {.pool = pool_create()};
    begin(a, i, &before);
    const char *wrong = ask(a, a->all->certificates.v[i], &s, &id);
    if (!wrong) note_success(a, i, &id);
    else if (stopping) acme_board_write(a->board, i, &before);
    else note_failure(a, i, s.asked_ms, wrong);
    tls_identity_clear(&id);
    acme_session_close(&s);
    pool_destroy(s.pool);
}

/* --- the fiber of an issuer --- */

/* The one whose turn comes first, and when. */
static unsigned next_of(const agent_t *a, uint64_t *at)
{
    unsigned found = 0;
    acme_board_row_t row;
    *at = UINT64_MAX;
    for (unsigned i = 0; i < a->all->certificates.n; i++) {
        if (!is_mine(a, i)) continue;
        acme_board_read(a->board, i, &row);
        if (row.next_ms >= *at) continue;
        *at = row.next_ms;
        found = i;
    }
    return found;
}

static void hurry(agent_t *a)
{
    acme_board_row_t row;
    unsigned hurries = acme_board_hurries(a->board);
    if (hurries == a->hurries) return;
    a->hurries = hurries;
    for (unsigned i = 0; i < a->all->certificates.n; i++) {
        acme_board_read(a->board, i, &row);
        if (!is_mine(a, i) || row.state != ACME_BOARD_FAILED) continue;
        row.next_ms = 0;
        acme_board_write(a->board, i, &row);
    }
}

/* Until the state_path is ours. False: told to stop before. */
static bool take_path(agent_t *a)
{
    for (bool said = false; !stopping;) {
        int err = acme_files_take(a->issuer, &a->lock);
        if (err == 0) return true;
        if (err != -EAGAIN && !said)
            LOG(&log_main, LOG_ERR, -err, "acme: the state_path \"" STR_FMT "\" cannot be used",
                STR_ARG(a->issuer->state_path));
        said |= err != -EAGAIN;
        fiber_sleep(LOCK_MS);
    }
    return false;
}

static void work(agent_t *a)
{
    uint64_t at;
    fiber_sleep(SETTLE_MS);
    acme_board_unchallenge(a->board, a->issuer->number); /* of one who was killed */
    a->hurries = acme_board_hurries(a->board);
    for (unsigned i = 0; i < a->all->certificates.n && !stopping; i++)
        if (is_mine(a, i)) plan(a, i);
    while (!stopping) {
        hurry(a);
        unsigned i = next_of(a, &at);
        uint64_t now = clock_unix_ms();
        a->idle = at > now;
        if (a->idle) fiber_suspend(at - now < LOOK_MS ? at - now : LOOK_MS);
        else serve(a, i);
    }
}

/* The last one to end leaves nothing behind. */
static void run(void *arg)
{
    agent_t *a = arg;
    bool any = false;
    if (take_path(a)) {
        work(a);
        close(a->lock);
    }
    a->fiber = NULL;
    for (const agent_t *it = agents; it; it = it->next) any |= it->fiber != NULL;
    if (!any) resolve_settle();
}

/* --- the process --- */

static void on_bell(bell_ear_t *ear)
{
    (void)ear;
    for (const agent_t *a = agents; a; a = a->next)
        if (a->fiber && a->idle && acme_board_hurries(a->board) != a->hurries)
            fiber_wake(a->fiber);
}

static bool start(acme_all_t *all, const acme_issuer_t *issuer)
{
    agent_t *a = POOL_NEW(all->pool, agent_t);
    *a = (agent_t){.next = agents, .all = all, .issuer = issuer, .board = acme_board(all->zone)};
    a->fiber = fiber_start(run, a);
    agents = a;
    return a->fiber;
}

int acme_agent_start(void *arg)
{
    static bell_ear_t ear = {.heard = on_bell};
    acme_all_t *all = arg;
    VEC_EACH(acme_issuer_t *const, it, &all->issuers)
        if ((*it)->used && !start(all, *it)) return -ENOMEM;
    return bell_listen(&ear);
}

void acme_agent_stop(void *arg)
{
    (void)arg;
    stopping = true;
    for (agent_t *a = agents; a; a = a->next)
        if (a->fiber) fiber_cancel(a->fiber, -ECANCELED);
}
