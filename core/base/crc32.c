#include "core/base/crc32.h"

#include <stdbool.h>


static uint32_t table[256];
static bool made;

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (unsigned bit = 0; bit < 8; bit++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        table[i] = c;
    }
    made = true;
}

uint32_t crc32_add(uint32_t crc, str_t s)
{
    if (!made) make_table();
    crc = ~crc;
    for (size_t i = 0; i < s.n; i++) crc = table[(crc ^ (unsigned char)s.p[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}
