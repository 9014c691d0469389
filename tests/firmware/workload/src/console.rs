//! How an image talks to whoever runs it: lines of text, and a status at the end.

#[cfg(not(target_arch = "avr"))]
pub use semihosting::{println, process::exit};

#[cfg(target_arch = "avr")]
pub use self::serial::{exit, print_line};
#[cfg(target_arch = "avr")]
pub use crate::println;

/// The serial port of machines whose emulator neither has semihosting nor ends. The status is a line `exit N`.
///
/// It does without `core::fmt`, which prints nonsense on AVR (Rust 1.96): `Arguments` keeps a bit in a pointer to what is
/// aligned to two bytes, but lies on a stack that is aligned to one.
#[cfg(target_arch = "avr")]
mod serial {
    use core::panic::PanicInfo;

    const UCSR0B: *mut u8 = 0xC1 as *mut u8;
    const UDR0: *mut u8 = 0xC6 as *mut u8;
    const TRANSMITTER_ON: u8 = 1 << 3;

    fn print(text: &[u8]) {
        // SAFETY: the registers of the serial port, which nothing else uses. The emulated one is always ready.
        unsafe {
            UCSR0B.write_volatile(TRANSMITTER_ON);
            text.iter().for_each(|byte| UDR0.write_volatile(*byte));
        }
    }

    fn print_number(number: u32) {
        if number > 9 {
            print_number(number / 10);
        }
        print(&[b'0' + (number % 10) as u8]);
    }

    /// Prints a line, with the numbers in the places of what is in braces.
    pub fn print_line(text: &str, mut numbers: &[u32]) {
        let mut inside = false;
        for byte in text.as_bytes() {
            match byte {
                b'{' => inside = true,
                b'}' => {
                    inside = false;
                    if let Some((first, rest)) = numbers.split_first() {
                        print_number(*first);
                        numbers = rest;
                    }
                }
                _ if inside => {}
                _ => print(&[*byte]),
            }
        }
        print(b"\n");
    }

    /// Prints a formatted line; only numbers, in decimal.
    #[macro_export]
    macro_rules! println {
        ($text:literal $(, $number:expr)* $(,)?) => {
            $crate::console::print_line($text, &[$($number as u32),*])
        };
    }

    /// The end, with a status.
    pub fn exit(status: i32) -> ! {
        crate::println!("exit {}", status);
        loop {}
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        if let Some(location) = info.location() {
            print(location.file().as_bytes());
            crate::println!(":{}: panicked", location.line());
        }
        exit(1)
    }
}
