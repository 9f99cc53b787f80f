#include "tests/e2e/fetch.h"

static void append(fetched_t *f, str_t *to, const char *p, size_t n)
{
    if (to->n + n >= f->size) {
        f->size = (to->n + n + 1) * 2;
        char *larger = pool_bytes(harness_pool, f->size);
        if (to->n) memcpy(larger, to->p, to->n);
        f->room = larger;
    }
    memcpy(f->room + to->n, p, n);
    f->room[to->n + n] = '\0';
    *to = str_make(f->room, to->n + n);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    fetched_t *f = arg;
    append(f, &f->body, p, size * n);
    return size * n;
}

static size_t on_head(char *p, size_t size, size_t n, void *arg)
{
    fetched_t *f = arg;
    f->head = text("%s%.*s", f->head, (int)(size * n), p);
    return size * n;
}

static void end_fetch(void *arg)
{
    curl_easy_cleanup(arg);
    curl_global_cleanup();
}

CURL *fetch_new(const char *url)
{
    cr_assert_eq(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
    CURL *c = curl_easy_init();
    cr_assert(c);
    harness_at_end(end_fetch, c);
    curl_easy_setopt(c, CURLOPT_URL, harness_expand(url));
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_head);
    return c;
}

fetched_t *fetch(CURL *c)
{
    fetched_t *f = POOL_NEW(harness_pool, fetched_t);
    f->head = "";
    f->body = STR("");
    curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, f);
    f->code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &f->status);
    curl_easy_getinfo(c, CURLINFO_NUM_CONNECTS, &f->connects);
    return f;
}

fetched_t *fetch_get(const char *url)
{
    fetched_t *f = fetch(fetch_new(url));
    cr_assert_eq(f->code, CURLE_OK, "%s: %s", url, curl_easy_strerror(f->code));
    return f;
}
