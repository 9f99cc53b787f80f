/*
 * wire: a client that sees every byte.
 *
 * Requests are sent as they are given (placeholders are not replaced). Replies are read strictly
 * after RFC 9112: what is wrong with one is told in `broken`. All waiting ends after PATIENCE_MS
 * with a failed test. Connections are closed when the test ends at the latest.
 */
#ifndef TESTS_E2E_WIRE_H
#define TESTS_E2E_WIRE_H

#include "tests/e2e/harness.h"

typedef struct wire wire_t;

typedef struct reply {
    int status;
    const char *head; /* status line and fields, each with CRLF, without the empty line */
    str_t body;       /* decoded, followed by a NUL */
    const char *trailers;
    const char *interim; /* heads of the 1xx before it */
    bool chunked, until_close;
    const char *broken; /* what was wrong with it; NULL: nothing */
    char *room;         /* of the body: its bytes and how many fit */
    size_t size;
} reply_t;

/* Connects to the port of this name, or to a unix socket when it begins with "/". */
wire_t *wire_open(const char *port_name);
wire_t *wire_open6(const char *port_name); /* the same port of ::1 */
int wire_fd(const wire_t *w);

/* The kernel holds about twice as many bytes that we have not read; else it is megabytes. */
void wire_narrow(wire_t *w, int bytes);

void wire_send(wire_t *w, const char *bytes);
void wire_send_n(wire_t *w, str_t bytes);

/* The same; false when the peer takes no more. */
bool wire_try_send(wire_t *w, str_t bytes);

/* The next final reply to a request of this method, complete or with `broken` said. */
reply_t *wire_try_reply(wire_t *w, const char *method);

/* The same, which must be in order. */
reply_t *wire_reply(wire_t *w);
reply_t *wire_reply_to(wire_t *w, const char *method);

/* Exactly n bytes; everything through the first such mark; everything up to the end. */
str_t wire_bytes(wire_t *w, size_t n);
const char *wire_through(wire_t *w, const char *mark);
str_t wire_rest(wire_t *w);

/* Whether nothing more comes and the peer has closed. Waits for it. */
bool wire_closed(wire_t *w);

/* Whether the peer reset the connection, after wire_rest or wire_closed. */
bool wire_was_reset(const wire_t *w);

/* Whether something arrives within ms. */
bool wire_readable(wire_t *w, int ms);

/* Whatever is sent comes back as it is, and the end behind it: a tunnel. */
void wire_assert_echoes(wire_t *w);

void wire_shut(wire_t *w); /* the end of what we send */
void wire_close(wire_t *w);
void wire_reset(wire_t *w); /* closes with a reset */

/* A connection of its own for one request. */
reply_t *wire_ask(const char *port_name, const char *request);
reply_t *wire_get(const char *port_name, const char *path);
reply_t *wire_request(const char *port_name, const char *method, const char *path,
                      const char *fields); /* lines, each with CRLF */

/* The value of a field in a reply's head ("a, b" when it is there several times), or NULL. */
const char *wire_field(const reply_t *r, const char *name);
void wire_assert_field(const reply_t *r, const char *name, const char *value); /* NULL: none */

#endif
