/* guarded: bytes that end where readable memory ends: who reads one too many crashes. */
#ifndef TESTS_UNIT_HTTP_GUARDED_H
#define TESTS_UNIT_HTTP_GUARDED_H

#include "core/base/str.h"

/* Valid until the next call. */
str_t guarded_copy(str_t s);

#endif
