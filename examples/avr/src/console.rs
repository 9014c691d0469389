//! Text through the serial port, without `core::fmt`: that prints nonsense on AVR (Rust 1.96), because it keeps a bit in the
//! address of what is not aligned there.

use crate::chip::send;
use core::panic::PanicInfo;

pub fn print(text: &str) {
    send(text.as_bytes());
}

pub fn print_number(number: u16) {
    if number > 9 {
        print_number(number / 10);
    }
    send(&[b'0' + (number % 10) as u8]);
}

/// The end. Who runs the emulator ends that at this line.
pub fn exit(status: u16) -> ! {
    print("exit ");
    print_number(status);
    print("\n");
    loop {}
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if let Some(location) = info.location() {
        print(location.file());
        print(":");
        print_number(location.line() as u16);
        print(": panicked\n");
    }
    exit(1)
}
