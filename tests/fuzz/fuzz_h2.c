/*
 * A server's session of HTTP/2: whatever a client sends, cut anywhere, a head that is accepted has
 * nothing in it that an origin could misread, accounts of bodies add up, and everything is given
 * back.
 */
#include <stdlib.h>

#include "core/base/clock.h"
#include "http/h2_session.h"
#include "http/h2_stream.h"

#define REQUIRE(expr) ((expr) ? (void)0 : abort())

static const http_conf_t conf = {.large_buffers_count = 4, .large_buffer_size = 1024};
static const h2_conf_t limits = {
    .max_streams = 16, .recv_buffer = 65536, .chunk = 8192, .preread = 65536};
static void *structs[64];
static site_server_t server = {.conf = structs};
static site_address_t address = {.fallback = &server};
static listen_t listener = {.data = &address};

static void begin(h2_t *h2, conn_t *c)
{
    http_index = 0;
    h2_index = 1;
    structs[http_index] = (void *)(uintptr_t)&conf;
    structs[h2_index] = (void *)(uintptr_t)&limits;
    log_main.level = -1;
    *c = (conn_t){.listen = &listener};
    c->peer.sin6_family = AF_UNIX;
    *h2 = (h2_t){.conn = c, .conf = &conf, .limits = &limits};
    list_init(&h2->streams);
    list_init(&h2->opened);
    list_init(&h2->turn.link);
    h2_session_open(h2);
}

static void require_clean(str_t s)
{
    for (size_t i = 0; i < s.n; i++) REQUIRE(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0');
}

/* What goes on to an origin is one request, whoever reads it. */
static void require_fit(const parse_request_t *head, bool extended)
{
    REQUIRE(parse_is_token(head->method));
    REQUIRE(head->method_id == METHOD_CONNECT || head->target.p[0] == '/' ||
            str_eq(head->target, STR("*")));
    require_clean(head->target);
    REQUIRE(str_find(head->target, 0, ' ') == head->target.n);
    REQUIRE(head->host.p && header_get(&head->headers, HEADER_HOST));
    REQUIRE(!header_get(&head->headers, HEADER_TRANSFER_ENCODING));
    REQUIRE(extended || !header_get(&head->headers, HEADER_UPGRADE));
    HEADER_EACH(h, &head->headers)
    {
        REQUIRE(parse_is_token(h->name) && h->name.p[0] != ':');
        require_clean(h->value);
    }
}

static void look_at_heads(h2_t *h2)
{
    list_t *l;
    while ((l = list_pop(&h2->opened))) {
        h2_stream_t *s = LIST_OF(l, h2_stream_t, queue);
        pool_t *pool = pool_create();
        parse_request_t head = {.minor = 0};
        bool extended;
        header_list_init(&head.headers, pool);
        if (h2_head_read(&s->head, s->ended, &head, &extended) == PARSE_OK)
            require_fit(&head, extended);
        else
            h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR);
        pool_destroy(pool);
    }
}

/* Every second stream is read from. */
static void look_at_bodies(h2_t *h2)
{
    size_t held = 0;
    LIST_EACH(l, &h2->streams)
    {
        h2_stream_t *s = LIST_OF(l, h2_stream_t, link);
        if (s->id % 4 == 1) h2_stream_take(s);
        REQUIRE(!s->in || buf_used(s->in) <= limits.preread);
        held += s->in ? buf_used(s->in) : 0;
    }
    REQUIRE(held == h2->held);
    REQUIRE(h2->owed <= h2->held || h2->held == 0);
}

static void feed(h2_t *h2, str_t bytes)
{
    if (h2->over) return;
    h2->over = !h2_session_feed(h2, bytes);
    look_at_heads(h2);
    look_at_bodies(h2);
    do h2_out_drop(&h2->out);
    while (h2_session_fill(h2) && !h2_out_empty(&h2->out));
}

static void end(h2_t *h2)
{
    h2->stage = H2_LOST;
    h2_out_drop(&h2->out);
    LIST_EACH_SAFE(l, &h2->streams)
        h2_stream_closed(LIST_OF(l, h2_stream_t, link), NGHTTP2_CANCEL);
    REQUIRE(list_empty(&h2->streams) && h2->held == 0);
    list_remove(&h2->turn.link);
    nghttp2_session_del(h2->session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte: whether the preface is part of the input, and the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = NGHTTP2_CLIENT_MAGIC "\0\0\0\4\0\0\0\0\0";
    h2_t h2;
    conn_t c;
    if (size < 1) return 0;
    size_t piece = data[0] & 0x7f ? (size_t)(data[0] & 0x7f) * 16 : size;
    clock_set(1000, 1000);
    begin(&h2, &c);
    if (!(data[0] & 0x80)) feed(&h2, str_make(preface, sizeof(preface) - 1));
    for (size_t at = 1; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        feed(&h2, str_make((const char *)data + at, n));
    }
    end(&h2);
    return 0;
}
