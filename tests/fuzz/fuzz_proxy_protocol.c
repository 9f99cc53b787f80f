/*
 * The header of the PROXY protocol: every beginning of what is accepted must ask for more, nothing
 * may be read behind the header, and what was read must survive being written and read again.
 */
#include <stdlib.h>

#include "http/proxy_protocol.h"

#define REQUIRE(expr) ((expr) ? (void)0 : abort())

/* A copy of exactly n bytes, so that a sanitizer sees what is read behind them. */
static proxy_protocol_result_t parse(const char *p, size_t n, proxy_protocol_t *out, size_t *used)
{
    char *copy = malloc(n + (n == 0));
    REQUIRE(copy);
    memcpy(copy, p, n);
    proxy_protocol_result_t r = proxy_protocol_parse(copy, n, out, used);
    free(copy);
    return r;
}

static void require_round_trip(const proxy_protocol_t *h, unsigned version)
{
    char out[PROXY_PROTOCOL_PUT_MAX];
    net_addr_t client = proxy_protocol_client(h), server = proxy_protocol_server(h);
    size_t n = proxy_protocol_put(out, version, &client, &server), used = 0;
    proxy_protocol_t again;
    REQUIRE(n <= sizeof(out));
    REQUIRE(parse(out, n, &again, &used) == PROXY_PROTOCOL_OK && used == n);
    REQUIRE(memcmp(&again, h, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    proxy_protocol_t h, part;
    size_t used = 0, ignored;
    proxy_protocol_result_t r = parse(p, size, &h, &used);
    if (r == PROXY_PROTOCOL_MORE) REQUIRE(size < PROXY_PROTOCOL_MAX);
    if (r != PROXY_PROTOCOL_OK) return 0;
    REQUIRE(used > 0 && used <= size && used <= PROXY_PROTOCOL_MAX);
    for (size_t n = 0; n < used; n += 1 + n / 16)
        REQUIRE(parse(p, n, &part, &ignored) == PROXY_PROTOCOL_MORE);
    REQUIRE(parse(p, used, &part, &ignored) == PROXY_PROTOCOL_OK && ignored == used);
    require_round_trip(&h, PROXY_PROTOCOL_V1);
    require_round_trip(&h, PROXY_PROTOCOL_V2);
    return 0;
}
