//! `tollgate demo`: the whole of it in one process, to be tried with curl.
//!
//! An embedded ledger in a temporary folder, the sample upstream, the proxy with both its planes, three
//! accounts with keys; and a table of requests that is printed as curl lines or, with `--once`, run and
//! compared.
//!
//! Invariant: the lines that are printed and the requests that `--once` sends come from the same table.
//! Invariant: nothing outlives it: the folder, the ledger and every key are gone with the process.

mod lines;
mod once;
mod place;
mod seed;
mod settings;
mod step;
pub mod upstream;
mod want;

use std::net::SocketAddr;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::output::print;
use super::remote::wait_for;
use crate::serve::{self, Running};
use place::Place;
use settings::Folder;
pub(super) use settings::settings_of;
use step::Step;
use upstream::{Options, SampleUpstream};

/// Try it: a proxy, a pretended upstream and three accounts, on this machine and for this moment
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tollgate demo           prints curl lines to copy, and stays up until Ctrl-C
  tollgate demo --once    runs these lines itself and fails if an answer is not what it should be")]
pub(super) struct Demo {
    /// Run the lines, print what came back, and end
    #[arg(long)]
    once: bool,
    /// Where clients connect [default: 127.0.0.1:8080, with --once any free port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// Everything that runs. Dropped in this order: the proxy first, its folder last.
struct Stage {
    proxy: Running,
    upstream: SampleUpstream,
    place: Place,
    admin: String,
    folder: Folder,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let usual = if self.once { any } else { SocketAddr::from(([127, 0, 0, 1], 8080)) };
        let stage = Stage::set(self.listen.unwrap_or(usual))?;
        let result = stage.play(self.once);
        stage.proxy.stop();
        result
    }
}

impl Stage {
    fn set(listen: SocketAddr) -> Result<Self, Failure> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options { check_secret: true, log: None };
        let upstream = SampleUpstream::start(any, &options)?;
        let folder = Folder::make(&upstream.url())?;
        let mut settings = folder.settings()?;
        settings.listen = listen;
        if let Some(admin) = &mut settings.admin {
            admin.listen = any;
        }
        let proxy = serve::start(settings).map_err(|error| {
            let hint = "another address is given by --listen, such as --listen 127.0.0.1:0";
            Failure::failed(format!("cannot serve on {listen}: {error}; {hint}"))
        })?;
        let admin = proxy.admin_addr.map(|addr| format!("http://{addr}")).unwrap_or_default();
        let keys = wait_for(seed::accounts(&admin, folder.token()))??;
        let place =
            Place { proxy: format!("http://{}", proxy.data_addr), upstream: upstream.url(), keys };
        Ok(Self { proxy, upstream, place, admin, folder })
    }

    fn play(&self, once: bool) -> Result<(), Failure> {
        let steps = lines::steps();
        if once {
            return wait_for(once::run(&steps, &self.place))?;
        }
        wait_for(shown_until_signal(&self.page(&steps)))??;
        let work = &self.upstream.work;
        print(&format!("\nGone. The upstream saw {} requests.\n", work.requests()))
    }

    /// All that is printed.
    fn page(&self, steps: &[Step]) -> String {
        let mut text = format!(
            "Tollgate is up at {}. In front of it, three accounts; behind it, a sample upstream.\n\
             Everything is gone when you press Ctrl-C. Copy these lines into another terminal:\n",
            self.place.proxy
        );
        for (index, step) in steps.iter().enumerate() {
            text.push_str(&format!("\n# {}. {}\n", index.saturating_add(1), step.title));
            text.push_str(&step.curl(&self.place));
        }
        text.push_str(&format!(
            "\n# What operators see\n\
             tollgate balance acct_maria --admin-url {} --token-file {}\n",
            self.admin,
            self.folder.token_file().display()
        ));
        text
    }
}

/// Prints a page and waits for Ctrl-C, or for SIGTERM. Signals are caught before anybody can read how to
/// send one: one that comes at once still leaves nothing behind.
async fn shown_until_signal(page: &str) -> Result<(), Failure> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    print(page)?;
    tokio::select! {
        _ = interrupted.recv() => (),
        _ = terminated.recv() => (),
    }
    Ok(())
}
