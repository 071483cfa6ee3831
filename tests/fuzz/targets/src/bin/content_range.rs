//! See `smolget::fuzzing::content_range`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| smolget::fuzzing::content_range(input));
