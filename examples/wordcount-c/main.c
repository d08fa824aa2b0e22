/* Counts lines, words and bytes of standard input: a plain C program, which Chicory runs as the task
 * `wordcount-c.run`. Must not know Chicory. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    unsigned long lines = 0, words = 0, bytes = 0;
    int in_word = 0;
    for (int c = getchar(); c != EOF; c = getchar()) {
        bytes++;
        if (c == '\n') {
            lines++;
        }
        if (isspace(c)) {
            in_word = 0;
        } else if (!in_word) {
            in_word = 1;
            words++;
        }
    }
    if (ferror(stdin)) {
        fputs("wordcount-c: standard input can't be read\n", stderr);
        return EXIT_FAILURE;
    }
    printf("%lu lines, %lu words, %lu bytes\n", lines, words, bytes);
    return EXIT_SUCCESS;
}
