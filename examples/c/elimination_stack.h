/* A lock-free last-in first-out stack of pointers, which a main loop and interrupt handlers of one priority share.
 *
 * The functions neither wait nor allocate. They may interrupt each other. NULL is a pointer as any other. What the pointers lead to
 * is not touched; whoever has popped one sees what was written there before it was pushed.
 *
 * Memory: on a 32-bit processor 312 bytes, all of it static, and zero at the start. The capacity and the number of contexts are
 * constants in src/lib.rs.
 */
#ifndef ELIMINATION_STACK_H
#define ELIMINATION_STACK_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* At least so many pointers can wait before one is refused. */
#define ELIMINATION_STACK_CAPACITY 32

/* What the functions return. */
enum {
    ELIMINATION_STACK_DONE = 0,
    /* There is no pointer. */
    ELIMINATION_STACK_EMPTY = 1,
    /* As many wait as there is room for. */
    ELIMINATION_STACK_FULL = 2,
    /* More contexts are inside than the stack was made for: try again when the one that was interrupted has gone on. */
    ELIMINATION_STACK_NO_SLOT = 3,
};

/* ELIMINATION_STACK_DONE, _FULL or _NO_SLOT. */
int elimination_stack_push(void *pointer);

/* ELIMINATION_STACK_DONE, _EMPTY or _NO_SLOT. It writes `*pointer` only if it is done. */
int elimination_stack_pop(void **pointer);

/* For the last look before a sleep; others may push or pop at once. */
bool elimination_stack_is_empty(void);

/* Your program defines this, for errors in the library itself; built for release it finds none. It must not return. */
void elimination_stack_failed(void);

#ifdef __cplusplus
}
#endif

#endif
