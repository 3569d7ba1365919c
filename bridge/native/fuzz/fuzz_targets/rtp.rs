//! Corpus: tests/data/fuzz/rtp.  Run: cargo +nightly fuzz run rtp ../../../tests/data/fuzz/rtp

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmppconf_native::media::fuzzing::rtp(data));
