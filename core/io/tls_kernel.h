/*
 * tls_kernel: kTLS, records that the kernel makes of what is sent.
 *
 * A socket that was given the keys takes plain text by send and sendfile, so that files go out
 * without passing through the process. What comes in stays with OpenSSL: it is seldom much, and 3.0
 * cannot hand over TLS 1.3 in that direction. Nothing suspends.
 */
#ifndef CORE_IO_TLS_KERNEL_H
#define CORE_IO_TLS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Tries it on a connection of its own. NULL when kernel and library have it, else what they lack
 * and the way out, "the kernel has no tls module; modprobe tls". Asked by the process that forks
 * those that serve: with its privileges the kernel loads the module by itself.
 */
const char *tls_kernel_find(void);

/*
 * Hands over the keys of what is sent, as OpenSSL gives them to the BIO of a socket. False, and
 * what is sent goes on as it is: it was not found, or the kernel does not know the cipher.
 */
bool tls_kernel_take(int fd, const void *keys);

/*
 * Whether the end of what was written is on its way. A record that has no room in the socket's
 * buffer counts as written, and is lost when the socket is shut down or closed then.
 */
bool tls_kernel_settled(int fd);

/* Keeps what the descriptor stands for open until that is settled (for half a minute at most, and
   a few hundred at a time); the caller closes fd itself. */
void tls_kernel_linger(int fd);

/* Sends records of a type of their own: alerts, handshake messages. As send(2). */
ssize_t tls_kernel_send(int fd, unsigned char type, const void *p, size_t n);

#endif
