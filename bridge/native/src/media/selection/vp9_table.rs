//! VP9's layers, of a stream whose sizes are predicted from each other, of one where only those
//! of keyframes are, and of one of a single size: every picture in every state.

use super::spatial_states::{limits, ALL_OF_IT, STATES};
use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Svc,
    KeySvc,
    Single,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Picture {
    key: bool,
    temporal: u8,
    up: bool,
}

const KEY: Picture = Picture { key: true, temporal: 0, up: true };
const BASE: Picture = Picture { key: false, temporal: 0, up: false };
const PICTURES: [(&str, Picture); 5] = [
    ("keyframe", KEY),
    ("base", BASE),
    ("base, from where more may follow", Picture { up: true, ..BASE }),
    ("between", Picture { temporal: 1, ..BASE }),
    ("between, from where more may follow", Picture { temporal: 1, up: true, ..BASE }),
];

fn sizes(style: Style) -> u8 {
    if style == Style::Single {
        1
    } else {
        3
    }
}

fn frame(style: Style, picture: Picture, spatial: u8) -> Frame {
    let between = picture.key || style == Style::Svc;
    let mut detail = vp9::Descriptor::default();
    detail.keyframe = picture.key && spatial == 0;
    detail.spatial = spatial;
    detail.temporal = picture.temporal;
    detail.predicted = !picture.key;
    detail.inter_layer = spatial > 0 && between;
    detail.referenced = spatial + 1 < sizes(style) && between;
    detail.switches_up = picture.up;
    detail.layers = detail.keyframe.then_some(sizes(style));
    Frame { keyframe: detail.keyframe, detail: Detail::Vp9(detail), ..Frame::default() }
}

/// The sizes of a picture that are forwarded.
fn send(
    selection: &mut Selection,
    at: u32,
    style: Style,
    picture: Picture,
    leaving: bool,
) -> Vec<u8> {
    let mut sent = Vec::new();
    for spatial in 0..sizes(style) {
        let frame = frame(style, picture, spatial);
        let first = selection.decide(at, &frame, leaving);
        // The rest of a frame goes the way of its first packet.
        let rest = selection.decide(at, &frame, leaving);
        assert_eq!(rest == Decision::Forward, first == Decision::Forward);
        if first == Decision::Forward {
            sent.push(spatial);
        }
    }
    sent
}

/// A keyframe and a picture after it were forwarded within the first limits; now there are others.
fn state(style: Style, before: Limits, now: Limits) -> Selection {
    let mut selection = Selection::new();
    selection.limit(before);
    selection.begin(0, &frame(style, KEY, 0));
    for spatial in 1..sizes(style) {
        selection.decide(0, &frame(style, KEY, spatial), false);
    }
    send(&mut selection, 3000, style, BASE, false);
    selection.limit(now);
    selection
}

/// The sizes that are forwarded, the largest one and the temporal layer from then on; `!`: it
/// takes a keyframe to get what is wanted.
type Table = [[&'static str; PICTURES.len()]; STATES.len()];

const SVC: Table = [
    ["0 0.0", "0 0.0", "0 0.0", "- 0.0", "- 0.0"],
    ["012 2.7", "012 2.7", "012 2.7", "012 2.7", "012 2.7"],
    ["01 1.7", "01 1.7", "01 1.7", "01 1.7", "01 1.7"],
    ["012 2.7", "0 0.7!", "0 0.7!", "0 0.7", "0 0.7"],
    ["012 2.7", "01 1.7!", "01 1.7!", "01 1.7", "01 1.7"],
    // Sizes are left with a picture of the base layer, and the pictures between with them, until
    // it is said that they need nothing from before.
    ["0 0.7", "0 0.0", "0 0.0", "012 2.7", "012 2.7"],
    ["012 2.7", "012 2.0", "012 2.0", "- 2.0", "- 2.0"],
    ["012 2.0", "012 2.0", "012 2.0", "- 2.0", "- 2.0"],
];

const KEY_SVC: Table = [
    ["0 0.0", "0 0.0", "0 0.0", "- 0.0", "- 0.0"],
    ["012 2.7", "2 2.7", "2 2.7", "2 2.7", "2 2.7"],
    ["01 1.7", "1 1.7", "1 1.7", "1 1.7", "1 1.7"],
    ["012 2.7", "0 0.7!", "0 0.7!", "0 0.7", "0 0.7"],
    ["012 2.7", "1 1.7!", "1 1.7!", "1 1.7", "1 1.7"],
    // What is smaller was not forwarded: that takes a keyframe as well.
    ["0 0.7", "2 2.7!", "2 2.7!", "2 2.7", "2 2.7"],
    ["012 2.7", "2 2.0", "2 2.0", "- 2.0", "- 2.0"],
    ["012 2.0", "2 2.0", "2 2.0", "- 2.0", "- 2.0"],
];

/// As each encoding of simulcast is.
const SINGLE: Table = [
    ["0 0.0", "0 0.0", "0 0.0", "- 0.0", "- 0.0"],
    ["0 0.7", "0 0.7", "0 0.7", "0 0.7", "0 0.7"],
    ["0 0.7", "0 0.7", "0 0.7", "0 0.7", "0 0.7"],
    ["0 0.7", "0 0.7", "0 0.7", "0 0.7", "0 0.7"],
    ["0 0.7", "0 0.7", "0 0.7", "0 0.7", "0 0.7"],
    ["0 0.7", "0 0.7", "0 0.7", "0 0.7", "0 0.7"],
    ["0 0.7", "0 0.0", "0 0.0", "- 0.0", "- 0.0"],
    ["0 0.0", "0 0.0", "0 0.0", "- 0.0", "- 0.0"],
];

#[test]
fn every_picture_in_every_state() {
    for (style, table) in [(Style::Svc, SVC), (Style::KeySvc, KEY_SVC), (Style::Single, SINGLE)] {
        for ((name, before, now), row) in STATES.into_iter().zip(table) {
            for ((event, picture), expected) in PICTURES.into_iter().zip(row) {
                let mut selection = state(style, before, now);
                let sent = send(&mut selection, 6000, style, picture, false);
                let sizes: String = sent.iter().map(u8::to_string).collect();
                let sizes = if sent.is_empty() { "-" } else { &sizes };
                let Layers { spatial, temporal } = selection.layers();
                let waits = if selection.waits() { "!" } else { "" };
                let found = format!("{sizes} {spatial}.{temporal}{waits}");
                assert_eq!(found, expected, "{style:?}, {name}, {event}");
            }
        }
    }
}

/// Who leaves an encoding gets its base layer only, as large as it was.
#[test]
fn leaving_thins_out_every_state() {
    for style in [Style::Svc, Style::KeySvc, Style::Single] {
        for (name, before, now) in STATES {
            for (event, picture) in PICTURES {
                let mut selection = state(style, before, now);
                let sent = send(&mut selection, 6000, style, picture, true);
                assert_eq!(sent.is_empty(), picture.temporal > 0, "{style:?}, {name}, {event}");
                assert_eq!(selection.layers().temporal, 0);
            }
        }
    }
}

/// An encoder's memory and a receiver's: the last frame of each size and layer, and whether the
/// receiver has it.
#[derive(Clone)]
struct Reference {
    style: Style,
    /// Whether it was forwarded and could be decoded, by spatial and temporal layer; None: a
    /// later picture needs it no more.
    had: [[Option<bool>; 2]; 3],
}

impl Reference {
    /// A picture of which `sent` was forwarded.
    fn take(&mut self, picture: Picture, sent: &[u8], story: &str) {
        let mut below = true;
        for spatial in 0..sizes(self.style) {
            let layers = &mut self.had[usize::from(spatial)];
            let mut whole = true;
            if !picture.key {
                // Pictures between refer to each other, unless it was said that they do not.
                let upto = usize::from(picture.temporal);
                whole &= layers[..=upto].iter().flatten().all(|had| *had);
            }
            if spatial > 0 && (picture.key || self.style == Style::Svc) {
                whole &= below;
            }
            let forwarded = sent.contains(&spatial);
            assert!(whole || !forwarded, "{story}: size {spatial} cannot be decoded");
            below = forwarded;
            layers[usize::from(picture.temporal)] = Some(forwarded);
            if picture.up && picture.temporal == 0 {
                layers[1] = None;
            }
        }
        assert!(picture.temporal > 0 || !sent.is_empty(), "{story}: the base layer is left out");
    }
}

/// Four pictures in every order, under limits that change before each: what is forwarded can
/// always be decoded.
#[test]
fn what_is_forwarded_can_be_decoded_in_every_order() {
    let limits = [ALL_OF_IT, limits(0, 0), limits(0, ALL), limits(1, ALL), limits(ALL, 0)];
    for style in [Style::Svc, Style::KeySvc, Style::Single] {
        for first in limits {
            let selection = state(style, first, first);
            let top = first.spatial.min(sizes(style) - 1);
            let mut reference = Reference { style, had: [[None; 2]; 3] };
            for spatial in 0..sizes(style) {
                let needed = spatial == top || (spatial < top && style == Style::Svc);
                reference.had[usize::from(spatial)][0] = Some(needed);
            }
            walk(&selection, &reference, &limits, &mut String::new(), 4);
        }
    }
}

fn walk(
    selection: &Selection,
    reference: &Reference,
    limits: &[Limits],
    story: &mut String,
    left: u32,
) {
    if left == 0 {
        return;
    }
    for now in limits {
        for (number, (_, picture)) in PICTURES.into_iter().enumerate() {
            let (mut selection, mut reference) = (selection.clone(), reference.clone());
            let length = story.len();
            story.push_str(&format!("{number}/{}.{} ", now.spatial, now.temporal));
            selection.limit(*now);
            let sent = send(&mut selection, (9 - left) * 3000, reference.style, picture, false);
            reference.take(picture, &sent, story);
            walk(&selection, &reference, limits, story, left - 1);
            story.truncate(length);
        }
    }
}
