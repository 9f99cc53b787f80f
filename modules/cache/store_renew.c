#include "modules/cache/store_renew.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/panic.h"

/* Into the room that the entry says is not in use. */
static int write_record(int fd, const store_entry_t *e, const store_record_t *r)
{
    char *bytes = malloc(r->size);
    if (!bytes) panic("out of memory: a record of the cache");
    struct iovec iov = {bytes, r->size};
    store_record_put(bytes, r);
    int err = store_file_write(fd, &iov, 1, e->flags & STORE_SECOND ? 0 : (off_t)r->room);
    free(bytes);
    return err;
}

static int tell(store_t *s, uint32_t at, const store_entry_t *e, const store_record_t *r)
{
    store_entry_t next = *e;
    next.stored = r->stored;
    next.born = r->born;
    next.version = r->version;
    next.flags = (e->flags ^ STORE_SECOND) & (STORE_SECOND | STORE_UNVERIFIED | STORE_TAGGED);
    if (r->stale) next.flags |= STORE_STALE;
    if (!store_index_renew(s->shared->index, at, &next)) return -ESTALE;
    if (s->memory) store_memory_drop(s->memory, e->memory, e->id);
    return 0;
}

/* The file is locked: nobody else renews it, so that what the index says stays as it is. */
static int renew_locked(store_t *s, int fd, uint32_t at, const store_entry_t *e,
                        const store_record_t *r)
{
    store_entry_t now;
    if (!store_index_copy(s->shared->index, at, &now)) return -EAGAIN;
    if (now.id != e->id) return -ESTALE;
    if (now.version != e->version) return -EAGAIN;
    int err = write_record(fd, &now, r);
    return err ? err : tell(s, at, &now, r);
}

int store_renew(store_t *s, uint32_t at, const store_entry_t *e, store_record_t *r)
{
    store_file_t name = store_zone_file(e);
    r->version = (uint8_t)(e->version + 1);
    r->size = store_record_size(r);
    if (!r->size || r->size > r->room) return -EFBIG;
    int fd = store_file_open(&s->dir, &name, true);
    if (fd < 0) return fd;
    int err = flock(fd, LOCK_EX) < 0 ? -errno : renew_locked(s, fd, at, e, r);
    close(fd);
    return err;
}
