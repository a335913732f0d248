//! What the code under test says to the log, apart by the thread that says it.
//!
//! Invariant: no test has a subscriber of its own. `tracing` keeps for each place that logs whether anybody listens,
//! and with one subscriber in the process it asks the thread that comes by first: one without a subscriber answers
//! "nobody" for all.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::layer::SubscriberExt;

thread_local! {
    static HERE: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// What was said where it listened: a line of JSON for each event of `INFO` and above.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

/// The listening ends with it.
pub(crate) struct Listening(());

impl Log {
    /// Hears what this thread says from now on.
    pub(crate) fn listen(&self) -> Listening {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(subscribe);
        // A place that logged for the first time while the subscriber was put in may have been told "nobody".
        tracing::callsite::rebuild_interest_cache();
        HERE.set(Some(self.clone()));
        Listening(())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.text().matches(what).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        HERE.set(None);
    }
}

fn subscribe() {
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
    let lines = lines.with_writer(|| HERE.with_borrow(Clone::clone).unwrap_or_default());
    let heard = dynamic_filter_fn(|_, _| HERE.with_borrow(Option::is_some));
    let all = tracing_subscriber::registry().with(LevelFilter::INFO).with(heard).with(lines);
    tracing::subscriber::set_global_default(all).unwrap();
}

#[test]
fn what_another_thread_came_to_first_is_heard() {
    let say = || tracing::info!("a place of its own");
    let log = Log::default();
    let listening = log.listen();
    tollgate::seam::thread("other", say).unwrap().join().unwrap();
    assert_eq!(log.text(), "", "it is the other's");
    say();
    drop(listening);
    say();
    assert_eq!(log.count("a place of its own"), 1, "{}", log.text());
}
