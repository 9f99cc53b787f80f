/* Configuration text: what is read must be a sound tree, what is wrong must have a place in it. */
#include <fcntl.h>

#include "core/base/panic.h"
#include "core/config/tree.h"
#include "core/config/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(const tree_word_t *word)
{
    unsigned long long number;
    bool flag;
    const diag_place_t *at = &word->place;
    ASSERT(word->text.p[word->text.n] == '\0');
    ASSERT(strlen(word->text.p) == word->text.n);
    ASSERT(at->source && at->line >= 1 && at->column >= 1);
    ASSERT(at->length >= word->text.n);
    value_flag(word->text, &flag);
    value_number(word->text, &number);
    value_size(word->text, &number);
    value_msec(word->text, &number);
}

static void check_block(const tree_node_t *block, unsigned depth)
{
    const tree_node_t *last = NULL;
    ASSERT(depth <= TREE_DEPTH_MAX);
    for (const tree_node_t *node = block->children; node; last = node, node = node->next) {
        ASSERT(node->parent == block);
        ASSERT(node->n > 0 || node->block);
        ASSERT(node->block || !node->children);
        for (uint32_t i = 0; i < node->n; i++) check_word(&node->words[i]);
        if (node->block) check_block(node, depth + 1);
    }
    ASSERT(block->last_child == last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int null = -1;
    if (null < 0) null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pool_t *pool = pool_create();
    diag_t *diag = diag_new(pool);
    tree_node_t *root = tree_parse(pool, diag, STR("fuzz"), str_make((const char *)data, size));
    check_block(root, 0);
    diag_print(diag, null);
    pool_destroy(pool);
    return 0;
}
