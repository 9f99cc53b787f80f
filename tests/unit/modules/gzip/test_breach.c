#include <criterion/criterion.h>

#include "modules/gzip/breach.h"

static pool_t *pool;

static void add_fields(header_list_t *list, const char *fields)
{
    str_t rest = str_of(fields), line;
    header_list_init(list, pool);
    while (str_cut(&rest, '\n', &line)) {
        size_t colon = str_find(line, 0, ':');
        cr_assert_lt(colon, line.n);
        cr_assert(header_add(list, str_sub(line, 0, colon),
                             str_trim(str_sub(line, colon + 1, line.n))));
    }
}

typedef struct row {
    const char *fields, *args, *reply;
    int status;
    bool body, threatens;
    const char *why;
} row_t;

#define COOKIE "Cookie: a=b"

static const row_t rows[] = {
    {"", "q=x", "", 200, false, false, "no secrets"},
    {"", "q=x", "", 200, true, false, "no secrets"},
    {COOKIE, "", "", 200, false, false, "no words"},
    {COOKIE, "q=x", "", 200, false, true, "arguments"},
    {COOKIE, "", "", 200, true, true, "a body"},
    {COOKIE, "", "", 404, false, true, "an error says the path"},
    {COOKIE, "", "", 500, false, true, "an error says the path"},
    {"Authorization: Basic eA==", "q=x", "", 200, false, true, "arguments"},
    {"Authorization: Basic eA==", "", "", 200, false, false, "no words"},
    {COOKIE, "q=x", "Cache-Control: public, max-age=1", 200, false, false, "the same for all"},
    {COOKIE, "q=x", "Cache-Control: private", 200, false, true, "not for all"},
    {COOKIE "\nSec-Fetch-Site: same-origin", "q=x", "", 200, false, false, "of the site"},
    {COOKIE "\nSec-Fetch-Site: none", "q=x", "", 200, false, false, "of the user"},
    {COOKIE "\nSec-Fetch-Site: same-site", "q=x", "", 200, false, true, "another host of the site"},
    {COOKIE "\nSec-Fetch-Site: cross-site", "q=x", "", 200, false, true, "another site"},
    {COOKIE "\nSec-Fetch-Site: ", "q=x", "", 200, false, true, "nothing said"},
    {COOKIE "\nSec-Fetch-Site: cross-site\nReferer: https://own.example/", "q=x", "", 200, false,
     true, "the browser knows better"},
    {COOKIE "\nReferer: https://own.example/a?b", "q=x", "", 200, false, false, "of the site"},
    {COOKIE "\nReferer: https://own.example:8443/", "q=x", "", 200, false, false, "of the site"},
    {COOKIE "\nReferer: https://OWN.example", "q=x", "", 200, false, false, "of the site"},
    {COOKIE "\nReferer: https://own.example.evil.example/", "q=x", "", 200, false, true,
     "begins so"},
    {COOKIE "\nReferer: https://evil.example/own.example", "q=x", "", 200, false, true, "ends so"},
    {COOKIE "\nReferer: https://evil.example?own.example/", "q=x", "", 200, false, true, "ends so"},
    {COOKIE "\nReferer: https://evil.example#://own.example/", "q=x", "", 200, false, true,
     "ends so"},
    {COOKIE "\nReferer: https://own.example@evil.example/", "q=x", "", 200, false, true, "a user"},
    {COOKIE "\nReferer: own.example", "q=x", "", 200, false, true, "no URL"},
    {COOKIE "\nReferer: ", "q=x", "", 200, false, true, "nothing said"},
    {COOKIE "\nOrigin: https://own.example", "", "", 200, true, false, "of the site"},
    {COOKIE "\nOrigin: https://evil.example", "", "", 200, true, true, "another site"},
    {COOKIE "\nOrigin: null", "", "", 200, true, true, "nobody's"},
    {COOKIE "\nOrigin: null\nReferer: https://own.example/", "", "", 200, true, true,
     "Origin first"},
};

Test(breach, what_is_looked_at)
{
    pool = pool_create();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const row_t *row = &rows[i];
        request_t r = {.pool = pool, .host = STR_INIT("own.example"), .args = str_of(row->args)};
        r.head.framing = row->body ? PARSE_CHUNKED : PARSE_NO_BODY;
        r.reply.status = row->status;
        add_fields(&r.head.headers, row->fields);
        add_fields(&r.reply.headers, row->reply);
        cr_expect_eq(breach_threatens(&r), row->threatens, "%s; %s; %s (%s)", row->fields,
                     row->args,
                     row->reply, row->why);
    }
    pool_destroy(pool);
}
