/* Counting checks for the programs of this folder. The first one that fails ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

static unsigned checks_done;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        checks_done += 1;                                                                          \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int checks_finish(void) {
    printf("ok %u checks\n", checks_done);
    return 0;
}

#endif
