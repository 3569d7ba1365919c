//! Two engines that are connected, and what one of them sends; rows of the table of results.

#![allow(dead_code)] // each test program uses its part

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, Instant};

use xmppconf_native::engine::{Command, Engine, Event, Settings};
use xmppconf_native::ice::Candidate;
use xmppconf_native::placement::PART;
use xmppconf_native::srtp::{Profile, Receiver, Sender, MAX_OVERHEAD};

pub const SETTINGS: Settings = Settings {
    queue: 1024,
    event_queue: 1024,
    receive_buffer: 1 << 22,
    send_buffer: 1 << 22,
    workers: 1,
    part: PART,
};

pub fn full() -> bool {
    std::env::var("XMPPCONF_FUZZ").is_ok_and(|value| value == "full")
}

pub fn share(whole: u64) -> u64 {
    match (full(), cfg!(debug_assertions)) {
        (true, _) => whole,
        (false, false) => whole / 100,
        (false, true) => whole / 2000,
    }
}

/// Do the work, and write down what it was and how long it took.
pub fn gate(id: &str, what: &str, count: u64, work: impl FnOnce() -> String) {
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    let row = format!("| {id} | {what} | {count} | {seconds:.1} | {result} |");
    println!("{row}");
    if let Ok(path) = std::env::var("XMPPCONF_RESULTS") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{row}").unwrap();
    }
}

pub fn start(address: &str) -> Engine {
    Engine::new(&[address.parse().unwrap()], &SETTINGS).unwrap()
}

pub fn counter(engine: &Engine, name: &str) -> u64 {
    engine.stats().into_iter().find(|(known, _)| *known == name).unwrap().1
}

pub fn wait<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "no {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn connect(left: &Engine, right: &Engine) {
    let pwd = b"a-password-of-22-chars".to_vec();
    for (engine, ours, theirs, other, controlling) in
        [(left, "left", "right", right, true), (right, "right", "left", left, false)]
    {
        engine
            .command(Command::AddTransport {
                transport: 1,
                conference: 1,
                ufrag: ours.into(),
                pwd: pwd.clone(),
                controlling,
                sockets: None,
            })
            .unwrap();
        let address = other.local_addresses()[0];
        let candidate = Candidate { address, priority: 2130706431 };
        // As with browsers, one side learns the other only from its checks.
        let candidates = if controlling { vec![] } else { vec![candidate] };
        let (ufrag, pwd) = (theirs.into(), pwd.clone());
        engine
            .command(Command::SetRemoteIce { transport: 1, ufrag, pwd, candidates, restart: false })
            .unwrap();
    }
    for engine in [left, right] {
        wait("selected pair", || {
            let selected = |event: &Event| matches!(event, Event::IceSelected { .. });
            engine.take_events().iter().any(selected).then_some(())
        });
    }
}

pub fn set_srtp(engine: &Engine, profile: Profile) {
    let (key, salt) = profile.lengths();
    let (key, salt) = (vec![3; key], vec![4; salt]);
    let sender = Box::new(Sender::new(profile, &key, &salt).unwrap());
    let receiver = Box::new(Receiver::new(profile, &key, &salt).unwrap());
    engine.command(Command::SetSrtp { transport: 1, sender, receiver }).unwrap();
}

pub fn protected(profile: Profile, sequence: u16) -> Vec<u8> {
    let (key, salt) = profile.lengths();
    let mut sender = Sender::new(profile, &vec![3; key], &vec![4; salt]).unwrap();
    let mut slot = vec![0x80, 111, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4];
    slot[2..4].copy_from_slice(&sequence.to_be_bytes());
    let length = slot.len();
    slot.resize(length + MAX_OVERHEAD, 0);
    let length = sender.protect_rtp(&mut slot, 12, length).unwrap();
    slot.truncate(length);
    slot
}
