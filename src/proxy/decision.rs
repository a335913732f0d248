//! Counts what became of a request: once, also when its client leaves before anything was decided.

use std::rc::Rc;
use std::sync::Arc;

use super::stage::Story;
use crate::meter::{Code, Tally};

/// A request that waits for its decision; dropped without one, its client has left.
#[derive(Debug)]
pub(super) struct Decision {
    tally: Arc<Tally>,
    story: Rc<Story>,
    code: Option<Code>,
}

impl Decision {
    /// Of the request that this story is about.
    pub(super) fn awaited(tally: Arc<Tally>, story: Rc<Story>) -> Self {
        Self { tally, story, code: None }
    }

    /// It is this.
    pub(super) fn is(mut self, code: Code) {
        self.code = Some(code);
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        let left = if self.story.forwarded.get() { Code::Forwarded } else { Code::Left };
        let code = self.code.unwrap_or(left);
        self.story.counts(&self.tally).decisions(code).one();
    }
}
