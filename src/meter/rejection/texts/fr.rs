//! French. Names of headers, codes, amounts and instants are inserted as they are. Before `:`, `;` and `?` stands
//! a no-break space, and the apostrophe is ’.

use crate::credit::{Amount, DecimalError, Measure, PriceError};
use crate::ledger::OnUnknown;
use crate::meter::members::{Fault, Misread};
use crate::meter::path::PathProblem;
use crate::meter::query::QueryProblem;
use crate::meter::rejection::{Cause, Detail};
use crate::meter::why::{Flaw, Sort, Why};
use crate::observe::{DEPTH_MAX, FIELDS_MAX, FormProblem, JsonProblem, TEXT_MAX};

/// The titles.
pub(super) const fn title(cause: Cause) -> &'static str {
    match cause {
        Cause::BadRequest => "Requête incorrecte",
        Cause::TooLarge => "Corps trop volumineux",
        Cause::HeadTooLarge => "En-tête trop volumineux",
        Cause::HttpVersion => "Version HTTP non prise en charge",
        Cause::LoopDetected => "Boucle détectée",
        Cause::ExpectationFailed => "Attente impossible à satisfaire",
        Cause::TooSlow => "Requête trop lente",
        Cause::InvalidKey => "Clé non valide",
        Cause::AccountSuspended => "Compte suspendu",
        Cause::AccountRestricted => "Compte restreint",
        Cause::OptionNotInPlan => "Option non comprise dans le forfait",
        Cause::RouteNotInPlan => "Non compris dans le forfait",
        Cause::PlanUnknownHere => "Forfait inconnu",
        Cause::InsufficientCredits => "Crédits insuffisants",
        Cause::CreditsOnHold => "Crédits réservés",
        Cause::RateLimited => "Trop de requêtes",
        Cause::CapExceeded => "Plafond atteint",
        Cause::ConcurrencyExceeded => "Trop de générations simultanées",
        Cause::UnpriceableRequest => "Le prix de la requête ne peut pas être établi",
        Cause::MaxChargeExceeded => "Au-delà de Credits-Max",
        Cause::UnknownRoute => "Route inconnue",
        Cause::UnknownJob => "Tâche inconnue",
        Cause::UnknownCharge => "Débit inconnu",
        Cause::MethodNotAllowed => "Méthode non autorisée",
        Cause::WebsocketUnsupported => "WebSocket non pris en charge",
        Cause::MeteringUnavailable => "Comptage indisponible",
        Cause::Draining => "Arrêt en cours",
        Cause::UpstreamError => "Erreur du service",
        Cause::UpstreamTimeout => "Délai du service dépassé",
    }
}

/// The details.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn detail(detail: &Detail) -> String {
    match detail {
        Detail::Connect => "CONNECT n’est pas servi ici.".into(),
        Detail::OneHost => "Il faut exactement un en-tête Host.".into(),
        Detail::OtherHost => {
            "La cible de la requête et l’en-tête Host désignent des hôtes différents.".into()
        }
        Detail::OneCoding => "Le seul Transfer-Encoding accepté est chunked.".into(),
        Detail::Path(problem) => format!("Le chemin n’est pas canonique : {}.", path(*problem)),
        Detail::Unforwardable => "Le chemin ne peut pas être transmis.".into(),
        Detail::BrokenBody => "Le corps de la requête a été interrompu, ou son découpage est incorrect : impossible de savoir où il finit.".into(),
        Detail::Unclear { why } => format!("La requête peut se lire de plus d’une façon : {why}."),
        Detail::Version => "Cette connexion parle HTTP/1.1 et HTTP/1.0.".into(),
        Detail::TwoIdentities => "La requête désigne son compte par un en-tête et présente aussi une clé. N’envoyez que l’un des deux.".into(),
        Detail::UserInTarget => "La cible nomme un utilisateur ; seul un hôte est attendu.".into(),
        Detail::Loop { name } => format!("La requête est déjà passée par {name} : elle tourne en rond. S’il s’agit de deux passerelles, l’opérateur donne un autre nom à l’une d’elles avec `via`."),
        Detail::Expectation => "La seule attente satisfaite ici est 100-continue. Envoyez la requête sans Expect.".into(),
        Detail::LongHead { limit } => format!("Le début d’une requête, avec tous ses en-têtes, peut faire {limit} octets. Envoyez-en moins."),
        Detail::LongTarget { limit } => format!("La cible d’une requête, chemin et paramètres compris, peut faire {limit} octets. Envoyez-en moins."),
        Detail::ManyHeaders { limit } => format!("Une requête peut avoir {limit} en-têtes. Envoyez-en moins."),
        Detail::SlowHead => "Les en-têtes de la requête ne sont pas arrivés à temps. Envoyez-les plus vite.".into(),
        Detail::Query => "Les paramètres de l’URL sont illisibles.".into(),
        Detail::CreditsMax => "Credits-Max doit être un montant tel que 12.5.".into(),
        Detail::CreditsMaxTwice => "Credits-Max a été envoyé deux fois.".into(),
        Detail::Prefer => "Prefer doit être en ASCII imprimable.".into(),
        Detail::Metering { word } => {
            format!("Prefer: metering={word} est inconnu ; la valeur acceptée est quote.")
        }
        Detail::Misread(call) => misread(call),
        Detail::LargeBody { limit, plan: None } => {
            format!("Le corps dépasse les {limit} octets que cette route autorise.")
        }
        Detail::LargeBody { limit, plan: Some(plan) } => format!(
            "Le corps dépasse les {limit} octets que le forfait {plan} autorise sur cette route."
        ),
        Detail::SlowBody => {
            "Le corps n’est pas arrivé à temps. Envoyez-le plus vite ou par requêtes plus petites.".into()
        }
        Detail::Key => {
            "Une clé valide est nécessaire : envoyez-la sous la forme \"Authorization: Bearer tk_…\".".into()
        }
        Detail::Job => {
            "Ce compte n’a pas de tâche avec cet identifiant. Est-il complet, et la tâche a-t-elle été lancée avec une clé de ce compte ?".to_owned()
        }
        Detail::Charge { id } => {
            format!("Ce compte n’a aucun débit {id}. L’identifiant est-il complet ?")
        }
        Detail::Route { method, path } => format!("Il n’y a pas de route pour {method} {path}."),
        Detail::Method { method } => format!("{method} n’est pas possible ici."),
        Detail::NotInPlan { route, plan } => format!("Le forfait {plan} ne comprend pas {route}."),
        Detail::PlanUnknown { plan } => {
            format!("Le forfait {plan} du compte est inconnu ici. Veuillez prévenir l’opérateur.")
        }
        Detail::Restricted { until } => format!("Ce compte ne peut rien dépenser jusqu’au {until}. Veuillez contacter l’assistance."),
        Detail::NotForKey { route } => format!("Cette clé n’est pas faite pour {route}."),
        Detail::OptionNotInPlan { quantity, value, plan } => {
            format!("Le forfait {plan} ne comprend pas {quantity} = {value}.")
        }
        Detail::Suspended => "Ce compte est suspendu. Veuillez contacter l’assistance.".into(),
        Detail::Closed => "Ce compte est fermé.".into(),
        Detail::Unpriceable { pointer, why: reason } => match pointer.as_str() {
            "" => format!("Le prix de la requête ne peut pas être établi : {}.", why(reason)),
            _ => format!("Le prix de la requête ne peut pas être établi (voir {pointer}) : {}.", why(reason)),
        },
        Detail::AboveMax { hold, limit } => {
            format!("Cette requête réserverait {} ; Credits-Max autorise {limit}.", credits(*hold))
        }
        Detail::Flood => "Trop de requêtes depuis cette adresse. Veuillez ralentir.".into(),
        Detail::Rate { name } => {
            format!("Les requêtes arrivent plus vite que la limite {name} ne l’autorise.")
        }
        Detail::Slots { name, limit: 1 } => {
            format!("Une génération est en cours, et la limite {name} n’en autorise qu’une à la fois.")
        }
        Detail::Slots { name, limit } => format!(
            "{limit} générations sont en cours, autant que la limite {name} en autorise simultanément."
        ),
        Detail::Cap { name, measure, limit, used, required, resets_at } => format!(
            "Le plafond {name} autorise {} ; déjà utilisé : {}, nécessaire pour cette requête : {}. \
             Il est remis à zéro le {resets_at}.",
            counted(*measure, *limit),
            measure.show(*used),
            measure.show(*required),
        ),
        Detail::OnHold { required, available, held } => format!(
            "Cette requête nécessite {} ; disponibles : {available}, réservés par des requêtes qui se \
             terminent d’ici une minute : {held}.",
            credits(*required)
        ),
        Detail::Insufficient { required, available, held } => format!(
            "Cette requête nécessite {} ; disponibles : {available}, réservés par des requêtes en cours : \
             {held}.",
            credits(*required)
        ),
        Detail::Unavailable => "Le service de comptage est indisponible pour le moment ; rien n’a donc été transmis. \
             Réessayez bientôt."
            .into(),
        Detail::Draining => {
            "Cette instance est sur le point de s’arrêter. Réessayez avec une nouvelle connexion.".into()
        }
        Detail::Websocket => "Cette route n’accepte pas WebSocket.".into(),
        Detail::WebsocketKey => "Un WebSocket se demande avec un seul Sec-WebSocket-Key.".into(),
        Detail::Unreached => {
            "Le service n’a pas pu être joint. Rien n’a été transmis et rien n’a été débité.".into()
        }
        Detail::Undialled => {
            "Le service n’a pas accepté de connexion à temps. Rien n’a été transmis ni débité.".into()
        }
        Detail::BrokeOff => "Le service a coupé la connexion avant d’avoir répondu.".into(),
        Detail::TimedOut => "Le service n’a pas répondu à temps.".into(),
        Detail::CutOff => "Cette instance s’est arrêtée pendant le traitement de la requête. On ne sait pas \
             si le travail a été fait ; ce qui était réservé est libéré, ou conservé jusqu’à ce qu’on le \
             sache. Le débit l’indiquera."
            .into(),
        Detail::Unsettled { first, held, until, then } => {
            let then = match then {
                OnUnknown::Release => "sera alors libéré",
                OnUnknown::Charge => "sera alors débité",
                OnUnknown::Hold => "restera réservé jusqu’à ce que quelqu’un décide",
            };
            format!(
                "{} On ne sait pas si le travail a été fait : réserve de {} jusqu’au {until} ; ce qui ne sera \
                 pas réglé d’ici là {then}.",
                self::detail(first),
                credits(*held),
            )
        }
    }
}

/// The plural begins at 2, and is not there for 0.
fn credits(amount: Amount) -> String {
    let plural = amount.micro() >= 2_000_000;
    if plural { format!("{amount} crédits") } else { format!("{amount} crédit") }
}

fn counted(measure: Measure, count: u64) -> String {
    match (measure, count) {
        (Measure::Requests, 0 | 1) => format!("{count} requête"),
        (Measure::Requests, _) => format!("{count} requêtes"),
        (Measure::Credits, 0..2_000_000) => format!("{} crédit", measure.show(count)),
        (Measure::Credits, _) => format!("{} crédits", measure.show(count)),
    }
}

const fn path(problem: PathProblem) -> &'static str {
    match problem {
        PathProblem::NotAbsolute => "le chemin doit commencer par /",
        PathProblem::EmptySegment => "le chemin comporte un segment vide",
        PathProblem::DotSegment => "un segment du chemin se termine par un point",
        PathProblem::Semicolon => "le chemin comporte un point-virgule",
        PathProblem::Slash => "le chemin comporte une barre oblique encodée ou une barre inverse",
        PathProblem::Control => "le chemin comporte un caractère de contrôle",
        PathProblem::Unencoded => "le chemin comporte un octet qui doit être encodé en pourcentage",
        PathProblem::Escape => "le chemin comporte un encodage en pourcentage mal formé",
        PathProblem::NeedlessEscape => {
            "le chemin encode un octet qui n’en a pas besoin, ou encode deux fois"
        }
        PathProblem::NotUtf8 => "le chemin n’est pas en UTF-8",
    }
}

/// Why a request has no price.
pub(super) fn why(why: &Why) -> String {
    match why {
        Why::Quantity { name, flaw } => format!("{name} {}", self::flaw(flaw)),
        Why::InQuery { name } => {
            format!("{name} a sa place dans le corps et figure aussi dans les paramètres de l’URL")
        }
        Why::Query(problem) => query(*problem).into(),
        Why::Json(problem) => json(problem),
        Why::NoObject => {
            "le corps n’est pas un objet, aucune de ses valeurs ne peut donc être trouvée".into()
        }
        Why::Encoded => "le corps a un Content-Encoding ; envoyez-le sans".into(),
        Why::Form(problem) => form(problem),
        Why::Media { form: false, .. } => "le corps doit être en application/json et en UTF-8".into(),
        Why::Media { json: false, .. } => "le corps doit être en multipart/form-data ou application/x-www-form-urlencoded, et en UTF-8".into(),
        Why::Media { .. } => "le corps doit être en application/json ou un formulaire, en UTF-8".into(),
        Why::Price(PriceError::Missing(name)) => format!("{name} n’a pas de valeur"),
        Why::Price(PriceError::NotANumber(name)) => format!("{name} n’est pas un nombre"),
        Why::Price(PriceError::NoRate(what)) => format!("il n’y a pas de tarif pour {what}"),
        Why::Price(PriceError::OutOfRange) => "le prix est hors limites".into(),
    }
}

fn flaw(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Required => "est obligatoire".into(),
        Flaw::Sort { wanted, found: None } => {
            let wanted = sort(*wanted);
            format!("doit être {wanted}")
        }
        Flaw::Sort { wanted, found: Some(found) } => {
            let wanted = sort(*wanted);
            format!("doit être {wanted}, et non {}", sort(*found))
        }
        Flaw::Range { first, last } => format!("doit se situer entre {first} et {last}"),
        Flaw::Words(words) => {
            format!("doit être l’une des valeurs suivantes : {}", words.join(", "))
        }
        Flaw::LongWord(limit) => format!("doit avoir au plus {limit} octets"),
        Flaw::TooLarge => "est trop grand".into(),
        Flaw::BelowZero => "donne moins de zéro".into(),
        Flaw::NoValue => "n’a pas de valeur".into(),
        Flaw::Differs => "doit être identique partout".into(),
        Flaw::Digits => "doit être un nombre entier, en chiffres".into(),
        Flaw::Number(DecimalError::Malformed) => "n’est pas un nombre".into(),
        Flaw::Number(DecimalError::Negative) => "est inférieur à zéro".into(),
        Flaw::Number(DecimalError::OutOfRange) => {
            "comporte trop de chiffres pour une valeur exacte".into()
        }
        Flaw::Unread => "ne peut pas être lu sans le corps".into(),
        Flaw::Uneven => "doit figurer dans chaque élément".into(),
        Flaw::Query(problem) => query(*problem).into(),
        Flaw::Spelling => "figure dans les en-têtes sous une autre graphie".into(),
        Flaw::HeaderTwice => "figure plus d’une fois dans les en-têtes".into(),
        Flaw::NotText => "n’est pas du texte simple".into(),
        Flaw::NotUtf8 => "n’est pas en UTF-8".into(),
    }
}

const fn sort(sort: Sort) -> &'static str {
    match sort {
        Sort::Null => "null",
        Sort::Flag => "true ou false",
        Sort::Integer => "un nombre entier",
        Sort::Number => "un nombre",
        Sort::Seconds => "un nombre de secondes",
        Sort::Pixels => "un nombre entier ou une taille telle que 1024x1536",
        Sort::Text => "une chaîne",
        Sort::Array => "un tableau",
        Sort::Object => "un objet",
    }
}

const fn query(problem: QueryProblem) -> &'static str {
    match problem {
        QueryProblem::Semicolon => "les paramètres de l’URL comportent un point-virgule",
        QueryProblem::Escape => "n’est pas de l’UTF-8 encodé en pourcentage",
        QueryProblem::Twice => "figure plus d’une fois dans les paramètres de l’URL",
    }
}

fn form(problem: &FormProblem) -> String {
    match problem {
        FormProblem::Boundary => "le formulaire doit avoir un seul boundary, de 1 à 70 lettres, chiffres et signes simples".into(),
        FormProblem::Charset => "le formulaire doit être en UTF-8".into(),
        FormProblem::Start => "le formulaire ne commence pas par son boundary".into(),
        FormProblem::Stray => "le boundary figure là où il peut être lu de deux façons".into(),
        FormProblem::Tail => "quelque chose suit la fin du formulaire".into(),
        FormProblem::Unclosed => "le formulaire se termine avant son boundary final".into(),
        FormProblem::PartHead => "les en-têtes d’une partie sont mal formés, repliés, répétés ou trop longs".into(),
        FormProblem::PartName => "chaque partie doit donner son nom une fois, dans Content-Disposition: form-data".into(),
        FormProblem::Encoding => "une partie a un Content-Transfer-Encoding ; envoyez-la sans".into(),
        FormProblem::Nested => "une partie contient elle-même des parties".into(),
        FormProblem::Name => "le nom d’un champ est trop long ou n’est pas en UTF-8 encodé par pourcentage".into(),
        FormProblem::Semicolon => "le formulaire contient un point-virgule non échappé".into(),
        FormProblem::Method => "le formulaire a un champ _method ; envoyez la requête avec sa propre méthode".into(),
        FormProblem::Spelling(name) => format!("le nom d’un champ peut être pris pour {name:?} : écrivez-le ainsi, une fois"),
        FormProblem::Twice(name) => format!("{name:?} figure plus d’une fois dans le formulaire"),
        FormProblem::NotText(name) => format!("{name:?} doit être envoyé comme texte, non comme fichier"),
        FormProblem::NotUtf8(name) => format!("{name:?} n’est pas en UTF-8"),
        FormProblem::Escape(name) => format!("{name:?} n’est pas en UTF-8 encodé par pourcentage"),
        FormProblem::TooLong(name) => format!("{name:?} doit avoir au plus {TEXT_MAX} octets"),
        FormProblem::TooMany => format!("le formulaire a plus de {FIELDS_MAX} champs"),
    }
}

fn json(problem: &JsonProblem) -> String {
    match problem {
        JsonProblem::NotUtf8 => "le corps n’est pas en UTF-8".into(),
        JsonProblem::ByteOrderMark => {
            "le corps commence par un indicateur d’ordre des octets (BOM)".into()
        }
        JsonProblem::Syntax(reason) => format!("ce n’est pas du JSON : {reason}"),
        JsonProblem::Duplicate => "ce nom figure deux fois dans son objet".into(),
        JsonProblem::OtherCase(name) => format!("ce nom ne diffère de {name:?} que par la casse"),
        JsonProblem::TooDeep => format!("imbrication de plus de {DEPTH_MAX} niveaux"),
        JsonProblem::TooMany => "trop de valeurs".into(),
    }
}

/// What is wrong with a call.
pub(super) fn misread(call: &Misread) -> String {
    let fault = match &call.fault {
        Fault::Query => "les paramètres de l’URL sont illisibles".into(),
        Fault::NotAnObject(reason) => format!("le corps n’est pas un objet JSON : {reason}"),
        Fault::Malformed(reason) => format!("valeur incorrecte ({reason})"),
        Fault::Example(example) => format!("par exemple {example}"),
        Fault::Missing => "ce membre est absent".into(),
        Fault::NoMember => "ce membre n’existe pas".into(),
        Fault::NoParameter => "ce paramètre n’existe pas".into(),
        Fault::Twice => "ce paramètre figure deux fois".into(),
        Fault::Range(first, last) => format!("un nombre de {first} à {last}"),
        Fault::Cursor => "n’est pas un identifiant de cette liste".into(),
        Fault::Period => "today ou month, une seule fois".into(),
        Fault::HeaderName => "un des noms est incorrect".into(),
        Fault::HeaderValue => "une des valeurs est incorrecte".into(),
        Fault::OtherKey => "omettez la clé ; c’est celle de cet appel qui compte".into(),
    };
    match &call.name {
        Some(name) => format!("{name} : {fault}"),
        None => fault,
    }
}
