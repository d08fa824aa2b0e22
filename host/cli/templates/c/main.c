// The module {{name}}: each function that wit/world.wit exports is a task. `chicory build` generates
// tasks.h from it, in build/bindings.

#include "tasks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// A word, and how often it is there.
typedef tasks_tuple2_string_u32_t count_t;

static int by_frequency(const void *a, const void *b) {
    const count_t *x = a, *y = b;
    if (x->f1 != y->f1) return x->f1 < y->f1 ? 1 : -1;
    size_t shorter = x->f0.len < y->f0.len ? x->f0.len : y->f0.len;
    return memcmp(x->f0.ptr, y->f0.ptr, shorter);
}

// Adds one to the word's count; `counts` has room for one more.
static void add(tasks_list_tuple2_string_u32_t *counts, tasks_string_t word) {
    for (size_t i = 0; i < counts->len; i++) {
        tasks_string_t known = counts->ptr[i].f0;
        if (known.len == word.len && memcmp(known.ptr, word.ptr, word.len) == 0) {
            counts->ptr[i].f1 += 1;
            return;
        }
    }
    tasks_string_dup_n(&counts->ptr[counts->len].f0, (const char *)word.ptr, word.len);
    counts->ptr[counts->len++].f1 = 1;
}

bool exports_tasks_summarize(tasks_string_t *text, uint32_t top, tasks_summary_t *ret, tasks_string_t *err) {
    tasks_list_tuple2_string_u32_t counts = {malloc((text->len / 2 + 1) * sizeof(count_t)), 0};
    ret->words = 0;
    for (size_t begin = 0, end; begin < text->len; begin = end + 1) {
        for (end = begin; end < text->len && !isspace(text->ptr[end]); end++)
            text->ptr[end] = (uint8_t)tolower(text->ptr[end]);
        if (end > begin) {
            add(&counts, (tasks_string_t){text->ptr + begin, end - begin});
            ret->words += 1;
        }
    }
    tasks_string_free(text);
    if (counts.len == 0) {
        tasks_string_dup(err, "empty text");
        return false;
    }
    ret->unique = (uint32_t)counts.len;
    qsort(counts.ptr, counts.len, sizeof(count_t), by_frequency);
    for (; counts.len > top; counts.len--) tasks_string_free(&counts.ptr[counts.len - 1].f0);
    ret->most_common = counts;
    return true;
}
