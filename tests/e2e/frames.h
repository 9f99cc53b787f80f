/*
 * frames: a client of HTTP/2 that sends any frame it is told to, and sees every frame that comes.
 *
 *     frames_t *f = frames_open("http");                    // preface and SETTINGS are sent
 *     frames_head(f, 1, FRAMES_END_STREAM, GET "x-a: b\n"); // :method: GET and so on, one a line
 *     answer_t *a = frames_answer(f, 1);
 *
 * Heads are sent as literals, as they are given: nothing keeps a test from sending what is
 * forbidden. SETTINGS are acknowledged; windows are given back unless frames_hold. What comes is
 * checked: frames that a server may not send, or not now, end the test.
 */
#ifndef TESTS_E2E_FRAMES_H
#define TESTS_E2E_FRAMES_H

#include "tests/e2e/harness.h"

typedef struct frames frames_t;

enum { /* RFC 9113 6 */
    FRAME_DATA, FRAME_HEADERS, FRAME_PRIORITY, FRAME_RST_STREAM, FRAME_SETTINGS, FRAME_PUSH_PROMISE,
    FRAME_PING, FRAME_GOAWAY, FRAME_WINDOW_UPDATE, FRAME_CONTINUATION,
    FRAME_PRIORITY_UPDATE = 0x10,
};
enum {
    FRAMES_END_STREAM = 1, FRAMES_ACK = 1, FRAMES_END_HEADERS = 4, FRAMES_PADDED = 8,
    FRAMES_PRIORITY = 0x20,
    FRAMES_OPEN_HEAD = 0x100, /* for frames_head: CONTINUATION follows */
};
enum { /* RFC 9113 7 */
    CODE_NO_ERROR, CODE_PROTOCOL_ERROR, CODE_INTERNAL_ERROR, CODE_FLOW_CONTROL_ERROR,
    CODE_SETTINGS_TIMEOUT, CODE_STREAM_CLOSED, CODE_FRAME_SIZE_ERROR, CODE_REFUSED_STREAM,
    CODE_CANCEL, CODE_COMPRESSION_ERROR, CODE_CONNECT_ERROR, CODE_ENHANCE_YOUR_CALM,
    CODE_NONE = -1,
};

/* The pseudo-fields of a request; METHOD and PATH are literals. */
#define HEAD(METHOD, PATH) \
    ":method: " METHOD "\n:scheme: http\n:path: " PATH "\n:authority: h\n"
#define GET HEAD("GET", "/")

typedef struct answer {
    int status;           /* 0: no head came */
    const char *head;     /* "name: value\n"... of the final head, with :status */
    const char *interim;  /* of those before */
    const char *trailers;
    str_t body;           /* followed by a NUL */
    bool ended;           /* END_STREAM came */
    int reset;            /* code of RST_STREAM, or CODE_NONE */
    unsigned pieces;      /* DATA frames */
    char *room;
    size_t size;
} answer_t;

typedef struct frame {
    uint8_t type, flags;
    uint32_t stream;
    str_t payload;
} frame_t;

frames_t *frames_open(const char *port_name);
frames_t *frames_connect(const char *port_name); /* sends nothing */

void frames_narrow(frames_t *f, int bytes); /* as wire_narrow */

/* Raw bytes; a frame; false when the peer takes no more. */
bool frames_bytes(frames_t *f, str_t bytes);
bool frames_send(frames_t *f, unsigned type, unsigned flags, uint32_t stream, str_t payload);

bool frames_head(frames_t *f, uint32_t stream, unsigned flags, const char *fields);
bool frames_data(frames_t *f, uint32_t stream, unsigned flags, str_t data);
bool frames_settings(frames_t *f, unsigned id, uint32_t value);
bool frames_number(frames_t *f, unsigned type, uint32_t stream, uint32_t value); /* 4 bytes */

/* A header block of these fields. */
str_t frames_block(const char *fields);

/* Windows are not given back any more. */
void frames_hold(frames_t *f);

/* Reads the next frame; false at the end of the connection. */
bool frames_next(frames_t *f, frame_t *out);

/* Reads until the stream is over, or the connection is. What has come until now. */
answer_t *frames_answer(frames_t *f, uint32_t stream);
answer_t *frames_sofar(frames_t *f, uint32_t stream);

/* Reads until the answer's head is there, or it holds so many bytes. */
answer_t *frames_await(frames_t *f, uint32_t stream, size_t bytes);

/* Reads to the end of the connection: the code of GOAWAY (the last), or CODE_NONE. */
int frames_goodbye(frames_t *f);
int frames_goaway(const frames_t *f);      /* so far */
uint32_t frames_last_stream(const frames_t *f); /* of the last GOAWAY */

/* A whole exchange that shows that the connection is well. */
void frames_assert_well(frames_t *f, uint32_t stream);

/* Waits for the answer to a PING of ours: all that was sent before has been seen. */
void frames_sync(frames_t *f);

void frames_close(frames_t *f);

/* The value of a field in "name: value\n"..., or NULL. */
const char *frames_field(const char *fields, const char *name);

#endif
