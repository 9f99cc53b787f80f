/*
 * shake: shakes hands over TLS 1.3 and closes, again and again, for bench.py.
 *
 *     shake --to PORT --seconds S [--threads N] [--resume PATH]
 *
 * Every thread makes one connection at a time. With --resume each begins with a request for PATH
 * that gives it a session, which all its connections take up; one that is not taken up is an error.
 * Prints {"requests": handshakes, "seconds": s, "errors": n, "error": "the first"}. To 127.0.0.1.
 */
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MOST = 64 };

static SSL_CTX *ctx;
static unsigned port, threads = 8;
static double seconds = 1;
static const char *resume;
static atomic_ulong shaken, errors;
static _Atomic(const char *) first_error;
static double ends;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    const char *none = NULL;
    atomic_compare_exchange_strong(&first_error, &none, what);
    errors++;
}

static SSL *shake(SSL_SESSION *session)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL *ssl = SSL_new(ctx);
    if (session) SSL_set_session(ssl, session);
    SSL_set_fd(ssl, fd);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) fail("no connection");
    else if (SSL_connect(ssl) != 1) fail("no handshake");
    else if (session && !SSL_session_reused(ssl)) fail("the session was not taken up");
    else return ssl;
    close(fd);
    SSL_free(ssl);
    return NULL;
}

/* Reads to the end, so that nothing is reset. */
static void end(SSL *ssl)
{
    char rest[4096];
    int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    shutdown(fd, SHUT_WR);
    while (recv(fd, rest, sizeof(rest), 0) > 0) continue;
    close(fd);
    SSL_free(ssl);
}

static SSL_SESSION *get_session(void)
{
    char text[4096];
    SSL *ssl = shake(NULL);
    if (!ssl) return NULL;
    int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n",
                     resume);
    if (SSL_write(ssl, text, n) == n)
        while (SSL_read(ssl, text, sizeof(text)) > 0) continue;
    SSL_SESSION *session = SSL_get1_session(ssl);
    bool good = session && SSL_SESSION_is_resumable(session);
    end(ssl);
    if (!good) fail("no session was given");
    return good ? session : NULL;
}

static void *run(void *arg)
{
    SSL_SESSION *session = resume ? get_session() : NULL;
    (void)arg;
    while (!errors && now() < ends) {
        SSL *ssl = shake(session);
        if (!ssl) continue;
        shaken++;
        end(ssl);
    }
    SSL_SESSION_free(session);
    return NULL;
}

static void read_arguments(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--to") == 0) port = (unsigned)atoi(argv[i + 1]);
        if (strcmp(argv[i], "--seconds") == 0) seconds = atof(argv[i + 1]);
        if (strcmp(argv[i], "--threads") == 0) threads = (unsigned)atoi(argv[i + 1]);
        if (strcmp(argv[i], "--resume") == 0) resume = argv[i + 1];
    }
    if (!port || threads == 0 || threads > THREADS_MOST) {
        fprintf(stderr, "shake --to PORT --seconds S [--threads N] [--resume PATH]\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS_MOST];
    read_arguments(argc, argv);
    ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set1_groups_list(ctx, "X25519");
    double began = now();
    ends = began + seconds;
    for (unsigned i = 0; i < threads; i++) pthread_create(&thread[i], NULL, run, NULL);
    for (unsigned i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    const char *error = first_error;
    printf("{\"requests\": %lu, \"seconds\": %.6f, \"errors\": %lu, \"error\": \"%s\"}\n",
           (unsigned long)shaken, now() - began, (unsigned long)errors, error ? error : "");
    SSL_CTX_free(ctx);
    return 0;
}
