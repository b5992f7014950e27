//! Which packets of one SSRC have arrived (RFC 3711 §3.3.1 and §3.3.2).

/// Which indices of one SSRC have arrived. Consulted before opening, advanced only after.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    highest: Option<u64>,
    seen: u64,
}

impl Window {
    /// A window that treats everything up to `highest` as seen: what a successor starts from (rule 6).
    pub fn after(highest: u64) -> Window {
        Window { highest: Some(highest), seen: u64::MAX }
    }

    /// The highest authenticated index.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// The other index a sequence number may have before anything has arrived: its first 65,536 packets may all have been lost
    /// to us (a join in the middle, a wrap just before). Never more than these two are tried (rule 6).
    pub fn second_guess(&self, sequence: u16) -> Option<u64> {
        (self.highest.is_none() && sequence < 0x8000).then(|| 1 << 16 | u64::from(sequence))
    }

    /// The index a sequence number most likely has (RFC 3711 §3.3.1): one candidate, rollover 0 at the start.
    pub fn guess(&self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else { return u64::from(sequence) };
        let (rollover, last) = (highest >> 16, highest as u16);
        let rollover = if last < 0x8000 {
            if sequence.saturating_sub(last) > 0x8000 { rollover.saturating_sub(1) } else { rollover }
        } else if last - 0x8000 > sequence {
            rollover + 1
        } else {
            rollover
        };
        rollover << 16 | u64::from(sequence)
    }

    /// Whether `index` is new.
    pub fn is_new(&self, index: u64) -> bool {
        match self.highest {
            None => true,
            Some(highest) if index > highest => true,
            Some(highest) => highest - index < 64 && self.seen >> (highest - index) & 1 == 0,
        }
    }

    /// Marks an authenticated index as seen.
    pub fn advance(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => self.seen |= 1u64.checked_shl((highest - index) as u32).unwrap_or(0),
            Some(highest) => {
                self.seen = self.seen.checked_shl((index - highest).min(64) as u32).unwrap_or(0) | 1;
                self.highest = Some(index);
            }
            None => (self.highest, self.seen) = (Some(index), 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_knows_what_it_has_seen() {
        let mut window = Window::default();
        assert_eq!(window.guess(65_000), 65_000);
        window.advance(65_530);
        assert_eq!(window.guess(3), 0x1_0003);
        window.advance(0x1_0003);
        assert_eq!(window.guess(65_531), 65_531);
        assert!(window.is_new(65_531) && !window.is_new(65_530) && !window.is_new(0x1_0003));
        window.advance(65_531);
        assert!(!window.is_new(65_531));
        window.advance(0x1_0100);
        assert!(!window.is_new(65_531), "too old to tell is old");
        let successor = Window::after(500);
        assert!(!successor.is_new(500) && !successor.is_new(450) && successor.is_new(501));
    }
}
