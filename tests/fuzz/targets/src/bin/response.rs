//! See `smolget::fuzzing::response`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| smolget::fuzzing::response(input));
