//! The operators' service: made anew when another configuration has come into force.
//!
//! Invariant: a call is answered by one configuration, from its beginning to its end.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use futures_util::FutureExt;
use serde_json::json;

use super::reload::{InForce, ReloadError, Reloader};
use crate::admin::{NotReloaded, Reload, Reloaded};
use crate::config::{Problem, Settings};

/// Makes the service of these settings.
type Make = Box<dyn Fn(&Settings) -> Option<Router> + Send + Sync>;

/// See the module. Clones are the same.
#[derive(Clone)]
pub(super) struct Renewed(Arc<Inner>);

struct Inner {
    in_force: InForce,
    make: Make,
    made: Mutex<Option<(Arc<Settings>, Router)>>,
}

impl Renewed {
    /// The service that `make` makes of the settings in force.
    pub(super) fn new(in_force: InForce, make: Make) -> Self {
        Self(Arc::new(Inner { in_force, make, made: Mutex::new(None) }))
    }

    /// The service of this moment; `None`: these settings have none.
    pub(super) fn router(&self) -> Option<Router> {
        let settings = self.0.in_force.settings();
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !made.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, &settings)) {
            *made = (self.0.make)(&settings).map(|router| (settings, router));
        }
        made.as_ref().map(|(_, router)| router.clone())
    }
}

/// The reload handle as the operators' API wants it.
pub(super) fn reload(reloader: Reloader) -> Reload {
    Arc::new(move || {
        let reloader = reloader.clone();
        async move {
            let done = reloader.reload().await.map_err(told)?;
            let warnings = done.warnings.iter().map(ToString::to_string).collect();
            Ok(Reloaded { revision: done.revision, changed: done.changed, warnings })
        }
        .boxed()
    })
}

fn told(error: ReloadError) -> NotReloaded {
    let detail = match &error {
        ReloadError::Wrong(_) => {
            "The configuration is wrong, and the old one stays in force: mend what `problems` lists."
                .to_owned()
        }
        other => format!("{other}."),
    };
    let (is_file, code, problems) = match error {
        ReloadError::Wrong(report) => (true, "invalid_configuration", report.problems),
        ReloadError::Restart(_) => (false, "restart_needed", Vec::new()),
        ReloadError::NoFile => (false, "no_configuration_file", Vec::new()),
        ReloadError::Unfit(_) => (true, "unfit_configuration", Vec::new()),
    };
    let problems = problems.iter().map(problem).collect();
    NotReloaded { is_file, code, detail, problems }
}

fn problem(problem: &Problem) -> serde_json::Value {
    json!({
        "code": problem.code,
        "message": problem.message,
        "line": problem.place.map(|place| place.line),
        "column": problem.place.map(|place| place.column),
        "help": problem.help,
    })
}
