#include "modules/upstream/roster.h"

#include <stdlib.h>

#include "core/base/hash.h"

size_t roster_bytes(unsigned names)
{
    return sizeof(roster_t) + names * sizeof(roster_answer_t) + 4 * (size_t)SLAB_PAGE;
}

roster_t *roster_init(slab_t *slab, unsigned names)
{
    roster_t *r = slab_alloc(slab, sizeof(*r));
    roster_answer_t *answers = slab_alloc(slab, names * sizeof(*answers));
    if (!r || !answers) return NULL;
    memset(r, 0, sizeof(*r));
    memset(answers, 0, names * sizeof(*answers));
    shm_lock_init(&r->lock);
    r->names = names;
    r->answers = answers;
    return r;
}

static void take(roster_t *r)
{
    if (shm_lock(&r->lock) == SHM_LOCK_RECOVER) shm_lock_repaired(&r->lock);
}

/* --- names --- */

static roster_answer_t *find(roster_t *r, uint64_t name)
{
    for (unsigned i = 0; i < r->names; i++)
        if (r->answers[i].name == name) return &r->answers[i];
    return NULL;
}

/* Names that no configuration has any more are those that expired first. */
static roster_answer_t *claim(roster_t *r, uint64_t name)
{
    roster_answer_t *a = find(r, name);
    if (a) return a;
    a = find(r, 0);
    if (!a) a = &r->answers[0];
    for (unsigned i = 0; a->name && i < r->names; i++)
        if (r->answers[i].expires_ms < a->expires_ms) a = &r->answers[i];
    uint64_t version = a->version;
    *a = (roster_answer_t){.name = name, .version = version};
    return a;
}

static uint64_t key_of(str_t name)
{
    return hash_bytes(name) | 1;
}

bool roster_find(roster_t *r, str_t name, uint64_t seen, roster_answer_t *out)
{
    take(r);
    const roster_answer_t *a = find(r, key_of(name));
    bool found = a && a->count && a->version != seen;
    if (found) *out = *a;
    shm_unlock(&r->lock);
    return found;
}

uint64_t roster_expires(roster_t *r, str_t name)
{
    take(r);
    const roster_answer_t *a = find(r, key_of(name));
    uint64_t expires = a ? a->expires_ms : 0;
    shm_unlock(&r->lock);
    return expires;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(roster_addr_t));
}

bool roster_set(roster_t *r, str_t name, roster_answer_t *answer)
{
    size_t n = answer->count * sizeof(answer->addrs[0]);
    qsort(answer->addrs, answer->count, sizeof(answer->addrs[0]), by_bytes);
    take(r);
    roster_answer_t *a = claim(r, key_of(name));
    bool same = a->count == answer->count && memcmp(a->addrs, answer->addrs, n) == 0;
    a->expires_ms = answer->expires_ms;
    if (!same) {
        __atomic_store_n(&a->count, 0, __ATOMIC_SEQ_CST);
        memcpy(a->addrs, answer->addrs, n);
        a->version++;
        __atomic_store_n(&a->count, answer->count, __ATOMIC_SEQ_CST);
    }
    shm_unlock(&r->lock);
    return !same;
}

void roster_put_off(roster_t *r, str_t name, uint64_t until_ms)
{
    take(r);
    claim(r, key_of(name))->expires_ms = until_ms;
    shm_unlock(&r->lock);
}

net_addr_t roster_address(const roster_addr_t *addr)
{
    net_addr_t a;
    if (addr->ipv6) {
        a = (net_addr_t){.len = sizeof(a.in6), .in6.sin6_family = AF_INET6};
        memcpy(&a.in6.sin6_addr, addr->bytes, sizeof(a.in6.sin6_addr));
    } else {
        a = (net_addr_t){.len = sizeof(a.in), .in.sin_family = AF_INET};
        memcpy(&a.in.sin_addr, addr->bytes, sizeof(a.in.sin_addr));
    }
    net_set_port(&a, addr->port);
    return a;
}

/* --- lines --- */

bool roster_line(roster_t *r, unsigned number, uint64_t *seen, char out[ROSTER_LINE])
{
    const roster_line_t *l = &r->lines[number];
    take(r);
    bool changed = l->version != *seen;
    *seen = l->version;
    memcpy(out, l->text, ROSTER_LINE);
    shm_unlock(&r->lock);
    out[ROSTER_LINE - 1] = '\0';
    return changed;
}

/* The first byte is written last: until then there is nobody. */
static void write_line(roster_line_t *l, str_t text)
{
    __atomic_store_n(&l->text[0], '\0', __ATOMIC_SEQ_CST);
    if (text.n) memcpy(l->text + 1, text.p + 1, text.n - 1);
    l->text[text.n] = '\0';
    l->version++;
    if (text.n) __atomic_store_n(&l->text[0], text.p[0], __ATOMIC_SEQ_CST);
}

bool roster_add(roster_t *r, str_t text)
{
    bool done = false;
    if (text.n == 0 || text.n >= ROSTER_LINE) return false;
    take(r);
    for (unsigned i = 0; !done && i < ROSTER_ADDED; i++) {
        if (r->lines[i].text[0]) continue;
        write_line(&r->lines[i], text);
        done = true;
    }
    shm_unlock(&r->lock);
    return done;
}

void roster_remove(roster_t *r, unsigned number)
{
    take(r);
    write_line(&r->lines[number], STR(""));
    shm_unlock(&r->lock);
}
