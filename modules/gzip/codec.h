/*
 * codec: the libraries behind the content codings, all as the same kind of stream.
 *
 * A stream packs or unpacks. It holds what its library needs, which is bounded by level and window
 * and not by what goes through it, and is kept for reuse when it is done (up to a bound per
 * worker). Exactly one owner ends it. Out of memory is a panic. Nothing suspends.
 */
#ifndef MODULES_GZIP_CODEC_H
#define MODULES_GZIP_CODEC_H

#include "core/base/buf.h"
#include "http/negotiate.h"

enum { CODEC_WINDOW_LEAST = 10, CODEC_LENGTH_UNKNOWN = -1 };

/* How to pack. */
typedef struct codec_wish {
    unsigned level;  /* of the library's own scale */
    unsigned window; /* binary logarithm of the bytes looked back at (not gzip: always 32 KiB) */
    int64_t length;  /* of what will come, or CODEC_LENGTH_UNKNOWN; need not be right */
} codec_wish_t;

/* What packing shall write, beside taking what it is given. */
typedef enum codec_how { CODEC_MORE, CODEC_FLUSH, CODEC_END } codec_how_t;

typedef enum codec_got {
    CODEC_HUNGRY, /* all that was given is used */
    CODEC_FULL,   /* there is no more room: call again */
    CODEC_WHOLE,  /* the end of the packed data (of a member, or frame, of it) */
    CODEC_BROKEN, /* it is not what it should be, or wants a window that is too large */
} codec_got_t;

typedef struct codec {
    void *(*packer)(const codec_wish_t *wish);
    /* Takes from *in what it can, and writes. False: out is full, call again in the same way. */
    bool (*pack)(void *packer, str_t *in, codec_how_t how, buf_t *out);
    void (*packer_end)(void *packer);

    void *(*unpacker)(void);
    codec_got_t (*unpack)(void *unpacker, str_t *in, buf_t *out);
    void (*unpacker_end)(void *unpacker);
    /* Whether packed data may go on with this byte behind CODEC_WHOLE; NULL: never. */
    bool (*goes_on)(unsigned char byte);

    void (*trim)(void); /* gives what is kept for reuse back to the system */
} codec_t;

/* NULL: none, or this build is without it. CODING_DEFLATE only unpacks: its packer is NULL. */
const codec_t *codec_of(coding_t coding);

/* Of all codecs. */
void codec_trim(void);

/* The window to take for a body of that length (or unknown) where `most` is allowed. */
unsigned codec_window(unsigned most, int64_t length);

#endif
