use std::collections::VecDeque;

use super::*;

mod table;

const SECOND: Time = 1000 * MS;

#[derive(Default)]
struct Sent {
    datagrams: VecDeque<(Path, Vec<u8>)>,
    events: Vec<Event>,
}

impl Output for Sent {
    fn send(&mut self, path: Path, datagram: &[u8]) {
        self.datagrams.push_back((path, datagram.to_vec()));
    }
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

struct Side {
    agent: Agent,
    address: SocketAddr,
    out: Sent,
}

/// Two agents and the wires between; `address` of a side is what the other sees.
struct World {
    now: Time,
    sides: [Side; 2],
    loss: fn(usize, u64) -> bool,
    random: Random,
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn credentials(side: usize) -> (&'static [u8], &'static [u8]) {
    if side == 0 {
        (b"left", b"left-password")
    } else {
        (b"right", b"right-password")
    }
}

impl World {
    fn new(controlling: [bool; 2]) -> Self {
        let side = |index: usize| {
            let (ufrag, pwd) = credentials(index);
            let seed = 17 + index as u64;
            Side {
                agent: Agent::new(index as u32, ufrag, pwd, controlling[index], seed),
                address: address(1000 + index as u16),
                out: Sent::default(),
            }
        };
        Self { now: SECOND, sides: [side(0), side(1)], loss: |_, _| false, random: Random(1) }
    }

    fn signal(&mut self, to: usize, with_candidate: bool) {
        let (ufrag, pwd) = credentials(1 - to);
        let candidate = Candidate { address: self.sides[1 - to].address, priority: 2130706431 };
        let candidates = if with_candidate { &[candidate][..] } else { &[] };
        let side = &mut self.sides[to];
        side.agent.set_remote(
            self.now,
            ufrag,
            pwd,
            candidates,
            &[(0, side.address)],
            &mut side.out,
        );
    }

    fn run(&mut self, time: Time) {
        let end = self.now + time;
        while self.now < end {
            for from in 0..2 {
                while let Some((path, data)) = self.sides[from].out.datagrams.pop_front() {
                    if (self.loss)(from, self.random.draw())
                        || path.remote != self.sides[1 - from].address
                    {
                        continue;
                    }
                    let back = Path { socket: 0, remote: self.sides[from].address };
                    let message = Message::parse(&data).unwrap();
                    let to = &mut self.sides[1 - from];
                    to.agent.receive(self.now, back, &message, &mut to.out);
                }
            }
            self.now += 5 * MS;
            for side in &mut self.sides {
                side.agent.timeout(self.now, &mut side.out);
            }
        }
    }

    fn events(&mut self, side: usize) -> Vec<Event> {
        std::mem::take(&mut self.sides[side].out.events)
    }

    fn path_to(&self, side: usize) -> Path {
        Path { socket: 0, remote: self.sides[side].address }
    }

    fn connected(&self) -> bool {
        (0..2).all(|side| self.sides[side].agent.selected == Some(self.path_to(1 - side)))
    }
}

#[test]
fn one_signalled_candidate_is_enough() {
    for order in [[0, 1], [1, 0]] {
        for controlling in [[true, false], [false, true]] {
            let mut world = World::new(controlling);
            for to in order {
                world.signal(to, to == 1);
            }
            world.run(300 * MS);
            assert!(world.connected());
            let path = world.path_to(1);
            let events = world.events(0);
            assert!(matches!(events[0], Event::PathOpened(opened) if opened == path));
            assert!(matches!(events[1], Event::Valid { path: valid, .. } if valid == path));
            assert_eq!(events[2..], [Event::Selected { path, relayed: false }]);
        }
    }
}

#[test]
fn equal_roles_are_repaired() {
    for role in [true, false] {
        let mut world = World::new([role, role]);
        world.signal(0, true);
        world.signal(1, true);
        world.run(SECOND);
        assert!(world.connected());
        assert_ne!(world.sides[0].agent.controlling, world.sides[1].agent.controlling);
    }
}

#[test]
fn half_of_the_checks_may_be_lost() {
    for seed in 0..50 {
        let mut world = World::new([true, false]);
        world.random = Random(seed);
        world.loss = |_, random| random % 2 == 0;
        world.signal(0, true);
        world.signal(1, true);
        world.run(12 * SECOND);
        assert!(world.connected(), "seed {seed}");
    }
}

#[test]
fn no_answer_is_failure_after_fifteen_seconds() {
    for candidate in [true, false] {
        let mut world = World::new([true, false]);
        world.loss = |_, _| true;
        world.signal(0, candidate);
        world.run(14_900 * MS);
        assert_eq!(world.events(0), []);
        world.run(200 * MS);
        assert_eq!(world.events(0), [Event::Failed]);
        world.run(100 * SECOND);
        assert_eq!(world.events(0), []);
    }
}

#[test]
fn consent_lasts_while_answered_and_ends_without() {
    let mut world = World::new([true, false]);
    world.signal(0, true);
    world.signal(1, true);
    world.run(100 * SECOND);
    assert!(world.connected());
    world.events(0);
    world.loss = |_, _| true;
    world.run(9 * SECOND);
    assert_eq!(world.events(0), []);
    world.run(7 * SECOND);
    let path = world.path_to(1);
    assert_eq!(world.events(0), [Event::PathClosed(path), Event::Failed]);
    assert_eq!(world.sides[0].agent.destination(), None);
    world.sides[0].out.datagrams.clear();
    world.run(60 * SECOND);
    assert!(world.sides[0].out.datagrams.is_empty(), "nothing is sent without consent");
}

#[test]
fn a_peer_that_nominates_with_every_check_does_not_put_off_consent() {
    let mut world = World::new([true, false]);
    world.signal(0, true);
    world.signal(1, true);
    world.run(SECOND);
    world.events(1);
    let path = world.path_to(1);
    for _ in 0..20 {
        let side = &mut world.sides[0];
        side.agent.start_check(world.now, path, true, false, &mut side.out);
        world.run(3 * SECOND);
    }
    assert!(world.connected());
    assert_eq!(world.events(1), []);
}

#[test]
fn a_failed_agent_connects_again_when_the_peer_does() {
    let mut world = World::new([true, true]);
    world.signal(0, false);
    world.run(20 * SECOND);
    assert_eq!(world.events(0), [Event::Failed]);
    world.sides[1].agent.controlling = false;
    world.signal(1, true);
    world.run(SECOND);
    assert!(world.connected());
}

#[test]
fn a_peer_that_moves_is_followed() {
    let mut world = World::new([true, false]);
    world.signal(0, true);
    world.signal(1, true);
    world.run(SECOND);
    world.events(0);
    world.sides[1].address = address(2000);
    // The peer's own agent knows only the one way out, so it checks again from there.
    world.sides[1].agent.pairs.clear();
    world.sides[1].agent.selected = None;
    world.signal(1, true);
    world.run(4 * SECOND);
    assert!(world.connected());
    let path = world.path_to(1);
    assert!(world.events(0).contains(&Event::Selected { path, relayed: false }));
}

#[test]
fn other_credentials_restart_and_the_old_pair_carries_on() {
    let mut world = World::new([true, false]);
    world.signal(0, true);
    world.signal(1, true);
    world.run(SECOND);
    world.events(0);
    let path = world.path_to(1);
    world.sides[1].agent = Agent::new(1, b"newer", b"newer-password", false, 99);
    world.sides[1].address = address(3000);
    let now = world.now;
    let side = &mut world.sides[0];
    side.agent.set_remote(
        now,
        b"newer",
        b"newer-password",
        &[],
        &[(0, side.address)],
        &mut side.out,
    );
    assert_eq!(side.agent.destination(), Some(path));
    world.signal(1, true);
    world.run(SECOND);
    assert!(world.connected());
    assert_eq!(world.sides[0].agent.destination(), Some(world.path_to(1)));
}

/// A restart gives the peer time, but none that nobody has answered gives it more than that.
#[test]
fn consent_is_not_put_off_by_restarts_that_nobody_answers() {
    for (every, restarts, least, most) in
        [(100, 0, 9, 15), (9, 1, 18, 24), (9, 5, 24, 30), (1, 40, 24, 30)]
    {
        let mut world = World::new([true, false]);
        world.signal(0, true);
        world.signal(1, true);
        world.run(20 * SECOND);
        assert!(world.connected());
        world.events(0);
        world.loss = |_, _| true;
        let mut closed = None;
        for second in 1..=60 {
            if second % every == 0 && second / every <= restarts {
                let other = [b'a' + second as u8; 4];
                let now = world.now;
                let side = &mut world.sides[0];
                let sockets = [(0, side.address)];
                side.agent.set_remote(now, &other, &other, &[], &sockets, &mut side.out);
            }
            world.run(SECOND);
            let sent_to = world.sides[0].agent.destination();
            if closed.is_none() && sent_to.is_none() {
                closed = Some(second);
            }
        }
        let closed = closed.unwrap_or(99);
        assert!((least..=most).contains(&closed), "{restarts} restarts: {closed} s");
    }
}

#[test]
fn a_relayed_pair_waits_for_a_better_one() {
    let mut world = World::new([true, false]);
    let candidate = Candidate { address: address(1001), priority: 0x00ff_ffff };
    let silent = Candidate { address: address(7777), priority: 2130706431 };
    let side = &mut world.sides[0];
    let (ufrag, pwd) = credentials(1);
    side.agent.set_remote(
        SECOND,
        ufrag,
        pwd,
        &[candidate, silent],
        &[(0, side.address)],
        &mut side.out,
    );
    world.signal(1, false);
    world.run(700 * MS);
    assert!(!world.sides[0].agent.settled);
    assert!(world.sides[0].agent.destination().is_some());
    world.run(300 * MS);
    let path = world.path_to(1);
    assert!(world.events(0).contains(&Event::Selected { path, relayed: true }));
}

#[test]
fn no_check_goes_to_many_hosts_or_none() {
    let mut world = World::new([true, false]);
    let side = &mut world.sides[0];
    let hosts = ["0.0.0.0:5", "224.0.0.1:5", "255.255.255.255:5", "192.0.2.1:0", "[2001:db8::1]:5"];
    let candidate = |text: &str| Candidate { address: text.parse().unwrap(), priority: 1 };
    let candidates = hosts.map(candidate);
    side.agent.set_remote(SECOND, b"x", b"y", &candidates, &[(0, address(1))], &mut side.out);
    assert!(side.agent.pairs.is_empty() && side.out.datagrams.is_empty());
}

#[test]
fn pairs_are_bounded() {
    let mut world = World::new([true, false]);
    world.signal(0, false);
    let (ufrag, pwd) = credentials(0);
    let key = HmacSha1::new(pwd);
    let side = &mut world.sides[0];
    for port in 1..1000 {
        let path = Path { socket: 0, remote: address(port) };
        let mut writer = Writer::new(Class::Request, [9; 12])
            .username(ufrag, b"right")
            .priority(5)
            .role(false, 1);
        let raw = writer.finish(&key).to_vec();
        let message = Message::parse(&raw).unwrap();
        side.agent.receive(SECOND, path, &message, &mut side.out);
    }
    assert_eq!(side.agent.pairs.len(), MAX_PAIRS);
}

/// One thing wrong in an otherwise good check: nothing comes back and nothing changes.
#[test]
fn a_check_with_one_thing_wrong_is_dropped() {
    let mut world = World::new([true, false]);
    world.signal(0, false);
    world.sides[0].out = Sent::default();
    let key = HmacSha1::new(b"left-password");
    let base = || Writer::new(Class::Request, [9; 12]);
    let wrong_key = HmacSha1::new(b"left-passwore");
    let mut forms: Vec<Vec<u8>> = vec![
        base().username(b"left", b"right").priority(5).role(false, 1).finish(&wrong_key).to_vec(),
        base().username(b"lefu", b"right").priority(5).role(false, 1).finish(&key).to_vec(),
        base().priority(5).role(false, 1).finish(&key).to_vec(),
        base().username(b"left", b"right").role(false, 1).finish(&key).to_vec(),
        base().username(b"left", b"right").priority(5).finish(&key).to_vec(),
    ];
    let good = base().username(b"left", b"right").priority(5).role(false, 1).finish(&key).to_vec();
    for bit in 0..good.len() * 8 {
        let mut form = good.clone();
        form[bit / 8] ^= 1 << (bit % 8);
        forms.push(form);
    }
    forms.extend((0..good.len()).map(|length| good[..length].to_vec()));
    let path = Path { socket: 0, remote: address(5) };
    let side = &mut world.sides[0];
    for form in forms {
        if let Some(message) = Message::parse(&form) {
            side.agent.receive(SECOND, path, &message, &mut side.out);
        }
        assert!(side.out.datagrams.is_empty() && side.agent.pairs.is_empty());
    }
    let message = Message::parse(&good).unwrap();
    assert_eq!(side.agent.receive(SECOND, path, &message, &mut side.out), Outcome::Answered);
    assert_eq!(side.out.datagrams.len(), 2, "the answer and the triggered check");
}

#[test]
fn a_response_from_elsewhere_opens_nothing() {
    let mut world = World::new([true, false]);
    world.signal(0, true);
    let (_, request) = world.sides[0].out.datagrams.pop_front().unwrap();
    let transaction = Message::parse(&request).unwrap().transaction;
    let path = world.path_to(1);
    let elsewhere = Path { remote: address(4), ..path };
    let side = &mut world.sides[0];
    let answer = |key: &[u8], transaction| {
        let mut writer = Writer::new(Class::Success, transaction).mapped(address(1));
        writer.finish(&HmacSha1::new(key)).to_vec()
    };
    let good = answer(b"right-password", transaction);
    let mut receive = |raw: &[u8], path| {
        let message = Message::parse(raw).unwrap();
        side.agent.receive(SECOND + MS, path, &message, &mut side.out)
    };
    assert_eq!(receive(&answer(b"left-password", transaction), path), Outcome::Unauthentic);
    assert_eq!(receive(&answer(b"right-password", [7; 12]), path), Outcome::Unexpected);
    assert_eq!(receive(&good, elsewhere), Outcome::Unexpected);
    assert_eq!(receive(&good, path), Outcome::Confirmed);
    assert_eq!(receive(&good, path), Outcome::Unexpected);
}

/// Mutated and made-up messages, some with the right key, against the parser and an agent.
#[test]
fn random_messages_do_no_harm() {
    let rounds = if cfg!(debug_assertions) { 100_000 } else { 5_000_000 };
    let mut random = Random(4);
    let mut world = World::new([true, false]);
    world.signal(0, true);
    let key = HmacSha1::new(b"left-password");
    let remote_key = HmacSha1::new(b"right-password");
    let mut now = SECOND;
    let mut raw = Vec::new();
    let mut parsed = 0;
    for round in 0..rounds {
        now += random.draw() % (20 * MS);
        let side = &mut world.sides[0];
        let mut transaction = [0; 12];
        transaction[4..].copy_from_slice(&random.draw().to_be_bytes());
        if let Some((_, last)) = side.out.datagrams.back() {
            transaction.copy_from_slice(&last[8..20]);
        }
        side.out = Sent::default();
        raw.clear();
        let choice = random.draw();
        match choice % 4 {
            0 => {
                let mut writer = Writer::new(Class::Request, transaction)
                    .username(b"left", if choice & 64 == 0 { b"right" } else { b"other" })
                    .priority(random.draw() as u32)
                    .role(choice & 128 == 0, random.draw());
                if choice & 256 == 0 {
                    writer = writer.use_candidate();
                }
                raw.extend(writer.finish(&key));
            }
            1 => {
                let writer = Writer::new(Class::Success, transaction).mapped(address(9));
                raw.extend({ writer }.finish(&remote_key));
            }
            2 => {
                let code = [400, 401, 487, 500, 600][(choice >> 8) as usize % 5];
                let writer = Writer::new(Class::Error, transaction).error(code, "x");
                raw.extend({ writer }.finish(&remote_key));
            }
            _ => {
                raw.extend([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
                let length = random.draw() as usize % 60;
                raw.extend((0..length).map(|_| random.draw() as u8));
            }
        }
        if choice & 0x1000 == 0 {
            for _ in 0..1 + choice % 3 {
                let index = random.draw() as usize % raw.len();
                raw[index] = random.draw() as u8;
            }
        }
        if choice & 0xe000 == 0 {
            raw.truncate(random.draw() as usize % raw.len());
        }
        let path = Path { socket: 0, remote: address(1001 + (choice >> 32) as u16 % 200) };
        if let Some(message) = Message::parse(&raw) {
            parsed += 1;
            side.agent.receive(now, path, &message, &mut side.out);
        }
        side.agent.timeout(now, &mut side.out);
        assert!(side.agent.pairs.len() <= MAX_PAIRS);
        assert!(side.out.datagrams.len() <= 2 * MAX_PAIRS);
        if let Some(selected) = side.agent.selected {
            assert!(side.agent.pair(selected).is_some_and(|pair| pair.open), "round {round}");
        }
        assert!(side.agent.next_timeout().is_none_or(|next| next > now));
    }
    assert!(parsed > rounds / 8);
}
