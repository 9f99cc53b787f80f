#include "modules/ssl/ssl_ticket_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/shared/shm.h"

struct ssl_ticket_ring {
    shm_lock_t lock;
    uint64_t period, since; /* seconds: how long a key seals, and since when the present one does */
    uint64_t made_ms;
    bool made, before_made;
    ssl_ticket_key_t now, before;
};

void *ssl_ticket_ring_init(slab_t *slab, void *arg)
{
    ssl_ticket_ring_t *ring = slab_alloc(slab, sizeof(*ring));
    if (!ring) return NULL;
    *ring = (ssl_ticket_ring_t){.period = *(const uint64_t *)arg, .made_ms = clock_ms()};
    shm_lock_init(&ring->lock);
    return ring;
}

uint64_t ssl_ticket_ring_made(const ssl_ticket_ring_t *ring)
{
    return ring->made_ms;
}

/* Keys that somebody was killed at are forgotten. */
static void lock(ssl_ticket_ring_t *ring)
{
    if (shm_lock(&ring->lock) != SHM_LOCK_RECOVER) return;
    ring->made = ring->before_made = false;
    shm_lock_repaired(&ring->lock);
}

static bool make_key(ssl_ticket_ring_t *ring, uint64_t now)
{
    ssl_ticket_key_t *key = &ring->now;
    ring->before = ring->now;
    ring->before_made = ring->made && now < ring->since + 2 * ring->period;
    ring->made = false;
    key->size = SSL_TICKET_SECRET;
    ring->made = RAND_bytes(key->name, sizeof(key->name)) == 1 &&
                 RAND_priv_bytes(key->cipher, sizeof(key->cipher)) == 1 &&
                 RAND_priv_bytes(key->mac, sizeof(key->mac)) == 1;
    ring->since = now;
    return ring->made;
}

bool ssl_ticket_ring_seal(ssl_ticket_ring_t *ring, uint64_t now, ssl_ticket_key_t *out)
{
    lock(ring);
    bool good = ring->made && now < ring->since + ring->period;
    bool ok = good || make_key(ring, now);
    if (ok) *out = ring->now;
    shm_unlock(&ring->lock);
    return ok;
}

bool ssl_ticket_ring_open(ssl_ticket_ring_t *ring, const unsigned char name[SSL_TICKET_NAME],
                          uint64_t now, ssl_ticket_key_t *out, bool *old)
{
    bool found = false;
    lock(ring);
    if (ring->made && memcmp(ring->now.name, name, SSL_TICKET_NAME) == 0) {
        *out = ring->now;
        *old = now >= ring->since + ring->period;
        found = now < ring->since + 2 * ring->period;
    } else if (ring->before_made && memcmp(ring->before.name, name, SSL_TICKET_NAME) == 0) {
        *out = ring->before;
        *old = true;
        found = now < ring->since + ring->period;
    }
    shm_unlock(&ring->lock);
    return found;
}

/* --- files --- */

/* Names first; then MAC and cipher with long secrets, cipher and MAC with short ones. */
static bool take(const unsigned char *bytes, size_t n, ssl_ticket_key_t *out)
{
    enum { SHORT = 16, SHORT_FILE = 48, LONG_FILE = 80 };
    if (n != SHORT_FILE && n != LONG_FILE) return false;
    size_t size = n == SHORT_FILE ? SHORT : SSL_TICKET_SECRET;
    const unsigned char *first = bytes + SSL_TICKET_NAME, *second = first + size;
    memcpy(out->name, bytes, SSL_TICKET_NAME);
    memcpy(out->cipher, n == SHORT_FILE ? first : second, size);
    memcpy(out->mac, n == SHORT_FILE ? second : first, size);
    out->size = (uint8_t)size;
    return true;
}

bool ssl_ticket_key_read(const char *path, ssl_ticket_key_t *out)
{
    unsigned char bytes[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, bytes, sizeof(bytes));
    int err = errno;
    close(fd);
    *out = (ssl_ticket_key_t){.size = 0};
    errno = n < 0 ? err : EINVAL;
    bool ok = n > 0 && take(bytes, (size_t)n, out);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return ok;
}
