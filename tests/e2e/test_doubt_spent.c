/* A body that has been passed on cannot be passed on again: no origin is promised what does not
   come. */
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

/* Reads some of the body and breaks off. */
static void break_off(visit_t *v)
{
    char some[5];
    visit_read_head(v);
    visit_read(v, some, sizeof(some));
    visit_reset(v);
}

/* Asks with a body of which the second half never comes: what has come whole could be sent
   again. */
static reply_t *ask_with_half(const char *path)
{
    wire_t *w = wire_open("http");
    wire_send(w, text("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234", path));
    return wire_reply(w);
}

E2E(doubt, a_body_that_is_spent_goes_to_no_other_origin)
{
    origin_start("broken", break_off, NULL);
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "client_max_body_size 100; server { listen 127.0.0.1:@http@;"
                     "proxy_request_buffering off;"
                     "location /named { error_page 502 = @other;"
                     " proxy_pass http://127.0.0.1:@broken@; }"
                     "location @other { proxy_pass http://127.0.0.1:@origin@; }"
                     "location /page { error_page 502 413 /sorry;"
                     " proxy_pass http://127.0.0.1:@broken@; }"
                     "location /sorry { proxy_pass http://127.0.0.1:@origin@; } }");
    reply_t *r = ask_with_half("/named");
    cr_assert_eq(r->status, 502);
    cr_assert_eq(origin_requests(o), 0);
    r = ask_with_half("/page");
    cr_assert_eq(r->status, 502);
    assert_has(origin_head(o, 0), "GET /sorry HTTP/1.1\r\n");
    cr_assert(!origin_field(o, 0, "Content-Length"));
    r = wire_ask("http", text("POST /page HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "65\r\n%0101d\r\n0\r\n\r\n", 0));
    cr_assert_eq(r->status, 413);
    assert_has(origin_head(o, 1), "GET /sorry HTTP/1.1\r\n");
    cr_assert(!origin_field(o, 1, "Transfer-Encoding"));
}
