#include "http/h2_request.h"

#include <errno.h>

#include "http/flow.h"
#include "http/h2_reply.h"
#include "http/h2_stream.h"

static void refuse(request_t *r, const h2_stream_t *s, parse_error_t e)
{
    const char *where = r->head.line.n ? "headers" : "pseudo-headers";
    if (s->head.large)
        flow_refuse(r, s->head.large_path ? 414 : 431, LOG_INFO,
                    s->head.large_path ? "client sent too long URI"
                                       : "client sent too large request header");
    else
        flow_refuse(r, parse_error_status(e), LOG_INFO,
                    pool_printf(r->pool, "client sent %s while reading client request %s",
                                parse_error_text(e), where).p);
}

static void run(void *arg)
{
    h2_stream_t *s = arg;
    request_t *r = s->r = request_new(s->h2->conn, &h2_reply_sink);
    r->sink_state = s;
    r->serial = ++s->h2->conn->requests;
    r->received = s->head.size;
    parse_error_t e = h2_head_read(&s->head, s->ended && !s->in, &r->head, &s->extended);
    if (e != PARSE_OK || s->head.large) {
        refuse(r, s, e);
    } else {
        r->method = r->head.method;
        r->method_id = r->head.method_id;
        flow_run(r);
    }
    if (!r->detached) h2_stream_release(s);
}

void h2_request_begin(h2_stream_t *s)
{
    h2_t *h2 = s->h2;
    list_remove(&s->queue);
    s->fiber = fiber_start(run, s);
    if (s->fiber) {
        h2->fibers++;
        return;
    }
    log_t log = conn_log(h2->conn);
    LOG(&log, LOG_ALERT, errno, "no stack for a request");
    h2_stream_reset(s, NGHTTP2_REFUSED_STREAM);
}
