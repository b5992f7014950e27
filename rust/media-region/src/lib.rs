//! The session memory that outlives a media process: its layout, its atomics and its fence.
