//! The core that new requests meet. A reload puts another one in its place, between two requests.
//!
//! Invariant: a request keeps the core that it met, and with it its prices, to its end.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use tower::Service;

use crate::proxy::{Core, FromPeer};

/// See the module. Clones are the same place.
#[derive(Debug)]
pub(super) struct Current<S>(Rc<RefCell<(Rc<Core>, S)>>);

impl<S> Clone for Current<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Current<S> {
    /// Begins with `core` and the stack over it.
    pub(super) fn new(core: Rc<Core>, stack: S) -> Self {
        Self(Rc::new(RefCell::new((core, stack))))
    }

    /// The core of this moment.
    pub(super) fn core(&self) -> Rc<Core> {
        self.0.borrow().0.clone()
    }

    /// From now on it is this one.
    pub(super) fn swap(&self, core: Rc<Core>, stack: S) {
        self.0.replace((core, stack));
    }
}

impl<S: Service<FromPeer> + Clone> Service<FromPeer> for Current<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    /// Always ready, as the stack is.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: FromPeer) -> S::Future {
        let mut stack = self.0.borrow().1.clone();
        stack.call(request)
    }
}
