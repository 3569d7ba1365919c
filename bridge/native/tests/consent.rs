//! S7: media goes where the peer has said that it wants them, and no longer than it says so
//! (RFC 7675, 5.1).

mod common;

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;

use common::{gate, share};
use xmppconf_native::crypto::HmacSha1;
use xmppconf_native::ice::{Agent, Candidate, Event, Outcome, Output, Path, Random};
use xmppconf_native::media::{Time, MILLISECOND, SECOND};
use xmppconf_native::stun::{Class, Message, Writer};

const STEP: Time = 20 * MILLISECOND;
/// Nothing is sent longer than that after the last answer.
const MARK: Time = 30 * SECOND;
/// And without restarts, which give time, no longer than that.
const USUAL: Time = 15 * SECOND + STEP;

/// Where our side is, where the peer is at first and later, who never answers, and who answers
/// without knowing the password.
const OURS: u16 = 1;
const PEER: u16 = 2;
const MOVED: u16 = 3;
const NOBODY: u16 = 4;
const STRANGER: u16 = 5;

const PASSWORDS: [&[u8]; 2] = [b"our-password-of-22-chr", b"the-peers-password-22c"];

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

#[derive(Default)]
struct Sent(VecDeque<(Path, Vec<u8>)>);

impl Output for Sent {
    fn send(&mut self, path: Path, datagram: &[u8]) {
        self.0.push_back((path, datagram.to_vec()));
    }

    fn event(&mut self, _event: Event) {}
}

/// Our agent, the peer's, and what is under way: when it arrives, from where, and whether here.
struct Life {
    now: Time,
    delay: Time,
    agents: [Agent; 2],
    sent: [Sent; 2],
    under_way: VecDeque<(Time, u16, bool, Vec<u8>)>,
    /// Where the peer is now.
    peer: u16,
    is_silent: bool,
    consented: HashSet<Path>,
    last_answer: Time,
    /// When media was last sent.
    last_sent: Time,
}

impl Life {
    fn new(chance: &mut Random) -> Self {
        let agent = |side: usize, ufrag: &[u8], controlling| {
            Agent::new(side as u32, ufrag, PASSWORDS[side], controlling, side as u64)
        };
        let mut life = Life {
            now: SECOND,
            delay: chance.draw() % 8 * STEP,
            agents: [agent(0, b"ours", true), agent(1, b"peer", false)],
            sent: Default::default(),
            under_way: VecDeque::new(),
            peer: PEER,
            is_silent: false,
            consented: HashSet::new(),
            last_answer: 0,
            last_sent: 0,
        };
        life.signal(0, b"peer", &[NOBODY, STRANGER, PEER]);
        life.signal(1, b"ours", &[OURS]);
        life
    }

    fn signal(&mut self, side: usize, ufrag: &[u8], ports: &[u16]) {
        let one = |port: &u16| Candidate { address: address(*port), priority: 2130706431 };
        let candidates: Vec<_> = ports.iter().map(one).collect();
        let sockets = [(0, address(if side == 0 { OURS } else { PEER }))];
        let (agent, out) = (&mut self.agents[side], &mut self.sent[side]);
        agent.set_remote(self.now, ufrag, PASSWORDS[1 - side], &candidates, &sockets, out);
    }

    fn step(&mut self) {
        self.now += STEP;
        for side in 0..2 {
            self.agents[side].timeout(self.now, &mut self.sent[side]);
        }
        self.carry();
        while self.under_way.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((_, from, is_ours, data)) = self.under_way.pop_front() else {
                break;
            };
            self.arrive(from, is_ours, &data);
        }
        if let Some(path) = self.agents[0].destination() {
            assert!(self.consented.contains(&path), "media to {path:?}, which never agreed");
            self.last_sent = self.now;
        }
    }

    fn carry(&mut self) {
        let at = self.now + self.delay;
        while let Some((path, data)) = self.sent[0].0.pop_front() {
            if path.remote == address(self.peer) {
                self.under_way.push_back((at, OURS, false, data));
            } else if path.remote == address(STRANGER) {
                let asked = Message::parse(&data).unwrap();
                let answer = Writer::new(Class::Success, asked.transaction);
                let key = HmacSha1::new(b"a-guess-of-22-characte");
                let answer = answer.mapped(address(OURS)).finish(&key).to_vec();
                self.under_way.push_back((at, STRANGER, true, answer));
            }
        }
        while let Some((_, data)) = self.sent[1].0.pop_front() {
            if !self.is_silent {
                self.under_way.push_back((at, self.peer, true, data));
            }
        }
    }

    fn arrive(&mut self, from: u16, is_ours: bool, data: &[u8]) {
        let side = usize::from(!is_ours);
        let path = Path { socket: 0, remote: address(from) };
        let message = Message::parse(data).unwrap();
        let out = &mut self.sent[side];
        let outcome = self.agents[side].receive(self.now, path, &message, out);
        if is_ours && message.class == Class::Success && outcome == Outcome::Confirmed {
            assert_ne!(from, STRANGER, "an answer under a wrong password counted");
            self.consented.insert(path);
            self.last_answer = self.now;
        }
    }

    fn run(&mut self, time: Time) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }
}

/// How long a life sent on after the last answer.
fn live(chance: &mut Random, restarts: bool) -> Time {
    let mut life = Life::new(chance);
    life.run(2 * SECOND + chance.draw() % (20 * SECOND));
    assert!(life.agents[0].destination().is_some(), "connected");
    if chance.draw() % 2 == 0 {
        life.peer = MOVED;
        life.run(chance.draw() % (20 * SECOND));
    }
    life.is_silent = true;
    // Restarts that nobody answers: at most until everything has to have ended.
    let end = life.now + MARK + 10 * SECOND;
    let mut number = 0u32;
    while life.now < end {
        life.run(SECOND / 2 + chance.draw() % (12 * SECOND));
        if restarts {
            number += 1;
            life.signal(0, &number.to_be_bytes(), &[]);
        }
    }
    life.last_sent.saturating_sub(life.last_answer)
}

#[test]
fn s7_media_ends_when_consent_does() {
    let count = share(10_000);
    let what =
        "peers that fall silent at any time, half of them with ICE restarted again and again";
    gate("S7", what, count, || {
        let mut chance = Random(7);
        let mut worst = [0; 2];
        for number in 0..count {
            let restarts = number % 2 == 1;
            let after = live(&mut chance, restarts);
            let mark = if restarts { MARK } else { USUAL };
            assert!(after <= mark, "life {number}: {after} ns after the last answer");
            let worst = &mut worst[usize::from(restarts)];
            *worst = after.max(*worst);
        }
        let [usual, restarted] = worst.map(|time| time as f64 / SECOND as f64);
        format!(
            "media for at most {usual:.1} s after the last answer, {restarted:.1} s with \
             restarts; none to who never agreed"
        )
    });
}
