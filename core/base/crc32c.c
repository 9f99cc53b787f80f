#include "core/base/crc32c.h"

static uint32_t table[256];

static __attribute__((constructor)) void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (unsigned bit = 0; bit < 8; bit++) c = c & 1 ? 0x82f63b78u ^ c >> 1 : c >> 1;
        table[i] = c;
    }
}

uint32_t crc32c_add_plain(uint32_t crc, str_t s)
{
    crc = ~crc;
    for (size_t i = 0; i < s.n; i++) crc = table[(crc ^ (unsigned char)s.p[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

#ifdef __x86_64__

__attribute__((target("sse4.2"))) static uint32_t add_fast(uint32_t crc, str_t s)
{
    uint64_t c = ~crc, word;
    for (; s.n >= 8; s.p += 8, s.n -= 8) {
        memcpy(&word, s.p, 8);
        c = __builtin_ia32_crc32di(c, word);
    }
    for (; s.n > 0; s.p++, s.n--)
        c = __builtin_ia32_crc32qi((uint32_t)c, (unsigned char)*s.p);
    return ~(uint32_t)c;
}

uint32_t crc32c_add(uint32_t crc, str_t s)
{
    return __builtin_cpu_supports("sse4.2") ? add_fast(crc, s) : crc32c_add_plain(crc, s);
}

#else

uint32_t crc32c_add(uint32_t crc, str_t s)
{
    return crc32c_add_plain(crc, s);
}

#endif
