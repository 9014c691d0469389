// libcds' Treiber stack on its hazard pointers, without and with its elimination back-off. Threads are attached.
#include "peer.h"

#include <cds/container/treiber_stack.h>
#include <cds/gc/hp.h>
#include <cds/init.h>

template <bool Elimination> struct Traits : public cds::container::treiber_stack::traits {
    static constexpr const bool enable_elimination = Elimination;
};

template <bool Elimination> struct Peer {
    using Stack = cds::container::TreiberStack<cds::gc::HP, uint64_t, Traits<Elimination>>;

    static void *create() {
        cds::Initialize();
        static cds::gc::HP hazards(Stack::c_nHazardPtrCount, 64);
        // `Stack` frees its nodes through the hazards' thread data, so the making thread is attached, too.
        cds::threading::Manager::attachThread();
        return new Stack;
    }

    static void *enter(void *stack) {
        if (!cds::threading::Manager::isThreadAttached()) cds::threading::Manager::attachThread();
        return stack;
    }

    static void leave(void *) { cds::threading::Manager::detachThread(); }

    static void push(void *stack, uint64_t value) { static_cast<Stack *>(stack)->push(value); }

    static bool pop(void *stack, uint64_t *value) { return static_cast<Stack *>(stack)->pop(*value); }
};

extern "C" const peer peer_cds = {Peer<false>::create, Peer<false>::enter, Peer<false>::leave, Peer<false>::push,
                                  Peer<false>::pop};
extern "C" const peer peer_cds_elimination = {Peer<true>::create, Peer<true>::enter, Peer<true>::leave,
                                              Peer<true>::push, Peer<true>::pop};
