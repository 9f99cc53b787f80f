/*
 * fetch: libcurl as the client that is not ours.
 *
 *     CURL *c = fetch_new("http://127.0.0.1:@http@/a");
 *     curl_easy_setopt(c, CURLOPT_..., ...);
 *     fetched_t *f = fetch(c);          // may be repeated: the handle keeps its connection
 *
 * Handles are freed when the test ends.
 */
#ifndef TESTS_E2E_FETCH_H
#define TESTS_E2E_FETCH_H

#include <curl/curl.h>

#include "tests/e2e/harness.h"

typedef struct fetched {
    CURLcode code;
    long status;
    long connects;    /* connections that this one had to open */
    const char *head; /* of all responses, interim ones too */
    str_t body;
    char *room;
    size_t size;
} fetched_t;

CURL *fetch_new(const char *url); /* placeholders are replaced */
fetched_t *fetch(CURL *c);

/* A single GET, which must succeed as far as HTTP goes. */
fetched_t *fetch_get(const char *url);

#endif
