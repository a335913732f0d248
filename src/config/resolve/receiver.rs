//! URLs of ours that upstreams call for all their jobs, and what calls are proven by.
//!
//! Invariant: no receiver is without a proof: anybody can call it.

use std::sync::Arc;

use jsonwebtoken::Algorithm;

use super::{Resolver, values};
use crate::config::mirror;
use crate::config::placed::At;
use crate::config::problem::Place;
use crate::credit::Name;
use crate::meter::{HookKeys, HookSecret, IdPlace, Proof, Receiver, Verify, signed_id};
use crate::observe::Pointer;

impl Resolver<'_, '_> {
    /// `None`: there is an error.
    pub(super) fn receivers(&mut self) -> Option<Vec<Arc<Receiver>>> {
        let receivers = &self.file.webhooks.receivers;
        self.once("receivers", receivers.iter().map(|receiver| &receiver.name));
        let resolved: Vec<_> = receivers.iter().map(|receiver| self.receiver(receiver)).collect();
        resolved.into_iter().map(|receiver| receiver.map(Arc::new)).collect()
    }

    /// Whether jobs of this sort are told of to a receiver.
    pub(super) fn is_received(&self, job: &Name) -> bool {
        let mut jobs = self.file.webhooks.receivers.iter().flat_map(|receiver| &receiver.jobs);
        jobs.any(|at| at.value == *job)
    }

    fn receiver(&mut self, receiver: &mirror::Receiver) -> Option<Receiver> {
        for at in &receiver.jobs {
            self.received(receiver, at);
        }
        let name = receiver.name.value.clone();
        if name.as_str().contains('.') {
            let message = "the name of a receiver stands in its path, without a point";
            self.findings.error("malformed", receiver.name.place, message);
        }
        let many = |at: &&At<Pointer>| at.value.list().is_some();
        if let Some(at) = receiver.at.as_ref().filter(many) {
            let message = "`at` names one place: without `*`";
            self.findings.error("malformed", at.place, message);
        }
        Some(Receiver {
            jobs: values(&receiver.jobs),
            id: self.id_of_call(receiver),
            at: receiver.at.as_ref().map(|at| at.value.clone()),
            proof: self.proof(receiver)?,
            forward_to: receiver.forward_to.as_ref().map(|at| at.value.0.clone()),
            name,
        })
    }

    /// Where a call says the id: at one place, which its signature covers.
    fn id_of_call(&mut self, receiver: &mirror::Receiver) -> IdPlace {
        let how = receiver.verify.value;
        match &receiver.id {
            mirror::JobId::Json(at) => {
                if at.value.list().is_some() {
                    let message = "`id` names one place: without `*`";
                    self.findings.error("malformed", at.place, message);
                }
                IdPlace::Json(at.value.clone())
            }
            mirror::JobId::Header(at) => {
                let signed = signed_id(how);
                if how != Verify::None && signed.as_ref() != Some(&at.value) {
                    let message = "this header is not signed: anybody could name another job";
                    let help = match signed {
                        Some(name) => {
                            format!("write `json`, a place in the body, or `header: {name}`")
                        }
                        None => "write `json`, a place in the body, which is signed".to_owned(),
                    };
                    self.findings.error("unsigned_id", at.place, message).help(help);
                }
                IdPlace::Header(at.value.clone())
            }
        }
    }

    /// Notes a job that is not there, and one whose end nobody would learn.
    fn received(&mut self, receiver: &mirror::Receiver, at: &At<Name>) {
        let jobs = &self.file.jobs;
        let Some(job) = jobs.iter().find(|job| job.name.value == at.value) else {
            let known = jobs.iter().map(|job| job.name.value.as_str());
            return self.unknown("unknown_job", "job", at, known);
        };
        if receiver.at.is_none() && job.watch.is_none() {
            let message = format!("nothing says how a job `{}` ended", at.value);
            self.findings
                .error("no_state", at.place, message)
                .help("write `at`, where a call has the job itself, or the job's `watch`")
                .note(job.name.place, "this job");
        }
    }

    fn proof(&mut self, receiver: &mirror::Receiver) -> Option<Proof> {
        let (how, place) = (receiver.verify.value, receiver.verify.place);
        if how == Verify::None {
            let message = "a receiver needs a proof: anybody can call it";
            self.findings
                .error("unverified", place, message)
                .help("write how the upstream signs its calls: standard, bfl, elevenlabs or fal");
            return None;
        }
        let name = format!("receiver {}", receiver.name.value);
        let keys = self.hook_keys(how, receiver.jwks.as_ref(), name, place)?;
        let secret = match (&receiver.secret, how) {
            (Some(secret), Verify::Fal) => {
                let message = "fal signs with a key of its own: there is no `secret`";
                self.findings.error("misplaced", secret.place(), message);
                return None;
            }
            (Some(secret), _) => HookSecret(self.secret(secret)?.0.into_bytes()),
            (None, Verify::Fal) => HookSecret::default(),
            (None, _) => {
                let message = "nothing says with what the upstream signs its calls";
                self.findings
                    .error("no_secret", place, message)
                    .help("write `secret: { env: NAME }`, as the upstream's dashboard shows it");
                return None;
            }
        };
        Some(Proof { how, secret, keys })
    }

    /// The public keys that calls are signed with; the outer `None`: there is an error.
    pub(super) fn hook_keys(
        &mut self,
        how: Verify,
        set: Option<&mirror::KeySet>,
        name: String,
        place: Place,
    ) -> Option<Option<Arc<HookKeys>>> {
        match (set, how) {
            (Some(set), Verify::Fal) => {
                let source = self.key_set(set, &[Algorithm::EdDSA], place)?;
                Some(Some(Arc::new(HookKeys { name, source })))
            }
            (None, Verify::Fal) => {
                let help = "write `jwks: { url: https://rest.fal.ai/.well-known/jwks.json }`";
                self.findings
                    .error("no_key_source", place, "`verify: fal` needs the keys of fal")
                    .help(help);
                None
            }
            (Some(_), _) => {
                let message = "`jwks` is for `verify: fal` alone";
                self.findings.error("misplaced", place, message);
                None
            }
            (None, _) => Some(None),
        }
    }
}
