//! The HTTP client against a real socket that says what each test wants said.

use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;

/// A server that gives one answer per request, closing the connection where `None` stands; yields the heads it read.
fn server(answers: Vec<Option<&'static str>>) -> (Url, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/whep?x=1", listener.local_addr().unwrap())).unwrap();
    let (heads, out) = channel();
    thread::spawn(move || {
        let mut kept = None;
        for answer in answers {
            let Some(answer) = answer else {
                kept = None;
                continue;
            };
            let stream = kept.get_or_insert_with(|| BufReader::new(listener.accept().unwrap().0));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(stream.read_line(&mut head).unwrap() > 0);
            }
            let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
            let mut body = Vec::new();
            exactly(stream, len, &mut body).unwrap();
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            heads.send(head + std::str::from_utf8(&body).unwrap()).unwrap();
        }
    });
    (url, out)
}

fn post<'a>(url: &'a Url, body: &'a str) -> Request<'a> {
    Request { method: "POST", url, headers: &[("Content-Type", "application/sdp")], body }
}

#[test]
fn one_connection_carries_many_requests() {
    let created = "HTTP/1.1 201 Created\r\ncontent-length: 3\r\nLocation: /s/1\r\n\r\nv=0";
    let chunked =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n2\r\nef\r\n0\r\nT: 1\r\n\r\n";
    let (url, heads) = server(vec![Some(created), Some("HTTP/1.1 204 No Content\r\n\r\n"), Some(chunked)]);
    let mut client = Client::default();
    let answer = client.ask(&post(&url, "offer")).unwrap();
    assert_eq!((answer.status, answer.text().as_str(), answer.header("location")), (201, "v=0", Some("/s/1")));
    let head = heads.recv().unwrap();
    assert!(head.starts_with(&format!("POST /whep?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", url.port)), "{head}");
    assert!(head.contains("\r\nContent-Type: application/sdp\r\n") && head.ends_with("\r\n\r\noffer"), "{head}");
    assert_eq!(client.ask(&post(&url, "")).unwrap().status, 204);
    assert_eq!(client.ask(&post(&url, "")).unwrap().text(), "abcdef");
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let (url, _heads) = server(vec![Some(fine), None, Some(last), None, Some(fine)]);
    let mut client = Client::default();
    for _ in 0..3 {
        assert_eq!(client.ask(&post(&url, "")).unwrap().text(), "ok");
    }
}

#[test]
fn an_answer_that_is_cut_off_or_no_http_is_an_error() {
    for said in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "SSH-2.0\r\n\r\n",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n",
    ] {
        assert!(read(&mut said.as_bytes()).is_err(), "{said}");
    }
}

#[test]
fn urls() {
    let url = Url::parse("http://[::1]:8080/api?x=1").unwrap();
    assert_eq!((url.host.as_str(), url.port, url.path.as_str(), url.authority().as_str()), ("::1", 8080, "/api?x=1", "[::1]:8080"));
    assert_eq!(Url::parse("http://example.org").unwrap(), Url { host: "example.org".into(), port: 80, path: "/".into() });
    assert_eq!(url.join("/s/1").unwrap().path, "/s/1");
    assert_eq!(url.join("http://b:81/s").unwrap(), Url { host: "b".into(), port: 81, path: "/s".into() });
    for bad in ["https://a/", "a", "http://", "http://a:x/", "http://a/b\r\nEvil: 1"] {
        assert!(Url::parse(bad).is_err(), "{bad}");
    }
}
