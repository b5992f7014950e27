//! As much of HTTP/1.1 (RFC 9112) as WHIP and WHEP need of a client: one kept connection, blocking.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a server may take to connect, or between two reads.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest head line and largest body taken.
const MAX_LINE: u64 = 16 << 10;
const MAX_BODY: u64 = 1 << 20;
const MAX_HEADERS: usize = 100;

/// Where a request goes. Only `http://`: a load generator stands beside the server, not behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path and query, with the leading slash.
    pub path: String,
}

impl Url {
    /// Reads `http://host[:port]/path?query`.
    pub fn parse(text: &str) -> Result<Url, String> {
        let rest = text.strip_prefix("http://").ok_or_else(|| format!("{text}: only http:// URLs are supported"))?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| format!("{text}: {port} is no port"))?),
            _ => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let plain = !host.is_empty() && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
        plain.then(|| Url { host: host.to_owned(), port, path: path.to_owned() }).ok_or_else(|| format!("{text}: not a URL"))
    }

    /// What a `Location` header means, seen from here.
    pub fn join(&self, location: &str) -> Result<Url, String> {
        if location.starts_with('/') { Ok(Url { path: location.to_owned(), ..self.clone() }) } else { Url::parse(location) }
    }

    fn authority(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }
}

/// What a server answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body, decoded.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of a name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn says(&self, name: &str, word: &str) -> bool {
        self.header(name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
    }
}

/// What is asked.
pub struct Request<'a> {
    /// `POST`, `DELETE`…
    pub method: &'a str,
    /// Where.
    pub url: &'a Url,
    /// Headers besides `Host` and `Content-Length`.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; may be empty.
    pub body: &'a str,
}

impl Request<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.url.path, self.url.authority());
        for (name, value) in self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body));
        head.into_bytes()
    }
}

/// A client with one connection, kept while the server keeps it.
#[derive(Default)]
pub struct Client {
    kept: Option<(String, BufReader<TcpStream>)>,
}

impl Client {
    /// Asks, and reads the whole answer. A kept connection that the server has meanwhile closed is replaced once.
    pub fn ask(&mut self, request: &Request<'_>) -> io::Result<Response> {
        let authority = request.url.authority();
        if let Some((_, mut stream)) = self.kept.take().filter(|(host, _)| *host == authority)
            && send(&mut stream, request).is_ok()
            && answers(&mut stream)?
        {
            return self.finish(authority, stream);
        }
        let mut stream = connect(request.url)?;
        send(&mut stream, request)?;
        self.finish(authority, stream)
    }

    fn finish(&mut self, authority: String, mut stream: BufReader<TcpStream>) -> io::Result<Response> {
        let response = read(&mut stream)?;
        let ends = response.header("content-length").is_some() || response.says("transfer-encoding", "chunked") || response.status == 204;
        if ends && !response.says("connection", "close") {
            self.kept = Some((authority, stream));
        }
        Ok(response)
    }
}

fn connect(url: &Url) -> io::Result<BufReader<TcpStream>> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (url.host.as_str(), url.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                return Ok(BufReader::new(stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn send(stream: &mut BufReader<TcpStream>, request: &Request<'_>) -> io::Result<()> {
    stream.get_mut().write_all(&request.bytes())
}

/// Whether an answer begins, instead of the connection's end. A server that only takes long is an error: it may have heard us.
fn answers(stream: &mut BufReader<TcpStream>) -> io::Result<bool> {
    match stream.fill_buf() {
        Ok(bytes) => Ok(!bytes.is_empty()),
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => Ok(false),
        Err(error) => Err(error),
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.take(MAX_LINE).read_line(&mut line)?;
    line.strip_suffix('\n').map(|line| line.trim_end_matches('\r').to_owned()).ok_or_else(|| bad("the answer's head is cut off"))
}

fn read(from: &mut impl BufRead) -> io::Result<Response> {
    loop {
        let response = head(from)?;
        if response.status >= 200 {
            return body(from, response);
        }
    }
}

fn head(from: &mut impl BufRead) -> io::Result<Response> {
    let status = line(from)?;
    let mut words = status.split(' ');
    let http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    let status = words.next().and_then(|word| word.parse().ok()).filter(|_| http).ok_or_else(|| bad("the answer is not HTTP/1.1"))?;
    let mut response = Response { status, ..Response::default() };
    while response.headers.len() < MAX_HEADERS {
        let header = line(from)?;
        if header.is_empty() {
            return Ok(response);
        }
        let (name, value) = header.split_once(':').ok_or_else(|| bad("a header without a colon"))?;
        response.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Err(bad("too many headers"))
}

fn body(from: &mut impl BufRead, mut response: Response) -> io::Result<Response> {
    if matches!(response.status, 204 | 304) {
        return Ok(response);
    }
    if response.says("transfer-encoding", "chunked") {
        while chunk(from, &mut response.body)? {}
    } else if let Some(len) = response.header("content-length") {
        let len = len.parse().ok().filter(|len| *len <= MAX_BODY).ok_or_else(|| bad("a body of a strange length"))?;
        exactly(from, len, &mut response.body)?;
    } else {
        from.take(MAX_BODY).read_to_end(&mut response.body)?;
    }
    Ok(response)
}

/// One chunk (RFC 9112 §7.1), or the trailer; whether there are more.
fn chunk(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let size = line(from)?;
    let size = u64::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16).map_err(|_| bad("a chunk without a size"))?;
    if size == 0 {
        while !line(from)?.is_empty() {}
        return Ok(false);
    }
    if size > MAX_BODY - body.len() as u64 {
        return Err(bad("the body is too long"));
    }
    exactly(from, size, body)?;
    line(from).map(|_| true)
}

fn exactly(from: &mut impl BufRead, len: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let read = from.take(len).read_to_end(body)?;
    if read as u64 == len { Ok(()) } else { Err(bad("the body is cut off")) }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
