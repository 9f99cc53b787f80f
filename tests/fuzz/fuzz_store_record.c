/*
 * The head of a cache file: whatever the bytes, what is taken for a record lies within them, and
 * written anew it is the same bytes.
 */
#include <stdlib.h>

#include "core/base/crc32c.h"
#include "modules/cache/store_record.h"

#define REQUIRE(expr) ((expr) ? (void)0 : abort())

static void require_within(str_t all, str_t part)
{
    REQUIRE(part.p >= all.p && part.p + part.n <= all.p + all.n);
}

static void require_same(str_t all, const store_record_t *r)
{
    uint32_t size = store_record_size(r);
    REQUIRE(size == r->size && size <= all.n && r->room >= size);
    require_within(all, r->key);
    require_within(all, r->vary);
    require_within(all, r->head);
    require_within(all, r->tags);
    for (unsigned i = 0; i < store_record_tags(r); i++) (void)store_record_tag(r, i);
    char *again = malloc(size);
    store_record_put(again, r);
    store_record_t other;
    REQUIRE(store_record_get(str_make(again, size), &other));
    REQUIRE(other.id == r->id && str_eq(other.head, r->head) && str_eq(other.key, r->key));
    free(again);
}

/* With the checksum put right, so that what is behind it is reached, too. */
static void try_repaired(str_t in)
{
    enum { CHECK_AT = 8, SIZE_AT = 12 };
    store_record_t r;
    uint32_t size;
    if (in.n < STORE_RECORD_FIXED) return;
    char *copy = malloc(in.n);
    memcpy(copy, in.p, in.n);
    memcpy(copy, "proxydC1", 8);
    memcpy(&size, copy + SIZE_AT, sizeof(size));
    if (size > in.n) size = (uint32_t)in.n;
    if (size < STORE_RECORD_FIXED) size = STORE_RECORD_FIXED;
    memcpy(copy + SIZE_AT, &size, sizeof(size));
    uint32_t check = crc32c_add(0, str_make(copy + SIZE_AT, size - SIZE_AT));
    memcpy(copy + CHECK_AT, &check, sizeof(check));
    if (store_record_get(str_make(copy, in.n), &r)) require_same(str_make(copy, in.n), &r);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str_t in = str_make((const char *)data, size);
    store_record_t r;
    bool second;
    if (store_record_get(in, &r)) require_same(in, &r);
    if (store_record_find(in, &r, &second))
        require_same(second ? str_sub(in, r.room, in.n) : in, &r);
    try_repaired(in);
    return 0;
}
