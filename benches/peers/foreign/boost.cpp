// boost::lockfree::stack: nodes come from its own free list and are used again.
#include "peer.h"

#include <boost/lockfree/stack.hpp>

using Stack = boost::lockfree::stack<uint64_t>;

static void *create() { return new Stack(128); }

static void *enter(void *stack) { return stack; }

static void leave(void *) {}

static void push(void *stack, uint64_t value) { static_cast<Stack *>(stack)->push(value); }

static bool pop(void *stack, uint64_t *value) { return static_cast<Stack *>(stack)->pop(*value); }

extern "C" const peer peer_boost = {create, enter, leave, push, pop};
