//! See `smolget::fuzzing::list`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| smolget::fuzzing::list(input));
