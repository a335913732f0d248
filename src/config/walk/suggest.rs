//! "Did you mean": the nearest known name.

use strsim::damerau_levenshtein;

/// What people write who know other programs, and what it is called here.
const ELSEWHERE: [(&str, &str); 21] = [
    ("address", "listen"),
    ("api_key", "credentials"),
    ("auth", "credentials"),
    ("body_size", "body_limit"),
    ("cost", "rate"),
    ("db", "database"),
    ("endpoint", "url"),
    ("estimate", "hold"),
    ("field", "json"),
    ("max", "maximum"),
    ("method", "match"),
    ("min", "minimum"),
    ("nodes", "cluster"),
    ("path", "match"),
    ("path", "state"),
    ("rates", "table"),
    ("secret", "token"),
    ("target", "upstream"),
    ("timeout", "timeouts"),
    ("unit", "per"),
    ("username", "user"),
];

/// Which of the known names was probably meant.
pub(in crate::config) fn suggest<'a>(
    written: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let known: Vec<&str> = known.collect();
    let plain = |name: &str| name.to_lowercase().replace(['-', ' ', '_'], "");
    let same = known.iter().find(|name| plain(name) == plain(written));
    let here = |name: &&str| ELSEWHERE.contains(&(written, *name));
    same.or_else(|| known.iter().find(|name| here(name)))
        .copied()
        .or_else(|| nearest(written, &known))
}

fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    // Endless names are nobody's slip, and comparing them is slow.
    if written.chars().count() > 64 {
        return None;
    }
    let scored = known.iter().map(|name| (damerau_levenshtein(written, name), *name));
    let (distance, name) = scored.min()?;
    let shorter = written.chars().count().min(name.chars().count());
    (distance <= shorter.div_ceil(3)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_or_none() {
        let known = ["upstream", "price", "match", "on_unknown"];
        for (written, meant) in [
            ("upstrem", Some("upstream")),
            ("onUnknown", Some("on_unknown")),
            ("path", Some("match")),
            ("priec", Some("price")),
            ("colour", None),
        ] {
            assert_eq!(suggest(written, known.into_iter()), meant, "{written}");
        }
    }
}
