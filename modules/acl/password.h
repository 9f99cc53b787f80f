/*
 * password: passwords held against what a file of them has (htpasswd).
 *
 * Known are {PLAIN}, {SHA}, {SSHA}, $apr1$ (Apache's MD5), and what crypt(3) knows. Nothing
 * suspends.
 */
#ifndef MODULES_ACL_PASSWORD_H
#define MODULES_ACL_PASSWORD_H

#include "core/base/pool.h"

enum { PASSWORD_MAX = 512 /* bytes; crypt(3) takes no longer ones */ };

/*
 * Whether the password (without NUL) is the one that was hashed. pool is for what is needed
 * meanwhile. False also for a password longer than PASSWORD_MAX, and a hash nobody knows.
 */
bool password_matches(pool_t *pool, str_t password, str_t hash);

/* Whether checking against this hash is meant to take long (milliseconds and more). */
bool password_is_slow(str_t hash);

#endif
