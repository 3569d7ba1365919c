//! The batches over real sockets on loopback.

use super::*;
use crate::ice::Path;

fn sockets(address: &str) -> (Vec<Socket>, Socket) {
    let bind = || Socket::bind(address.parse().unwrap(), 1 << 20, 1 << 20).unwrap();
    (vec![bind()], bind())
}

fn queue(batch: &mut SendBatch, data: &[u8], path: Path, lane: &mut Lane) {
    batch.slot().unwrap()[..data.len()].copy_from_slice(data);
    batch.commit(data.len(), path, lane);
}

#[test]
fn what_is_sent_arrives_in_order() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        for segmentation in [true, false] {
            let (mut ours, theirs) = sockets(address);
            let other = Socket::bind(address.parse().unwrap(), 1 << 20, 1 << 20).unwrap();
            ours[0].segmentation = segmentation;
            let mut batch = SendBatch::default();
            let (mut lane, mut second) = (Lane::default(), Lane::default());
            let path = Path { socket: 0, remote: theirs.local() };
            let other_path = Path { socket: 0, remote: other.local() };
            let sizes = [100, 100, 100, 60, 100, 100, 200, 1, 1, 1200, 1200, 1200];
            for (index, size) in sizes.into_iter().enumerate() {
                queue(&mut batch, &vec![index as u8; size], path, &mut lane);
                queue(&mut batch, &[index as u8; 50], other_path, &mut second);
            }
            let flushed = batch.flush(&mut ours);
            assert_eq!((flushed.packets, flushed.full, flushed.refused), (24, 0, 0));
            assert_eq!(flushed.bytes, sizes.iter().sum::<usize>() as u64 + 600);
            assert!(batch.is_empty());
            let mut received = ReceiveBatch::default();
            assert_eq!(received.receive(&theirs).unwrap(), sizes.len());
            for (index, size) in sizes.into_iter().enumerate() {
                let (from, data) = received.datagram(index).unwrap();
                assert_eq!(from, ours[0].local());
                assert_eq!(data, vec![index as u8; size]);
            }
            assert_eq!(received.receive(&other).unwrap(), sizes.len());
            assert_eq!(received.receive(&theirs).unwrap(), 0);
        }
    }
}

#[test]
fn a_full_batch_takes_no_more() {
    let (mut ours, theirs) = sockets("127.0.0.1:0");
    let path = Path { socket: 0, remote: theirs.local() };
    let mut batch = SendBatch::default();
    let mut lane = Lane::default();
    for _ in 0..SEND_SLOTS {
        queue(&mut batch, b"x", path, &mut lane);
    }
    assert!(batch.is_full() && batch.slot().is_none());
    batch.commit(1, path, &mut lane);
    let flushed = batch.flush(&mut ours);
    assert_eq!(flushed.packets, SEND_SLOTS as u64);
}

#[test]
fn one_refused_destination_costs_no_other() {
    let (mut ours, theirs) = sockets("127.0.0.1:0");
    let mut batch = SendBatch::default();
    // An IPv6 destination cannot be sent to from an IPv4 socket.
    let bad = Path { socket: 0, remote: "[::1]:9".parse().unwrap() };
    let good = Path { socket: 0, remote: theirs.local() };
    for path in [bad, good, bad, good] {
        queue(&mut batch, b"data", path, &mut Lane::default());
    }
    let flushed = batch.flush(&mut ours);
    assert_eq!((flushed.packets, flushed.refused), (2, 2));
}

#[test]
fn what_finds_the_receive_buffer_full_is_counted() {
    let small = Socket::bind("127.0.0.1:0".parse().unwrap(), 1 << 12, 1 << 12).unwrap();
    assert_eq!(small.overflowed(), Some(0));
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        sender.send_to(&[0; 1000], small.local()).unwrap();
    }
    let kept = ReceiveBatch::default().receive(&small).unwrap();
    assert_eq!(small.overflowed().map(|lost| lost as usize + kept), Some(100));
}

#[test]
fn sockets_of_one_address_divide_what_comes_and_let_nobody_in() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let address = address.parse().unwrap();
        let together = Socket::bind_together(address, 1 << 20, 1 << 20, 3).unwrap();
        let local = together[0].local();
        assert!(together.iter().all(|socket| socket.local() == local));
        assert!(Socket::bind(local, 1 << 20, 1 << 20).is_err());
        assert!(Socket::bind_together(local, 1 << 20, 1 << 20, 2).is_err());
        let mut batch = ReceiveBatch::default();
        for _ in 0..50 {
            let sender = UdpSocket::bind(SocketAddr::new(local.ip(), 0)).unwrap();
            sender.send_to(b"x", local).unwrap();
        }
        let counts: Vec<_> = together.iter().map(|socket| batch.receive(socket).unwrap()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 50);
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    }
}

#[test]
fn the_kernel_tells_when_datagrams_came() {
    let (_, theirs) = sockets("127.0.0.1:0");
    theirs.note_arrivals().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let realtime = crate::clock::realtime;
    let mut batch = ReceiveBatch::with_arrivals();
    for _ in 0..2 {
        let before = realtime();
        sender.send_to(b"x", theirs.local()).unwrap();
        sender.send_to(b"y", theirs.local()).unwrap();
        assert_eq!(batch.receive(&theirs).unwrap(), 2);
        // The first ones after the option was set have the time of being read.
        let after = realtime();
        for index in 0..2 {
            assert!((before..=after).contains(&batch.arrival(index).unwrap()));
        }
    }
    let mut plain = ReceiveBatch::default();
    sender.send_to(b"x", theirs.local()).unwrap();
    assert_eq!(plain.receive(&theirs).unwrap(), 1);
    assert_eq!(plain.arrival(0), None);
}

#[test]
fn a_longer_datagram_is_seen_to_be_too_long() {
    let (_, theirs) = sockets("127.0.0.1:0");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for size in [0, 1, 1500, 2048, 65_507] {
        sender.send_to(&vec![1; size], theirs.local()).unwrap();
        let mut batch = ReceiveBatch::default();
        assert_eq!(batch.receive(&theirs).unwrap(), 1);
        assert_eq!(batch.datagram(0).unwrap().1.len(), size.min(SLOT));
    }
}
