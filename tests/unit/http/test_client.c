#include "http/client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/clock.h"

/* One exchange: a fiber asks, the test is the origin at the other end of `fd`. */
typedef struct exchange {
    int fd;
    size_t step;         /* bytes the origin writes at a time; 0: all at once */
    const char *answer;
    size_t length;
    bool head_request, close, early; /* early: answers before it has seen the request */
    size_t body_size;    /* of the request */
    size_t buffer_size, head_max;
    uint64_t read_timeout;
    /* what came of it */
    int sent, err;
    unsigned interims, last_interim, status;
    char body[4096];
    size_t body_length;
    bool reusable, done;
    char trailer[64];
    pool_t *pool;
} exchange_t;

static net_addr_t listen_on(int *fd)
{
    net_addr_t addr;
    *fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(net_parse(STR("127.0.0.1"), 1, &addr));
    addr.in.sin_port = 0;
    cr_assert_eq(bind(*fd, &addr.sa, addr.len), 0);
    cr_assert_eq(listen(*fd, 4), 0);
    cr_assert(net_local(*fd, &addr));
    return addr;
}

static net_addr_t address;

static int count_interim(void *arg, const parse_response_t *head)
{
    exchange_t *x = arg;
    x->interims++;
    x->last_interim = head->status;
    return 0;
}

static void read_body(exchange_t *x, client_t *c)
{
    for (;;) {
        str_t piece;
        ssize_t got = client_next(c, &piece);
        if (got == 0) return;
        if (got > 0) {
            cr_assert_leq(x->body_length + piece.n, sizeof(x->body));
            memcpy(x->body + x->body_length, piece.p, piece.n);
            x->body_length += piece.n;
        } else {
            x->err = got == -EAGAIN ? client_fill(c) : (int)got;
            if (x->err < 0) return;
        }
    }
}

static void ask(exchange_t *x, client_t *c)
{
    char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    char *body = x->body_size ? calloc(1, x->body_size) : NULL;
    struct iovec iov[2] = {{head, sizeof(head) - 1}, {body, x->body_size}};
    x->sent = client_send(c, iov, body ? 2 : 1);
    free(body);
    c->sent = x->sent == 0;
    x->err = x->sent < 0 ? x->sent : client_head(c);
    if (x->err < 0) return;
    x->status = c->head.status;
    read_body(x, c);
    x->reusable = client_reusable(c);
    str_t trailer = header_join(&c->trailers, STR("X-T"));
    if (c->trailers.pool && trailer.p)
        snprintf(x->trailer, sizeof(x->trailer), STR_FMT, STR_ARG(trailer));
}

static void run(void *arg)
{
    exchange_t *x = arg;
    int err;
    origin_t *o = origin_open(&address, NULL, 1000, &err);
    cr_assert(o, "connect: %d", err);
    client_t *c = client_new(x->pool, o);
    c->buffer_size = x->buffer_size ? x->buffer_size : 16384;
    c->head_max = x->head_max ? x->head_max : 65536;
    c->send_timeout = 5000;
    c->read_timeout = x->read_timeout ? x->read_timeout : 5000;
    c->head_request = x->head_request;
    c->interim = count_interim;
    c->arg = x;
    ask(x, c);
    x->done = true;
}

/* The origin's side: writes a step of the answer, then its end. */
static void write_some(exchange_t *x)
{
    size_t n = x->step && x->step < x->length ? x->step : x->length;
    if (n) cr_assert_eq(send(x->fd, x->answer, n, MSG_NOSIGNAL), (ssize_t)n);
    x->answer += n;
    x->length -= n;
    if (x->length == 0 && x->close) {
        shutdown(x->fd, SHUT_WR);
        x->close = false;
    }
}

static void exchange(exchange_t *x)
{
    int listener;
    clock_update();
    cr_assert_eq(loop_open(), 0);
    address = listen_on(&listener);
    x->pool = pool_create();
    if (!x->length) x->length = strlen(x->answer);
    fiber_start(run, x);
    loop_turn(0);
    x->fd = accept(listener, NULL, NULL);
    cr_assert_geq(x->fd, 0);
    char request[100];
    while (!x->early && recv(x->fd, request, sizeof(request), MSG_DONTWAIT) <= 0) loop_turn(20);
    while (!x->done) {
        write_some(x);
        loop_turn(x->length ? 0 : 20);
    }
    pool_destroy(x->pool);
    close(x->fd);
    close(listener);
    loop_close();
    cr_expect_eq(fiber_count(), 0);
}

static void check_body(const exchange_t *x, const char *body)
{
    cr_expect_eq(x->err, 0, "error %d", x->err);
    cr_expect_eq(x->body_length, strlen(body), "%zu bytes", x->body_length);
    cr_expect_eq(memcmp(x->body, body, strlen(body)), 0);
}

Test(client, reads_a_body_of_known_length)
{
    for (size_t step = 0; step < 8; step++) {
        exchange_t x = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                        .step = step};
        exchange(&x);
        check_body(&x, "hello");
        cr_expect_eq(x.status, 200);
        cr_expect(x.reusable);
    }
}

Test(client, reads_chunks_and_trailers)
{
    for (size_t step = 0; step < 8; step++) {
        exchange_t x = {.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-T: end\r\n\r\n",
                        .step = step};
        exchange(&x);
        check_body(&x, "hello world");
        cr_expect_str_eq(x.trailer, "end");
        cr_expect(x.reusable);
    }
}

Test(client, reads_until_the_connection_ends)
{
    exchange_t x = {.answer = "HTTP/1.0 200 OK\r\n\r\nall of it", .close = true};
    exchange(&x);
    check_body(&x, "all of it");
    cr_expect_not(x.reusable);
}

Test(client, tells_a_truncated_body_from_a_whole_one)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n",
        "",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        exchange_t x = {.answer = answers[i], .close = true};
        exchange(&x);
        cr_expect_eq(x.err, -ENODATA, "%zu: %d", i, x.err);
        cr_expect_not(x.reusable);
    }
}

Test(client, refuses_what_is_no_response)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 O\001K\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        exchange_t x = {.answer = answers[i]};
        exchange(&x);
        cr_expect_eq(x.err, -EBADMSG, "%zu: %d", i, x.err);
        cr_expect_not(x.reusable);
    }
}

Test(client, hands_interim_responses_on)
{
    for (size_t step = 0; step < 4; step++) {
        exchange_t x = {.answer = "HTTP/1.1 100 Continue\r\n\r\n"
                                  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n"
                                  "Content-Length: 7\r\n\r\n"
                                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                        .step = step};
        exchange(&x);
        check_body(&x, "ok");
        cr_expect_eq(x.interims, 2);
        cr_expect_eq(x.last_interim, 103);
        cr_expect(x.reusable);
    }
}

Test(client, does_not_take_interim_responses_without_end)
{
    char many[100 * 26] = "";
    for (int i = 0; i < 100; i++) strcat(many, "HTTP/1.1 102 Wait\r\n\r\n");
    exchange_t x = {.answer = many};
    exchange(&x);
    cr_expect_eq(x.err, -EBADMSG);
    cr_expect_lt(x.interims, 100);
}

Test(client, grows_the_buffer_for_a_large_head_up_to_a_limit)
{
    enum { SIZE = 20000 };
    char *head = malloc(SIZE + 100);
    int n = sprintf(head, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ");
    memset(head + n, 'x', SIZE);
    strcpy(head + n + SIZE, "\r\n\r\nok");
    exchange_t x = {.answer = head, .buffer_size = 4096, .head_max = 32768};
    exchange(&x);
    check_body(&x, "ok");
    exchange_t y = {.answer = head, .buffer_size = 4096, .head_max = 16384};
    exchange(&y);
    cr_expect_eq(y.err, -EMSGSIZE);
    free(head);
}

Test(client, knows_which_responses_have_no_body)
{
    exchange_t head = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                       .head_request = true};
    exchange(&head);
    check_body(&head, "");
    cr_expect(head.reusable);
    exchange_t not_modified = {.answer = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"};
    exchange(&not_modified);
    check_body(&not_modified, "");
    cr_expect(not_modified.reusable);
    exchange_t no_content = {.answer = "HTTP/1.1 204 No Content\r\n\r\n"};
    exchange(&no_content);
    check_body(&no_content, "");
    cr_expect(no_content.reusable);
}

/* Whatever stands behind such a head must never be taken for the answer to the next request. */
Test(client, gives_a_connection_up_on_which_more_may_come)
{
    static const char *const answers[] = {
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, close\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        exchange_t x = {.answer = answers[i]};
        exchange(&x);
        check_body(&x, "");
        cr_expect_not(x.reusable, "%zu", i);
    }
}

/* The origin reads nothing and refuses at once: the answer arrives though the request never
   ends. */
Test(client, takes_an_answer_that_comes_before_the_request_is_out)
{
    exchange_t x = {.answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno",
                    .body_size = 64 << 20, .early = true};
    exchange(&x);
    cr_expect_eq(x.sent, 1);
    cr_expect_eq(x.status, 413);
    check_body(&x, "no");
    cr_expect_not(x.reusable);
}

Test(client, waits_for_a_head_no_longer_than_told)
{
    exchange_t x = {.answer = "HTTP/1.1 200 OK\r\n", .read_timeout = 20};
    exchange(&x);
    cr_expect_eq(x.err, -ETIMEDOUT);
}
