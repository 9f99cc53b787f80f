#include "modules/ssl/ssl_ticket_keys.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/shared/shm.h"

enum { SIZE = SLAB_SIZE_MIN, PERIOD = 1000 };

static ssl_ticket_ring_t *make(void)
{
    uint64_t period = PERIOD;
    return ssl_ticket_ring_init(slab_init(shm_map(SIZE), SIZE), &period);
}

Test(ssl_ticket_keys, a_key_seals_for_a_period_and_opens_for_two)
{
    ssl_ticket_ring_t *ring = make();
    ssl_ticket_key_t first, second, again;
    bool old;
    cr_assert(ssl_ticket_ring_seal(ring, 5000, &first));
    cr_assert(ssl_ticket_ring_seal(ring, 5999, &again));
    cr_expect_eq(memcmp(&first, &again, sizeof(first)), 0);
    cr_assert(ssl_ticket_ring_open(ring, first.name, 5999, &again, &old));
    cr_expect(!old);
    cr_assert(ssl_ticket_ring_seal(ring, 6000, &second));
    cr_expect_neq(memcmp(first.name, second.name, sizeof(first.name)), 0);
    cr_expect_neq(memcmp(first.cipher, second.cipher, sizeof(first.cipher)), 0);
    cr_assert(ssl_ticket_ring_open(ring, first.name, 6999, &again, &old));
    cr_expect(old);
    cr_expect_eq(memcmp(first.mac, again.mac, sizeof(first.mac)), 0);
    cr_expect(!ssl_ticket_ring_open(ring, first.name, 7000, &again, &old));
    cr_assert(ssl_ticket_ring_open(ring, second.name, 7000, &again, &old));
    cr_expect(old);
    cr_expect(!ssl_ticket_ring_open(ring, second.name, 8000, &again, &old));
}

Test(ssl_ticket_keys, a_key_that_has_long_rested_opens_nothing)
{
    ssl_ticket_ring_t *ring = make();
    ssl_ticket_key_t first, second;
    bool old;
    cr_assert(ssl_ticket_ring_seal(ring, 1000, &first));
    cr_assert(ssl_ticket_ring_seal(ring, 9000, &second));
    cr_expect(!ssl_ticket_ring_open(ring, first.name, 9000, &second, &old));
    cr_expect(!ssl_ticket_ring_open(ring, (const unsigned char *)"0123456789abcdef", 9000, &second,
                                    &old));
}

static const char *file_of(size_t n)
{
    static char path[64];
    char bytes[128];
    for (size_t i = 0; i < n; i++) bytes[i] = (char)i;
    strcpy(path, "/tmp/proxyd-ticket-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    return path;
}

/* The layouts of ssl_session_ticket_key in nginx. */
Test(ssl_ticket_keys, files_of_both_sizes)
{
    ssl_ticket_key_t key;
    const char *path = file_of(80);
    cr_assert(ssl_ticket_key_read(path, &key));
    unlink(path);
    cr_expect(key.size == 32 && key.name[0] == 0 && key.mac[0] == 16 && key.cipher[0] == 48);
    path = file_of(48);
    cr_assert(ssl_ticket_key_read(path, &key));
    unlink(path);
    cr_expect(key.size == 16 && key.name[0] == 0 && key.cipher[0] == 16 && key.mac[0] == 32);
    path = file_of(81);
    cr_expect(!ssl_ticket_key_read(path, &key));
    cr_expect_eq(errno, EINVAL);
    unlink(path);
    cr_expect(!ssl_ticket_key_read(path, &key));
    cr_expect_eq(errno, ENOENT);
}
