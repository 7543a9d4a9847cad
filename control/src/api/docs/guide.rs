//! How to begin, and what all requests share. What a deployment may set (limits, allowances) is told by the answers, so no
//! number of it stands here.

use maud::{Markup, html};
use serde_json::json;

use super::{
    ERRORS,
    code::{Curl, block, json as shown},
    layout::DOCUMENT,
    words::line,
};
use crate::{
    api::{body::BODY_BYTES_MAX, page::LIMIT_MAX, router::PREFIX},
    domain::{event, scope::Scope},
};

/// The guide's parts, by name.
pub fn sections(url: &str) -> Vec<(&'static str, Markup)> {
    let mut sections = vec![
        ("Getting started", getting_started(url)),
        ("Keys and scopes", keys()),
        ("Requests and answers", answers()),
        ("Sending a request again", idempotency()),
        ("Trying what costs", dry_run(url)),
        ("Management links", links(url)),
        ("Lists", lists()),
        ("Rate limits", rate_limits()),
    ];
    if DOCUMENT.pointer("/paths/~1events").is_some() {
        sections.push(("Events", events()));
    }
    sections.push(("Errors", errors()));
    sections
}

fn curl(method: &str, url: &str, path: &str, body: Option<&serde_json::Value>) -> Markup {
    let curl = Curl { method, url: format!("{url}{PREFIX}{path}"), signed_in: true, once: body.is_some(), body };
    html! { (curl.command()) }
}

fn getting_started(url: &str) -> Markup {
    let order = json!({
        "type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1.example.com",
        "ssh_keys": ["ssh-ed25519 AAAA… you@laptop"],
    });
    html! {
        p { "Everything is JSON over HTTPS. Send your API key with each request. This shows what is in your wallet:" }
        (block("1. Look", &curl("GET", url, "/balance", None)))
        p { "See what can be ordered, and where there is room for it now, then order. The first month is paid at once." }
        (block("2. Choose", &curl("GET", url, "/packages", None)))
        (block("3. Order", &curl("POST", url, "/servers", Some(&order))))
        p {
            "The answer comes at once with the server's " code { "uuid" } " and address; the server itself is ready when its "
            code { "status" } " is " code { "Online" } "."
        }
        (block("4. Wait", &curl("GET", url, "/servers/UUID", None)))
    }
}

fn keys() -> Markup {
    let means = |scope: Scope| match scope {
        Scope::Read => "looks at everything but screens",
        Scope::Write => "changes what costs nothing",
        Scope::Console => "opens screens",
        Scope::Billing => "looks at the wallet; with `write`, spends from it",
    };
    html! {
        p { (line("A key is sent as `Authorization: Bearer csp_live_…`. It is shown once, when it is made. It may end at a time, \
                   work from some networks alone, and hold some of these scopes:")) }
        dl.scopes-list { @for scope in Scope::ALL { dt { span.scope { (scope.as_str()) } } dd { (line(means(scope))) } } }
        p { (line("`GET /account` tells what the key in use may do. A revoked key is refused from the next request on.")) }
    }
}

fn answers() -> Markup {
    html! {
        ul {
            li { (line("A success has `\"ok\": true` and what was asked for in `data`; a refusal has `\"ok\": false`, a `message` \
                        for people and an `error` for programs.")) }
            li { (line("Money is an exact number of US dollars: `42.50` and `42.5` are equal. Read it as a decimal, not as a float.")) }
            li { (line("Times are UTC, written `2026-06-10 12:00:00`.")) }
            li { (line("A field that is null or empty counts as left out. A field that is not known is refused by its name.")) }
            li { (line(&format!("Bodies are sent as `application/json`, not compressed, of at most {} KiB; a PATCH may call its body `application/merge-patch+json`, too. No body at all equals `{{}}`.", BODY_BYTES_MAX / 1024))) }
            li { (line("What is no HTTP at all (a malformed request line or header) is answered with a bare status and no body, and the connection is closed.")) }
            li { (line("Answers may gain fields. Names, labels and notices are plain text: show them as such.")) }
        }
    }
}

fn idempotency() -> Markup {
    html! {
        p { (line("Networks fail between a request and its answer. Send an `Idempotency-Key` of your choice, best a fresh UUID, with \
                   each POST, PATCH and DELETE, and send the same request with the same key again until there is an answer: it \
                   has its effect once, and the first answer is given again, marked `Idempotent-Replayed: true`, for 24 hours.")) }
        ul {
            li { (line("Refusals are not kept: what changed nothing may be tried again under its key.")) }
            li { (line("A key belongs to one request. With another path or body it is refused: `idempotency_key_reused`.")) }
            li { (line("Two requests at once under one key have one effect, and both get its answer.")) }
        }
    }
}

fn dry_run(url: &str) -> Markup {
    let order =
        json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1.example.com"});
    let example = DOCUMENT.pointer("/components/schemas/Quote").is_some().then(|| {
        json!({"ok": true, "message": "This was a dry run: nothing was changed, and nothing was charged.", "data": {
            "dry_run": true,
            "lines": [{"item": "package", "extra_ip_uuid": null, "from": null, "until": null,
                       "list_price": 6.95, "discount": 0, "total": 6.95}],
            "list_total": 6.95, "discount": 0, "total": 6.95, "credit": 0, "balance": 42.5, "balance_after": 35.55,
            "erases_disk": false,
        }})
    });
    html! {
        p { (line("With `?dry_run=true` whatever costs money is tried and taken back: the answer is what it would cost, or the \
                   refusal that it would have met. It needs the same scopes as the request itself. Only the confirmations of \
                   what erases a disk may wait until it is meant: `erases_disk` tells whether they will be asked for.")) }
        (block("What would this cost?", &curl("POST", url, "/servers?dry_run=true", Some(&order))))
        @if let Some(example) = example { (block("Answer", &shown(&example))) }
    }
}

fn links(url: &str) -> Markup {
    let link = json!({
        "label": "Night shift", "expires_at": "2030-01-31 23:59:59", "permissions": {"restart": true, "console": true},
    });
    html! {
        p { (line("A management link opens a page of one server for whoever has it, without an account and with nothing but what \
                   you allow: `start`, `stop`, `restart`, `reinstall`, `console`, `stats`. It needs the scopes of what it \
                   allows. Its URL is answered once; send it as you would send a password.")) }
        (block("Let a colleague restart it", &curl("POST", url, "/servers/UUID/share-links", Some(&link))))
        p { (line("The list tells how often and from where it was used last, and `GET /servers/{uuid}/actions` what was done by it. \
                   Revoked or expired, it opens nothing more, and screens that it opened end within a second.")) }
    }
}

fn lists() -> Markup {
    html! {
        p { (line(&format!("Lists come whole unless `limit` is given ({LIMIT_MAX} at most; more is cut, and `message` says so), then \
                   `offset` skips entries. `total` says how many there are in all. Their order is stable. Transactions come 25 at \
                   a time, newest first; where an answer has `next_cursor`, send it as `cursor` to go on."))) }
    }
}

fn rate_limits() -> Markup {
    html! {
        p { (line("Requests are counted by key and by address. Each answer tells how things stand, for the one that is nearer to \
                   its end: `RateLimit-Limit` requests a minute, `RateLimit-Remaining` of them now, and `RateLimit-Reset` \
                   seconds until all of them are there again. Beyond it the answer is 429 `rate_limited`, with the seconds to \
                   wait in `Retry-After`. Sign-ins that fail are counted much more strictly; a key that works is never \
                   turned away for what others send from its address.")) }
    }
}

fn events() -> Markup {
    html! {
        p { (line("Whatever happens to your account is an event: follow it at `GET /events` instead of asking again and again. A \
                   follower that lost its connection goes on where it was.")) }
        div.wide { table.fields {
            thead { tr { th { "Event" } th { "Meaning" } } }
            tbody { @for kind in event::Kind::ALL { tr { td { code { (kind.as_str()) } } td { (line(kind.meaning())) } } } }
        } }
    }
}

fn errors() -> Markup {
    html! {
        p { (line("Each refusal has a code of a closed list: ")) a href=(ERRORS) { "every code, what it means, and what to do" } "." }
    }
}
