/* How a zone is laid out. */
#include <criterion/criterion.h>

#include "shelf.h"

/* Of all of keys_zone: entries, buckets, ghosts, and the tables beside them. */
Test(store_setup, an_object_takes_100_to_150_bytes_of_the_zone)
{
    static const size_t sizes[] = {(size_t)1 << 20, (size_t)10 << 20, (size_t)128 << 20};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        shelf_t shelf;
        shelf_open(&shelf, sizes[i], 0);
        double each = (double)sizes[i] / store_index_capacity(shelf.s->shared->index);
        cr_log_info("%zu bytes: %.1f each", sizes[i], each);
        cr_expect(each >= 100 && each <= 150, "%.1f", each);
        shelf_close(&shelf);
    }
}
