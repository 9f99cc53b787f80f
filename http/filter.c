#include "http/filter.h"

#include "http/request.h"

void filter_push(request_t *r, filter_body_fn body, void *state)
{
    filter_t *f = POOL_NEW(r->pool, filter_t);
    *f = (filter_t){.next = r->reply.filters, .body = body, .state = state};
    r->reply.filters = f;
}

int filter_pass(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    filter_t *next = f->next;
    return next ? next->body(next, r, pieces, n, flags) : r->sink->body(r, pieces, n, flags);
}
