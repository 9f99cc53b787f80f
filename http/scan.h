/*
 * scan: finding the byte where a token, a line or a request target ends. Pure; nothing suspends.
 *
 * Each scan has a plain C form and, on x86-64, an SSE2 and an AVX2 form with the same results; the
 * best that the CPU has is chosen at start. [base, end) is what may be read: a vector form may look
 * back behind p to load a whole vector, never beyond end nor before base (base <= p <= end).
 */
#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H

#include <stdbool.h>

typedef struct scan_line {
    const char *token; /* the first byte that is not a tchar (RFC 9110 5.6.2), or end */
    const char *text;  /* the first control other than HTAB (RFC 9110 5.5), or end */
} scan_line_t;

/* Looks at the line that begins at p: both answers in one pass. */
extern scan_line_t (*scan_line)(const char *base, const char *p, const char *end);

/* The first control other than HTAB, or end. */
extern const char *(*scan_text)(const char *base, const char *p, const char *end);

/* The first byte that may not stand in a request target (controls, space, DEL, "#"), or end. */
extern const char *(*scan_target)(const char *base, const char *p, const char *end);

typedef enum scan_kind { SCAN_PLAIN, SCAN_SSE2, SCAN_AVX2 } scan_kind_t;

/* Chooses a form (for tests and measurements); false, and nothing changes, when it cannot run. */
bool scan_use(scan_kind_t kind);

/* The best form that this CPU can run: what is in use unless scan_use was called. */
scan_kind_t scan_best(void);

#endif
