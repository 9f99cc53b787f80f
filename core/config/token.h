/*
 * token: configuration text cut into words, semicolons and braces, each with its place.
 *
 * What nginx's ngx_conf_read_token takes for a word is one here: quotes only at a word's start,
 * comments only where a word could begin, a bare word ends at a blank, `;` or `{` (but not at the
 * brace of ${name}), backslashes protect the next byte. Texts of words go to the pool. Nothing
 * suspends.
 */
#ifndef CORE_CONFIG_TOKEN_H
#define CORE_CONFIG_TOKEN_H

#include "core/base/pool.h"
#include "core/config/diag.h"

typedef enum token {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_SEMICOLON,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_BAD,
} token_t;

typedef struct token_reader {
    pool_t *pool;
    diag_t *diag;
    const diag_source_t *source;
    const char *what; /* "file": what ends when the text does */
    size_t at, line_start;
    uint32_t line;
    bool after_quote; /* the last word was quoted and nothing has come since */
    /* the token just read */
    diag_place_t place;
    str_t text;  /* of a word: unescaped, NUL-terminated behind its end */
    bool quoted;
} token_reader_t;

void token_start(token_reader_t *r, pool_t *pool, diag_t *diag, const diag_source_t *source,
                 const char *what);

/* The next token. TOKEN_BAD: reading cannot go on, and has been said why. */
token_t token_next(token_reader_t *r);

#endif
