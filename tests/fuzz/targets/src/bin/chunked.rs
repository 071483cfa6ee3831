//! See `smolget::fuzzing::chunked`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| smolget::fuzzing::chunked(input));
