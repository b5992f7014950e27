//! The media core, sans-IO: packets, time and randomness are arguments; sockets, threads and clocks live in media-io.
