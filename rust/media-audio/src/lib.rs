//! Sound, sans-IO: the Opus codec, jitter buffers, levelling, the mix and the programme encoder.
