//! Floor 2: the rules between a request and the ledger.
//!
//! The meter matches a route, reads the quantities that its price names, asks the ledger to reserve, holds
//! the ticket, judges what the upstream did, and settles.
//!
//! Invariant: knows no sockets, no hyper, no tower. Nothing here forwards a byte.
//! Invariant: what cannot be priced is refused; nothing ever falls back to free.

mod admit;
mod asking;
mod body_source;
mod code;
mod content;
mod eye;
mod flag;
mod free;
mod gates;
mod host;
mod identity;
mod jobs;
mod journal;
mod key;
mod look;
mod members;
mod note;
mod outcome;
mod overrides;
mod path;
mod price_overrides;
mod pricing;
mod query;
mod quote;
mod reading;
mod receipt;
mod recovery;
mod rejection;
mod request_id;
mod rights;
mod route;
mod said;
mod session;
mod settings;
mod settler;
mod shape;
mod source;
pub mod statement;
mod stream;
mod sweeper;
mod tally;
mod template;
mod ticket;
pub mod usage;
mod value;
mod verdict;
mod watch;
mod why;

pub use admit::{Admitted, Meter, Wanted};
pub use asking::PutIn;
pub use code::{Code, Hundred};
pub use content::{Content, Need, Passed, Passing};
pub use flag::Flag;
pub use gates::{Place, gates};
pub use host::{Host, HostPattern, NoHost, is_at};
pub use identity::{
    AccountHeader, Directory, Finder, HookKeys, Identity, IdentityRules, Issuer, KEY_HEADERS,
    KEY_SCHEMES, KEY_SET_MAX, KeyRules, KeySet, KeySetError, KeySets, KeySource, Named, Said,
    SetPlace, Shown, Way, Ways,
};
pub use jobs::{
    Beginning, Begun, By, Deed, Handing, HookPlace, HookSecret, IdPlace, Job, JobAsked, JobSight,
    Kept, Look, NamedBy, Proof, Question, Receiver, Record, Report, Rewrite, Sealed, Touch,
    Unproven, Verify, Watching, Webhook, WordCharges, Words, fal_signed, is_id, open, proven, seal,
    signed_id,
};
pub use journal::{Journal, Marks, instance};
pub use key::{ImportedKey, NewKeyText, PresentedKey};
pub use look::{Sight, look};
pub use members::{Fault, Members, Misread, Page};
pub use note::Note;
pub use path::{PathProblem, canonical};
pub use price_overrides::PriceChanges;
pub use pricing::{Asked, Held, Reason, Unpriceable, price_request};
pub use query::{QueryProblem, parameter};
pub use quote::{QuoteRequest, free_quote};
pub use receipt::{CapNote, Event, Explanation, JobNote, receipt};
pub use recovery::{Recovered, recover};
pub use rejection::{Cause, Detail, Dialect, Language, Manner, Media, Rejection};
pub use request_id::{charge_named, request_id, request_of};
pub use rights::{BodyLimit, body_limit};
pub use route::{Found, RouteError, RouteProblem, RouteTable};
pub use session::{Counts, Session, Side};

pub use settings::{
    ChargeRule, Class, Due, Merge, Missing, OnDisconnect, OutcomeRule, Quantity, RequestSource,
    ResponseSource, Route, Rules, SessionRules, SessionSource, StatusSet, Test, Uploaded,
    ValueType, Work,
};
pub use settler::{Ending, Permit, Settler};
pub use shape::{Alphabet, KeyShape, SHAPE_LENGTH_MAX, ShapeError};
pub use source::Source;
pub use stream::{Ask, StreamRules, TakeOut};
pub use sweeper::sweep;
pub use tally::{JobTally, KindTally, RouteTally, Running, Stake, Tally};
pub use ticket::Ticket;
pub use value::pixels;
pub use verdict::{Charge, Verdict};
pub use watch::{End, Watch};
pub use why::{Flaw, Sort, Why};
