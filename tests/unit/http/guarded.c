#include "tests/unit/http/guarded.h"

#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

str_t guarded_copy(str_t s)
{
    static char *memory;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 4 * page;
    if (!memory) {
        int rw = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
        memory = mmap(NULL, size + page, rw, flags, -1, 0);
        cr_assert(memory != MAP_FAILED);
        cr_assert_eq(mprotect(memory + size, page, PROT_NONE), 0);
    }
    cr_assert(s.n <= size);
    char *p = memory + size - s.n;
    memcpy(p, s.p, s.n);
    return str_make(p, s.n);
}
