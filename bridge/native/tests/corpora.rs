//! Replays the committed corpora and mutations of them, with no fuzzer installed.

use std::fs;
use std::path::Path;

use xmppconf_native::fuzzing;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/fuzz").join(name);
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&folder).expect("the corpus is committed") {
        inputs.push(fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(!inputs.is_empty());
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
    let rounds = if cfg!(debug_assertions) { 200 } else { 50_000 };
    for input in inputs {
        target(&input);
        for length in 0..input.len() {
            target(&input[..length]);
        }
        for _ in 0..rounds {
            let mut mutated = input.clone();
            for _ in 0..=random() % 4 {
                match random() % 3 {
                    0 => mutated.push(random() as u8),
                    1 => _ = mutated.pop(),
                    _ => {
                        if !mutated.is_empty() {
                            let index = random() % mutated.len();
                            mutated[index] = random() as u8;
                        }
                    }
                }
            }
            target(&mutated);
        }
    }
}

#[test]
fn stun() {
    replay("stun", fuzzing::stun);
}

#[test]
fn srtp() {
    replay("srtp", fuzzing::srtp);
}
