/* A C program whose timer interrupt pushes messages, which the main loop pops, and sleeps meanwhile.
 *
 * First it fills the stack until it is refused, and empties it. Then it lets interrupts come. Each comes once, so a wake-up that
 * is lost is lost for good; and each a little later than the one before, so that every place has its turn: from the middle of the
 * main loop's own push until long after it sleeps.
 */

#include "board.h"
#include "elimination_stack.h"

#include <stddef.h>

#define CHECK(condition) ((condition) ? (void)0 : failed(#condition))

enum { ROUNDS = 4000, MOST = 2 * ELIMINATION_STACK_CAPACITY + 64 };

static void failed(const char *what) {
    print("failed: ");
    print(what);
    print("\n");
    end(1);
}

void elimination_stack_failed(void) {
    failed("the library");
}

struct message {
    unsigned round;
};

static struct message messages[MOST];
/* One is pushed by the main loop, one by the handler. Who pushes it fills it before. */
static struct message ours, theirs;

static volatile unsigned round_now;
/* Whether the main loop is in the middle of a call; and how often the handler came then. */
static volatile bool inside;
static volatile unsigned hits;

static int push(void *pointer) {
    inside = true;
    int result = elimination_stack_push(pointer);
    inside = false;
    return result;
}

static int pop(void **pointer) {
    inside = true;
    int result = elimination_stack_pop(pointer);
    inside = false;
    return result;
}

/* SysTick. */
void on_timer(void) {
    stop_timer();
    if (inside) hits++;
    theirs.round = round_now;
    CHECK(elimination_stack_push(&theirs) == ELIMINATION_STACK_DONE);
}

/* Looks once more with interrupts masked, and sleeps before they are unmasked: so a message that came after the last pop is seen,
 * and one that comes now stays pending, which ends the sleep. */
static void sleep_if_idle(void) {
    mask();
    if (elimination_stack_is_empty()) wait_for_interrupt();
    unmask();
}

/* Fills the stack until a message is refused, and empties it: the last one comes first. How many there were. */
static unsigned fill_and_empty(void) {
    unsigned count = 0;
    void *pointer = NULL;
    while (push(&messages[count]) == ELIMINATION_STACK_DONE) CHECK(++count < MOST);
    CHECK(push(&ours) == ELIMINATION_STACK_FULL);
    CHECK(!elimination_stack_is_empty());
    for (unsigned left = count; left;) {
        CHECK(pop(&pointer) == ELIMINATION_STACK_DONE);
        CHECK(pointer == &messages[--left]);
    }
    CHECK(pop(&pointer) == ELIMINATION_STACK_EMPTY);
    CHECK(pointer == &messages[0]);
    CHECK(elimination_stack_is_empty());
    return count;
}

/* A message of this handler and one of the main loop. */
static void one_round(void) {
    bool ours_missing = true, theirs_missing = true;
    ours.round = ++round_now;
    start_timer(1 + round_now % 199);
    CHECK(push(&ours) == ELIMINATION_STACK_DONE);
    while (ours_missing || theirs_missing) {
        void *pointer;
        int result = pop(&pointer);
        if (result == ELIMINATION_STACK_EMPTY) {
            sleep_if_idle();
            continue;
        }
        CHECK(result == ELIMINATION_STACK_DONE);
        bool *missing = pointer == &ours ? &ours_missing : &theirs_missing;
        CHECK(*missing);
        CHECK(pointer == &ours || pointer == &theirs);
        CHECK(((struct message *)pointer)->round == round_now);
        *missing = false;
    }
}

int main(void) {
    void *pointer;
    CHECK(pop(&pointer) == ELIMINATION_STACK_EMPTY);
    CHECK(push(NULL) == ELIMINATION_STACK_DONE);
    CHECK(pop(&pointer) == ELIMINATION_STACK_DONE && pointer == NULL);
    unsigned count = fill_and_empty();
    CHECK(count >= ELIMINATION_STACK_CAPACITY);
    CHECK(fill_and_empty() >= ELIMINATION_STACK_CAPACITY);
    print("refused after ");
    print_number(count);
    print("\n");

    for (unsigned round = 0; round < ROUNDS; round++) one_round();
    CHECK(elimination_stack_is_empty());
    CHECK(fill_and_empty() >= ELIMINATION_STACK_CAPACITY);
    print_number(ROUNDS);
    print(" interrupts, ");
    print_number(hits);
    print(" of them inside of a call\n");
    return 0;
}
