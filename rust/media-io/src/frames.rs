//! The frames of the control socket: a length, then one MessagePack message (protocol/media.md). Sans-IO.

use media_core::messages::{FromMedia, PROTOCOL, ToMedia};

/// The largest frame taken: an SDP offer or a few thousand grants.
const MAX_FRAME: usize = 4 << 20;

/// A connection is over: why, for the log.
#[derive(Debug)]
pub struct Over(pub String);

/// Frames as they arrive from one api process.
#[derive(Default)]
pub struct Frames {
    arrived: Vec<u8>,
    taken: usize,
    greeted: bool,
}

impl Frames {
    /// Bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.arrived.drain(..std::mem::take(&mut self.taken));
        self.arrived.extend_from_slice(bytes);
    }

    /// Whether more than a frame's worth waits to be taken.
    pub fn is_full(&self) -> bool {
        self.arrived.len() - self.taken > MAX_FRAME + 4
    }

    /// Whether the other side has said hello, and so hears facts.
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// The next message, if all of it is there. The first must be a hello of this protocol.
    pub fn take(&mut self) -> Result<Option<ToMedia>, Over> {
        let rest = &self.arrived[self.taken..];
        let Some(prefix) = rest.first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_be_bytes(*prefix) as usize;
        if len > MAX_FRAME {
            return Err(Over("a frame is too large".to_owned()));
        }
        let Some(body) = rest.get(4..4 + len) else { return Ok(None) };
        let message: ToMedia = rmp_serde::from_slice(body).map_err(|error| Over(format!("a frame is not valid: {error}")))?;
        self.taken += 4 + len;
        match &message {
            ToMedia::Hello(hello) if hello.protocol != PROTOCOL => {
                return Err(Over(format!("it speaks protocol {}, this core {PROTOCOL}", hello.protocol)));
            }
            ToMedia::Hello(_) => self.greeted = true,
            _ if !self.greeted => return Err(Over("it did not say hello".to_owned())),
            _ => {}
        }
        Ok(Some(message))
    }
}

/// Appends a message's frame to `out`.
pub fn write(message: &FromMedia, out: &mut Vec<u8>) -> Result<(), Over> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    rmp_serde::encode::write_named(out, message).map_err(|error| Over(error.to_string()))?;
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use media_core::messages::{GetStats, Hello};
    use proptest::prelude::*;

    use super::*;

    fn frame(message: &ToMedia) -> Vec<u8> {
        let body = rmp_serde::to_vec_named(message).unwrap();
        [&(body.len() as u32).to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn messages_come_out_however_their_bytes_come_in() {
        let (hello, stats) = (ToMedia::Hello(Hello { protocol: PROTOCOL }), ToMedia::GetStats(GetStats { request: 7 }));
        let bytes = [frame(&hello), frame(&stats)].concat();
        for step in 1..bytes.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for chunk in bytes.chunks(step) {
                frames.push(chunk);
                seen.extend(std::iter::from_fn(|| frames.take().unwrap()));
            }
            assert_eq!(seen, [hello.clone(), stats.clone()]);
        }
    }

    #[test]
    fn manners_are_required() {
        let mut frames = Frames::default();
        frames.push(&frame(&ToMedia::GetStats(GetStats { request: 7 })));
        assert!(frames.take().unwrap_err().0.contains("hello"));
        let mut frames = Frames::default();
        frames.push(&frame(&ToMedia::Hello(Hello { protocol: PROTOCOL + 1 })));
        assert!(frames.take().unwrap_err().0.contains("protocol"));
        let mut frames = Frames::default();
        frames.push(&u32::MAX.to_be_bytes());
        assert!(frames.take().is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..8)) {
            let mut frames = Frames::default();
            frames.push(&frame(&ToMedia::Hello(Hello { protocol: PROTOCOL })));
            for chunk in chunks {
                frames.push(&chunk);
                while let Ok(Some(_)) = frames.take() {}
            }
        }
    }
}
