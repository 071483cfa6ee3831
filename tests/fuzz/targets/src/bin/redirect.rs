//! See `smolget::fuzzing::redirect`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| smolget::fuzzing::redirect(input));
