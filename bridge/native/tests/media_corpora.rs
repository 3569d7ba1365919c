//! Replays the committed corpora of the media parsers, whole, cut short and damaged.

use std::fs;
use std::path::Path;

use xmppconf_native::media::fuzzing;

const ROUNDS: usize = if cfg!(debug_assertions) { 300 } else { 10_000 };

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/fuzz").join(name);
    let inputs: Vec<Vec<u8>> = fs::read_dir(folder)
        .expect("the corpus is committed")
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(!inputs.is_empty());
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for input in inputs {
        for length in 0..=input.len() {
            target(&input[..length]);
        }
        for _ in 0..ROUNDS {
            let mut damaged = input.clone();
            for _ in 0..random() % 4 {
                let at = random() % damaged.len();
                damaged[at] = random() as u8;
            }
            target(&damaged);
        }
    }
}

#[test]
fn rtp() {
    replay("rtp", fuzzing::rtp);
}

#[test]
fn rtcp() {
    replay("rtcp", fuzzing::rtcp);
}

#[test]
fn codecs() {
    replay("codecs", fuzzing::codecs);
}
