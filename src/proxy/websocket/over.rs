//! How a WebSocket ended, what each side is told, and what the end is worth.

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::meter::{End, Side};

/// How a WebSocket ended.
#[derive(Debug)]
pub(super) enum Over {
    /// A side has closed it, with this frame.
    Closed(Side, Option<CloseFrame>),
    /// A side is gone, or no longer speaks the protocol.
    Gone(Side),
    /// A side sent a message that is longer than is passed.
    TooLong,
    /// A side does not take what is passed to it.
    Stalled(Side),
    /// Nothing has come for too long.
    Idle,
    /// It has lasted as long as it may.
    Longest,
    /// What is held is used up.
    UsedUp,
    /// The instance is about to stop.
    Draining,
}

impl Over {
    /// What an error of reading from a side means.
    pub(super) fn of(side: Side, error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::TooLong,
            _ => Self::Gone(side),
        }
    }

    /// What the end is worth: a client that closes has had what it wanted; where the upstream breaks off or
    /// closes with an error, nobody knows; where we end it, what was seen counts.
    pub(super) fn end(&self) -> End {
        match self {
            Self::Closed(Side::Client, _) => End::Complete,
            Self::Closed(Side::Upstream, frame) if is_normal(frame.as_ref()) => End::Complete,
            Self::Closed(Side::Upstream, _)
            | Self::Gone(Side::Upstream)
            | Self::Stalled(Side::Upstream) => End::Broken,
            Self::Gone(Side::Client)
            | Self::Stalled(Side::Client)
            | Self::TooLong
            | Self::Idle
            | Self::Longest
            | Self::UsedUp
            | Self::Draining => End::Cancelled,
        }
    }

    /// What the client is told.
    pub(super) fn to_client(&self) -> Option<CloseFrame> {
        match self {
            Self::Closed(_, frame) => frame.clone(),
            Self::Gone(_) | Self::Stalled(_) => {
                // 1014 (Bad Gateway) would say more; several clients take it for a fault of ours.
                say(CloseCode::Error, "upstream_error: the service broke off")
            }
            Self::TooLong => say(CloseCode::Size, "too_large: the message is too long"),
            Self::Idle => say(CloseCode::Away, "too_slow: nothing came for too long"),
            Self::Longest => say(CloseCode::Away, "too_slow: it has lasted as long as it may"),
            Self::UsedUp => {
                say(CloseCode::Policy, "insufficient_credits: what was held is used up")
            }
            Self::Draining => say(CloseCode::Restart, "draining: connect again"),
        }
    }

    /// What the upstream is told. Nothing of what concerns money.
    pub(super) fn to_upstream(&self) -> Option<CloseFrame> {
        match self {
            Self::Closed(_, frame) => frame.clone(),
            Self::TooLong => say(CloseCode::Size, ""),
            _ => say(CloseCode::Away, ""),
        }
    }
}

/// Whether a close means that all is well (RFC 6455 §7.4.1).
fn is_normal(frame: Option<&CloseFrame>) -> bool {
    frame.is_none_or(|frame| matches!(frame.code, CloseCode::Normal | CloseCode::Away))
}

fn say(code: CloseCode, reason: &'static str) -> Option<CloseFrame> {
    Some(CloseFrame { code, reason: reason.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(code: u16) -> Option<CloseFrame> {
        Some(CloseFrame { code: code.into(), reason: "".into() })
    }

    #[test]
    fn what_an_end_is_worth() {
        for (over, end) in [
            (Over::Closed(Side::Client, frame(1011)), End::Complete),
            (Over::Closed(Side::Upstream, None), End::Complete),
            (Over::Closed(Side::Upstream, frame(1000)), End::Complete),
            (Over::Closed(Side::Upstream, frame(1011)), End::Broken),
            (Over::Closed(Side::Upstream, frame(4000)), End::Broken),
            (Over::Gone(Side::Upstream), End::Broken),
            (Over::Gone(Side::Client), End::Cancelled),
            (Over::TooLong, End::Cancelled),
            (Over::UsedUp, End::Cancelled),
        ] {
            assert_eq!(over.end(), end, "{over:?}");
        }
    }

    #[test]
    fn the_upstream_learns_nothing_of_money() {
        let told = Over::UsedUp.to_upstream().unwrap();
        assert_eq!((told.code, told.reason.as_str()), (CloseCode::Away, ""));
        assert!(Over::UsedUp.to_client().unwrap().reason.contains("insufficient_credits"));
    }
}
