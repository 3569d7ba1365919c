//! VP8's temporal layers, in every state at every frame.

use super::*;

/// Forwards up to layer `now`, of up to `most` that is allowed.
fn state(now: u8, most: u8) -> Selection {
    let mut selection = Selection::new();
    selection.limit(Limits { spatial: ALL, temporal: now });
    selection.begin(0, &frame(0, true, true));
    selection.limit(Limits { spatial: ALL, temporal: most });
    selection
}

fn frame(layer: u8, sync: bool, keyframe: bool) -> Frame {
    let mut detail = vp8::Descriptor::default();
    detail.keyframe = keyframe;
    detail.temporal_layer = Some(layer);
    detail.layer_sync = sync;
    let detail = Detail::Vp8(detail);
    Frame { keyframe, detail, ..Frame::default() }
}

/// Layer 0, 1 and 2 as they need what came before, 1 and 2 where they need the base layer only,
/// and a keyframe.
const FRAMES: [(u8, bool, bool); 6] = [
    (0, false, false),
    (1, false, false),
    (2, false, false),
    (1, true, false),
    (2, true, false),
    (0, true, true),
];

/// For each state and frame: whether it is forwarded, and the layer from then on.
#[test]
fn every_frame_in_every_state() {
    let table = [
        ((0, 0), "+0 -0 -0 -0 -0 +0"),
        ((1, 0), "+0 -0 -0 -0 -0 +0"),
        ((2, 0), "+0 -0 -0 -0 -0 +0"),
        // One layer is taken up at a time, and only where nothing of it is needed.
        ((0, 1), "+0 -0 -0 +1 -0 +1"),
        ((1, 1), "+1 +1 -1 +1 -1 +1"),
        ((2, 1), "+1 +1 -1 +1 -1 +1"),
        ((0, 2), "+0 -0 -0 +1 -0 +2"),
        ((1, 2), "+1 +1 -1 +1 +2 +2"),
        ((2, 2), "+2 +2 +2 +2 +2 +2"),
        ((1, ALL), "+1 +1 -1 +1 +2 +7"),
    ];
    for ((now, most), row) in table {
        for ((layer, sync, keyframe), expected) in FRAMES.into_iter().zip(row.split(' ')) {
            let mut selection = state(now, most);
            let decision = selection.decide(3000, &frame(layer, sync, keyframe), false);
            let sign = if decision == Decision::Forward { '+' } else { '-' };
            let found = format!("{sign}{}", selection.layers().temporal);
            assert_eq!(found, expected, "{now} of {most}, layer {layer}, {sync}, {keyframe}");
            // The rest of a frame goes the way of its first packet, whatever is allowed by then.
            selection.limit(Limits { spatial: ALL, temporal: 7 - most });
            let rest = selection.decide(3000, &frame(layer, false, false), false);
            assert_eq!(rest == Decision::Forward, decision == Decision::Forward);
        }
    }
}

/// Who leaves an encoding gets what later frames need, and takes up the rest no sooner than
/// the stream allows it.
#[test]
fn leaving_thins_out_every_state() {
    for (now, most) in [(0, 0), (0, 2), (1, 2), (2, 2), (2, ALL)] {
        for (layer, sync, keyframe) in FRAMES {
            let mut selection = state(now, most);
            let decision = selection.decide(3000, &frame(layer, sync, keyframe), true);
            assert_eq!(decision == Decision::Forward, layer == 0);
            assert_eq!(selection.layers().temporal, 0);
            let next = selection.decide(6000, &frame(1, false, false), false);
            assert_ne!(next, Decision::Forward);
        }
    }
}

#[test]
fn what_has_no_layers_is_forwarded_whole() {
    let mut selection = state(0, 0);
    let plain = Detail::Vp8(vp8::Descriptor::default());
    for detail in [plain, Detail::Nothing] {
        let whole = Frame { detail, ..Frame::default() };
        assert_eq!(selection.decide(3000, &whole, true), Decision::Forward);
    }
    let unreadable = Frame { detail: Detail::Unreadable, ..Frame::default() };
    assert_eq!(selection.decide(6000, &unreadable, false), Decision::LeaveOn);
}
