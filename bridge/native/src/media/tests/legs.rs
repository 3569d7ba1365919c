//! S16: what one participant's reports say stays with the bridge.

use super::*;

const CANARY: &[u8] = b"canary!!";
const FOREIGN: u32 = 0xc0ff_ee01;

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Reports of every type, count and stream, of whoever is in the room, each word of them a
/// canary: no other hears of them but by what the bridge makes itself.
#[test]
fn nothing_of_one_legs_reports_reaches_another() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    room.route(12, VIDEO, SLOT, 0);
    room.video(0, 1, 1000, &vp8(true, 1, 1, 0));
    let mut heard = 0;
    for kind in 192..=223u8 {
        for (count, from, ssrc) in [0u8, 1, 4, 15, 31].into_iter().flat_map(|count| {
            [SENDER, RECEIVER, 12].into_iter().flat_map(move |from| {
                [600, SLOT, FOREIGN].into_iter().map(move |ssrc| (count, from, ssrc))
            })
        }) {
            let mut compound = vec![0x80 | count, kind, 0, 31];
            compound.extend(u32::to_be_bytes(ssrc));
            compound.extend(u32::to_be_bytes(ssrc));
            compound.extend(CANARY.repeat(15));
            room.out.rtcp.clear();
            room.rtcp(from, &compound);
            room.advance(20 * MS);
            for (to, sent) in room.out.rtcp.iter().filter(|(to, _)| *to != from) {
                heard += 1;
                let story = format!("{kind}, {count}, from {from} to {to}: {sent:?}");
                // Of a sender's report only the time goes on: that is what it is for.
                let rest = if sent[1] == 200 { &sent[20..] } else { &sent[..] };
                assert!(!contains(rest, CANARY), "{story}");
                assert!(!contains(rest, &FOREIGN.to_be_bytes()), "{story}");
                if *to != SENDER {
                    assert!(!contains(rest, &600u32.to_be_bytes()), "{story}");
                }
            }
        }
    }
    assert!(heard > 0, "something was to be looked at");
}
