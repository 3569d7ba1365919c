//! Corpus: tests/data/fuzz/srtp.  Run: cargo +nightly fuzz run srtp ../../../tests/data/fuzz/srtp

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmppconf_native::fuzzing::srtp(data));
