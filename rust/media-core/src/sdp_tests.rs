//! Offers of real clients, and offers that must be refused.

use proptest::prelude::*;

use super::*;

const HASH: &str = "1A:2B:3C:4D:5E:6F:70:81:92:A3:B4:C5:D6:E7:F8:09:1A:2B:3C:4D:5E:6F:70:81:92:A3:B4:C5:D6:E7:F8:09";

/// Chromium 156, one microphone.
fn chromium() -> String {
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\n\
         a=msid-semantic: WMS 7d0c\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
         a=ice-ufrag:6lbE\r\na=ice-pwd:BvzTqVxqnQe0sI3eGGvCrkBG\r\na=ice-options:trickle\r\na=fingerprint:sha-256 {HASH}\r\n\
         a=setup:actpass\r\na=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
         a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendonly\r\na=msid:7d0c 91ab\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
         a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:110 \
         telephone-event/48000\r\na=ssrc:3735928559 cname:q1w2\r\n"
    )
}

/// Firefox 153: fingerprint and direction at session level, no RED.
fn firefox() -> String {
    format!(
        "v=0\r\no=mozilla...THIS_IS_SDPARTA-99.0 8523 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=recvonly\r\na=fingerprint:sha-256 {HASH}\r\n\
         a=group:BUNDLE 0\r\na=ice-options:trickle\r\na=msid-semantic:WMS *\r\nm=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r\n\
         c=IN IP4 0.0.0.0\r\na=recvonly\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level\r\na=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r\na=ice-pwd:0123456789abcdef0123456789abcdef\r\n\
         a=ice-ufrag:deadbeef\r\na=mid:0\r\na=rtcp-mux\r\na=rtpmap:109 opus/48000/2\r\na=rtpmap:9 G722/8000/1\r\na=setup:actpass\r\n"
    )
}

/// aiortc 1.16: three hashes, no fmtp, candidates inside.
fn aiortc() -> String {
    format!(
        "v=0\r\no=- 3972 3972 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic:WMS *\r\n\
         m=audio 40332 UDP/TLS/RTP/SAVPF 96 0 8\r\nc=IN IP4 10.0.0.7\r\na=sendonly\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=mid:0\r\n\
         a=rtcp:9 IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=ssrc:77 cname:x\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n\
         a=candidate:1 1 udp 2130706431 10.0.0.7 40332 typ host\r\na=end-of-candidates\r\na=ice-ufrag:RoAs\r\n\
         a=ice-pwd:Q3PwBvLxYvzUgHkc2mT0na\r\na=fingerprint:sha-256 {HASH}\r\na=fingerprint:sha-384 00:11\r\na=fingerprint:sha-512 22:33\r\n\
         a=setup:actpass\r\n"
    )
}

/// FFmpeg 8.1's WHIP muxer: it insists on being the DTLS server and has no mid extension.
fn ffmpeg() -> String {
    format!(
        "v=0\r\no=FFmpeg 4489045141692799359 2 IN IP4 127.0.0.1\r\ns=FFmpegPublishSession\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n\
         a=ice-ufrag:a1b2c3d4\r\na=ice-pwd:0123456789abcdef0123456789abcdef\r\na=fingerprint:sha-256 {HASH}\r\na=setup:passive\r\n\
         a=mid:0\r\na=sendonly\r\na=msid:FFmpeg audio\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=ssrc:5 cname:FFmpeg\r\n"
    )
}

#[test]
fn chromium_offers_red_and_levels() {
    let offer = offer(&chromium()).unwrap();
    let section = &offer.sections[0];
    assert_eq!((section.opus, section.red, section.direction), (111, Some(63), Direction::SendOnly));
    assert_eq!((section.level_extension, section.mid_extension), (1, 4));
    assert_eq!(offer.ice, ("6lbE".to_owned(), "BvzTqVxqnQe0sI3eGGvCrkBG".to_owned()));
    assert_eq!(offer.fingerprint[..3], [0x1a, 0x2b, 0x3c]);
    assert!(offer.bundle && !offer.passive);
}

#[test]
fn firefox_puts_things_at_session_level() {
    let offer = offer(&firefox()).unwrap();
    let section = &offer.sections[0];
    assert_eq!((section.opus, section.red, section.direction), (109, None, Direction::RecvOnly));
    assert_eq!((section.level_extension, section.mid_extension), (1, 3));
    assert_eq!(offer.fingerprint[31], 0x09);
}

#[test]
fn aiortc_offers_three_hashes_and_we_take_sha_256() {
    let offer = offer(&aiortc()).unwrap();
    assert_eq!((offer.sections[0].opus, offer.fingerprint[0]), (96, 0x1a));
}

#[test]
fn ffmpeg_insists_on_being_the_dtls_server() {
    let offer = offer(&ffmpeg()).unwrap();
    assert!(offer.passive);
    assert_eq!(offer.sections[0].mid_extension, 0);
}

#[test]
fn codec_names_are_not_case_sensitive() {
    let offer = offer(&chromium().replace("opus/48000/2", "OPUS/48000/2")).unwrap();
    assert_eq!(offer.sections[0].opus, 111);
}

#[test]
fn what_cannot_be_answered_is_refused_with_its_reason() {
    let video = format!("{}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", chromium());
    let cases = [
        ("hello".to_owned(), "v=0"),
        (video, "only audio"),
        (chromium().replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "DTLS-SRTP"),
        (chromium().replace("opus/48000/2", "speex/48000/2"), "no opus"),
        (chromium().replace("sha-256", "sha-512"), "no sha-256"),
        (chromium().replace("1A:2B", "1A"), "32 bytes"),
        (chromium().replace("a=ice-pwd:BvzTqVxqnQe0sI3eGGvCrkBG\r\n", ""), "ice-ufrag"),
        (chromium().replace("BvzTqVxqnQe0sI3eGGvCrkBG", "short"), "ice-pwd"),
        ("v=0\r\n".to_owned(), "at least one audio section"),
        (format!("v=0\r\n{}", "a=x\r\n".repeat(20_000)), "too long"),
    ];
    for (text, reason) in cases {
        let error = offer(&text).unwrap_err();
        assert!(error.0.contains(reason), "{error} should name: {reason}");
    }
}

#[test]
fn a_fragment_names_its_credentials() {
    let text = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 1.2.3.4 5 typ host\r\n";
    assert_eq!(fragment(text).unwrap().ice.0, "abcd");
    assert!(fragment("a=candidate:1 1 udp 1 1.2.3.4 5 typ host\r\n").is_err());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,400}") {
        let _ = offer(&text);
        let _ = fragment(&text);
    }

    #[test]
    fn no_mutilated_offer_panics(from in 0usize..1800, len in 0usize..40, with in "[ -~]{0,12}") {
        for whole in [chromium(), firefox(), aiortc(), ffmpeg()] {
            let (from, to) = (from.min(whole.len()), (from + len).min(whole.len()));
            let _ = offer(&format!("{}{with}{}", &whole[..from], &whole[to..]));
        }
    }
}
