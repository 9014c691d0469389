//! The devices: two timers of the chip, each of which interrupts once after it was started. In your program they are a serial
//! port or a converter, with a driver.

/// Bytes from one timer's registers to the next one's.
const SIZE: usize = 0x1000;
const REGISTERS: usize = 0x4003_0000;

const CONFIGURATION: usize = 0x00;
const MODE: usize = 0x04;
const CONTROL: usize = 0x0C;
const INTERRUPT_MASK: usize = 0x18;
const INTERRUPT_CLEAR: usize = 0x24;
const LOAD: usize = 0x28;

const ONE_SHOT: u32 = 1;
const ENABLE: u32 = 1;
const TIME_OUT: u32 = 1;

#[derive(Clone, Copy)]
pub enum Timer {
    Slow = 0,
    Fast = 1,
}

impl Timer {
    fn write(self, register: usize, value: u32) {
        let address = REGISTERS + SIZE * self as usize + register;
        // SAFETY: a register of a timer, which only this module uses. Each call is one store.
        unsafe { (address as *mut u32).write_volatile(value) };
    }

    /// Lets the interrupt come once, so many cycles of the processor from now.
    pub fn start(self, cycles: u32) {
        let whole_word = 0;
        self.write(CONTROL, 0);
        self.write(CONFIGURATION, whole_word);
        self.write(MODE, ONE_SHOT);
        self.write(INTERRUPT_MASK, TIME_OUT);
        self.write(LOAD, cycles);
        self.write(CONTROL, ENABLE);
    }

    /// Tells it that its interrupt is being handled.
    pub fn clear(self) {
        self.write(INTERRUPT_CLEAR, TIME_OUT);
    }
}

/// Gives the timers their clock.
pub fn init() {
    const CLOCK_GATES: *mut u32 = 0x400F_E104 as *mut u32;
    const BOTH_TIMERS: u32 = 0b11 << 16;
    // SAFETY: a register of the system control, which only this function uses.
    unsafe { CLOCK_GATES.write_volatile(BOTH_TIMERS) };
}
