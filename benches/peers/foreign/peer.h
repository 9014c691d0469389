/* The interface of a stack in C or C++, as src/contenders/foreign.rs has it. */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct peer {
    /* Makes a stack, which is never destroyed. */
    void *(*create)(void);
    /* A thread comes, and goes. What `enter` returns is what its operations get. */
    void *(*enter)(void *stack);
    void (*leave)(void *thread);
    void (*push)(void *thread, uint64_t value);
    /* Whether there was a value. */
    bool (*pop)(void *thread, uint64_t *value);
};

#ifdef __cplusplus
}
#endif

#endif
