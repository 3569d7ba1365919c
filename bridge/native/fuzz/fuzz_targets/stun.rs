//! Corpus: tests/data/fuzz/stun.  Run: cargo +nightly fuzz run stun ../../../tests/data/fuzz/stun

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmppconf_native::fuzzing::stun(data));
