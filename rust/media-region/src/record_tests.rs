//! A record is whole or it is not there, and its indices end before they could repeat.

use super::*;
use crate::Region;

fn sample() -> SessionData {
    SessionData {
        id: [7; 16],
        owner: [3; 24],
        csrc: 0x0102_0304,
        ssrcs: [1, 2, 3],
        first: [9, 10, 11],
        send_key: [5; 46],
        ..SessionData::default()
    }
}

fn address(port: u16) -> Address {
    Address { remote: SocketAddr::from(([127, 0, 0, 1], port)), local: Some(IpAddr::from([10, 0, 0, 1])), socket: 1 }
}

#[test]
fn a_published_session_reads_back_but_for_its_first_indices() {
    let region = Region::heap(4);
    let record = &region.records()[0];
    assert!(record.data().is_none());
    record.publish(&sample(), address(9), 1);
    assert_eq!(record.data(), Some(SessionData { first: [0; 3], ..sample() }));
    assert_eq!(record.address(), Some(address(9)));
    record.set_address(Address { remote: "[2001:db8::1]:5000".parse().unwrap(), local: None, socket: 0 });
    assert_eq!(record.address().unwrap().remote.to_string(), "[2001:db8::1]:5000");
    assert_eq!(record.streams[1].take_index().get(), 10);
    assert_eq!(record.streams[1].take_index().get(), 11);
    record.release();
    assert!(record.data().is_none());
}

#[test]
fn a_torn_record_is_dropped() {
    let region = Region::heap(1);
    let record = &region.records()[0];
    record.publish(&sample(), address(9), 1);
    let mut torn = record.cold.load();
    torn[20] ^= 1;
    record.cold.store(&torn);
    assert!(record.data().is_none());
}

#[test]
fn an_srtcp_index_ends_before_it_could_repeat() {
    let region = Region::heap(1);
    let record = &region.records()[0];
    record.publish(&sample(), address(9), 1);
    record.streams[0].next_rtcp.set(RTCP_INDEX_END - 1);
    assert!(record.streams[0].take_rtcp_index().is_some());
    assert!(record.streams[0].take_rtcp_index().is_none());
}
