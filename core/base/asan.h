/*
 * asan: whether AddressSanitizer watches, which sees less of memory that is reused or mapped.
 */
#ifndef CORE_BASE_ASAN_H
#define CORE_BASE_ASAN_H

#if defined(__SANITIZE_ADDRESS__)
#define ASAN_WATCHES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN_WATCHES 1
#endif
#endif
#ifndef ASAN_WATCHES
#define ASAN_WATCHES 0
#endif

#endif
