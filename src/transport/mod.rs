//! The backend: requests → responses, over connections of our own.
//!
//! surf reaches it through [`HttpClient`] and nothing else. It owns sockets, TLS, name look-ups, the idle pool and the time
//! limits of connecting and of silence. It follows no redirect, tries nothing again but a request on a kept connection
//! that turned out closed, and knows neither jobs nor files.
//!
//! What http-types has no room for travels in its extensions, as [`Messages`] tells.

mod body;
mod buffer;
#[cfg(feature = "tls")]
mod clock;
mod connection;
mod dial;
mod dialler;
#[cfg(feature = "tls")]
mod distrust;
mod exchange;
mod h1;
mod lead;
#[cfg(feature = "tls")]
mod lent;
mod messages;
#[cfg(feature = "tls")]
mod pinned;
mod pool;
mod reach;
mod resolver;
mod shelf;
mod socks;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod tunnel;
mod watchdog;

use std::io;
use std::sync::Arc;

use http_client::{HttpClient, async_trait};
use surf::Url;
use surf::http;

pub(crate) use self::body::BodyReader;
use self::connection::Connection;
use self::dialler::Budget;
pub(crate) use self::dialler::Dialler;
use self::exchange::{NoResponse, exchange};
#[cfg(any(test, fuzzing))]
pub(crate) use self::h1::fuzz;
#[cfg(any(test, benching))]
pub(crate) use self::h1::{Decoder, HeadStep, encode};
pub(crate) use self::h1::{Fields, Head};
use self::lead::Lead;
pub(crate) use self::messages::{Messages, Received};
use self::pool::Pool;
use self::stream::Stream;
pub(crate) use self::tunnel::Refusal;
use crate::config::{Limits, Method, Network};
#[cfg(feature = "tls")]
use crate::error::Phase;
use crate::error::{Error, ErrorKind};
use crate::proxy::Proxy;
use crate::reactor::Tcp;
use crate::spare::Spare;
use crate::text::Shown;

/// The backend of a fetcher.
#[derive(Debug)]
pub(crate) struct Transport {
    limits: Limits,
    pool: Arc<Pool>,
    messages: Arc<Messages>,
    dialler: Arc<Dialler>,
    #[cfg(feature = "tls")]
    tls: tls::Tls,
}

impl Transport {
    /// A backend that keeps at most `idle` connections for another request.
    ///
    /// # Errors
    ///
    /// Kind [`Tls`](ErrorKind::Tls) if the roots can't be read.
    pub fn new(network: &Network, limits: Limits, idle: usize) -> Result<Self, Error> {
        let pool = Arc::new(Pool::new(idle));
        Ok(Self {
            limits,
            dialler: Arc::new(Dialler::new(network, Arc::clone(&pool))),
            pool,
            messages: Arc::default(),
            #[cfg(feature = "tls")]
            tls: tls::Tls::new(&network.trust)?,
        })
    }

    /// The connections that only wait for another request.
    pub fn spare(&self) -> Spare {
        let pool = Arc::clone(&self.pool);
        Spare::new(move || pool.evict())
    }

    /// What makes its connections.
    pub fn dialler(&self) -> Arc<Dialler> {
        Arc::clone(&self.dialler)
    }

    /// What requests for it are made of.
    pub fn messages(&self) -> Arc<Messages> {
        Arc::clone(&self.messages)
    }

    async fn request(&self, method: Method, url: &Url, fields: &Fields) -> Result<(Head, BodyReader), Error> {
        let proxy = self.dialler.proxy(url);
        let (head, body) = self.ask(method, url, fields, proxy).await?;
        match proxy {
            // Only a proxy asks for credentials of this kind: none behind a tunnel can know of it.
            Some(proxy) if head.status() == 407 && proxy.forwards(url) => {
                Err(tunnel::unauthorised(proxy).behind(format_args!("proxy {proxy}")))
            }
            _ => Ok((head, body)),
        }
    }

    async fn ask(
        &self,
        method: Method,
        url: &Url,
        fields: &Fields,
        proxy: Option<&Arc<Proxy>>,
    ) -> Result<(Head, BodyReader), Error> {
        if let Some(kept) = self.pool.take(url, proxy) {
            match exchange(kept, &self.pool, method, url, fields).await {
                Err(NoResponse::Stale) => log::debug!("{}: the kept connection was closed; using another", Shown(url)),
                Err(NoResponse::Failed(error)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
        let lead = Lead::to(url, proxy).ok_or_else(|| Error::new(ErrorKind::Url, "the URL names no host"))?;
        // Boxed for those requests, most of them, that have no need of it.
        let fresh = Box::new(Box::pin(self.connect(url, lead)).await?);
        exchange(fresh, &self.pool, method, url, fields).await.map_err(|why| match why {
            NoResponse::Failed(error) => error,
            NoResponse::Stale => Error::new(ErrorKind::Truncated, "the connection was closed before the response"),
        })
    }

    /// Looks the host up, connects and shakes hands, all within one time limit.
    async fn connect(&self, url: &Url, lead: Lead) -> Result<Connection, Error> {
        let mut budget = Budget::new(self.limits.connect);
        let host = url.host().ok_or_else(|| Error::new(ErrorKind::Url, "the URL names no host"))?;
        let socket = self.dialler.socket(&mut budget, host.clone(), &lead).await?;
        let stream = match &lead {
            Lead::Direct(origin) | Lead::Tunnel(_, origin) if origin.secure => {
                self.secure(&mut budget, host, socket).await?
            }
            _ => Stream::Plain(socket),
        };
        Ok(Connection::new(stream, lead, self.limits.silence))
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, budget: &mut Budget, host: http::url::Host<&str>, socket: Tcp) -> Result<Stream, Error> {
        budget.spend(Phase::Tls, self.tls.handshake(host, socket, &self.pool)).await?
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, _budget: &mut Budget, _host: http::url::Host<&str>, _socket: Tcp) -> Result<Stream, Error> {
        Err(Error::new(ErrorKind::Tls, "this smolget was built without TLS; build it with the feature `tls`"))
    }
}

#[async_trait]
impl HttpClient for Transport {
    async fn send(&self, mut request: http::Request) -> http::Result<http::Response> {
        let method = match request.method() {
            http::Method::Head => Method::Head,
            _ => Method::Get,
        };
        let fields = request.ext_mut().get_mut::<Option<Fields>>().and_then(Option::take).unwrap_or_default();
        let answer = self.request(method, request.url(), &fields).await;
        if let Ok((head, _)) = &answer {
            log::debug!("{}: status {}", Shown(request.url()), head.status());
        }
        self.messages.give_back(request);
        Ok(self.messages.response(answer.map(|(head, body)| Received { head, body })))
    }
}

/// What failed, from what a body reader makes of it.
pub(crate) fn body_error(error: io::Error) -> Error {
    error
        .downcast::<Error>()
        .unwrap_or_else(|error| Error::new(ErrorKind::Truncated, format!("reading the body: {error}")))
}
