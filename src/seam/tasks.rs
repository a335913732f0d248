//! Tasks and threads that somebody waits for.

use std::future::Future;
use std::io;
use std::thread::JoinHandle;

use tokio_util::task::TaskTracker;

/// The tasks of one core. Shutdown closes it and waits until the last one has ended.
#[derive(Clone, Debug, Default)]
pub struct Tasks(TaskTracker);

impl Tasks {
    /// Starts `task` on this core's thread. A panic ends that task alone.
    ///
    /// Must be called within a `LocalSet`.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        drop(self.0.spawn_local(task));
    }

    /// Starts `task` on the current runtime, within a `LocalSet` or without. A panic ends that task alone.
    pub fn spawn_free(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(task));
    }

    /// How many have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.len()
    }

    /// Waits until every task has ended. Tasks may still be started meanwhile.
    pub async fn ended(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

/// Starts a named thread of this program.
///
/// # Errors
/// When the system has no more threads to give.
pub fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}
