//! Sockets, the run loop and the real clock around the media core.
