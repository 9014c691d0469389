//! RTIC's idle task sleeps between two interrupts, and looks and sleeps with interrupts masked.

#![no_std]
#![no_main]

#[rtic::app(device = lm3s6965)]
mod app {
    use board_cortex_m::Ticking;
    use elimination_stack::{NoBackoff, Slots};
    use workload::sleep::{Manner, Sleeper};

    static WORKLOAD: Sleeper<Slots<2>, NoBackoff> = Sleeper::new(Manner::Masked);

    #[shared]
    struct Shared {}

    #[local]
    struct Local {}

    #[init]
    fn init(_: init::Context) -> (Shared, Local) {
        (Shared {}, Local {})
    }

    #[idle]
    fn idle(_: idle::Context) -> ! {
        WORKLOAD.run::<Ticking>();
        workload::exit()
    }

    #[task(binds = SysTick)]
    fn timer(_: timer::Context) {
        WORKLOAD.interrupt::<Ticking>();
    }
}

board_cortex_m::faults!();
