#include "modules/cache/store_renew.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/panic.h"

/* Whether the file is that of the body still: its present record says so. */
static bool is_file_of(int fd, const store_entry_t *e, uint32_t room)
{
    char fixed[STORE_RECORD_FIXED];
    uint64_t id;
    off_t at = e->flags & STORE_SECOND ? (off_t)room : 0;
    if (store_file_read(fd, fixed, sizeof(fixed), at) != sizeof(fixed)) return false;
    memcpy(&id, fixed + STORE_RECORD_ID_AT, sizeof(id));
    return id == e->id;
}

static int write_record(store_t *s, const store_entry_t *e, const store_record_t *r)
{
    store_file_t name = {{e->key[0], e->key[1]}, e->variant};
    int fd = store_file_open(&s->dir, &name, true);
    if (fd < 0) return fd;
    int err = is_file_of(fd, e, r->room) ? 0 : -ESTALE;
    char *bytes = err ? NULL : malloc(r->size);
    if (!err && !bytes) panic("out of memory: a record of the cache");
    if (!err) {
        struct iovec iov = {bytes, r->size};
        store_record_put(bytes, r);
        err = store_file_write(fd, &iov, 1, e->flags & STORE_SECOND ? 0 : (off_t)r->room);
    }
    free(bytes);
    close(fd);
    return err;
}

int store_renew(store_t *s, uint32_t at, const store_entry_t *e, store_record_t *r)
{
    store_entry_t next = *e;
    r->version = (uint8_t)(e->version + 1);
    r->size = store_record_size(r);
    if (!r->size || r->size > r->room) return -EFBIG;
    int err = write_record(s, e, r);
    if (err) return err;
    next.stored = r->stored;
    next.born = r->born;
    next.version = r->version;
    next.flags = (e->flags ^ STORE_SECOND) & (STORE_SECOND | STORE_UNVERIFIED | STORE_TAGGED);
    if (r->stale) next.flags |= STORE_STALE;
    if (!store_index_renew(s->shared->index, at, &next)) return -ESTALE;
    if (s->memory) store_memory_drop(s->memory, e->memory, e->id);
    return 0;
}
