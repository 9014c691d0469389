/* The start of the program, SysTick, and text through the emulator by semihosting. */

#include "board.h"

#include <stdint.h>

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[];

static void start(void) {
    for (uint32_t *to = data_start, *from = data_load; to < data_end;) *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
    end(main());
}

static void fault(void) {
    print("fault\n");
    end(1);
}

/* Stack, reset, NMI, faults and reserved ones; SVCall, two more, PendSV; SysTick is the last one that is used. */
__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, start, fault, fault, fault, fault, fault, fault,
    fault, fault, fault, fault, fault, fault, fault, on_timer,
};

enum { ENABLE = 1 << 0, INTERRUPT = 1 << 1, PROCESSOR_CLOCK = 1 << 2 };

static volatile uint32_t *const systick_control = (volatile uint32_t *)0xE000E010;
static volatile uint32_t *const systick_reload = (volatile uint32_t *)0xE000E014;
static volatile uint32_t *const systick_current = (volatile uint32_t *)0xE000E018;
static volatile uint32_t *const interrupt_control = (volatile uint32_t *)0xE000ED04;

void start_timer(unsigned cycles) {
    *systick_reload = cycles;
    *systick_current = 0;
    *systick_control = ENABLE | INTERRUPT | PROCESSOR_CLOCK;
}

void stop_timer(void) {
    const uint32_t forget_pending = 1 << 25;
    *systick_control = 0;
    *interrupt_control = forget_pending;
}

static int semihosting(int operation, const void *argument) {
    register int result __asm__("r0") = operation;
    register const void *second __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(result) : "r"(second) : "memory");
    return result;
}

void print(const char *text) {
    const int write_text = 4;
    semihosting(write_text, text);
}

void print_number(unsigned number) {
    char text[11];
    char *digit = text + sizeof text;
    *--digit = 0;
    do {
        *--digit = '0' + number % 10;
        number /= 10;
    } while (number);
    print(digit);
}

_Noreturn void end(int failed) {
    const int exit = 0x18;
    const void *const application_exit = (void *)0x20026, *const run_time_error = (void *)0x20023;
    for (;;) semihosting(exit, failed ? run_time_error : application_exit);
}
