use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn request() -> Vec<u8> {
    hex("00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c
         69656e74 00240004 6e0001ff 80290008 932ff9b1 51263b36 00060009 6576746a 3a683676
         59202020 00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 80280004 e57a3bcf")
}

fn key() -> HmacSha1 {
    HmacSha1::new(b"VOkJxbRl1RmTxUk/WvJxBt")
}

#[test]
fn request_of_rfc_5769_2_1() {
    let raw = request();
    let message = Message::parse(&raw).unwrap();
    assert_eq!(message.class, Class::Request);
    assert_eq!(message.ufrags(), Some((&b"evtj"[..], &b"h6vY"[..])));
    assert_eq!(message.priority, Some(0x6e0001ff));
    assert_eq!(message.controlled, Some(0x932ff9b151263b36));
    assert!(message.authentic(&key()));
    assert!(!message.authentic(&HmacSha1::new(b"VOkJxbRl1RmTxUk/WvJxBu")));
}

#[test]
fn responses_of_rfc_5769_2_2_and_2_3() {
    let v4 = hex("0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563
                  746f7220 00200008 0001a147 e112a643 00080014 2b91f599 fd9e90c3 8c7489f9
                  2af9ba53 f06be7d7 80280004 c07d4c96");
    let message = Message::parse(&v4).unwrap();
    assert_eq!(message.mapped, Some("192.0.2.1:32853".parse().unwrap()));
    assert!(message.authentic(&key()));
    let v6 = hex("01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563
                  746f7220 00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9 00080014
                  a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c");
    let message = Message::parse(&v6).unwrap();
    let expected = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    assert_eq!(message.mapped, Some(expected));
    assert!(message.authentic(&key()));
}

#[test]
fn one_wrong_bit_anywhere_is_refused() {
    let good = request();
    for bit in 0..good.len() * 8 {
        let mut raw = good.clone();
        raw[bit / 8] ^= 1 << (bit % 8);
        let accepted = Message::parse(&raw).is_some_and(|message| message.authentic(&key()));
        assert!(!accepted, "bit {bit}");
    }
    for length in 0..good.len() {
        assert_eq!(Message::parse(&good[..length]), None);
    }
}

#[test]
fn what_is_written_is_read_back() {
    for address in ["198.51.100.7:65535", "[2001:db8::1]:1"] {
        let address = address.parse().unwrap();
        let mut writer = Writer::new(Class::Success, *b"abcdefghijkl").mapped(address);
        let raw = writer.finish(&key()).to_vec();
        let message = Message::parse(&raw).unwrap();
        assert_eq!(message.mapped, Some(address));
        assert!(message.authentic(&key()));
    }
    let mut writer = Writer::new(Class::Request, [3; 12])
        .username(b"remote", b"local")
        .priority(77)
        .role(true, 9)
        .use_candidate();
    let raw = writer.finish(&key()).to_vec();
    let message = Message::parse(&raw).unwrap();
    assert_eq!(message.ufrags(), Some((&b"remote"[..], &b"local"[..])));
    assert_eq!((message.priority, message.controlling), (Some(77), Some(9)));
    assert!(message.use_candidate && message.authentic(&key()));
    let mut writer = Writer::new(Class::Error, [3; 12]).error(487, "Role Conflict");
    assert_eq!(Message::parse(writer.finish(&key())).unwrap().error, Some(487));
}

#[test]
fn integrity_and_fingerprint_are_required() {
    let mut writer = Writer::new(Class::Request, [3; 12]).username(b"a", b"b");
    let whole = writer.finish(&key()).to_vec();
    let without_fingerprint = {
        let mut raw = whole[..whole.len() - 8].to_vec();
        raw[3] -= 8;
        raw
    };
    assert_eq!(Message::parse(&without_fingerprint), None);
    let mut bare = Writer::new(Class::Request, [3; 12]).username(b"a", b"b");
    let total = u16::try_from(bare.length + 8 - HEADER).unwrap();
    bare.data[2..4].copy_from_slice(&total.to_be_bytes());
    let crc = fingerprint(&bare.data[..bare.length]);
    bare.attribute(FINGERPRINT, &[&crc.to_be_bytes()]);
    assert_eq!(Message::parse(&bare.data[..bare.length]), None);
}
