#include "modules/ssl/acme_board.h"

#include "core/shared/shm.h"

typedef struct challenge {
    bool set, tls;
    char name[ACME_BOARD_NAME + 1], token[ACME_BOARD_TOKEN + 1];
    char thumbprint[ACME_BOARD_THUMBPRINT + 1];
} challenge_t;

struct acme_board {
    shm_lock_t lock;
    unsigned challenged; /* how many are in work */
    unsigned hurries;
    acme_board_size_t size;
    challenge_t *challenges;
    acme_board_row_t *rows;
};

size_t acme_board_bytes(acme_board_size_t size)
{
    enum { PAGES = 16 }; /* of the slab itself, and what does not divide */
    return sizeof(acme_board_t) + size.issuers * sizeof(challenge_t) +
           size.certificates * sizeof(acme_board_row_t) + PAGES * SLAB_PAGE;
}

static void *zeroed(slab_t *slab, size_t n, size_t size)
{
    void *p = slab_alloc(slab, n * size);
    return p ? memset(p, 0, n * size) : NULL;
}

void *acme_board_init(slab_t *slab, void *arg)
{
    const acme_board_size_t *size = arg;
    acme_board_t *b = zeroed(slab, 1, sizeof(*b));
    if (!b) return NULL;
    shm_lock_init(&b->lock);
    b->size = *size;
    b->challenges = zeroed(slab, size->issuers, sizeof(*b->challenges));
    b->rows = zeroed(slab, size->certificates, sizeof(*b->rows));
    return b->challenges && b->rows ? b : NULL;
}

static void lock(acme_board_t *b)
{
    if (shm_lock(&b->lock) == SHM_LOCK_RECOVER) shm_lock_repaired(&b->lock);
}

/* What does not fit is cut off; room for a NUL is there. */
static void put(char *to, size_t most, str_t text)
{
    size_t n = text.n < most ? text.n : most;
    memcpy(to, text.p, n);
    to[n] = '\0';
}

/* However a process died in it, the last byte is a NUL. */
static str_t get(const char *from, size_t most)
{
    return str_make(from, strnlen(from, most));
}

/* --- challenges --- */

static void count(acme_board_t *b)
{
    unsigned n = 0;
    for (unsigned i = 0; i < b->size.issuers; i++) n += b->challenges[i].set;
    __atomic_store_n(&b->challenged, n, __ATOMIC_RELEASE);
}

void acme_board_challenge(acme_board_t *b, unsigned issuer, bool tls, str_t name, str_t token,
                          str_t thumbprint)
{
    challenge_t *c = &b->challenges[issuer];
    lock(b);
    c->set = true;
    c->tls = tls;
    put(c->name, ACME_BOARD_NAME, name);
    put(c->token, ACME_BOARD_TOKEN, token);
    put(c->thumbprint, ACME_BOARD_THUMBPRINT, thumbprint);
    count(b);
    shm_unlock(&b->lock);
}

void acme_board_unchallenge(acme_board_t *b, unsigned issuer)
{
    lock(b);
    b->challenges[issuer].set = false;
    count(b);
    shm_unlock(&b->lock);
}

bool acme_board_is_challenged(const acme_board_t *b)
{
    return __atomic_load_n(&b->challenged, __ATOMIC_ACQUIRE) != 0;
}

static bool is_meant(const challenge_t *c, bool tls, str_t key)
{
    if (!c->set || c->tls != tls) return false;
    return str_eq(tls ? get(c->name, ACME_BOARD_NAME) : get(c->token, ACME_BOARD_TOKEN), key);
}

static bool find(acme_board_t *b, bool tls, str_t key, pool_t *pool, str_t *out)
{
    bool found = false;
    lock(b);
    for (unsigned i = 0; i < b->size.issuers && !found; i++) {
        const challenge_t *c = &b->challenges[i];
        found = is_meant(c, tls, key);
        if (found)
            *out = pool_printf(pool, STR_FMT "." STR_FMT, STR_ARG(get(c->token, ACME_BOARD_TOKEN)),
                               STR_ARG(get(c->thumbprint, ACME_BOARD_THUMBPRINT)));
    }
    shm_unlock(&b->lock);
    return found;
}

bool acme_board_by_token(acme_board_t *b, str_t token, pool_t *pool, str_t *out)
{
    return find(b, false, token, pool, out);
}

bool acme_board_by_name(acme_board_t *b, str_t name, pool_t *pool, str_t *out)
{
    return find(b, true, name, pool, out);
}

/* --- certificates --- */

void acme_board_read(acme_board_t *b, unsigned certificate, acme_board_row_t *out)
{
    lock(b);
    *out = b->rows[certificate];
    shm_unlock(&b->lock);
    out->error[ACME_BOARD_ERROR] = '\0';
}

void acme_board_write(acme_board_t *b, unsigned certificate, const acme_board_row_t *row)
{
    lock(b);
    b->rows[certificate] = *row;
    shm_unlock(&b->lock);
}

void acme_board_set_error(acme_board_row_t *row, const char *text)
{
    size_t n = strlen(text);
    if (n > ACME_BOARD_ERROR)
        for (n = ACME_BOARD_ERROR; n && (text[n] & 0xc0) == 0x80;) n--;
    memcpy(row->error, text, n);
    row->error[n] = '\0';
}

unsigned acme_board_version(const acme_board_t *b, unsigned certificate)
{
    return __atomic_load_n(&b->rows[certificate].version, __ATOMIC_ACQUIRE);
}

void acme_board_hurry(acme_board_t *b)
{
    __atomic_add_fetch(&b->hurries, 1, __ATOMIC_RELEASE);
}

unsigned acme_board_hurries(const acme_board_t *b)
{
    return __atomic_load_n(&b->hurries, __ATOMIC_ACQUIRE);
}
