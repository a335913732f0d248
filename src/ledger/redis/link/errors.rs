//! What an error says about whether a call was executed.
//!
//! Invariant: `NotDone` is said only of errors that the server gives before it runs anything. What a script
//! raised carries the script's name behind it and may have come after a write: that is `Broken`.
//! Invariant: a text names the cause and never a key's value or a password.

use redis::{ErrorKind, RedisError, RedisResult, ServerError, Value};

use super::Outcome;

/// What is to be done about a reply.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// Hand it to the caller.
    Done(Value),
    /// Surely not executed.
    Refused(Refusal, String),
    /// Asking again does not help.
    Broken(String),
    /// The connection broke; perhaps executed.
    Lost(String),
    /// Not executed: the script is not loaded.
    NoScript,
    /// Not executed: another node has the slot.
    Moved(String),
    /// Not executed: another node has these keys already.
    Ask(String),
    /// Not executed: the keys lie on both sides of a move.
    TryAgain,
}

/// Why a server would not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// This call only: too little memory, a missing permission.
    Call,
    /// Any call, for now.
    Server,
    /// Any call until another server is the primary.
    ReadOnly,
}

impl Verdict {
    /// What the caller hears, where nothing is left to be tried.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Done(value) => Outcome::Done(value),
            Self::Refused(_, why) => Outcome::NotDone(why),
            Self::Broken(why) => Outcome::Broken(why),
            Self::Lost(why) => Outcome::Unknown(why),
            Self::NoScript => Outcome::NotDone("Redis forgets its scripts at once".to_owned()),
            Self::Moved(_) | Self::Ask(_) => {
                Outcome::NotDone("another node of the cluster has these keys".to_owned())
            }
            Self::TryAgain => Outcome::NotDone("these keys are being moved".to_owned()),
        }
    }

    /// Why it is not `Done`.
    pub(super) fn words(self) -> String {
        match self.outcome() {
            Outcome::Done(_) => String::new(),
            Outcome::NotDone(why) | Outcome::Broken(why) | Outcome::Unknown(why) => why,
        }
    }
}

/// Reads a reply.
pub(super) fn judge(reply: RedisResult<Value>) -> Verdict {
    match reply {
        Ok(Value::ServerError(error)) => judge_server(&error),
        Ok(value) => Verdict::Done(value),
        Err(error) => match error.clone().into_server_errors() {
            Some(errors) if error.kind() != ErrorKind::Parse => {
                errors.first().map_or_else(|| lost(&error), |(_, error)| judge_server(error))
            }
            _ => lost(&error),
        },
    }
}

fn lost(error: &RedisError) -> Verdict {
    Verdict::Lost(format!("the connection to Redis broke: {}", short(&error.to_string())))
}

fn judge_server(error: &ServerError) -> Verdict {
    let (code, details) = (error.code(), error.details().unwrap_or_default());
    if details.contains(" script: ") {
        return Verdict::Broken(format!("a script failed: {code} {}", short(details)));
    }
    match code {
        "NOSCRIPT" => return Verdict::NoScript,
        "TRYAGAIN" => return Verdict::TryAgain,
        "MOVED" => return redirect(details).map_or_else(|| unread(code), Verdict::Moved),
        "ASK" => return redirect(details).map_or_else(|| unread(code), Verdict::Ask),
        _ => {}
    }
    let (refusal, why) = match code {
        "OOM" => (Refusal::Call, "Redis is out of memory (OOM)"),
        "NOPERM" => (Refusal::Call, "the login to Redis lacks a permission (NOPERM)"),
        "READONLY" => (Refusal::ReadOnly, "this Redis is a replica, not the primary (READONLY)"),
        "LOADING" => (Refusal::Server, "Redis is loading its data (LOADING)"),
        "NOAUTH" => (Refusal::Server, "Redis wants a login (NOAUTH)"),
        "WRONGPASS" => (Refusal::Server, "Redis refused the login (WRONGPASS)"),
        "BUSY" => (Refusal::Server, "Redis is busy with a long script (BUSY)"),
        "MASTERDOWN" => (Refusal::Server, "the replica has lost its primary (MASTERDOWN)"),
        "CLUSTERDOWN" => (Refusal::Server, "the cluster is down (CLUSTERDOWN)"),
        "MISCONF" => (Refusal::Server, "Redis cannot save to its disk (MISCONF)"),
        "NOREPLICAS" => (Refusal::Server, "Redis has too few replicas to write (NOREPLICAS)"),
        "DENIED" => (Refusal::Server, "Redis runs in protected mode (DENIED)"),
        "ERR" if details.starts_with("max number of clients") => {
            (Refusal::Server, "Redis has too many clients (maxclients)")
        }
        "ERR" if details.starts_with("AUTH") && details.contains("without any password") => {
            (Refusal::Server, "a password is configured, Redis has none")
        }
        _ => return Verdict::Broken(format!("Redis answers {code} {}", short(details))),
    };
    Verdict::Refused(refusal, why.to_owned())
}

fn unread(code: &str) -> Verdict {
    Verdict::Broken(format!("Redis answers {code} without saying where"))
}

/// The address in `3999 127.0.0.1:6381`.
fn redirect(details: &str) -> Option<String> {
    details.split_ascii_whitespace().nth(1).map(str::to_owned)
}

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 160;
    // Redis repeats what it was asked behind this.
    let text = text.split(", with args").next().unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(line: &str) -> Verdict {
        judge(redis::parse_redis_value(format!("-{line}\r\n").as_bytes()))
    }

    #[test]
    fn what_each_error_says_about_the_call() {
        let before = [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "OOM allow-oom flag is not set on the script, can not run it",
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM this user has no permissions to run the 'evalsha' command",
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN Hash slot not served",
            "MISCONF Errors writing to the AOF file",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR max number of clients reached",
        ];
        for line in before {
            let verdict = judged(line);
            assert!(matches!(verdict, Verdict::Refused(..)), "{line}: {verdict:?}");
            assert!(matches!(verdict.outcome(), Outcome::NotDone(_)), "{line}");
        }
        let behind = [
            "WRONGTYPE Operation against a key holding the wrong kind of value script: f1, on @user_script:2.",
            "OOM command not allowed when used memory > 'maxmemory'. script: f1, on @user_script:2.",
            "ERR user_script:1: boom script: f1, on @user_script:1.",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR unknown command 'FOO'",
            "CROSSSLOT Keys in request don't hash to the same slot",
        ];
        for line in behind {
            assert!(matches!(judged(line), Verdict::Broken(_)), "{line}");
        }
        assert_eq!(judged("NOSCRIPT No matching script."), Verdict::NoScript);
        assert_eq!(
            judged("TRYAGAIN Multiple keys request during rehashing of slot"),
            Verdict::TryAgain
        );
        assert_eq!(
            judged("MOVED 3999 127.0.0.1:6381"),
            Verdict::Moved("127.0.0.1:6381".to_owned())
        );
        assert_eq!(judged("ASK 3999 ::1:6381"), Verdict::Ask("::1:6381".to_owned()));
        assert!(matches!(judged("MOVED"), Verdict::Broken(_)));
    }

    #[test]
    fn a_broken_connection_leaves_it_unknown() {
        for kind in [std::io::ErrorKind::ConnectionReset, std::io::ErrorKind::TimedOut] {
            let verdict = judge(Err(std::io::Error::from(kind).into()));
            assert!(matches!(verdict.outcome(), Outcome::Unknown(_)));
        }
        assert!(matches!(judge(redis::parse_redis_value(b"?what\r\n")), Verdict::Lost(_)));
    }
}
