#include "modules/upstream/proxy_upload.h"

#include <errno.h>
#include <unistd.h>

enum { FILE_PIECE = 64 * 1024, PIECES_AT_ONCE = 8 /* before the answer is looked for */ };

/* --- the body, in either fiber: 0 when it is all on its way --- */

static int send_file(proxy_t *p)
{
    buf_t *b = buf_take(FILE_PIECE);
    int64_t at = 0;
    int r = 0;
    while (r == 0 && at < p->body_length) {
        ssize_t got;
        do got = pread(p->r->body.fd, b->start, buf_capacity(b), at);
        while (got < 0 && errno == EINTR);
        if (got <= 0) r = got ? -errno : -EIO; /* the file has become shorter */
        else r = client_send_body(p->client, str_make(b->start, (size_t)got),
                                  (at += got) == p->body_length);
    }
    buf_return(b);
    return r;
}

/* 1: the client's body is at its end, or has failed; 0: *piece came. */
static int next_piece(proxy_t *p, str_t *piece)
{
    p->body_begun = true;
    ssize_t got = body_next(p->r, piece);
    if (got < 0) p->upload_error = (int)got;
    return got <= 0;
}

static int end_stream(proxy_t *p)
{
    proxy_request_take_trailers(p);
    if (p->trailers) client_set_trailers(p->client, p->trailers);
    return client_send_body(p->client, STR(""), true);
}

static int send_stream(proxy_t *p)
{
    str_t piece = p->upload_first;
    int r = piece.n ? client_send_body(p->client, piece, false) : 0;
    while (r == 0 && !next_piece(p, &piece)) r = client_send_body(p->client, piece, false);
    return r == 0 && !p->upload_error ? end_stream(p) : r;
}

static int send_body(proxy_t *p)
{
    if (p->body_streamed) return send_stream(p);
    if (p->trailers) client_set_trailers(p->client, p->trailers);
    return p->body_in_file ? send_file(p) : client_send_body(p->client, p->body, true);
}

/* --- the fiber --- */

static void run(void *arg)
{
    proxy_t *p = arg;
    int r = send_body(p);
    bool ended = fiber_cancelled(fiber_self()); /* by proxy_upload_end: nobody is interested */
    if (p->upload_error && !ended) client_fail(p->client, -ECONNABORTED);
    else if (r < 0 && !ended) client_fail(p->client, r);
    p->uploader = NULL;
}

void proxy_upload_end(proxy_t *p)
{
    if (p->uploader) fiber_cancel(p->uploader, -ECANCELED);
    while (p->uploader) fiber_yield(); /* none of its waits lasts */
}

/* --- the door --- */

/* What goes without waiting is sent here. 1 when that was all, 0, or an error. */
static int send_at_once(proxy_t *p)
{
    if (p->body_in_file) return 0;
    if (!p->body_streamed) {
        if (client_credit(p->client) < p->body.n) return 0;
        int r = send_body(p);
        return r < 0 ? r : 1;
    }
    p->upload_first = (str_t){NULL, 0};
    for (int i = 0; i < PIECES_AT_ONCE && body_readable(p->r); i++) {
        str_t piece;
        if (next_piece(p, &piece)) {
            if (p->upload_error) return p->upload_error;
            int r = end_stream(p);
            return r < 0 ? r : 1;
        }
        if (client_credit(p->client) < piece.n) {
            p->upload_first = piece;
            return 0;
        }
        int r = client_send_body(p->client, piece, false);
        if (r != 0) return r;
    }
    return 0;
}

static bool has_body(const proxy_t *p)
{
    return p->has_body && (p->body_length != 0 || p->trailers);
}

proxy_sent_t proxy_upload(proxy_t *p, str_t uri, int *err)
{
    buf_t *head = proxy_request_head(p, uri);
    p->upload_error = 0;
    *err = p->extended ? client_begin_tunnel(p->client, buf_str(head), p->target.tls, p->protocol)
                       : client_begin(p->client, buf_str(head), p->target.tls, !has_body(p));
    buf_return(head);
    p->request_sent = true;
    if (*err < 0) return PROXY_SENT_ERROR;
    if (!has_body(p)) return PROXY_SENT;
    int r = send_at_once(p);
    if (p->upload_error) {
        *err = p->upload_error;
        return PROXY_SENT_CLIENT;
    }
    if (r < 0) *err = r;
    if (r != 0) return r < 0 ? PROXY_SENT_ERROR : PROXY_SENT;
    p->uploader = fiber_start(run, p);
    if (p->uploader) return PROXY_SENT_PART;
    *err = -EMFILE;
    return PROXY_SENT_ERROR;
}
