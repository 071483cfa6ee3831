//! See `smolget::fuzzing::head`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| smolget::fuzzing::head(input));
