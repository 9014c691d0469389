/*
 * ck_stack with its 16-byte compare-exchange, which makes pops safe as long as no entry is given back to the allocator.
 * So each thread uses those again that it has popped, and takes new ones in blocks.
 */
#include "peer.h"

#include <ck_stack.h>
#include <stdlib.h>

enum { BLOCK = 64 };

struct entry {
    ck_stack_entry_t link;
    uint64_t value;
};

struct thread {
    ck_stack_t *stack;
    ck_stack_entry_t *spare;
};

CK_STACK_CONTAINER(struct entry, link, entry_of)

static void *create(void) {
    ck_stack_t *stack = aligned_alloc(128, 128);
    ck_stack_init(stack);
    return stack;
}

static void *enter(void *stack) {
    struct thread *thread = malloc(sizeof *thread);
    *thread = (struct thread){stack, NULL};
    return thread;
}

static void leave(void *thread) { free(thread); }

static __attribute__((noinline, cold)) void refill(struct thread *thread) {
    struct entry *entries = malloc(BLOCK * sizeof *entries);
    for (int i = 0; i < BLOCK; i++) {
        entries[i].link.next = thread->spare;
        thread->spare = &entries[i].link;
    }
}

static void push(void *data, uint64_t value) {
    struct thread *thread = data;
    if (thread->spare == NULL) refill(thread);
    ck_stack_entry_t *link = thread->spare;
    thread->spare = link->next;
    entry_of(link)->value = value;
    ck_stack_push_mpmc(thread->stack, link);
}

static bool pop(void *data, uint64_t *value) {
    struct thread *thread = data;
    ck_stack_entry_t *link = ck_stack_pop_mpmc(thread->stack);
    if (link == NULL) return false;
    *value = entry_of(link)->value;
    link->next = thread->spare;
    thread->spare = link;
    return true;
}

const struct peer peer_ck = {create, enter, leave, push, pop};
