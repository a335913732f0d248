//! `tollgate demo --once`: the lines, run and compared.

use std::time::Duration;

use super::place::Place;
use super::step::{Pace, Step};
use crate::cli::Failure;
use crate::cli::http::{Answer, Client};
use crate::cli::output::print;

/// How long a step that goes on alone gets ahead of the next one.
const AHEAD: Duration = Duration::from_millis(500);
/// How often and how long what settles later is waited for.
const TRIES: usize = 50;
const BETWEEN: Duration = Duration::from_millis(100);

/// Runs all steps and prints what came back.
pub(super) async fn run(steps: &[Step], place: &Place) -> Result<(), Failure> {
    let client = Client::new()?;
    let mut run = Run { client, place, charge: String::new(), differences: 0 };
    let mut left = steps.iter().enumerate();
    while let Some((index, step)) = left.next() {
        let next = if step.pace == Pace::WhileNext { left.next() } else { None };
        match next {
            None => {
                let answer = run.answer(step).await?;
                run.judge(index, step, &answer)?;
            }
            Some((next_index, next_step)) => {
                let later = async {
                    tokio::time::sleep(AHEAD).await;
                    run.answer(next_step).await
                };
                let (first, second) = tokio::join!(run.answer(step), later);
                let (first, second) = (first?, second?);
                run.judge(index, step, &first)?;
                run.judge(next_index, next_step, &second)?;
            }
        }
    }
    run.sum(steps.len())
}

struct Run<'a> {
    client: Client,
    place: &'a Place,
    charge: String,
    differences: usize,
}

impl Run<'_> {
    /// The answer to a step; what may need a moment gets it.
    async fn answer(&self, step: &Step) -> Result<Answer, Failure> {
        let mut answer = self.send(step).await?;
        if step.pace == Pace::Eventually {
            for _ in 0..TRIES {
                if step.differences(&answer).is_empty() {
                    break;
                }
                tokio::time::sleep(BETWEEN).await;
                answer = self.send(step).await?;
            }
        }
        Ok(answer)
    }

    async fn send(&self, step: &Step) -> Result<Answer, Failure> {
        let request = step.request(self.place, &self.charge)?;
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let sent = self.client.send(request).await;
        sent.map_err(|error| Failure::failed(format!("{}: {path}: {error}", step.title)))
    }

    fn judge(&mut self, index: usize, step: &Step, answer: &Answer) -> Result<(), Failure> {
        if step.keeps_charge {
            let id = answer.headers.get("credits-charge-id").and_then(|value| value.to_str().ok());
            self.charge = id.unwrap_or_default().to_owned();
        }
        let differences = step.differences(answer);
        let verdict = if differences.is_empty() { "ok  " } else { "DIFF" };
        let number = index.saturating_add(1);
        let mut text =
            format!("{verdict} {number:>2}. {}\n          {}\n", step.title, step.brief(answer));
        for difference in &differences {
            text.push_str(&format!("     !    {difference}\n"));
        }
        self.differences = self.differences.saturating_add(usize::from(!differences.is_empty()));
        print(&text)
    }

    fn sum(&self, steps: usize) -> Result<(), Failure> {
        match self.differences {
            0 => print(&format!("\nAll {steps} lines answered as they should.\n")),
            count => Err(Failure::failed(format!("{count} of {steps} lines differ (see DIFF)"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::place::{Keys, Who};
    use crate::cli::demo::upstream::{Options, SampleUpstream};
    use crate::cli::demo::want::Want;

    #[test]
    fn one_difference_fails_the_run() {
        let any = "127.0.0.1:0".parse().unwrap();
        let upstream = SampleUpstream::start(any, &Options::default()).unwrap();
        let place = Place { proxy: String::new(), upstream: upstream.url(), keys: Keys::default() };
        let models = || Step::get("Models", Who::Upstream, "/v1/models");
        let runs = |steps: &[Step]| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(steps, &place)).is_ok()
        };
        assert!(runs(&[models().says("/data", Want::Items(3)), models()]));
        assert!(!runs(&[models(), models().says("/data", Want::Items(4))]));
        assert!(!runs(&[models().status(402)]));
    }
}
