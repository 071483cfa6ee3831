//! Which certificates are believed: a row for each reason not to be, beside one that lacks it, in both versions of TLS and
//! for roots that are named and the system's.

#![cfg(all(feature = "cli", feature = "tls"))]

mod support;

use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, GeneralSubtree, IsCa, NameConstraints, SanType,
};
use support::tls::{Authority, Identity, TLS12, TLS13, Versions, valid};
use support::{Folder, Reply, error};

/// The host that is asked for, unless it has to be an address.
const HOST: &str = "www.h.test";
const ADDRESS: &str = "127.0.0.1";

/// A reason not to believe a certificate.
struct Row {
    reason: &'static str,
    host: &'static str,
    /// What the message has to say of it.
    told: &'static str,
    /// What must not be believed.
    bad: Identity,
    /// What must be, and is as near to it as can be.
    good: Identity,
}

fn rows(root: &Authority) -> Vec<Row> {
    names(root).into_iter().chain(addresses(root)).chain(times(root)).chain(uses(root)).chain(chains(root)).collect()
}

fn row(reason: &'static str, told: &'static str, bad: Identity, good: Identity) -> Row {
    Row { reason, host: HOST, told, bad, good }
}

fn names(root: &Authority) -> Vec<Row> {
    let (told, good) = ("is only valid for", || root.identity(&[HOST]));
    vec![
        row("another host", told, root.identity(&["other.h.test"]), good()),
        row("the domain above", told, root.identity(&["h.test"]), good()),
        row("a domain that begins like the host", told, root.identity(&["www.h.test.evil.test"]), good()),
        row("a wildcard too deep", told, root.identity(&["*.www.h.test"]), root.identity(&["*.h.test"])),
        row("an address for a name", told, root.identity(&[ADDRESS]), root.identity(&[ADDRESS, HOST])),
        row(
            "a common name alone",
            "not valid for any names",
            root.issue(&[], |params| called(params, HOST)),
            root.issue(&[HOST], |params| called(params, "other.test")),
        ),
    ]
}

fn called(params: &mut CertificateParams, name: &str) {
    params.distinguished_name.push(DnType::CommonName, name);
}

fn addresses(root: &Authority) -> Vec<Row> {
    let good = || root.identity(&[ADDRESS]);
    let as_name = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![SanType::DnsName(ADDRESS.try_into().unwrap())];
    };
    let rows = [
        row("an address written as a name", "is only valid for", root.issue(&[], as_name), good()),
        row("an address as common name alone", "not valid for", root.issue(&[], |p| called(p, ADDRESS)), good()),
        row("another address", "is only valid for", root.identity(&["127.0.0.2"]), good()),
        row("a name for an address", "is only valid for", root.identity(&[HOST]), root.identity(&[HOST, ADDRESS])),
    ];
    rows.into_iter().map(|row| Row { host: ADDRESS, ..row }).collect()
}

fn times(root: &Authority) -> Vec<Row> {
    let from_to = |from, to| root.issue(&[HOST], |params| valid(params, from, to));
    vec![
        row("expired", "expired", from_to(2001, 2002), from_to(2001, 2200)),
        row("not yet valid", "not valid yet", from_to(2200, 2201), from_to(2001, 2201)),
        row(
            "an expired CA between",
            "expired",
            root.below(|params| valid(params, 2001, 2002)).identity(&[HOST]),
            root.below(|params| valid(params, 2001, 2200)).identity(&[HOST]),
        ),
        row(
            "a CA between that is not yet valid",
            "not valid yet",
            root.below(|params| valid(params, 2200, 2201)).identity(&[HOST]),
            root.below(|params| valid(params, 2001, 2201)).identity(&[HOST]),
        ),
    ]
}

fn uses(root: &Authority) -> Vec<Row> {
    let with = |adjust: fn(&mut CertificateParams)| root.issue(&[HOST], adjust);
    vec![
        row(
            "for clients alone",
            "extended key usage",
            with(|params| params.extended_key_usages = vec![ClientAuth]),
            with(|params| params.extended_key_usages = vec![ClientAuth, ServerAuth]),
        ),
        row(
            "a CA's own",
            "a CA's own",
            with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            with(|params| params.is_ca = IsCa::ExplicitNoCa),
        ),
        row(
            "a critical extension that nobody knows",
            "critical",
            with(|params| extended(params, true)),
            with(|params| extended(params, false)),
        ),
    ]
}

fn extended(params: &mut CertificateParams, is_critical: bool) {
    // An object identifier of the arc that is kept for examples, and an ASN.1 NULL.
    let mut extension = CustomExtension::from_oid_content(&[2, 999, 1], vec![5, 0]);
    extension.set_criticality(is_critical);
    params.custom_extensions.push(extension);
}

fn chains(root: &Authority) -> Vec<Row> {
    let good = || root.identity(&[HOST]);
    let below = |adjust: fn(&mut CertificateParams)| root.below(adjust);
    let below_long = |length| {
        let long = root.below(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length)));
        long.below(|_| {}).identity(&[HOST])
    };
    vec![
        row("self-signed", "nobody known", Identity::self_signed(&[HOST]), good()),
        row(
            "unknown issuer of the root's name",
            "another of its CA's name",
            Authority::new().identity(&[HOST]),
            good(),
        ),
        row("forged", "signature does not match", good().forged(), good()),
        row("somebody else's", "not the server's own", good().copied(), good()),
        row(
            "no CA between shown",
            "nobody known",
            below(|_| {}).identity(&[HOST]).alone(),
            below(|_| {}).identity(&[HOST]),
        ),
        row(
            "none between that is a CA",
            "not a CA's",
            below(|params| params.is_ca = IsCa::ExplicitNoCa).identity(&[HOST]),
            below(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))).identity(&[HOST]),
        ),
        row("more CAs between than allowed", "more CAs between", below_long(0), below_long(1)),
        row(
            "a CA between for other names",
            "may not do so for its names",
            below(|params| params.name_constraints = Some(permitted("other.test"))).identity(&[HOST]),
            below(|params| params.name_constraints = Some(permitted("h.test"))).identity(&[HOST]),
        ),
        row(
            "a CA between for all names but this",
            "may not do so for its names",
            below(|params| params.name_constraints = Some(excluded("h.test"))).identity(&[HOST]),
            below(|params| params.name_constraints = Some(excluded("other.test"))).identity(&[HOST]),
        ),
    ]
}

fn permitted(domain: &str) -> NameConstraints {
    let permitted_subtrees = vec![GeneralSubtree::DnsName(domain.to_owned())];
    NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() }
}

fn excluded(domain: &str) -> NameConstraints {
    let excluded_subtrees = vec![GeneralSubtree::DnsName(domain.to_owned())];
    NameConstraints { permitted_subtrees: Vec::new(), excluded_subtrees }
}

/// What tells smolget whom to believe.
#[derive(Clone, Copy)]
enum Trust {
    Named,
    System,
}

/// Each row in one run: first the good one, so that there are a session and an idle connection of the host that the bad
/// one could use.
fn judge_all(trust: Trust, versions: Versions) {
    let root = Authority::new();
    let folder = Folder::new();
    let roots = folder.write("roots.pem", root.pem());
    for Row { reason, host, told, bad, good } in rows(&root) {
        let [bad, good] = [bad, good].map(|identity| identity.speaking(versions).serve(|_| Reply::ok("secret body")));
        let run = folder.smolget().args(["--json", "--discard", "-j1", "-H", "Authorization: Bearer token"]);
        let run = match trust {
            Trust::Named => run.args(["--cacert", "roots.pem"]),
            Trust::System => run.arg("--system-roots").env("SSL_CERT_FILE", &roots),
        };
        let run = run.args([&good, &bad].iter().flat_map(|server| ["--resolve".to_owned(), server.resolve(HOST)]));
        let [good_url, bad_url] = [&good, &bad].map(|server| server.url_as(host, "/"));
        let output = run.args([&good_url, &bad_url]).run().exits(1);
        assert_eq!(output.row_of(&good_url)["ok"], true, "{reason}: {}", output.stderr);
        let row = output.row_of(&bad_url);
        assert_eq!(
            (error(&row), &row["attempts"], row.get("status"), row.get("phase")),
            ("tls", &1.into(), None, None),
            "{reason}: {row}"
        );
        assert!(row["message"].as_str().unwrap().contains(told), "{reason}: {row}");
        bad.wait_for_hang_up();
        assert_eq!((bad.bytes(), bad.requests().len(), good.requests().len()), (0, 0, 1), "{reason}");
    }
}

#[test]
fn in_tls_1_2_no_bad_certificate_is_believed_and_every_good_one_is() {
    judge_all(Trust::Named, TLS12);
}

#[test]
fn in_tls_1_3_no_bad_certificate_is_believed_and_every_good_one_is() {
    judge_all(Trust::Named, TLS13);
}

#[test]
fn below_the_systems_roots_it_is_the_same() {
    judge_all(Trust::System, rustls::ALL_VERSIONS);
}
