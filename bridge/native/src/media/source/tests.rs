use super::*;

fn source() -> Source {
    let mut source = Source::new(1, 0, 0, Kind::Video);
    source.announce(&[1, 2, 3].map(|ssrc| Encoding { ssrc, rtx_ssrc: None }));
    source
}

/// For each run of silent packets before: whether a packet is dropped, and so is a silent
/// one after it.
#[test]
fn every_level_after_every_silence() {
    let levels = [Some(127), Some(0xff), Some(126), Some(0), None];
    for silent in 0..6u8 {
        for (number, level) in levels.into_iter().enumerate() {
            let mut source = source();
            for _ in 0..silent {
                source.is_silence(Some(127));
            }
            // The top bit says whether it is a voice, and nothing of silence.
            let says_so = number < 2;
            assert_eq!(source.is_silence(level), says_so && silent >= FORWARDED_SILENCE);
            let run = if says_so { silent + 1 } else { 0 };
            assert_eq!(source.is_silence(Some(127)), run >= FORWARDED_SILENCE);
        }
    }
}

const NOW: Time = 10_000 * MILLISECOND;

/// Encoding 0 sent its last packet `age` ms ago, and 1 has begun so many frames since.
fn after(age: Time, frames: u32) -> u8 {
    let mut source = source();
    source.flows(NOW, 0, 1);
    let last = NOW + age * MILLISECOND;
    for frame in 1..=frames {
        source.flows(if frame == frames { last } else { NOW }, 1, frame);
    }
    source.flowing
}

/// Which encodings flow, by how long one is behind and how far another got meanwhile.
#[test]
fn every_age_and_every_lead() {
    let both = 0b011;
    let other = 0b010;
    let table = [
        (0, [both; 4]),
        (249, [both; 4]),
        (250, [both, both, other, other]),
        (699, [both, both, other, other]),
        (700, [other; 4]),
    ];
    for (age, row) in table {
        for (frames, expected) in [1, 4, 5, 100].into_iter().zip(row) {
            assert_eq!(after(age, frames), expected, "{age} ms, {frames} frames");
        }
    }
}

/// What it takes to flow: one packet, of an encoding that was announced.
#[test]
fn encodings_come_go_and_are_replaced() {
    let mut source = source();
    assert_eq!((source.flowing, source.keyframe_ssrc()), (0, Some(1)));
    source.flows(NOW, 2, 1);
    assert_eq!((source.flowing, source.keyframe_ssrc()), (0b100, Some(3)));
    source.flows(NOW, 7, 1);
    assert_eq!(source.flowing, 0b100);
    source.flows(NOW + STALLED, 0, 1);
    assert_eq!((source.flowing, source.keyframe_ssrc()), (0b001, Some(1)));
    // The same again changes nothing, others begin anew.
    source.announce(&[1, 2, 3].map(|ssrc| Encoding { ssrc, rtx_ssrc: Some(ssrc + 10) }));
    assert_eq!((source.flowing, source.encodings[0].rtx_ssrc), (0b001, Some(11)));
    source.announce(&[1, 2].map(|ssrc| Encoding { ssrc, rtx_ssrc: None }));
    assert_eq!((source.flowing, source.encodings.len()), (0, 2));
}
