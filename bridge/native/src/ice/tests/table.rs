//! One pair of an agent in every state, at every event, in both roles.

use super::*;

/// An agent whose only peer is at `PEER`; datagrams that it sent are in `out`.
struct Bench {
    agent: Agent,
    out: Sent,
    now: Time,
}

const REMOTE_PRIORITY: u32 = 2_130_706_431;

fn path() -> Path {
    Path { socket: 0, remote: address(1001) }
}

impl Bench {
    fn new(controlling: bool) -> Self {
        let agent = Agent::new(0, b"left", b"left-password", controlling, 17);
        Self { agent, out: Sent::default(), now: SECOND }
    }

    fn signal(&mut self, ufrag: &[u8], pwd: &[u8]) {
        let candidate = Candidate { address: path().remote, priority: REMOTE_PRIORITY };
        let sockets = [(0, address(1000))];
        self.agent.set_remote(self.now, ufrag, pwd, &[candidate], &sockets, &mut self.out);
    }

    /// A check of the peer's, in the role that is not ours unless it is in conflict with us; a
    /// tie-breaker of 0 loses the conflict, the greatest wins it.
    fn check(&mut self, nominate: bool, conflict: Option<u64>) -> Outcome {
        let remote = self.agent.remote.as_ref();
        let sender = remote.map_or(b"right".to_vec(), |remote| remote.ufrag.clone());
        self.check_of(&sender, nominate, conflict)
    }

    fn check_of(&mut self, sender: &[u8], nominate: bool, conflict: Option<u64>) -> Outcome {
        let controlling = self.agent.controlling == conflict.is_some();
        let mut writer = Writer::new(Class::Request, [9; 12])
            .username(b"left", sender)
            .priority(5)
            .role(controlling, conflict.unwrap_or(1));
        if nominate {
            writer = writer.use_candidate();
        }
        let raw = writer.finish(&HmacSha1::new(b"left-password")).to_vec();
        self.receive(&raw)
    }

    /// An answer to the check that is under way, or to none.
    fn answer(&mut self, error: Option<u16>) -> Outcome {
        let pending = self.agent.pair(path()).and_then(|pair| pair.check.as_ref());
        let transaction = pending.map_or([7; 12], |check| check.transaction);
        let mut writer = match error {
            None => Writer::new(Class::Success, transaction).mapped(address(1000)),
            Some(code) => Writer::new(Class::Error, transaction).error(code, "no"),
        };
        let raw = writer.finish(&HmacSha1::new(b"right-password")).to_vec();
        self.receive(&raw)
    }

    fn receive(&mut self, raw: &[u8]) -> Outcome {
        let message = Message::parse(raw).unwrap();
        self.agent.receive(self.now, path(), &message, &mut self.out)
    }

    fn pass(&mut self, time: Time) {
        let end = self.now + time;
        while let Some(next) = self.agent.next_timeout().filter(|next| *next <= end) {
            self.now = next;
            self.agent.timeout(next, &mut self.out);
        }
        self.now = end;
    }

    fn state(&self) -> &'static str {
        let Some(pair) = self.agent.pair(path()) else {
            return "none";
        };
        match (pair.state, pair.open) {
            (State::Failed, false) => "failed",
            (State::Waiting, false) => "waiting",
            (State::InProgress, false) if pair.wanted => "wanted",
            (State::InProgress, false) => "checking",
            (State::Succeeded, true) if self.agent.nominating == Some(path()) => "nominating",
            (State::Succeeded, true) if self.agent.selected == Some(path()) => {
                match &pair.check {
                    // In use from before, and not nominated again yet.
                    _ if !self.agent.settled => "kept",
                    Some(check) if check.tries > SUSPECT_TRIES => "suspect",
                    _ => "selected",
                }
            }
            (State::Succeeded, true) => "valid",
            (State::Waiting | State::InProgress, true) => "again",
            _ => "impossible",
        }
    }
}

/// An agent in the state of that name.
fn bench(controlling: bool, state: &str) -> Bench {
    let mut bench = Bench::new(controlling);
    if state == "none" {
        return bench;
    }
    if state == "waiting" {
        // The peer is faster than the signalling.
        bench.check(false, None);
        return bench;
    }
    bench.signal(b"right", b"right-password");
    match state {
        "checking" => {}
        "wanted" => _ = bench.check(true, None),
        "nominating" | "valid" => _ = bench.answer(None),
        "failed" => bench.pass(CONNECT_TIMEOUT),
        _ => {
            if controlling {
                bench.answer(None);
            } else {
                bench.check(true, None);
            }
            bench.answer(None);
            match state {
                "suspect" => bench.pass(9_000 * MS),
                "again" => {
                    bench.signal(b"newer", b"right-password");
                    bench.pass(PACE);
                }
                _ => {}
            }
        }
    }
    assert_eq!(bench.state(), state, "controlling: {controlling}");
    bench
}

type Happens = fn(&mut Bench) -> Option<Outcome>;

const EVENTS: [(&str, Happens); 12] = [
    ("check", |bench| Some(bench.check(false, None))),
    ("nomination", |bench| Some(bench.check(true, None))),
    ("check of a newer session", |bench| Some(bench.check_of(b"later", true, None))),
    ("conflict that we win", |bench| {
        let tie = if bench.agent.controlling { 0 } else { u64::MAX };
        Some(bench.check(false, Some(tie)))
    }),
    ("conflict that we lose", |bench| {
        let tie = if bench.agent.controlling { u64::MAX } else { 0 };
        Some(bench.check(false, Some(tie)))
    }),
    ("answer", |bench| Some(bench.answer(None))),
    ("refusal", |bench| Some(bench.answer(Some(400)))),
    ("role conflict", |bench| Some(bench.answer(Some(487)))),
    ("a second", |bench| {
        bench.pass(SECOND);
        None
    }),
    ("16 seconds", |bench| {
        bench.pass(16 * SECOND);
        None
    }),
    ("the same credentials", |bench| {
        bench.signal(b"right", b"right-password");
        None
    }),
    ("others", |bench| {
        bench.signal(b"later", b"later-password");
        None
    }),
];

/// What came of the message, the state afterwards (`!`: in the other role), and what was told.
fn found(controlling: bool, state: &str, happens: Happens) -> String {
    let mut bench = bench(controlling, state);
    bench.out = Sent::default();
    let outcome = happens(&mut bench).map_or(String::new(), |outcome| format!("{outcome:?}: "));
    let switched = if bench.agent.controlling == controlling { "" } else { "!" };
    let mut text = format!("{outcome}{}{switched}", bench.state());
    for event in &bench.out.events {
        text.push_str(match event {
            Event::Valid { .. } => ", valid",
            Event::Selected { .. } => ", selected",
            Event::Failed => ", failed",
            Event::PathOpened(_) => ", opened",
            Event::PathClosed(_) => ", closed",
        });
    }
    text
}

/// By state, in the order of the events; `.` is the same state.
const CONTROLLING: &str = "
none =
  Answered: waiting | Answered: waiting | Answered: waiting | Conflict: . | Answered: waiting! |
  Unexpected: . | Unexpected: . | Unexpected: . |
  . | . | checking | checking;
waiting =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Unexpected: . | Unexpected: . | Unexpected: . |
  . | . | checking | checking;
checking =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Confirmed: nominating, opened, valid | Conflict: failed | Conflict: waiting! |
  . | failed, failed | . | waiting;
nominating =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: valid! |
  Confirmed: selected, selected | Conflict: failed, closed | Conflict: valid! |
  . | failed, closed, failed | . | again;
selected =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Unexpected: . | Unexpected: . | Unexpected: . |
  . | failed, closed, failed | . | again;
suspect =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Confirmed: selected | Conflict: selected | Conflict: selected! |
  . | failed, closed, failed | . | again;
again =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Confirmed: nominating | Conflict: failed, closed | Conflict: kept! |
  . | failed, closed, failed | . | .;
failed =
  Answered: checking | Answered: checking | Answered: . | Conflict: . | Answered: checking! |
  Unexpected: . | Unexpected: . | Unexpected: . |
  . | none | . | checking";

const CONTROLLED: &str = "
none =
  Answered: waiting | Answered: waiting | Answered: waiting | Conflict: . | Answered: waiting! |
  Unexpected: . | Unexpected: . | Unexpected: . |
  . | . | checking | checking;
waiting =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Unexpected: . | Unexpected: . | Unexpected: . |
  . | . | checking | checking;
checking =
  Answered: . | Answered: wanted | Answered: . | Conflict: . | Answered: .! |
  Confirmed: valid, opened, valid | Conflict: failed | Conflict: waiting! |
  . | failed, failed | . | waiting;
wanted =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Confirmed: selected, opened, valid, selected | Conflict: failed | Conflict: waiting! |
  . | failed, failed | . | waiting;
valid =
  Answered: . | Answered: selected, selected | Answered: . | Conflict: . | Answered: nominating! |
  Unexpected: . | Unexpected: . | Unexpected: . |
  . | failed, closed, failed | . | again;
selected =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Unexpected: . | Unexpected: . | Unexpected: . |
  . | failed, closed, failed | . | again;
suspect =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Confirmed: selected | Conflict: selected | Conflict: selected! |
  . | failed, closed, failed | . | again;
again =
  Answered: . | Answered: . | Answered: . | Conflict: . | Answered: .! |
  Confirmed: kept | Conflict: failed, closed | Conflict: nominating! |
  . | failed, closed, failed | . | .;
failed =
  Answered: checking | Answered: wanted | Answered: . | Conflict: . | Answered: checking! |
  Unexpected: . | Unexpected: . | Unexpected: . |
  . | none | . | checking";

#[test]
fn every_event_in_every_state() {
    for (controlling, table) in [(true, CONTROLLING), (false, CONTROLLED)] {
        for row in table.split(';') {
            let (state, row) = row.split_once('=').unwrap();
            let state = state.trim();
            let row: Vec<_> = row.split('|').map(str::trim).collect();
            assert_eq!(row.len(), EVENTS.len(), "{state}");
            for ((event, happens), expected) in EVENTS.iter().zip(row) {
                let found = found(controlling, state, *happens);
                let expected = expected.replace('.', state);
                assert_eq!(found, expected, "controlling {controlling}, {state}, {event}");
            }
        }
    }
}

/// A peer that refuses every check gets them at our pace, not at its own.
#[test]
fn refusals_do_not_set_the_pace() {
    for (code, most) in [(400, 40), (487, 1_000)] {
        let mut bench = bench(true, "suspect");
        bench.out = Sent::default();
        for _ in 0..10_000 {
            bench.answer(Some(code));
            bench.pass(MS);
        }
        assert!(bench.out.datagrams.len() <= most, "{code}: {}", bench.out.datagrams.len());
    }
}
