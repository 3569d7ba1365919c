//! Corpus: tests/data/fuzz/rtcp.  Run: cargo +nightly fuzz run rtcp ../../../tests/data/fuzz/rtcp

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmppconf_native::media::fuzzing::rtcp(data));
