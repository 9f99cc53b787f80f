#include "modules/upstream/proxy.h"

#include <string.h>

unsigned proxy_index, grpc_index;

/* --- the log --- */

/* Made for each line: most requests write none. */
void proxy_note_url(const proxy_t *p)
{
    request_t *r = p->r;
    str_t name = p->peer ? p->peer->name : p->target.group->name;
    bool local = str_starts(name, STR("unix:"));
    const proxy_schemes_t *schemes = p->conf->pass->schemes;
    str_t scheme = p->target.tls ? schemes->secure : schemes->plain;
    r->upstream_url = pool_printf(r->pool, STR_FMT STR_FMT "%s" STR_FMT, STR_ARG(scheme),
                                  STR_ARG(name), local ? ":" : "", STR_ARG(p->uri));
}

void proxy_log(const proxy_t *p, int level, int err, const char *text, const char *doing)
{
    const log_t *log = &p->r->log;
    if (level <= LOG_ERR && p->peer) peers_note_error(p->peer->place.state, err, text);
    if (level > log->level) return;
    proxy_note_url(p);
    if (err)
        log_write(log, level, 0, "%s (%d: %s) while %s", text, err, strerror(err), doing);
    else
        log_write(log, level, 0, "%s while %s", text, doing);
}

const char *proxy_fault(const proxy_t *p)
{
    const char *why = p->client->fault;
    return pool_printf(p->r->pool, "upstream sent invalid HTTP/2%s%s", why ? ": " : "",
                       why ? why : "").p;
}

/* --- the client's leaving --- */

void proxy_watch_client(proxy_t *p, bool on)
{
    if (p->hedge) return; /* the other fiber looks after it */
    if (on && p->conf->ignore_client_abort) return;
    p->watching = on;
    p->r->sink->watch(p->r, on);
}
