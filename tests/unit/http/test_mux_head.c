#include "http/mux_head.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* The head as HTTP/2 has it, "name=value" one a line. */
static const char *made_for(const char *head, bool https, const char *protocol)
{
    static char out[4096];
    char copy[4096];
    mux_head_t fields;
    pool_t *pool = pool_create();
    size_t n = strlen(head), at = 0;
    memcpy(copy, head, n + 1);
    mux_head_make(pool, copy, n, https, str_of(protocol), &fields);
    VEC_EACH(const nghttp2_nv, nv, &fields)
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%.*s=%.*s\n", (int)nv->namelen,
                               (const char *)nv->name, (int)nv->valuelen, (const char *)nv->value);
    pool_destroy(pool);
    out[at] = '\0';
    return out;
}

static const char *made_of(const char *head, bool https)
{
    return made_for(head, https, "");
}

Test(mux_head, pseudo_fields_come_first)
{
    cr_assert_str_eq(made_of("GET /a?b HTTP/1.1\r\nAccept: x\r\nHost: h:1\r\nX-B: c d\r\n\r\n",
                             true),
                     ":method=GET\n:scheme=https\n:authority=h:1\n:path=/a?b\naccept=x\nx-b=c d\n");
    cr_assert_str_eq(made_of("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", false),
                     ":method=OPTIONS\n:scheme=http\n:authority=h\n:path=*\n");
}

/* RFC 9113 8.3.1: no authority rather than an empty one. */
Test(mux_head, no_host_is_no_authority)
{
    cr_assert_str_eq(made_of("GET / HTTP/1.1\r\nHost: \r\nA: b\r\n\r\n", false),
                     ":method=GET\n:scheme=http\n:path=/\na=b\n");
    cr_assert_str_eq(made_of("GET / HTTP/1.1\r\n\r\n", false),
                     ":method=GET\n:scheme=http\n:path=/\n");
}

/* RFC 9113 8.2.2 */
Test(mux_head, what_belongs_to_a_connection_is_left_out)
{
    cr_assert_str_eq(made_of("POST / HTTP/1.1\r\nHost: h\r\nConnection: TE\r\nKeep-Alive: 1\r\n"
                             "Proxy-Connection: close\r\nTransfer-Encoding: chunked\r\n"
                             "Upgrade: h2c\r\nHTTP2-Settings: x\r\nTE: gzip\r\n"
                             "Content-Length: 3\r\n\r\n", false),
                     ":method=POST\n:scheme=http\n:authority=h\n:path=/\ncontent-length=3\n");
}

Test(mux_head, te_is_trailers_once)
{
    cr_assert_str_eq(made_of("GET / HTTP/1.1\r\nTE: trailers\r\nTE: trailers\r\n\r\n", false),
                     ":method=GET\n:scheme=http\n:path=/\nte=trailers\n");
}

/* RFC 9113 8.2.1: values have no outer whitespace. */
Test(mux_head, values_are_trimmed_and_may_be_empty)
{
    cr_assert_str_eq(made_of("GET / HTTP/1.1\r\nX-A:  b \t\r\nX-E: \r\nX-C: a: b\r\n\r\n", false),
                     ":method=GET\n:scheme=http\n:path=/\nx-a=b\nx-e=\nx-c=a: b\n");
}

/* RFC 8441 5: the example's request, but for the fields of the connection. */
Test(mux_head, an_upgrade_is_an_extended_connect)
{
    cr_assert_str_eq(made_for("GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"
                              "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Protocol: chat, superchat\r\n"
                              "Sec-WebSocket-Version: 13\r\n\r\n", true, "websocket"),
                     ":method=CONNECT\n:scheme=https\n:authority=server.example.com\n"
                     ":path=/chat\n:protocol=websocket\nsec-websocket-protocol=chat, superchat\n"
                     "sec-websocket-version=13\n");
}
