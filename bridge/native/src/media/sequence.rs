//! Arithmetic on 16-bit numbers that wrap (RFC 1982 with RTP's width).

/// How far `a` is ahead of `b`; negative when it is behind.
pub fn distance(a: u16, b: u16) -> i32 {
    i32::from(a.wrapping_sub(b) as i16)
}

/// The 64-bit number nearest to `near` whose low 16 bits are `value`.
///
/// `near` must be at least 32,768, so that the answer cannot be below zero; start a series
/// with [`first`].
pub fn extend(near: u64, value: u16) -> u64 {
    let step = i64::from(distance(value, near as u16));
    near.saturating_add_signed(step)
}

/// The extended number to start a series with.
pub fn first(value: u16) -> u64 {
    65_536 + u64::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_wraps() {
        assert_eq!(distance(2, 0xffff), 3);
        assert_eq!(distance(0xffff, 2), -3);
        assert_eq!(distance(5, 5), 0);
    }

    #[test]
    fn extended_numbers_follow_the_wrap_both_ways() {
        let start = first(0xfffe);
        assert_eq!(extend(start, 1), start + 3);
        assert_eq!(extend(start + 3, 0xfffd), start - 1);
        assert_eq!(extend(first(0), 0xffff), first(0) - 1);
    }
}
