/*
 * gRPC: the Python implementation at both ends, and what grpc_pass's own directives do. The client
 * prints what came of each call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/frames.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/keeper.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/visit_frames.h"
#include "tests/e2e/wire.h"

static const char server[] =
    "import grpc, time\n"
    "from concurrent import futures\n"
    "def fail(r, c):\n"
    "    c.set_trailing_metadata((('x-why', 'because'),))\n"
    "    c.abort(grpc.StatusCode.NOT_FOUND, 'no such')\n"
    "def many(r, c):\n"
    "    for i in range(int(r)): yield b'x' * 1000\n"
    "def bidi(it, c):\n"
    "    for x in it: yield b'<' + x + b'>'\n"
    "def slow(r, c):\n"
    "    print('begun', r, flush=True)\n"
    "    c.add_callback(lambda: print('over', r, flush=True))\n"
    "    while c.is_active(): time.sleep(0.01)\n"
    "    return b'late'\n"
    "class H(grpc.GenericRpcHandler):\n"
    "    def service(self, d):\n"
    "        return {\n"
    "            '/t/unary': grpc.unary_unary_rpc_method_handler(lambda r, c: b're:' + r),\n"
    "            '/t/fail': grpc.unary_unary_rpc_method_handler(fail),\n"
    "            '/t/many': grpc.unary_stream_rpc_method_handler(many),\n"
    "            '/t/sum': grpc.stream_unary_rpc_method_handler(\n"
    "                lambda it, c: str(sum(len(x) for x in it)).encode()),\n"
    "            '/t/bidi': grpc.stream_stream_rpc_method_handler(bidi),\n"
    "            '/t/slow': grpc.unary_unary_rpc_method_handler(slow)}.get(d.method)\n"
    "s = grpc.server(futures.ThreadPoolExecutor(20), options=[('grpc.so_reuseport', 0)])\n"
    "s.add_generic_rpc_handlers((H(),))\n"
    "%s\n"
    "s.start()\n"
    "s.wait_for_termination()\n";

#define PLAIN "s.add_insecure_port('127.0.0.1:@grpc@')"

static const char client[] = "import grpc, threading\n"
                             "c = grpc.insecure_channel('127.0.0.1:@http@')\n"
                             "def call(what):\n"
                             "    try: print(what())\n"
                             "    except grpc.RpcError as e: print(e.code().name, e.details())\n"
                             "    except grpc.FutureCancelledError: print('cancelled')\n";

static void start_server(const char *port)
{
    peer_python_script("grpc", text(server, port));
}

static void start(const char *location)
{
    subject_http("", text("server { listen 127.0.0.1:@http@; http2 on; client_max_body_size 0;"
                          " location / { grpc_pass grpc://127.0.0.1:@grpc@; %s } }", location));
}

/* What the client prints. */
static const char *said(const char *steps)
{
    file_write("client.py", text("%s%s", client, steps));
    return peer_python_run("client.py");
}

/* --- calls --- */

E2E(grpc, calls_of_every_kind)
{
    start_server(PLAIN);
    start("");
    assert_text(said("call(lambda: c.unary_unary('/t/unary')(b'a'))\n"
                     "call(lambda: len(c.unary_unary('/t/unary')(b'a' * 1000000)))\n"
                     "call(lambda: len(list(c.unary_stream('/t/many')(b'500'))))\n"
                     "call(lambda: c.stream_unary('/t/sum')(iter([b'a' * 100000] * 20)))\n"),
                "b're:a'\n1000003\n500\nb'2000000'\n");
}

/* Each message is sent when the answer to the one before has come. */
E2E(grpc, a_dialogue)
{
    start_server(PLAIN);
    start("");
    assert_text(said("answers, more = [], threading.Semaphore()\n"
                     "def messages():\n"
                     "    for i in range(5):\n"
                     "        more.acquire()\n"
                     "        yield b'%d' % i\n"
                     "for x in c.stream_stream('/t/bidi')(messages()):\n"
                     "    answers.append(x)\n"
                     "    more.release()\n"
                     "print(answers)\n"),
                "[b'<0>', b'<1>', b'<2>', b'<3>', b'<4>']\n");
}

E2E(grpc, a_failure_with_its_trailers)
{
    start_server(PLAIN);
    start("");
    assert_text(said("try: c.unary_unary('/t/fail')(b'')\n"
                     "except grpc.RpcError as e:\n"
                     "    why = dict(e.trailing_metadata())['x-why']\n"
                     "    print(e.code().name, e.details(), why)\n"),
                "NOT_FOUND no such because\n");
}

E2E(grpc, a_deadline_and_a_cancelled_call_end_at_the_origin)
{
    start_server(PLAIN);
    start("");
    assert_text(said("import time\n"
                     "def has(what): return what in open('grpc.txt').read()\n"
                     "while not has(\"over b'late'\"):\n" /* one gets there before its deadline */
                     "    try: c.unary_unary('/t/slow')(b'late', timeout=0.2)\n"
                     "    except grpc.RpcError as e: why = e.code().name\n"
                     "print(why)\n"
                     "f = c.unary_unary('/t/slow').future(b'left')\n"
                     "while not has(\"begun b'left'\"): time.sleep(0.01)\n"
                     "f.cancel()\n"
                     "call(f.result)\n"),
                "DEADLINE_EXCEEDED\ncancelled\n");
    cr_assert(EVENTUALLY(strstr(file_read("grpc.txt"), "over b'left'\n")), "%s",
              file_read("grpc.txt"));
}

E2E(grpc, over_tls_that_is_verified)
{
    certify("ca", NULL, "");
    certify("leaf", "ca", " -addext subjectAltName=DNS:origin.test");
    start_server("s.add_secure_port('127.0.0.1:@grpc@', grpc.ssl_server_credentials((("
                 "open('@dir@/leaf.key', 'rb').read(), open('@dir@/leaf.pem', 'rb').read()),)))");
    subject_http("", "server { listen 127.0.0.1:@http@; http2 on;"
                     " grpc_ssl_verify on; grpc_ssl_trusted_certificate @dir@/ca.pem;"
                     " grpc_ssl_server_name on; grpc_ssl_name origin.test;"
                     " location / { grpc_pass grpcs://127.0.0.1:@grpc@; } }");
    assert_text(said("call(lambda: c.unary_unary('/t/unary')(b'a'))\n"), "b're:a'\n");
}

E2E(grpc, a_group_by_variable_and_a_unix_socket)
{
    start_server("import os\nos.umask(0)\n"
                 "s.add_insecure_port('127.0.0.1:@grpc@')\n"
                 "s.add_insecure_port('unix:@dir@/grpc.sock')");
    subject_http("", "upstream g { server 127.0.0.1:@grpc@; }"
                     "map $http_x_to $to { unix unix:@dir@/grpc.sock; default grpc://g; }"
                     "server { listen 127.0.0.1:@http@; http2 on; location / { grpc_pass $to; } }");
    assert_text(said("call(lambda: c.unary_unary('/t/unary')(b'a'))\n"
                     "to = (('x-to', 'unix'),)\n"
                     "call(lambda: c.unary_unary('/t/unary')(b'b', metadata=to))\n"),
                "b're:a'\nb're:b'\n");
}

static unsigned long number_of(const char *path)
{
    return strtoul(wire_get("http", path)->body.p, NULL, 10);
}

/* Whether the origin has written nothing more for a while. */
static bool is_held_up(void)
{
    unsigned long before = number_of("/written");
    pause_ms(100);
    return before > 0 && number_of("/written") == before;
}

/* An answer without end to a client that gives no window back, and leaves. */
E2E(grpc, who_takes_nothing_holds_the_origin_up_and_who_leaves_ends_it)
{
    enum { MOST = 16 * 1024 * 1024 };
    peer_node("grpc",
              "let written = 0, code = -1;\n"
              "require('http2').createServer().on('stream', (t, h) => {\n"
              "  t.on('error', () => {});\n"
              "  t.respond({':status': 200, 'content-type': 'application/grpc'});\n"
              "  if (h[':path'] == '/written') return t.end('' + written);\n"
              "  if (h[':path'] == '/code') return t.end('' + code);\n"
              "  t.on('close', () => code = t.rstCode);\n"
              "  const more = () => { let goes = true; while (goes && written < 1e9) {\n"
              "    goes = t.write(Buffer.alloc(65536)); written += 65536; }\n"
              "    t.once('drain', more); };\n"
              "  more();\n"
              "}).listen(@grpc@, '127.0.0.1');\n");
    start("");
    frames_t *f = frames_open("http");
    frames_hold(f);
    frames_head(f, 1, FRAMES_END_STREAM, HEAD("POST", "/t/flood"));
    frames_await(f, 1, 60000);
    cr_assert(EVENTUALLY(is_held_up()));
    cr_assert_lt(number_of("/written"), MOST);
    frames_close(f);
    cr_assert(EVENTUALLY(number_of("/code") == CODE_CANCEL));
}

/* --- failures --- */

E2E(grpc, nobody_there_is_unavailable)
{
    harness_set("grpc", harness_expand("@dead@"));
    start("");
    assert_has(said("call(lambda: c.unary_unary('/t/unary')(b'a'))\n"), "UNAVAILABLE");
    subject_log_await("connect() failed (111: Connection refused) while connecting to upstream, ");
    assert_has(subject_log(), "upstream: \"grpc://127.0.0.1:");
}

/* An error page may speak gRPC, as with nginx. */
E2E(grpc, an_error_page_in_words_of_grpc)
{
    harness_set("grpc", harness_expand("@dead@"));
    start("error_page 502 = @down; } location @down { default_type application/grpc;"
          " add_header grpc-status 14; add_header grpc-message resting; return 204;");
    assert_text(said("call(lambda: c.unary_unary('/t/unary')(b'a'))\n"), "UNAVAILABLE resting\n");
}

static void half(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR("")) || !(id = visit_frames_await_head(v))) return;
    visit_frames_fields(v, 0, id, ":status: 200\ncontent-type: application/grpc\n");
    visit_frames_put(v, FRAME_DATA, 0, id, str_make("\0\0\0\0\1a", 6));
    visit_shut(v); /* an end, and no reset for what was not read */
    visit_await_left(v);
}

E2E(grpc, an_origin_that_dies_midway_is_a_reset_stream)
{
    origin_start("grpc", half, NULL);
    start("");
    frames_t *f = frames_open("http");
    frames_head(f, 1, 0, HEAD("POST", "/t/many"));
    const answer_t *a = frames_answer(f, 1);
    cr_assert_eq(a->status, 200);
    cr_assert(!a->ended);
    cr_assert_eq(a->reset, CODE_INTERNAL_ERROR);
    cr_assert_eq(a->body.n, 6);
    frames_close(f);
}

/* --- directives --- */

static const char node[] =
    "const s = require('http2').createServer();\n"
    "s.on('stream', (t, h) => {\n"
    "  t.on('error', () => {});\n"
    "  if (h[':path'] == '/slow') return;\n"
    "  if (h[':path'] == '/503') t.respond({':status': 503});\n"
    "  else t.respond({':status': 200, 'x-hidden': '1', 'server': 'node',"
    " 'x-accel-redirect': '/in'});\n"
    "  t.end(JSON.stringify(h)); });\n"
    "s.listen(@grpc@, '127.0.0.1');\n";

E2E(grpc, fields_both_ways)
{
    peer_node("grpc", node);
    start("grpc_set_header Host name; grpc_set_header X-A $uri; grpc_set_header Accept \"\";"
          " grpc_hide_header X-Hidden; grpc_pass_header Server;"
          " grpc_ignore_headers X-Accel-Redirect;"
          " grpc_via off; grpc_buffer_size 8k; grpc_bind 127.0.0.1; grpc_socket_keepalive on;"
          " grpc_connect_timeout 5s; grpc_send_timeout 5s; grpc_max_header_size 16k;"
          " grpc_http2_ping 1m; grpc_retry_budget off;");
    const reply_t *r = wire_ask("http", "POST /p HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n"
                                        "Accept: */*\r\nContent-Length: 0\r\n\r\n");
    assert_text(r->body.p, "{\":method\":\"POST\",\":scheme\":\"http\",\":authority\":\"name\","
                           "\":path\":\"/p\",\"te\":\"trailers\",\"x-a\":\"/p\","
                           "\"content-length\":\"0\"}");
    cr_assert(!wire_field(r, "X-Hidden"));
    assert_text(wire_field(r, "Server"), "node");
}

E2E(grpc, time_and_errors)
{
    peer_node("grpc", node);
    start("grpc_read_timeout 1s; grpc_intercept_errors on; error_page 503 =418 /e; }"
          " location = /e { internal; return 200 page;");
    cr_assert_eq(wire_get("http", "/slow")->status, 504);
    const reply_t *r = wire_get("http", "/503");
    cr_assert_eq(r->status, 418);
    assert_text(r->body.p, "page");
}

E2E(grpc, another_origin_when_one_fails)
{
    peer_node("grpc", node);
    subject_http("", "upstream g { server 127.0.0.1:@dead@; server 127.0.0.1:@grpc@; }"
                     "server { listen 127.0.0.1:@http@; grpc_next_upstream error http_503;"
                     " grpc_next_upstream_tries 2; grpc_next_upstream_timeout 5s;"
                     " location / { grpc_pass grpc://g; grpc_ignore_headers X-Accel-Redirect; } }");
    for (int i = 0; i < 4; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
}

static void refuse(visit_t *v)
{
    uint32_t id;
    if (!visit_frames_preface(v, STR(""))) return;
    while ((id = visit_frames_await_head(v)))
        visit_frames_number(v, FRAME_RST_STREAM, id, CODE_REFUSED_STREAM);
}

/* A body that came with its head is still there for another. */
E2E(grpc, a_refused_call_goes_to_another_origin_with_its_body)
{
    peer_node("grpc", "require('http2').createServer().on('stream', t => {"
                      " t.respond({':status': 200}); t.pipe(t); }).listen(@grpc@, '127.0.0.1')");
    origin_start("busy", refuse, NULL);
    subject_http("", "upstream g { server 127.0.0.1:@busy@; server 127.0.0.1:@grpc@ backup; }"
                     "server { listen 127.0.0.1:@http@; location / { grpc_pass grpc://g; } }");
    const reply_t *r = wire_ask("http", "POST / HTTP/1.1\r\nHost: h\r\n"
                                        "Content-Length: 3\r\n\r\nabc");
    assert_text(r->body.p, "abc");
}

/* --- the configuration --- */

static void refused(const char *location, const char *why)
{
    file_write("bad.conf", text("events {} http { server { listen 127.0.0.1:@http@;"
                                   " location / { %s } } }", location));
    const ran_t ran = subject_run("-t -p @dir@/ -c @dir@/bad.conf -e @dir@/error.log");
    cr_assert_neq(ran.status, 0);
    assert_has(ran.output, why);
}

E2E(grpc, what_grpc_pass_does_not_take)
{
    refused("grpc_pass grpc://127.0.0.1:1/uri;", "\"grpc_pass\" cannot have URI part");
    refused("grpc_pass grpc://;", "grpc_pass: invalid host in URL");
    refused("grpc_ssl_verify on; grpc_pass grpcs://127.0.0.1:1;",
            "no grpc_ssl_trusted_certificate for grpc_ssl_verify");
    refused("grpc_ssl_certificate /c; grpc_pass grpcs://127.0.0.1:1;",
            "no \"grpc_ssl_certificate_key\" is defined");
    refused("grpc_bind nowhere; grpc_pass 127.0.0.1:1;", "invalid address \"nowhere\"");
}
