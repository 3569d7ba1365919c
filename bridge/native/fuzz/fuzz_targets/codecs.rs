//! Corpus: tests/data/fuzz/codecs.  Run: cargo +nightly fuzz run codecs ../../../tests/data/fuzz/codecs

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xmppconf_native::media::fuzzing::codecs(data));
