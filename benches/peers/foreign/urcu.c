/*
 * liburcu's cds_lfs in the two ways that its documentation names for several poppers: with its own mutex around pops, as
 * its example does; and with pops in RCU read-side critical sections, where nodes are freed after a grace period.
 */
#define _LGPL_SOURCE
#include "peer.h"

#include <stdlib.h>
#include <urcu/urcu-memb.h>
#include <urcu/lfstack.h>

struct entry {
    struct cds_lfs_node link;
    uint64_t value;
    struct rcu_head later;
};

static void *create(void) {
    struct cds_lfs_stack *stack = aligned_alloc(128, 128);
    cds_lfs_init(stack);
    return stack;
}

static void *enter(void *stack) {
    urcu_memb_register_thread();
    return stack;
}

static void leave(void *stack) {
    (void)stack;
    urcu_memb_unregister_thread();
}

static void push(void *stack, uint64_t value) {
    struct entry *entry = malloc(sizeof *entry);
    cds_lfs_node_init(&entry->link);
    entry->value = value;
    cds_lfs_push((struct cds_lfs_stack *)stack, &entry->link);
}

static bool pop_blocking(void *stack, uint64_t *value) {
    struct cds_lfs_node *link = cds_lfs_pop_blocking((struct cds_lfs_stack *)stack);
    if (link == NULL) return false;
    struct entry *entry = caa_container_of(link, struct entry, link);
    *value = entry->value;
    free(entry);
    return true;
}

static void free_entry(struct rcu_head *later) { free(caa_container_of(later, struct entry, later)); }

static bool pop_rcu(void *stack, uint64_t *value) {
    urcu_memb_read_lock();
    struct cds_lfs_node *link = __cds_lfs_pop((struct cds_lfs_stack *)stack);
    urcu_memb_read_unlock();
    if (link == NULL) return false;
    struct entry *entry = caa_container_of(link, struct entry, link);
    *value = entry->value;
    urcu_memb_call_rcu(&entry->later, free_entry);
    return true;
}

const struct peer peer_urcu = {create, enter, leave, push, pop_blocking};
const struct peer peer_urcu_rcu = {create, enter, leave, push, pop_rcu};
