/* The harness itself: what the other tests trust. */
#include <signal.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

E2E(harness, starts_serves_and_stops)
{
    subject_http("", "server { listen 127.0.0.1:@http@; location / { return 200 hello; } }");
    reply_t *r = wire_get("http", "/");
    cr_assert_eq(r->status, 200);
    assert_text(r->body.p, "hello");
    cr_assert_eq(fetch_get("http://127.0.0.1:@http@/")->status, 200);
    cr_assert_eq(subject_stop(SIGTERM), 0);
}

E2E(harness, origins_record_what_they_get)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    subject_http("", "server { listen 127.0.0.1:@http@;"
                     " location / { proxy_pass http://127.0.0.1:@origin@; } }");
    reply_t *r = wire_ask("http", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    cr_assert_eq(r->status, 200);
    assert_has(r->body.p, "POST /a HTTP/1.");
    assert_text(origin_body(o, 0).p, "body");
    cr_assert_eq(origin_requests(o), 1);
}

E2E(harness, real_origins_start)
{
    file_write("files/a.txt", "from python");
    peer_python("python", "files");
    peer_node("node", "require('http').createServer((q, r) => r.end('from node'))"
                      ".listen(@node@, '127.0.0.1')");
    peer_nginx("nginx",
               "server { listen 127.0.0.1:@nginx@; location / { return 200 from_nginx; } }");
    subject_http("", "server { listen 127.0.0.1:@http@;"
                     " location /p/ { proxy_pass http://127.0.0.1:@python@/; }"
                     " location /n/ { proxy_pass http://127.0.0.1:@node@/; }"
                     " location /x/ { proxy_pass http://127.0.0.1:@nginx@/; } }");
    assert_text(wire_get("http", "/p/a.txt")->body.p, "from python");
    assert_text(wire_get("http", "/n/")->body.p, "from node");
    assert_text(wire_get("http", "/x/")->body.p, "from_nginx");
}
