//! Ports that take no connection: one that refuses, one that lets the client wait.
//!
//! Both stay bound as long as the value lives, so nothing else on the machine can come to listen there meanwhile.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket, socket_with};

/// A bound port without anybody behind it.
pub struct Port {
    address: SocketAddr,
    _sockets: Vec<OwnedFd>,
}

impl Port {
    /// A port where every connection is refused.
    pub fn refusing() -> Self {
        let (address, socket) = bound();
        Self { address, _sockets: vec![socket] }
    }

    /// A port where no connection is ever made: its queue is full, so the kernel drops what knocks.
    pub fn full() -> Self {
        let (address, listener) = bound();
        listen(&listener, 0).unwrap();
        let mut sockets = vec![listener];
        for _ in 0..4 {
            let client = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
            // In progress, or done at once: it only has to take up room.
            let _ = connect(&client, &address);
            sockets.push(client);
        }
        let refused = TcpStream::connect_timeout(&address, Duration::from_millis(100)).map_err(|e| e.kind());
        assert!(matches!(refused, Err(ErrorKind::TimedOut)), "the queue of a listener is not full: {refused:?}");
        Self { address, _sockets: sockets }
    }

    pub fn number(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn bound() -> (SocketAddr, OwnedFd) {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    (SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap(), socket)
}
