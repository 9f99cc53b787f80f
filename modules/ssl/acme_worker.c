#include "modules/ssl/acme_worker.h"

#include "core/process/bell.h"
#include "modules/ssl/acme_answer.h"
#include "modules/ssl/acme_files.h"

static const acme_all_t *all; /* NULL: no certificates */
static unsigned *seen;        /* the versions that are shown */

/* What is wrong with a file is the agent's to say. */
static void take_up(const acme_certificate_t *c)
{
    const char *why;
    tls_identity_t id;
    if (!c->shown || !acme_files_read(c, &id, &why)) return;
    ssl_certificate_replace(c->shown, &id);
    tls_identity_clear(&id);
}

static void look(bool at_start)
{
    for (uint32_t i = 0; i < all->certificates.n; i++) {
        unsigned version = acme_board_version(acme_board(all->zone), i);
        if (version == seen[i] && !at_start) continue;
        seen[i] = version;
        take_up(all->certificates.v[i]);
    }
}

static void on_bell(bell_ear_t *ear)
{
    (void)ear;
    if (all) look(false);
}

int acme_worker_start(const acme_all_t *of)
{
    static bell_ear_t ear = {.heard = on_bell};
    if (!of || !of->zone || all) return 0;
    all = of;
    seen = POOL_ARRAY(of->pool, unsigned, of->certificates.n);
    acme_answer_from(acme_board(of->zone));
    look(true);
    return bell_listen(&ear);
}

void acme_worker_stop(void)
{
    all = NULL;
    acme_answer_from(NULL);
}
