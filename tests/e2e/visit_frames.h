/*
 * visit_frames: HTTP/2 frames for the function of an origin (origin.h), any frame it likes.
 *
 *     while ((id = visit_frames_await_head(v)))
 *         visit_frames_fields(v, FRAMES_END_STREAM, id, ":status: 200\n");
 *
 * Uses no memory of the harness. visit_frames_preface must come first.
 */
#ifndef TESTS_E2E_VISIT_FRAMES_H
#define TESTS_E2E_VISIT_FRAMES_H

#include "tests/e2e/frames.h"
#include "tests/e2e/origin.h"

typedef struct visit_frame {
    uint8_t type, flags;
    uint32_t stream;
    size_t n;
    char payload[16384];
} visit_frame_t;

/* Reads the client's preface and sends SETTINGS, whose payload is given. */
bool visit_frames_preface(visit_t *v, str_t settings);

/* The next frame; false at the end. SETTINGS are acknowledged. */
bool visit_frames_next(visit_t *v, visit_frame_t *out);

/* Reads until a request's head has come: its stream, or 0 at the end. */
uint32_t visit_frames_await_head(visit_t *v);

/* Reads until a frame of this type comes; false at the end. */
bool visit_frames_await_frame(visit_t *v, unsigned type, visit_frame_t *out);

bool visit_frames_put(visit_t *v, unsigned type, unsigned flags, uint32_t stream, str_t payload);

/* HEADERS (END_HEADERS unless FRAMES_OPEN_HEAD) of "name: value\n"..., as literals. */
bool visit_frames_fields(visit_t *v, unsigned flags, uint32_t stream, const char *fields);

/* A whole response: 200, "well". */
void visit_frames_well(visit_t *v, uint32_t stream);

/* A payload of 4 bytes: RST_STREAM, WINDOW_UPDATE. GOAWAY. */
bool visit_frames_number(visit_t *v, unsigned type, uint32_t stream, uint32_t value);
bool visit_frames_goaway(visit_t *v, uint32_t last, uint32_t code);

#endif
