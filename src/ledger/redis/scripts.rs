//! The scripts, put together: one file for each verb behind the parts that it shares with others.
//!
//! Invariant: only `reserve`, `grant` and `claim_free` are refused when memory is full: what gives back, ends, corrects or
//! revokes must never be.

use super::assemble::assemble;
use super::link::Script;

/// What a script does. The number is its place in the list that a link is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Reserve,
    Quote,
    Settle,
    Release,
    Doubt,
    Extend,
    Tick,
    LookDue,
    Grant,
    Look,
    Charge,
    Document,
    Claim,
    Alias,
    Returned,
    Lease,
    Exported,
    Whole,
    Commit,
    ClaimFree,
    HandOver,
    NoteJob,
    WatchJob,
}

const PRELUDE: &str = include_str!("lua/prelude.lua");
const MONEY: &str = include_str!("lua/money.lua");
const CHARGES: &str = include_str!("lua/charges.lua");
const WRITE: &str = include_str!("lua/write.lua");
const ENDS: &str = include_str!("lua/ends.lua");
const DUE: &str = include_str!("lua/due.lua");
const ENDING: &str = include_str!("lua/ending.lua");
const JOBS: &str = include_str!("lua/jobs.lua");
const RESERVE: &str = include_str!("lua/reserve.lua");

/// Writes nothing.
const READS: &str = "#!lua flags=no-writes\n";
/// Refused when memory is full.
const GROWS: &str = "#!lua\n";
/// Runs when memory is full.
const ENDS_THINGS: &str = "#!lua flags=allow-oom\n";

impl Verb {
    const ALL: [Self; 23] = [
        Self::Reserve,
        Self::Quote,
        Self::Settle,
        Self::Release,
        Self::Doubt,
        Self::Extend,
        Self::Tick,
        Self::LookDue,
        Self::Grant,
        Self::Look,
        Self::Charge,
        Self::Document,
        Self::Claim,
        Self::Alias,
        Self::Returned,
        Self::Lease,
        Self::Exported,
        Self::Whole,
        Self::Commit,
        Self::ClaimFree,
        Self::HandOver,
        Self::NoteJob,
        Self::WatchJob,
    ];

    /// Its place in the list.
    pub(super) const fn place(self) -> usize {
        self as usize
    }

    /// Its usual path, if that is written apart.
    const fn usual(self) -> &'static str {
        match self {
            Self::Reserve => include_str!("lua/usual_reserve.lua"),
            Self::Settle => include_str!("lua/usual_settle.lua"),
            _ => "",
        }
    }

    /// Its name, its flags, and its parts in order.
    fn parts(self) -> (&'static str, &'static str, Vec<&'static str>) {
        let moving = vec![PRELUDE, MONEY, CHARGES, WRITE, ENDS];
        let with = |more: &[&'static str]| [&moving, more].concat();
        match self {
            Self::Reserve => ("reserve", GROWS, with(&[DUE, "local DRY = false\n", RESERVE])),
            Self::Quote => ("quote", READS, with(&[DUE, "local DRY = true\n", RESERVE])),
            Self::Settle => {
                ("settle", ENDS_THINGS, with(&[DUE, ENDING, include_str!("lua/settle.lua")]))
            }
            Self::Release => {
                ("release", ENDS_THINGS, with(&[DUE, ENDING, include_str!("lua/release.lua")]))
            }
            Self::Doubt => {
                ("doubt", ENDS_THINGS, with(&[DUE, ENDING, include_str!("lua/doubt.lua")]))
            }
            Self::Extend => ("extend", ENDS_THINGS, vec![PRELUDE, include_str!("lua/extend.lua")]),
            Self::Tick => ("tick", ENDS_THINGS, with(&[DUE, include_str!("lua/tick.lua")])),
            Self::LookDue => {
                ("look_due", ENDS_THINGS, with(&[DUE, include_str!("lua/look_due.lua")]))
            }
            Self::Grant => ("grant", GROWS, with(&[DUE, include_str!("lua/grant.lua")])),
            Self::Look => ("look", READS, vec![PRELUDE, include_str!("lua/look.lua")]),
            Self::Charge => ("charge", READS, vec![PRELUDE, include_str!("lua/charge.lua")]),
            Self::Document => {
                ("document", ENDS_THINGS, vec![PRELUDE, WRITE, include_str!("lua/document.lua")])
            }
            Self::Claim => ("claim", ENDS_THINGS, vec![PRELUDE, include_str!("lua/claim.lua")]),
            Self::Alias => ("alias", ENDS_THINGS, vec![PRELUDE, include_str!("lua/alias.lua")]),
            Self::Returned => {
                ("returned", ENDS_THINGS, vec![PRELUDE, include_str!("lua/returned.lua")])
            }
            Self::Lease => ("lease", ENDS_THINGS, vec![PRELUDE, include_str!("lua/lease.lua")]),
            Self::Exported => {
                let spread = "local spread = unpack\n";
                let parts = vec![spread, PRELUDE, include_str!("lua/exported.lua")];
                ("exported", ENDS_THINGS, parts)
            }
            Self::Whole => ("whole", READS, vec![PRELUDE, include_str!("lua/whole.lua")]),
            Self::Commit => ("commit", ENDS_THINGS, vec![PRELUDE, include_str!("lua/commit.lua")]),
            Self::HandOver => {
                let own = include_str!("lua/hand_over.lua");
                ("hand_over", ENDS_THINGS, with(&[DUE, ENDING, JOBS, own]))
            }
            Self::NoteJob => {
                ("note_job", ENDS_THINGS, vec![PRELUDE, JOBS, include_str!("lua/note_job.lua")])
            }
            Self::WatchJob => {
                ("watch_job", ENDS_THINGS, vec![PRELUDE, JOBS, include_str!("lua/watch_job.lua")])
            }
            Self::ClaimFree => {
                ("claim_free", GROWS, vec![PRELUDE, include_str!("lua/claim_free.lua")])
            }
        }
    }
}

/// How the scripts are put together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Make<'a> {
    /// What stands behind each: nothing, but for tests.
    pub(super) remark: &'a str,
    /// Whether usual paths come before the rules: always, but for tests, which compare both.
    pub(super) usual: bool,
}

/// As they are used.
pub(super) const AS_USED: Make<'static> = Make { remark: "", usual: true };

/// All scripts, each at its verb's place.
pub(super) fn all(make: Make<'_>) -> Vec<Script> {
    Verb::ALL.iter().map(|verb| script(*verb, make)).collect()
}

fn script(verb: Verb, make: Make<'_>) -> Script {
    let (name, flags, parts) = verb.parts();
    let usual = if make.usual { verb.usual() } else { "" };
    Script { name, text: format!("{flags}{}{}", assemble(&parts, usual), make.remark) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the compiler of Debian's package `lua5.1` says of a script, instruction by instruction.
    fn compiled(script: &Script) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script.lua");
        std::fs::write(&file, &script.text).unwrap();
        let output = std::process::Command::new("luac5.1").arg("-l").arg("-p").arg(&file).output();
        let output = output.expect("luac5.1 is installed");
        let (told, why) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(output.status.success(), "{}: {why}", script.name);
        String::from_utf8(told).unwrap()
    }

    #[test]
    fn no_script_has_a_global_name_or_too_many_local_ones() {
        const KNOWN: [&str; 12] = [
            "redis", "struct", "string", "math", "table", "KEYS", "ARGV", "ipairs", "pairs",
            "next", "error", "unpack",
        ];
        for script in all(AS_USED) {
            let told = compiled(&script);
            for line in told.lines().filter(|line| line.contains("GLOBAL")) {
                let name = line.rsplit("; ").next().unwrap_or_default();
                let known = line.contains("GETGLOBAL") && KNOWN.contains(&name);
                assert!(known, "{}: {line}", script.name);
            }
            // Lua allows 200 at a time; some room is left for those who come later.
            let room: Vec<_> = (0..15).map(|n| format!("room_{n}")).collect();
            let text = format!("local {}\n{}", room.join(", "), script.text.replace("#!", "--"));
            compiled(&Script { name: script.name, text });
        }
        let bad = Script { name: "bad", text: "local a = b; c = a".to_owned() };
        let told = compiled(&bad);
        assert!(told.contains("SETGLOBAL") && told.contains("; b"), "{told}");
    }

    #[test]
    fn every_verb_has_its_place() {
        for (place, verb) in Verb::ALL.into_iter().enumerate() {
            assert_eq!(verb.place(), place);
        }
    }
}
