//! How the bytes of a client's connection come from whoever serves it to the exchange that has opened a
//! WebSocket.
//!
//! Invariant: a connection is handed over at most once, and only when an exchange waits for it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

/// The bytes of a connection.
pub trait Wire: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}

/// Who waits for the connection.
type Waiting = oneshot::Sender<Box<dyn Wire>>;

/// See the module. Of one connection.
#[derive(Clone, Default)]
pub struct Switch(Rc<RefCell<Option<Waiting>>>);

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Switch(asked: {})", self.is_asked())
    }
}

impl Switch {
    /// Whether an exchange waits for the connection.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|sender| !sender.is_closed())
    }

    /// Asks for it, once its answer (101) has been sent.
    pub(super) fn ask(&self) -> oneshot::Receiver<Box<dyn Wire>> {
        let (sender, receiver) = oneshot::channel();
        self.0.replace(Some(sender));
        receiver
    }

    /// It will not come: the connection has ended otherwise.
    pub fn refuse(&self) {
        self.0.take();
    }

    /// Hands it over.
    pub fn hand_over(&self, wire: Box<dyn Wire>) {
        if let Some(sender) = self.0.take() {
            drop(sender.send(wire));
        }
    }
}
