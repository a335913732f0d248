//! What presets bring, put beside what the configuration says.

use std::collections::{HashMap, HashSet};

use super::Brought;
use super::part::{
    add_entries, add_items, entries, items, scalar, scalars, take_entries, take_items,
};
use crate::config::findings::Findings;
use crate::config::problem::Place;
use crate::config::tree::{Entry, Node};
use crate::config::walk::suggest;

/// Adds routes, jobs and prices. What the configuration has by the same name stays its own, a route that it does
/// `without` stays away, and a job or a price that no route has is not taken over.
pub(super) fn merge(root: &mut Node, mut brought: Vec<Brought>, findings: &mut Findings<'_>) {
    let without = scalars(root, "without");
    known(&without, &brought, findings);
    let own: HashSet<String> = items(root, "routes").iter().filter_map(name).collect();
    let absent = |route: &Node| {
        name(route).is_some_and(|name| {
            own.contains(&name) || without.iter().any(|(left_out, _)| *left_out == name)
        })
    };
    one_upstream(&brought, findings);
    for preset in &mut brought {
        let mut routes = take_items(&mut preset.root, "routes");
        routes.retain(|route| !absent(route));
        upstreams(root, preset, &routes, findings);
        add_items(root, "routes", routes);
    }
    jobs(root, &mut brought);
    let priced: HashSet<String> =
        items(root, "routes").iter().filter_map(|route| text(route, "price")).collect();
    let mut first: HashMap<String, Place> = HashMap::new();
    for preset in &mut brought {
        let mut prices = take_entries(&mut preset.root, "prices");
        prices.retain(|price| priced.contains(&price.name) && !own_price(root, price, &first));
        for price in &prices {
            once(price, &mut first, findings);
        }
        add_entries(root, "prices", prices);
    }
}

/// Adds the jobs that routes begin or ask for.
fn jobs(root: &mut Node, brought: &mut [Brought]) {
    let own: HashSet<String> = items(root, "jobs").iter().filter_map(name).collect();
    let words = ["job", "polls", "fetches", "cancels", "file_of"];
    let routes = items(root, "routes").iter();
    let used: HashSet<String> =
        routes.flat_map(|route| words.iter().filter_map(|word| text(route, word))).collect();
    for preset in brought {
        let mut jobs = take_items(&mut preset.root, "jobs");
        jobs.retain(|job| {
            name(job).is_some_and(|name| used.contains(&name) && !own.contains(&name))
        });
        add_items(root, "jobs", jobs);
    }
}

/// Whether the configuration itself has a price of this name; `brought` are those that presets have added.
fn own_price(root: &Node, price: &Entry, brought: &HashMap<String, Place>) -> bool {
    !brought.contains_key(&price.name)
        && entries(root, "prices").iter().any(|own| own.name == price.name)
}

fn once(price: &Entry, first: &mut HashMap<String, Place>, findings: &mut Findings<'_>) {
    if let Some(other) = first.insert(price.name.clone(), price.place) {
        let message = format!("two presets have a price called `{}`", price.name);
        findings
            .error("duplicate_name", price.place, message)
            .note(other, "the other one")
            .help("write it under `prices` of the configuration: that one holds for both");
    }
}

/// Notes what a configuration does without and no preset brings.
fn known(without: &[(String, Place)], brought: &[Brought], findings: &mut Findings<'_>) {
    let routes = || brought.iter().flat_map(|preset| items(&preset.root, "routes"));
    let names: Vec<String> = routes().filter_map(name).collect();
    for (left_out, place) in without.iter().filter(|(left_out, _)| !names.contains(left_out)) {
        let message = format!("no preset has a route called `{left_out}`");
        let help = suggest(left_out, names.iter().map(String::as_str));
        let help = help.map(|meant| format!("did you mean `{meant}`?"));
        findings.error("unknown_route", *place, message).maybe_help(help.as_deref());
    }
}

/// Notes the upstreams that a preset's routes go to and the configuration does not have.
fn upstreams(root: &Node, preset: &Brought, routes: &[Node], findings: &mut Findings<'_>) {
    let there = entries(root, "upstreams");
    let alone = there.is_empty();
    for wanted in entries(&preset.root, "wants") {
        let goes = |route: &Node| text(route, "upstream").is_some_and(|name| name == wanted.name);
        if there.iter().any(|upstream| upstream.name == wanted.name) || !routes.iter().any(goes) {
            continue;
        }
        let (preset_name, upstream) = (&preset.placing.preset, &wanted.name);
        let message = format!("the preset `{preset_name}` needs an upstream called `{upstream}`");
        findings
            .error("wanted_upstream", preset.placing.place, message)
            .note(wanted.place, "the preset wants it here")
            .help(match alone {
                true => format!("write `upstreams: {{ {} }}`", example(wanted)),
                false => format!("write `{}` under `upstreams`", example(wanted)),
            });
    }
}

/// Notes that two presets want one upstream at two URLs: the configuration can give one of them alone.
fn one_upstream(brought: &[Brought], findings: &mut Findings<'_>) {
    let mut first: HashMap<&str, (&str, &Brought)> = HashMap::new();
    for preset in brought {
        for wanted in entries(&preset.root, "wants") {
            let url = scalar(&wanted.node, "url").map_or("", |(url, _)| url);
            let (other, earlier) = *first.entry(&wanted.name).or_insert((url, preset));
            if other == url {
                continue;
            }
            let (here, there) = (&preset.placing, &earlier.placing);
            let message = format!(
                "`{}` wants the upstream `{}` to be {url}, and `{}` wants it to be {other}",
                here.preset, wanted.name, there.preset
            );
            findings
                .error("two_upstreams", here.place, message)
                .note(there.place, "the other preset")
                .help("give its names a beginning of their own: { preset: …, as: run }");
        }
    }
}

/// What to write for an upstream that a preset wants.
fn example(wanted: &Entry) -> String {
    let url = scalar(&wanted.node, "url").map_or("", |(url, _)| url);
    let secret = format!("{{ env: {}_KEY }}", wanted.name.to_uppercase().replace(['-', '.'], "_"));
    let credentials = match scalar(&wanted.node, "header") {
        Some((header, _)) => format!("header: {{ name: {header}, value: {secret} }}"),
        None => format!("bearer: {secret}"),
    };
    let hosts: Vec<_> = scalars(&wanted.node, "hosts").into_iter().map(|(host, _)| host).collect();
    let hosts = match hosts.as_slice() {
        [] => String::new(),
        hosts => format!(", hosts: [{}]", hosts.join(", ")),
    };
    format!("{}: {{ url: {url}{hosts}, credentials: {{ {credentials} }} }}", wanted.name)
}

fn name(route: &Node) -> Option<String> {
    text(route, "name")
}

fn text(node: &Node, name: &str) -> Option<String> {
    scalar(node, name).map(|(text, _)| text.to_owned())
}
