#include "http/scan.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

static const bool token_byte[256] = {
    ['!'] = true, ['#' ... '\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['^' ... 'z'] = true, ['|'] = true, ['~'] = true,
};

static bool is_text(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool is_target(unsigned char c)
{
    return c > 0x20 && c != 0x7f && c != '#';
}

static const char *token_plain(const char *p, const char *end)
{
    while (p < end && token_byte[(unsigned char)*p]) p++;
    return p;
}

static const char *text_plain(const char *base, const char *p, const char *end)
{
    (void)base;
    while (p < end && is_text((unsigned char)*p)) p++;
    return p;
}

static const char *target_plain(const char *base, const char *p, const char *end)
{
    (void)base;
    while (p < end && is_target((unsigned char)*p)) p++;
    return p;
}

static scan_line_t line_plain(const char *base, const char *p, const char *end)
{
    const char *token = token_plain(p, end);
    return (scan_line_t){token, text_plain(base, token, end)};
}

scan_line_t (*scan_line)(const char *base, const char *p, const char *end) = line_plain;
const char *(*scan_text)(const char *base, const char *p, const char *end) = text_plain;
const char *(*scan_target)(const char *base, const char *p, const char *end) = target_plain;

#ifdef __x86_64__

/*
 * The vector forms: a classifier turns `width` bytes into a mask with a bit for each byte that ends
 * the scan; the walks below are the same for every classifier and inlined into each form.
 */
typedef uint64_t (*classify_t)(const char *p);

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* The mask of the bytes from p on, of which at least `width` lie in [base, end) before end. */
static ALWAYS_INLINE uint64_t mask_at(const char *p, const char *end, ptrdiff_t width,
                                      classify_t classify)
{
    if (end - p >= width) return classify(p);
    return classify(end - width) >> (width - (end - p));
}

static ALWAYS_INLINE const char *walk(const char *p, const char *end, ptrdiff_t width,
                                      classify_t classify)
{
    while (p < end) {
        uint64_t mask = mask_at(p, end, width, classify);
        if (mask) return p + __builtin_ctzll(mask);
        if (end - p <= width) break;
        p += width;
    }
    return end;
}

static ALWAYS_INLINE scan_line_t walk_line(const char *p, const char *end, ptrdiff_t width,
                                           classify_t token, classify_t text)
{
    const char *next = end - p > width ? p + width : end;
    uint64_t token_mask = mask_at(p, end, width, token);
    uint64_t text_mask = mask_at(p, end, width, text);
    scan_line_t s;
    s.token = token_mask ? p + __builtin_ctzll(token_mask) : walk(next, end, width, token);
    s.text = text_mask ? p + __builtin_ctzll(text_mask) : walk(next, end, width, text);
    return s;
}

enum { SSE2_WIDTH = 16, AVX2_WIDTH = 32 };

static inline __m128i load16(const char *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static inline __m128i eq16(__m128i v, char c)
{
    return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

/* Where lo <= byte <= hi, unsigned. */
static inline __m128i range16(__m128i v, unsigned char lo, unsigned char hi)
{
    __m128i off = _mm_sub_epi8(v, _mm_set1_epi8((char)lo));
    return _mm_cmpeq_epi8(_mm_min_epu8(off, _mm_set1_epi8((char)(hi - lo))), off);
}

static inline uint64_t bits16(__m128i v)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(v);
}

static inline uint64_t text16(const char *p)
{
    __m128i v = load16(p);
    __m128i control = _mm_andnot_si128(eq16(v, '\t'), range16(v, 0, 0x1f));
    return bits16(_mm_or_si128(control, eq16(v, 0x7f)));
}

static inline uint64_t target16(const char *p)
{
    __m128i v = load16(p);
    __m128i low = range16(v, 0, 0x20);
    return bits16(_mm_or_si128(low, _mm_or_si128(eq16(v, 0x7f), eq16(v, '#'))));
}

/* SSE2 has no byte shuffle, so the delimiters are compared one run at a time. */
static inline uint64_t token16(const char *p)
{
    __m128i v = load16(p);
    __m128i a = _mm_or_si128(range16(v, 0, 0x20), range16(v, 0x7f, 0xff));
    __m128i b = _mm_or_si128(range16(v, ':', '@'), range16(v, '[', ']'));
    __m128i c = _mm_or_si128(range16(v, '(', ')'), eq16(v, '"'));
    __m128i d = _mm_or_si128(eq16(v, ','), eq16(v, '/'));
    __m128i e = _mm_or_si128(eq16(v, '{'), eq16(v, '}'));
    return bits16(_mm_or_si128(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)), e));
}

static const char *text_sse2(const char *base, const char *p, const char *end)
{
    if (end - base < SSE2_WIDTH) return text_plain(base, p, end);
    return walk(p, end, SSE2_WIDTH, text16);
}

static const char *target_sse2(const char *base, const char *p, const char *end)
{
    if (end - base < SSE2_WIDTH) return target_plain(base, p, end);
    return walk(p, end, SSE2_WIDTH, target16);
}

static scan_line_t line_sse2(const char *base, const char *p, const char *end)
{
    if (end - base < SSE2_WIDTH) return line_plain(base, p, end);
    return walk_line(p, end, SSE2_WIDTH, token16, text16);
}

#define AVX2 __attribute__((target("avx2")))

static AVX2 inline __m256i load32(const char *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static AVX2 inline __m256i eq32(__m256i v, char c)
{
    return _mm256_cmpeq_epi8(v, _mm256_set1_epi8(c));
}

/* Where byte <= hi, unsigned. */
static AVX2 inline __m256i upto32(__m256i v, char hi)
{
    return _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(hi)), v);
}

static AVX2 inline uint64_t bits32(__m256i v)
{
    return (uint64_t)(unsigned)_mm256_movemask_epi8(v);
}

static AVX2 inline uint64_t text32(const char *p)
{
    __m256i v = load32(p);
    __m256i control = _mm256_andnot_si256(eq32(v, '\t'), upto32(v, 0x1f));
    return bits32(_mm256_or_si256(control, eq32(v, 0x7f)));
}

static AVX2 inline uint64_t target32(const char *p)
{
    __m256i v = load32(p);
    __m256i low = upto32(v, 0x20);
    return bits32(_mm256_or_si256(low, _mm256_or_si256(eq32(v, 0x7f), eq32(v, '#'))));
}

/*
 * A tchar is found by its two halves: ROWS has, for each low half, one bit per high half 2..7 with
 * which it makes a tchar; COLUMN turns the high half into that bit. Bytes from 0x80 on have none.
 */
#define ROWS \
    0x3a, 0x3f, 0x3e, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3e, 0x3e, 0x3d, 0x15, 0x34, 0x15, 0x3d, 0x1c
#define COLUMN 0, 0, 1, 2, 4, 8, 16, 32, 0, 0, 0, 0, 0, 0, 0, 0

static AVX2 inline uint64_t token32(const char *p)
{
    __m256i v = load32(p), half = _mm256_set1_epi8(0x0f);
    __m256i rows = _mm256_setr_epi8(ROWS, ROWS), column = _mm256_setr_epi8(COLUMN, COLUMN);
    __m256i row = _mm256_shuffle_epi8(rows, _mm256_and_si256(v, half));
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), half);
    __m256i both = _mm256_and_si256(row, _mm256_shuffle_epi8(column, high));
    return bits32(_mm256_cmpeq_epi8(both, _mm256_setzero_si256()));
}

static AVX2 const char *text_avx2(const char *base, const char *p, const char *end)
{
    if (end - base < AVX2_WIDTH) return text_sse2(base, p, end);
    return walk(p, end, AVX2_WIDTH, text32);
}

static AVX2 const char *target_avx2(const char *base, const char *p, const char *end)
{
    if (end - base < AVX2_WIDTH) return target_plain(base, p, end);
    return walk(p, end, AVX2_WIDTH, target32);
}

static AVX2 scan_line_t line_avx2(const char *base, const char *p, const char *end)
{
    if (end - base < AVX2_WIDTH) return line_plain(base, p, end);
    return walk_line(p, end, AVX2_WIDTH, token32, text32);
}

scan_kind_t scan_best(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? SCAN_AVX2 : SCAN_SSE2;
}

static void use_vector(scan_kind_t kind)
{
    scan_line = kind == SCAN_AVX2 ? line_avx2 : line_sse2;
    scan_text = kind == SCAN_AVX2 ? text_avx2 : text_sse2;
    scan_target = kind == SCAN_AVX2 ? target_avx2 : target_sse2;
}

#else

scan_kind_t scan_best(void)
{
    return SCAN_PLAIN;
}

static void use_vector(scan_kind_t kind)
{
    (void)kind;
}

#endif

bool scan_use(scan_kind_t kind)
{
    if (kind > scan_best()) return false;
    if (kind != SCAN_PLAIN) {
        use_vector(kind);
        return true;
    }
    scan_line = line_plain;
    scan_text = text_plain;
    scan_target = target_plain;
    return true;
}

static __attribute__((constructor)) void choose(void)
{
    scan_use(scan_best());
}
