#include "http/proxy_read.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "http/http.h"
#include "http/proxy_protocol.h"

static const char *const doing = "while reading PROXY protocol";

/* --- what is wrong --- */

static bool broken(const conn_t *c, const log_t *log)
{
    enum { SHOWN = 128 };
    char text[4 * SHOWN];
    str_t in = buf_str(c->in);
    if (in.n > SHOWN) in.n = SHOWN;
    size_t n = log_escape(text, sizeof(text), in);
    LOG(log, LOG_ERR, 0, "broken header: \"%.*s\" %s", (int)n, text, doing);
    return false;
}

static bool lost(const conn_t *c, const log_t *log, ssize_t err)
{
    if (err == -ETIMEDOUT && buf_used(c->in)) return broken(c, log);
    if (err == -ETIMEDOUT)
        LOG(log, LOG_INFO, 0, "client timed out (110: Connection timed out) %s", doing);
    else if (err == 0)
        LOG(log, LOG_INFO, 0, "client closed connection %s", doing);
    else
        LOG(log, LOG_INFO, (int)-err, "recv() failed %s", doing);
    return false;
}

/* --- reading --- */

static void take(conn_t *c, const proxy_protocol_t *header, size_t used)
{
    c->in->pos += used;
    c->proxied = malloc(sizeof(*header));
    if (!c->proxied) panic("out of memory: connection");
    *c->proxied = *header;
}

bool proxy_read(conn_t *c)
{
    const http_conf_t *conf = http_conf(conn_site(c)->fallback->conf);
    uint64_t deadline = c->accepted_ms + conf->client_header_timeout;
    log_t log = conn_log(c);
    proxy_protocol_t header;
    size_t used = 0;
    for (;;) {
        proxy_protocol_result_t result =
            proxy_protocol_parse(c->in->pos, buf_used(c->in), &header, &used);
        if (result == PROXY_PROTOCOL_OK) return take(c, &header, used), true;
        if (result == PROXY_PROTOCOL_BAD) return broken(c, &log);
        uint64_t now = clock_ms();
        ssize_t got = stream_read(&c->stream, c->in->last, buf_room(c->in),
                                  now < deadline ? deadline - now : 0);
        if (got <= 0) return lost(c, &log, got);
        c->in->last += got;
    }
}
