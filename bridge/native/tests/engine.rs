//! Two engines over loopback: ICE, then SRTP, and a stranger who gets nothing.

mod common;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use common::{connect, counter, protected, set_srtp, start, wait, SETTINGS};
use xmppconf_native::engine::{Command, Engine, Event, Settings};
use xmppconf_native::ice::Candidate;
use xmppconf_native::srtp::Profile;

#[test]
fn engines_connect_and_exchange_srtp() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        for profile in [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm] {
            let (left, right) = (start(address), start(address));
            connect(&left, &right);
            for (from, to) in [(&left, &right), (&right, &left)] {
                set_srtp(to, profile);
                let datagrams = (0..100).map(|number| protected(profile, number)).collect();
                from.command(Command::SendDtls { transport: 1, datagrams }).unwrap();
                wait("srtp", || {
                    to.take_events().contains(&Event::SrtpActive { transport: 1 }).then_some(())
                });
                wait("all packets", || (counter(to, "rtp_received") == 100).then_some(()));
                let datagrams = vec![protected(profile, 5)];
                from.command(Command::SendDtls { transport: 1, datagrams }).unwrap();
                wait("replay", || (counter(to, "dropped_srtp_replayed") == 1).then_some(()));
            }
        }
    }
}

#[test]
fn a_stranger_gets_nothing_and_costs_little() {
    let (left, right) = (start("127.0.0.1:0"), start("127.0.0.1:0"));
    connect(&left, &right);
    set_srtp(&left, Profile::AeadAes128Gcm);
    let target: SocketAddr = left.local_addresses()[0];
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let forms: [Vec<u8>; 5] = [
        vec![],
        vec![0; 20],
        [&[22, 254, 253][..], &[0; 1000]].concat(),
        protected(Profile::AeadAes128Gcm, 1),
        [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat(),
    ];
    let before = counter(&left, "packets_received");
    let sent_before = counter(&left, "packets_sent");
    let rounds: u64 = if cfg!(debug_assertions) { 2_000 } else { 40_000 };
    for round in 0..rounds {
        for form in &forms {
            while stranger.send_to(form, target).is_err() {}
        }
        // Wait for the receiver, or loopback's queue overflows on a busy machine.
        while round % 64 == 0 && counter(&left, "packets_received") + 20_000 < before + round * 5 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    wait("all packets", || {
        (counter(&left, "packets_received") >= before + rounds * 5 * 9 / 10).then_some(())
    });
    assert!(stranger.recv_from(&mut [0; 2000]).is_err(), "a stranger was answered");
    // Consent checks of the connected pair may have gone out meanwhile.
    assert!(counter(&left, "packets_sent") - sent_before < 50);
    assert!(left.take_events().is_empty());
    let datagrams = vec![[&[22, 254, 253][..], &[0; 50]].concat()];
    right.command(Command::SendDtls { transport: 1, datagrams }).unwrap();
    wait("dtls of the peer", || {
        let dtls = |event: &Event| matches!(event, Event::Dtls { transport: 1, .. });
        left.take_events().iter().any(dtls).then_some(())
    });
}

#[test]
fn datagrams_that_come_close_together_are_taken_together() {
    let (left, right) = (start("127.0.0.1:0"), start("127.0.0.1:0"));
    connect(&left, &right);
    let target: SocketAddr = left.local_addresses()[0];
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |count: u32, pause: Duration| {
        let before = (counter(&left, "packets_received"), counter(&left, "receive_calls"));
        for _ in 0..count {
            stranger.send_to(&[0; 20], target).unwrap();
            std::thread::sleep(pause);
        }
        let received = wait("all packets", || {
            let received = counter(&left, "packets_received") - before.0;
            (received >= u64::from(count)).then_some(received)
        });
        (received, counter(&left, "receive_calls") - before.1)
    };
    let (received, calls) = send(3_000, Duration::from_micros(150));
    assert!(calls * 2 < received, "{calls} of {received}");
    // What comes seldom is taken at once: no turn waits for a second one.
    send(50, Duration::from_millis(3));
    let (received, calls) = send(100, Duration::from_millis(3));
    assert!(calls * 2 > received, "{calls} of {received}");
}

#[test]
fn events_are_bounded_and_the_loss_is_told() {
    let settings = Settings { event_queue: 16, ..SETTINGS };
    let left = Engine::new(&["127.0.0.1:0".parse().unwrap()], &settings).unwrap();
    let right = start("127.0.0.1:0");
    connect(&left, &right);
    let datagrams = vec![[&[22, 254, 253][..], &[0; 50]].concat(); 100];
    right.command(Command::SendDtls { transport: 1, datagrams }).unwrap();
    wait("datagrams", || (counter(&left, "dtls_received") == 100).then_some(()));
    let events = left.take_events();
    assert_eq!(events.len(), 17);
    assert_eq!(events.last(), Some(&Event::Lost { count: 84 }));
}

#[test]
fn removed_transports_are_forgotten() {
    let (left, right) = (start("127.0.0.1:0"), start("127.0.0.1:0"));
    connect(&left, &right);
    wait("figures", || left.transport_stats(1));
    left.command(Command::RemoveConference { conference: 1 }).unwrap();
    wait("removal", || (counter(&left, "transports") == 0).then_some(()));
    assert_eq!(left.transport_stats(1), None);
    let datagrams = vec![[&[22, 254, 253][..], &[0; 50]].concat()];
    right.command(Command::SendDtls { transport: 1, datagrams }).unwrap();
    wait("drop", || (counter(&left, "dropped_unknown_address") >= 1).then_some(()));
}

#[test]
fn a_transport_with_sockets_of_its_own_uses_no_others() {
    let (left, right) = (start("127.0.0.1:0"), start("127.0.0.1:0"));
    let (numbers, own) = left.bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    assert_eq!(numbers, 1..2);
    assert_ne!(own[0], left.local_addresses()[0]);
    let pwd = b"a-password-of-22-chars".to_vec();
    let right_address = right.local_addresses()[0];
    for (engine, ours, theirs, sockets, candidates) in [
        (&right, "right", "left", None, vec![]),
        (&left, "left", "right", Some(numbers), vec![right_address]),
    ] {
        let controlling = sockets.is_some();
        let (ufrag, pwd) = (ours.into(), pwd.clone());
        let (transport, conference) = (1, 1);
        engine
            .command(Command::AddTransport {
                transport,
                conference,
                ufrag,
                pwd: pwd.clone(),
                controlling,
                sockets,
            })
            .unwrap();
        let candidates =
            candidates.into_iter().map(|address| Candidate { address, priority: 2130706431 });
        let (ufrag, candidates) = (theirs.into(), candidates.collect());
        engine
            .command(Command::SetRemoteIce { transport, ufrag, pwd, candidates, restart: false })
            .unwrap();
    }
    let remote = wait("the pair", || {
        right.take_events().into_iter().find_map(|event| match event {
            Event::IceSelected { remote, .. } => Some(remote),
            _ => None,
        })
    });
    assert_eq!(remote, own[0]);
}

#[test]
fn there_is_a_limit_to_sockets() {
    let engine = start("127.0.0.1:0");
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let bound = (0..300).take_while(|_| engine.bind(&[address]).is_ok()).count();
    assert_eq!(bound, 249);
}
