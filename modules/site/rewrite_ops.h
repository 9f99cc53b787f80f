/*
 * rewrite_ops: the rewrite directives of one block as a list of small steps, and what runs it.
 *
 * `if` blocks are part of the list: a test that fails skips the steps of its block. Built while the
 * configuration is read (rewrite.c), constant afterwards. Nothing suspends but what answers.
 */
#ifndef MODULES_SITE_REWRITE_OPS_H
#define MODULES_SITE_REWRITE_OPS_H

#include "http/hooks.h"
#include "http/pattern.h"
#include "http/text.h"

typedef enum rewrite_test {
    REWRITE_TRUE,   /* if ($x) */
    REWRITE_EQUAL,  /* = != */
    REWRITE_MATCH,  /* ~ ~* !~ !~* */
    REWRITE_FILE,   /* -f */
    REWRITE_DIR,    /* -d */
    REWRITE_EXISTS, /* -e */
    REWRITE_EXEC,   /* -x */
} rewrite_test_t;

typedef struct rewrite_if {
    rewrite_test_t test;
    bool negate;
    text_t left, right; /* left: of a file test the path */
    pattern_t pattern;
    void **conf;        /* of the if block */
    uint32_t after;     /* the step behind the block */
} rewrite_if_t;

typedef enum rewrite_flag { REWRITE_GO_ON, REWRITE_LAST, REWRITE_BREAK } rewrite_flag_t;

typedef struct rewrite_rule {
    pattern_t pattern;
    text_t path, args;   /* of the replacement; args.set: it has a "?" */
    bool drop_args;      /* it ends in "?": the request's own are not appended */
    int redirect;        /* status; 0: none */
    rewrite_flag_t flag;
} rewrite_rule_t;

typedef struct rewrite_op {
    enum {
        REWRITE_OP_SET,
        REWRITE_OP_RULE,
        REWRITE_OP_IF,
        REWRITE_OP_RETURN,
        REWRITE_OP_STOP
    } kind;
    union {
        struct {
            unsigned var;
            text_t value;
        } set;
        rewrite_rule_t *rule;
        rewrite_if_t *test;
        struct {
            int status;
            text_t text;
        } reply;
    };
} rewrite_op_t;

typedef struct rewrite_ops {
    void **conf; /* of the server or location whose steps these are */
    VEC(rewrite_op_t) ops;
} rewrite_ops_t;

/* NEXT, REROUTE (the URI has changed and no break followed), or an answer. */
verdict_t rewrite_ops_run(const rewrite_ops_t *ops, request_t *r, bool log);

#endif
