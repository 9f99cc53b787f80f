/*
 * whole: a body known whole, packed in one go.
 *
 * What is at hand whole is packed at well below the cost of a stream (gzip by ISA-L and
 * libdeflate), and holds nothing meanwhile: for small replies, and for what is packed once to be
 * sent often. Levels are those of the directives (gzip goes up to 12 here), and results as small as
 * a stream's, give or take two in a hundred. Nothing suspends: content should not be larger than
 * what may keep others waiting.
 */
#ifndef MODULES_GZIP_WHOLE_H
#define MODULES_GZIP_WHOLE_H

#include "modules/gzip/codec.h"

enum { WHOLE_LEVEL_MOST = 12 }; /* of gzip; of the others their libraries' scale */

/* A buffer that holds content in this coding, for which there is a packer; the caller returns
   it. */
buf_t *whole_pack(coding_t coding, unsigned level, unsigned window, str_t content);

/* Gives what is kept for reuse back to the system. */
void whole_trim(void);

#endif
