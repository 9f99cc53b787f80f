#include "modules/upstream/probe_grpc.h"

enum { FRAME_HEAD = 5, FIELD_SERVICE = 0x0a, FIELD_STATUS = 0x08, SERVING = 1 };

str_t probe_grpc_body(pool_t *pool, str_t service)
{
    size_t length = service.n ? service.n + 2 : 0;
    char *p = pool_bytes(pool, FRAME_HEAD + length);
    memset(p, 0, FRAME_HEAD);
    p[FRAME_HEAD - 1] = (char)length;
    if (!length) return str_make(p, FRAME_HEAD);
    p[FRAME_HEAD] = FIELD_SERVICE;
    p[FRAME_HEAD + 1] = (char)service.n;
    memcpy(p + FRAME_HEAD + 2, service.p, service.n);
    return str_make(p, FRAME_HEAD + length);
}

/* Of the trailers, or of a head that is all there is. -1: none. */
static int status_of(const client_t *c)
{
    uint64_t n;
    const header_t *h = header_next_named(&c->trailers, STR("grpc-status"), NULL);
    if (!h) h = header_next_named(&c->head.headers, STR("grpc-status"), NULL);
    return h && str_to_u64(h->value, &n) && n <= UINT16_MAX ? (int)n : -1;
}

static bool says_serving(str_t body)
{
    str_t message = str_sub(body, body.n < FRAME_HEAD ? body.n : FRAME_HEAD, body.n);
    return message.n >= 2 && message.p[0] == FIELD_STATUS && message.p[1] == SERVING;
}

fault_t probe_grpc_judge(const client_t *c, str_t body, unsigned accepted)
{
    int status = status_of(c);
    if (c->head.status != 200) return fault_make(FAULT_STATUS, c->head.status);
    if (status < 0) return fault_make(FAULT_INVALID, 0);
    if (status) return (unsigned)status == accepted ? 0 : fault_make(FAULT_GRPC, (unsigned)status);
    return says_serving(body) ? 0 : fault_make(FAULT_NOT_SERVING, 0);
}
