//! Every state of a packet, at everything that can be said of it.

use super::*;

const STREAM: u32 = 5;

/// A packet after what was said of it: `+` it has come, `-` it has not; and before that `h`:
/// something of its stream had come.
fn after(said: &str) -> (History, u16) {
    let mut history = History::default();
    let other = history.record(1, STREAM, 100, 0);
    let number = history.record(2, STREAM, 100, 3);
    for word in said.chars() {
        match word {
            'h' => _ = history.resolve(other, Some(8)),
            word => _ = history.resolve(number, (word == '+').then_some(9)),
        }
    }
    (history, number)
}

/// What is learnt: `come` in time or `late`, `lost`, `unheard`; nothing.
fn learnt(arrival: Option<Arrival>) -> &'static str {
    match arrival {
        None => "",
        Some(Arrival { arrived: None, unheard: true, .. }) => "unheard",
        Some(Arrival { arrived: None, .. }) => "lost",
        Some(Arrival { given_up: true, .. }) => "late",
        Some(Arrival { unheard: true, .. }) => "come, unheard",
        Some(_) => "come",
    }
}

#[test]
fn every_word_in_every_state() {
    let table = [
        // said before, it has come, it has not
        ("", "come", "unheard"),
        ("h", "come", "lost"),
        ("-", "come", ""), // it never counted as lost
        ("-h", "come", ""),
        ("h-", "late", ""),
        ("+", "", ""),
        ("h+", "", ""),
        ("-+", "", ""),
        ("h-+", "", ""),
    ];
    for (said, come, lost) in table {
        let (mut history, number) = after(said);
        assert_eq!(learnt(history.resolve(number, Some(9))), come, "{said}, it has come");
        let (mut history, number) = after(said);
        assert_eq!(learnt(history.resolve(number, None)), lost, "{said}, it has not");
        // What was never sent, or long ago, is unknown whatever is said.
        for strange in [number.wrapping_add(1), number.wrapping_sub(5000)] {
            assert_eq!(learnt(history.resolve(strange, Some(9))), "");
            assert_eq!(learnt(history.resolve(strange, None)), "");
        }
    }
}
