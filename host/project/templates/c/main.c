// The module {{name}}: each function that wit/world.wit exports is a task. `chicory build` generates
// tasks.h from it, in build/bindings.

#include "tasks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SPACE " \t\r\n"

// A word, and how often it occurs.
typedef tasks_tuple2_string_u32_t count_t;

static int by_frequency(const void *a, const void *b) {
    const count_t *x = a, *y = b;
    return x->f1 != y->f1 ? (x->f1 < y->f1 ? 1 : -1) : strcmp((char *)x->f0.ptr, (char *)y->f0.ptr);
}

// Adds one to the word's count; `counts` has room for one more.
static void add(tasks_list_tuple2_string_u32_t *counts, const char *word) {
    size_t i = 0;
    while (i < counts->len && strcmp((char *)counts->ptr[i].f0.ptr, word) != 0) i++;
    if (i == counts->len) tasks_string_set(&counts->ptr[counts->len++].f0, strdup(word));
    counts->ptr[i].f1++;
}

// Nothing needs to be freed: the sandbox is discarded after the call.
bool exports_tasks_summarize(tasks_string_t *text, uint32_t top, tasks_summary_t *ret, tasks_string_t *err) {
    char *words = calloc(text->len + 1, 1);
    for (size_t i = 0; i < text->len; i++) words[i] = (char)tolower(text->ptr[i]);
    *ret = (tasks_summary_t){.most_common.ptr = calloc(text->len / 2 + 1, sizeof(count_t))};
    for (char *word = strtok(words, SPACE); word; word = strtok(NULL, SPACE), ret->words++) add(&ret->most_common, word);
    if (ret->words == 0) {
        tasks_string_dup(err, "empty text");
        return false;
    }
    ret->unique = (uint32_t)ret->most_common.len;
    qsort(ret->most_common.ptr, ret->unique, sizeof(count_t), by_frequency);
    if (ret->unique > top) ret->most_common.len = top;
    return true;
}
