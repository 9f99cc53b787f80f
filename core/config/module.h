/*
 * module: what a module declares: one const struct, one row per directive.
 *
 * A module has one configuration struct. It is made once with all defaults at the outermost block;
 * a block that sets one of the module's directives gets its own copy of the enclosing block's one
 * (copy on write), which is all there is to inheritance. Simple directives of a block are read
 * before its blocks and its CONF_ORDERED directives, so it does not matter where a default stands.
 */
#ifndef CORE_CONFIG_MODULE_H
#define CORE_CONFIG_MODULE_H

#include <limits.h>

#include "core/config/conf_set.h"
#include "core/config/tree.h"
#include "core/config/value.h"

typedef struct module module_t;

/* Contexts a directive may stand in. The floors above define theirs from CONF_USER on. */
enum { CONF_MAIN = 1u << 0, CONF_EVENTS = 1u << 1, CONF_USER_SHIFT = 2 };

enum conf_flag {
    CONF_MANY = 1 << 0,    /* may stand several times in one block; the first occurrence in a block
                              (of this row or one that shares its field) drops what was inherited:
                              it zeroes the field */
    CONF_LOCAL = 1 << 1,   /* the field starts at its default in nested blocks: not inherited */
    CONF_ORDERED = 1 << 2, /* read in order together with the block's blocks (set, rewrite, if); its
                              field should be CONF_LOCAL: blocks before it cannot inherit it */
    CONF_BLOCK = 1 << 3,   /* takes { } */
    CONF_RAW = 1 << 4,     /* the block's children are data, not directives (types, map); it is read
                              among the simple directives */
};

/*
 * Takes a directive's words into the struct. False: it was wrong and has been said so (conf_error).
 * `row->offset` is the field. For a block, the function calls conf_block itself.
 */
typedef bool (*conf_set_fn)(conf_t *cf, const conf_row_t *row, void *module_struct,
                            const tree_node_t *node);

typedef struct conf_name { /* of an enumerated value or a bit of a mask */
    const char *name;
    unsigned value;
} conf_name_t;

struct conf_row {
    const char *name;
    unsigned contexts;
    unsigned flags;
    unsigned min_args, max_args; /* without the name */
    conf_set_fn set;
    size_t offset, size;         /* of the field; size 0: no field */
    const char *fallback;        /* the default as it would be written; NULL or "": zero */
    unsigned long long min, max; /* bounds of numbers, sizes, durations; max 0: none above */
    const conf_name_t *names;    /* of enums and masks; ends with name NULL */
    const char *help;            /* one line */
};

struct module {
    const char *name;       /* "proxy", as in messages and help */
    unsigned *index;        /* set at start: where the module's struct stands in a scope */
    const conf_row_t *rows; /* ends with name NULL */
    const conf_name_t *contexts; /* names of the contexts its blocks open; NULL: none */
    size_t conf_size;
    /* Checks fields against each other and derives what is worth deriving; called once for each
       struct made, when the block's simple directives are read (not for one that is made later, by
       a nested block or an ORDERED directive: it begins as a copy of one that was checked; not for
       one with a wrong directive, though its nested blocks are read on for their own errors).
       False: said with conf_error. */
    bool (*check)(conf_t *cf, void *module_struct);
    /* In the master (without one, in the worker), with its privileges, before the processes of a
       configuration are started; may be NULL. */
    void (*launch)(const void *main_struct);
    /* In each worker before it serves; not 0 keeps the worker from starting. May be NULL. */
    int (*worker_start)(const void *main_struct);
    void (*worker_stop)(const void *main_struct);
    /*
     * In the master (without one, in the worker), once a second while the configuration serves,
     * when it has asked for errands (generation_t.errands): looks at what workers may not read.
     * `tell` hands a number and a descriptor to all workers and helpers, in each of which `told` is
     * then called with them.
     */
    void (*errand)(const void *main_struct, void (*tell)(uint32_t number, int fd));
    void (*told)(const void *main_struct, uint32_t number, int fd);
    const void *hooks; /* what the floor above understands (http/hooks.h) */
    const struct ctl_command *commands;    /* of `proxyd ctl` (core/process/ctl.h); NULL: none */
    const struct report_section *sections; /* of /status (core/base/report.h); NULL: none */
};

/* All modules in order, NULL at the end; written by configure into objs/modules.c, used by main. */
extern const module_t *const modules[];

/* Gives every module of the list its index; called first thing in main (and by tests). Asserts that
   the rows make sense. Returns the number of modules. */
unsigned modules_init(const module_t *const *list);

/* The names of all contexts in the mask: "http, server, location". */
str_t module_context_names(pool_t *pool, unsigned contexts);

/* --- rows --- */

#define CONF_FIELD(S, f, T) \
    (offsetof(S, f) + 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((S *)0)->f), T) \
                                          ? 1 : -1])), \
        sizeof(((S *)0)->f)
#define CONF_NO_FIELD 0, 0

#define CONF_FLAG(name, ctx, S, f, def, help) /* on | off */ \
    {name, ctx, 0, 1, 1, conf_set_flag, CONF_FIELD(S, f, bool), def, 0, 1, NULL, help}
#define CONF_NUMBER(name, ctx, S, f, def, min, max, help) \
    {name, ctx, 0, 1, 1, conf_set_number, CONF_FIELD(S, f, unsigned), def, min, max, NULL, help}
#define CONF_SIZE(name, ctx, S, f, def, min, max, help) /* 8k, 1m, 2g */ \
    {name, ctx, 0, 1, 1, conf_set_size, CONF_FIELD(S, f, size_t), def, min, max, NULL, help}
#define CONF_MSEC(name, ctx, S, f, def, min, max, help) /* 500ms, 60s, 5m, 1h30m; bare: seconds */ \
    {name, ctx, 0, 1, 1, conf_set_msec, CONF_FIELD(S, f, msec_t), def, min, max, NULL, help}
#define CONF_STR(name, ctx, S, f, def, help) \
    {name, ctx, 0, 1, 1, conf_set_str, CONF_FIELD(S, f, str_t), def, 0, 0, NULL, help}
#define CONF_PATH(name, ctx, S, f, def, help) /* made absolute against the prefix */ \
    {name, ctx, 0, 1, 1, conf_set_path, CONF_FIELD(S, f, str_t), def, 0, 0, NULL, help}
#define CONF_ENUM(name, ctx, S, f, def, values, help) \
    {name, ctx, 0, 1, 1, conf_set_enum, CONF_FIELD(S, f, unsigned), def, 0, 0, values, help}
#define CONF_MASK(name, ctx, S, f, def, values, help) \
    {name, ctx, 0, 1, UINT_MAX, conf_set_mask, CONF_FIELD(S, f, unsigned), def, 0, 0, values, help}
#define CONF_STRS(name, ctx, S, f, help) /* words appended */ \
    {name, ctx, CONF_MANY, 1, UINT_MAX, conf_set_strs, CONF_FIELD(S, f, conf_strs_t), NULL, 0, 0, \
     NULL, help}
/* Anything else: a function of the module's own; field is CONF_FIELD(...) or CONF_NO_FIELD. */
#define CONF_CUSTOM(name, ctx, flags, min, max, set, field, def, help) \
    {name, ctx, flags, min, max, set, field, def, 0, 0, NULL, help}
#define CONF_END {NULL, 0, 0, 0, 0, NULL, 0, 0, NULL, 0, 0, NULL, NULL}

#endif
