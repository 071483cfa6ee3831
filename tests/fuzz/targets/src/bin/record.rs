//! See `smolget::fuzzing::record`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| smolget::fuzzing::record(input));
