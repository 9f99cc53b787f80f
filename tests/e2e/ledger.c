#include "tests/e2e/ledger.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    VERSIONS = 1 << 23,
    HEAD_MOST = 512,
    ROW = 251, /* bytes of a body that are a slice of the alphabet */
    ALPHABET = 256,
    SMALL = 4000,
    MIDDLE = 200000,
    SLACK_MS = 4000, /* a cache counts whole seconds, and the machine may be busy */
};

typedef struct version { /* what was told of it */
    _Atomic unsigned telling; /* answers that are being sent */
    _Atomic unsigned object;  /* plus one; 0: nobody has had it */
    _Atomic int64_t asked;    /* when the latest request came that it was told to */
    _Atomic int64_t told;     /* when the latest such answer was over */
} version_t;

static version_t *versions;
static _Atomic unsigned next_version = 1;
static _Atomic unsigned current[LEDGER_OBJECTS];
static char alphabet[ALPHABET + ROW];

static struct {
    _Atomic int64_t began, began_last; /* of the one that is over; of the latest */
} purges[LEDGER_TAGS];

static void make_tables(void)
{
    size_t n = VERSIONS * sizeof(*versions); /* touched as they are used */
    versions = mmap(NULL, n, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t i = 0; i < sizeof(alphabet); i++) alphabet[i] = (char)('a' + i % ALPHABET * 7 % 26);
}

static void prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_tables);
}

/* --- what a version is --- */

size_t ledger_length(unsigned object, unsigned version)
{
    unsigned some = object * 7919u + version * 104729u;
    if (object % 40 == 7) return LEDGER_BODY_MOST / 2 + some % (LEDGER_BODY_MOST / 2);
    return 32 + some % (version % 5 ? SMALL : MIDDLE);
}

static unsigned lifetime(unsigned version)
{
    return version % 3;
}

static unsigned grace(unsigned version)
{
    return version % 11 == 0;
}

/* The rest of the row that position i of the body is in. */
static const char *row_at(unsigned object, unsigned version, size_t i, size_t *rest)
{
    size_t row = i / ROW, in = i % ROW;
    *rest = ROW - in;
    return alphabet + (object * 31u + version * 17u + row * 5u) % ALPHABET + in;
}

static void make_body(char *out, unsigned object, unsigned version, size_t length)
{
    for (size_t i = 0, n; i < length; i += n) {
        const char *row = row_at(object, version, i, &n);
        if (n > length - i) n = length - i;
        memcpy(out + i, row, n);
    }
}

static bool is_body(const char *body, unsigned object, unsigned version, size_t at, size_t length)
{
    for (size_t i = 0, n; i < length; i += n) {
        const char *row = row_at(object, version, at + i, &n);
        if (n > length - i) n = length - i;
        if (memcmp(body + i, row, n) != 0) return false;
    }
    return true;
}

/* --- telling --- */

static unsigned new_version(unsigned object)
{
    unsigned v = next_version++ % VERSIONS;
    versions[v].object = object + 1;
    current[object] = v;
    return v;
}

static int put_head(char *out, unsigned object, unsigned version, bool unmodified)
{
    int n = snprintf(out, HEAD_MOST,
                     "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nETag: \"%u\"\r\n"
                     "Cache-Control: max-age=%u%s\r\nSurrogate-Key: tag%u\r\n",
                     unmodified ? "304 Not Modified" : "200 OK", version, lifetime(version),
                     grace(version) ? ", stale-while-revalidate=1" : "", object % LEDGER_TAGS);
    if (!unmodified)
        n += snprintf(out + n, HEAD_MOST - (size_t)n, "Content-Length: %zu\r\n",
                      ledger_length(object, version));
    return n + snprintf(out + n, HEAD_MOST - (size_t)n, "\r\n");
}

static bool send_version(visit_t *v, char *out, unsigned object, unsigned version, bool unmodified)
{
    size_t n = (size_t)put_head(out, object, version, unmodified);
    if (unmodified) return visit_send_n(v, out, n);
    size_t length = ledger_length(object, version);
    make_body(out + n, object, version, length);
    if (!visit_send_n(v, out, n + length / 2)) return false;
    if (version % 7 == 0) usleep(2000);
    return visit_send_n(v, out + n + length / 2, length - length / 2);
}

static void raise_to(_Atomic int64_t *to, int64_t value)
{
    int64_t now = *to;
    while (now < value && !atomic_compare_exchange_weak(to, &now, value)) continue;
}

static bool tell(visit_t *v, char *out, unsigned object, unsigned *seed)
{
    int64_t asked = now_ms();
    unsigned version = current[object], held = 0;
    const char *field = strcasestr(visit_head(v), "\r\nif-none-match: \"");
    if (field) sscanf(field + 18, "%u", &held);
    if (!version || rand_r(seed) % 2) version = new_version(object);
    version_t *of = &versions[version];
    of->telling++;
    raise_to(&of->asked, asked);
    bool good = send_version(v, out, object, version, held == version);
    raise_to(&of->told, now_ms());
    of->telling--;
    return good;
}

void ledger_serve(visit_t *v)
{
    unsigned object, seed = visit_number(v);
    char *out = malloc(HEAD_MOST + LEDGER_BODY_MOST);
    prepare();
    while (out && visit_request(v) && sscanf(visit_head(v), "GET /%*[a-z]/%u", &object) == 1 &&
           object < LEDGER_OBJECTS && tell(v, out, object, &seed))
        continue;
    free(out);
}

/* --- judging --- */

ledger_ask_t ledger_ask(unsigned object)
{
    return (ledger_ask_t){.object = object,
                          .purged = purges[object % LEDGER_TAGS].began,
                          .sent = now_ms()};
}

const char *ledger_judge(const ledger_ask_t *ask, unsigned version, size_t at, const char *body,
                         size_t n)
{
    prepare();
    if (version >= VERSIONS || versions[version].object != ask->object + 1)
        return "a version that the object never had";
    const version_t *of = &versions[version];
    size_t length = ledger_length(ask->object, version);
    if (at > length || n > length - at) return "more bytes than the object has";
    if (!is_body(body, ask->object, version, at, n)) return "bytes that no origin sent";
    if (of->asked < ask->purged) return "what was purged";
    if (of->telling) return NULL;
    int64_t until = of->told + (lifetime(version) + grace(version)) * 1000 + SLACK_MS;
    return ask->sent > until ? "stale beyond what is allowed" : NULL;
}

void ledger_purge_begins(unsigned tag)
{
    purges[tag].began_last = now_ms();
}

void ledger_purge_ends(unsigned tag)
{
    purges[tag].began = purges[tag].began_last;
}
