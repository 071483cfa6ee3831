//! See `smolget::fuzzing::name`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| smolget::fuzzing::name(input));
