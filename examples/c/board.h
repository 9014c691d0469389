/* What the program needs of the board, a Cortex-M3 in an emulator. */
#ifndef BOARD_H
#define BOARD_H

/* Lets SysTick interrupt once, after so many cycles of the processor. */
void start_timer(unsigned cycles);

/* For the handler: it comes no more. */
void stop_timer(void);

/* Masks interrupts; the compiler moves nothing over it. */
static inline void mask(void) { __asm__ volatile("cpsid i" ::: "memory"); }
static inline void unmask(void) { __asm__ volatile("cpsie i" ::: "memory"); }

/* Sleeps until an interrupt is pending, a masked one too. */
static inline void wait_for_interrupt(void) { __asm__ volatile("dsb\n wfi" ::: "memory"); }

/* Through the emulator. */
void print(const char *text);
void print_number(unsigned number);
_Noreturn void end(int failed);

/* The program defines these. */
int main(void);
void on_timer(void);

#endif
