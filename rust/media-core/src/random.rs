//! Randomness as an argument.

/// A source of random bytes: the operating system's for a server, a seeded one for a simulation.
pub trait Random {
    /// Fills `out` with unpredictable bytes.
    fn fill(&mut self, out: &mut [u8]);
}

/// `N` random bytes.
pub fn bytes<const N: usize>(random: &mut dyn Random) -> [u8; N] {
    let mut out = [0; N];
    random.fill(&mut out);
    out
}

/// `N` random characters of the ICE alphabet (RFC 8839 §5.4 `ice-char`), 6 bits each.
pub fn ice_chars<const N: usize>(random: &mut dyn Random) -> [u8; N] {
    const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
    bytes::<N>(random).map(|byte| ALPHABET[usize::from(byte & 63)])
}
