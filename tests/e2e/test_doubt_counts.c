/* What the access log counts: bytes on the wire, and which request came behind another. */
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

E2E(doubt, bytes_on_the_wire_and_pipelining_are_logged)
{
    origin_t *o = origin_start("origin", origin_say,
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n0\r\n\r\n");
    (void)o;
    subject_http("", "log_format counts \"$request_uri $pipe $body_bytes_sent $bytes_sent\";"
                     "access_log @dir@/counts.log counts; server { listen 127.0.0.1:@http@;"
                     "location /empty { return 204; } location /text { return 200 text; }"
                     "location / { proxy_pass http://127.0.0.1:@origin@; } }");
    wire_t *w = wire_open("http");
    wire_send(w, "GET /empty HTTP/1.1\r\nHost: h\r\n\r\nGET /text HTTP/1.1\r\nHost: h\r\n\r\n"
                 "GET /chunked HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    reply_t *empty = wire_reply(w), *text_reply = wire_reply(w), *chunked = wire_reply(w);
    cr_assert(wire_closed(w));
    assert_text(file_read("counts.log"),
                text("/empty . 0 %zu\n/text p 4 %zu\n/chunked p 15 %zu\n", strlen(empty->head) + 2,
                     strlen(text_reply->head) + 2 + 4, strlen(chunked->head) + 2 + 15));
}
