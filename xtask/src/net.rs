//! Ports, HTTP and JSON-RPC, as far as starting and watching local processes needs them.

use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    ops::Range,
    process,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How long a local server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where Linux says from which ports it takes those of outgoing connections: lowest and highest.
const OUTGOING: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// The lowest port that is given out.
const FIRST_PORT: u16 = 10_000;

/// A port of this machine that nobody listens on now, and that this process has not given out yet. It is not one that
/// an outgoing connection may be given before whoever asked has begun to listen.
pub fn free_port() -> Result<u16> {
    static GIVEN_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given_out = GIVEN_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    let ports = ports_below(&fs::read_to_string(OUTGOING).unwrap_or_default());
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    // Another process that does the same begins elsewhere
    let begin = process::id() as usize * 101 % ports.len();
    let mut all = ports.clone().skip(begin).chain(ports.take(begin));
    let port = all.find(|port| !given_out.contains(port) && is_free(*port));
    let port = port.context("no free port on 127.0.0.1")?;
    given_out.insert(port);
    Ok(port)
}

/// The ports that may be given out, where outgoing connections have the range `outgoing`. All are, where that leaves none.
fn ports_below(outgoing: &str) -> Range<u16> {
    let lowest = outgoing.split_whitespace().next().and_then(|port| port.parse().ok());
    match lowest {
        Some(lowest) if lowest > FIRST_PORT => FIRST_PORT..lowest,
        _ => FIRST_PORT..u16::MAX,
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Response {
    /// Its status code.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Sends one HTTP request to `port` of this machine.
pub fn http(port: u16, method: &str, path: &str, body: &[u8]) -> Result<Response> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("port {port}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the answer comes in one piece and the connection closes after it
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .with_context(|| format!("{method} {path} on port {port}"))?;
    parse(&answer).with_context(|| format!("{method} {path} on port {port}"))
}

fn parse(answer: &[u8]) -> Result<Response> {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";
    let end = answer
        .windows(END_OF_HEAD.len())
        .position(|window| window == END_OF_HEAD);
    let end = end.context("no complete HTTP head")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .context("no HTTP status")?;
    Ok(Response {
        status,
        body: answer[end + END_OF_HEAD.len()..].to_vec(),
    })
}

/// A node's JSON-RPC on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Rpc {
    /// Its port.
    pub port: u16,
}

impl Rpc {
    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Calls `method`; an error the node answers is an error here.
    pub fn call(&self, method: &str, params: Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let response = http(self.port, "POST", "/", request.to_string().as_bytes())?;
        ensure!(
            response.status == 200,
            "{method}: HTTP status {}, expected 200",
            response.status
        );
        let mut answer: Value =
            serde_json::from_slice(&response.body).with_context(|| format!("{method}: not JSON"))?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer["result"].take())
    }

    /// Number of the last finalized block.
    pub fn finalized(&self) -> Result<u64> {
        let head = self.call("chain_getFinalizedHead", json!([]))?;
        let header = self.call("chain_getHeader", json!([head]))?;
        let number = header["number"].as_str().and_then(|number| number.strip_prefix("0x"));
        u64::from_str_radix(
            number.with_context(|| format!("header without a number: {header}"))?,
            16,
        )
        .with_context(|| format!("header {header}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ports_should_be_below_those_of_outgoing_connections_where_there_are_any() {
        assert_eq!(ports_below("32768\t60999\n"), FIRST_PORT..32768);
        assert_eq!(ports_below("1024 65535"), FIRST_PORT..u16::MAX);
        assert_eq!(ports_below(""), FIRST_PORT..u16::MAX);
    }

    #[test]
    fn port_should_be_given_out_once_and_not_when_somebody_listens() {
        let ports: BTreeSet<_> = (0..20).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 20);
        let next = ports.last().unwrap() + 1;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, next));
        assert_ne!(free_port().unwrap(), next);
        drop(listener);
    }

    #[test]
    fn answer_should_be_split_into_status_and_body() {
        let response = parse(b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nnot\r\n\r\nhere").unwrap();
        assert_eq!(response.status, 404);
        assert_eq!(response.body, b"not\r\n\r\nhere");
    }

    #[test]
    fn answer_should_be_refused_when_it_has_no_head() {
        assert!(parse(b"HTTP/1.1 200 OK\r\n").is_err());
        assert!(parse(b"").is_err());
    }
}
