//! The test server and the harness are what every other test believes in: here they are tested themselves.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::{Gate, Port, Reply, Server, ms};

fn ask(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_or_else(|e| format!("{:?}", e.kind()), |_| answer)
}

#[test]
fn a_reply_goes_out_as_it_was_written() {
    let server = Server::start(|request| match request.target.as_str() {
        "/length" => Reply::ok("abc").field("X-A", "1").close(),
        "/chunked" => Reply::ok("abcd").chunked(3).close(),
        "/drip" => Reply::ok("abc").drip(ms(1)).close(),
        "/raw" => Reply::raw("x").then("y").then_pause(ms(1)).then("z").close(),
        "/repeat" => Reply::raw("x").then_repeat("yz", 3).close(),
        "/urgent" => Reply::raw("x").then_urgent(b'!').then("y").close(),
        _ => Reply::status(404).close(),
    });
    assert_eq!(ask(&server, "/length"), "HTTP/1.1 200 Scripted\r\nContent-Length: 3\r\nX-A: 1\r\n\r\nabc");
    let chunked = "HTTP/1.1 200 Scripted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
    assert_eq!(ask(&server, "/chunked"), chunked);
    assert_eq!(ask(&server, "/drip"), "HTTP/1.1 200 Scripted\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(ask(&server, "/raw"), "xyz");
    assert_eq!(ask(&server, "/repeat"), "xyzyzyz");
    assert_eq!(ask(&server, "/urgent"), "xy");
    assert_eq!((server.connections(), server.visits("/raw"), server.busiest()), (6, 1, 1));
    server.finish();
}

#[test]
fn a_reset_is_not_an_end() {
    let server = Server::start(|request| match request.target.as_str() {
        "/reset" => Reply::raw("").reset(),
        _ => Reply::raw("").close(),
    });
    assert_eq!(ask(&server, "/reset"), "ConnectionReset");
    assert_eq!(ask(&server, "/close"), "");
}

#[test]
fn a_gate_holds_a_reply_until_it_is_opened() {
    let gate = Gate::new();
    let server = Server::always(Reply::ok("x").until(&gate).close());
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| ask(&server, "/"));
        server.wait_for_requests(1);
        assert!(!answer.is_finished());
        gate.open();
        assert!(answer.join().unwrap().ends_with("\r\n\r\nx"));
    });
}

#[test]
fn a_server_that_holds_a_connection_still_stops() {
    let server = Server::always(Reply::raw("").hold());
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    server.wait_for_requests(1);
    server.finish();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn a_server_that_sends_for_ever_still_stops() {
    let server = Server::always(Reply::raw("x").then_endless("y", ms(1)));
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut start = [0; 9];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"xyyyyyyyy");
    server.finish();
}

#[test]
#[should_panic(expected = "a request has a body")]
fn what_smolget_must_not_send_fails_the_test() {
    let server = Server::always(Reply::ok("").close());
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nbody").unwrap();
    let _ = stream.read(&mut [0]);
    server.finish();
}

#[test]
fn a_port_refuses_or_is_full() {
    let refusing = TcpStream::connect(("127.0.0.1", Port::refusing().number())).unwrap_err();
    assert_eq!(refusing.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_ne!(Port::full().number(), 0);
}

#[cfg(feature = "cli")]
#[test]
fn a_summary_is_read_strictly() {
    use support::run::Summary;
    let summary = Summary::parse("smolget: 5 jobs, 4 ok, 1 failed, 0 skipped, 4096 bytes, 0.52 seconds").unwrap();
    assert_eq!((summary.jobs, summary.failed, summary.bytes), (5, 1, 4096));
    for bad in ["", "smolget: 5 jobs, 4 ok", "5 jobs, 4 ok, 1 failed, 0 skipped, 4096 bytes, 0.52 seconds"] {
        assert_eq!(Summary::parse(bad), None, "{bad}");
    }
}
