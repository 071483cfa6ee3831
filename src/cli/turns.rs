//! Orders → commands that are run one at a time, beside whatever else is to be done.
//!
//! Nothing happens but when it is polled. It owns who is next; how a command is run and ended is not its concern.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::console::Console;
use super::hooks::{Command, Order};
use super::run::Board;

/// How many may wait before whoever has more of them does, too: one takes about as much memory as two of its URLs.
const MOST: usize = 128;

/// Commands, in the order in which they are run.
pub struct Turns<'a> {
    board: &'a Board,
    console: &'a Console,
    waiting: VecDeque<(&'a Command, Order)>,
    running: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
}

impl<'a> Turns<'a> {
    /// Nobody's turn.
    pub fn new(board: &'a Board, console: &'a Console) -> Self {
        Self { board, console, waiting: VecDeque::new(), running: None }
    }

    /// Has a command run after those that wait.
    pub fn add(&mut self, command: &'a Command, order: Order) {
        self.waiting.push_back((command, order));
    }

    /// Whether more of them wait than should.
    pub fn are_many(&self) -> bool {
        self.waiting.len() > MOST
    }

    /// Lets them go on. Ready when all are done, and woken until then.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(running) = &mut self.running {
                ready!(running.as_mut().poll(cx));
                self.running = None;
            }
            let Some((command, order)) = self.waiting.pop_front() else { return Poll::Ready(()) };
            self.running = Some(Box::pin(command.run(order, self.board, self.console)));
        }
    }
}
