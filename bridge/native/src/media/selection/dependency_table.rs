//! Layers by dependency descriptors, as AV1 has them, of a stream whose sizes are predicted from
//! each other and of one where only those of keyframes are: every picture in every state.

use super::dependency::made::Encoder;
use super::spatial_states::{limits, ALL_OF_IT, STATES};
use super::*;

/// Keyframes and the temporal layer of others.
const PICTURES: [(&str, bool, u8); 4] =
    [("keyframe", true, 0), ("base", false, 0), ("between", false, 1), ("between those", false, 2)];

/// A frame's number, those of what it needs, and whether it was forwarded.
type Sent = (u16, Vec<u16>, bool);

/// The sizes of the next picture that are forwarded, and all its frames.
fn send(
    selection: &mut Selection,
    encoder: &mut Encoder,
    at: u32,
    (key, temporal): (bool, u8),
    leaving: bool,
) -> (Vec<u8>, Vec<Sent>) {
    let (mut sent, mut frames) = (Vec::new(), Vec::new());
    for spatial in 0..3 {
        let (descriptor, needs) = encoder.frame(key, spatial, temporal);
        let detail = Detail::Dependency(descriptor);
        let frame = Frame { keyframe: descriptor.keyframe, detail, ..Frame::default() };
        let first = selection.decide(at, &frame, leaving);
        // The rest of a frame goes the way of its first packet.
        let rest = selection.decide(at, &frame, leaving);
        assert_eq!(rest == Decision::Forward, first == Decision::Forward);
        if first == Decision::Forward {
            sent.push(spatial);
        }
        frames.push((descriptor.frame, needs, first == Decision::Forward));
    }
    (sent, frames)
}

/// A keyframe and two pictures after it were forwarded within the first limits; now there are
/// others.
fn state(key_only: bool, before: Limits, now: Limits) -> (Selection, Encoder, Vec<u16>) {
    let mut selection = Selection::new();
    let mut encoder = Encoder { key_only, ..Encoder::default() };
    selection.limit(before);
    let mut had = Vec::new();
    for (at, picture) in (0..).zip([(true, 0), (false, 0), (false, 1)]) {
        let (_, frames) = send(&mut selection, &mut encoder, at * 3000, picture, false);
        had.extend(frames.iter().filter(|frame| frame.2).map(|frame| frame.0));
    }
    selection.limit(now);
    (selection, encoder, had)
}

/// The sizes that are forwarded, the decode target from then on; `!`: it takes a keyframe to get
/// what is wanted.
type Table = [[&'static str; PICTURES.len()]; STATES.len()];

const SVC: Table = [
    ["0 0.0", "0 0.0", "- 0.0", "- 0.0"],
    ["012 2.2", "012 2.2", "012 2.2", "012 2.2"],
    ["01 1.2", "01 1.2", "01 1.2", "01 1.2"],
    ["012 2.2", "0 0.2!", "0 0.2", "0 0.2"],
    ["012 2.2", "01 1.2!", "01 1.2", "01 1.2"],
    // A picture between has all that is needed of the smaller size too.
    ["0 0.2", "0 0.2", "0 0.2", "012 2.2"],
    // More pictures begin with one of which all sizes are there.
    ["012 2.2", "012 2.2", "- 2.0", "- 2.0"],
    ["012 2.0", "012 2.0", "012 2.2", "012 2.2"],
];

const KEY_SVC: Table = [
    ["0 0.0", "0 0.0", "- 0.0", "- 0.0"],
    ["012 2.2", "2 2.2", "2 2.2", "2 2.2"],
    ["01 1.2", "1 1.2", "1 1.2", "1 1.2"],
    ["012 2.2", "0 0.2!", "0 0.2", "0 0.2"],
    ["012 2.2", "1 1.2!", "1 1.2", "1 1.2"],
    // What is smaller was not forwarded: that takes a keyframe as well.
    ["0 0.2", "2 2.2!", "2 2.2", "2 2.2"],
    ["012 2.2", "2 2.2", "2 2.2", "- 2.0"],
    ["012 2.0", "2 2.0", "2 2.2", "2 2.2"],
];

/// The same while the encoding is left, or the way is too narrow: only the base layer, from its
/// next picture on, as large as it was.
const SVC_LEAVING: Table = [
    ["0 0.0", "0 0.0", "- 0.0", "- 0.0"],
    ["012 2.0", "012 2.0", "012 2.2", "01 2.2"],
    ["01 1.0", "01 1.0", "01 1.2", "0 1.2"],
    ["012 2.0", "0 0.2!", "0 0.2", "- 0.2"],
    ["012 2.0", "01 1.2!", "01 1.2", "0 1.2"],
    ["0 0.0", "0 0.0", "012 2.2", "01 2.2"],
    ["012 2.0", "012 2.0", "- 2.0", "- 2.0"],
    ["012 2.0", "012 2.0", "012 2.2", "01 2.2"],
];

#[test]
fn every_picture_in_every_state() {
    for (key_only, leaving, table) in
        [(false, false, SVC), (true, false, KEY_SVC), (false, true, SVC_LEAVING)]
    {
        for ((name, before, now), row) in STATES.into_iter().zip(table) {
            for ((event, key, temporal), expected) in PICTURES.into_iter().zip(row) {
                let (mut selection, mut encoder, _) = state(key_only, before, now);
                let (sent, _) = send(&mut selection, &mut encoder, 9000, (key, temporal), leaving);
                let sizes: String = sent.iter().map(u8::to_string).collect();
                let sizes = if sent.is_empty() { "-" } else { &sizes };
                let target = selection.layers().spatial;
                let waits = if selection.waits() { "!" } else { "" };
                let found = format!("{sizes} {}.{}{waits}", target / 3, target % 3);
                assert_eq!(found, expected, "{key_only}, {leaving}: {name}, {event}");
            }
        }
    }
}

/// Four pictures in every order, under limits that change before each and while the encoding is
/// left or not: what is forwarded can always be decoded.
#[test]
fn what_is_forwarded_can_be_decoded_in_every_order() {
    let limits = [ALL_OF_IT, limits(0, 1), limits(1, ALL), limits(ALL, 0)];
    for key_only in [false, true] {
        for first in limits {
            let (selection, encoder, mut had) = state(key_only, first, first);
            walk(&selection, &encoder, &limits, &mut had, &mut String::new(), 3);
        }
    }
}

fn walk(
    selection: &Selection,
    encoder: &Encoder,
    limits: &[Limits],
    had: &mut Vec<u16>,
    story: &mut String,
    left: u32,
) {
    if left == 0 {
        return;
    }
    for now in limits {
        for (number, (_, key, temporal)) in PICTURES.into_iter().enumerate() {
            for leaving in [false, true] {
                let (mut selection, mut encoder) = (selection.clone(), encoder.clone());
                let (length, known) = (story.len(), had.len());
                let sign = if leaving { "-" } else { "" };
                story.push_str(&format!("{number}{sign}/{}.{} ", now.spatial, now.temporal));
                selection.limit(*now);
                let at = (9 - left) * 3000;
                let (sent, frames) =
                    send(&mut selection, &mut encoder, at, (key, temporal), leaving);
                for (frame, needs, forwarded) in frames {
                    if forwarded {
                        let whole = needs.iter().all(|need| had.contains(need));
                        assert!(whole, "{story}: frame {frame} cannot be decoded");
                        had.push(frame);
                    }
                }
                assert!(temporal > 0 || !sent.is_empty(), "{story}: the base layer is left out");
                walk(&selection, &encoder, limits, had, story, left - 1);
                story.truncate(length);
                had.truncate(known);
            }
        }
    }
}
