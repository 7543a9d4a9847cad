//! The server's page: what it is, what is under way, and a part for each thing that the link allows.

use maud::{Markup, html};

use super::{
    Notice,
    frame::frame,
    state, usage,
    words::{action, denial, failure, name},
};
use crate::{
    api::{
        manage::{
            reinstall::{CONFIRM, DISK, IMAGE},
            session::{Browser, CHECK},
            show::Shown,
        },
        state::Settings,
    },
    domain::{
        allowed::{Ask, allow},
        server::Status,
        share_link::Permission,
    },
};

/// What the table of requests calls what a link can ask for.
const ASKED: [(Permission, Ask); 5] = [
    (Permission::Start, Ask::Start),
    (Permission::Stop, Ask::Stop),
    (Permission::Restart, Ask::Restart),
    (Permission::Console, Ask::Console),
    (Permission::Reinstall, Ask::Reinstall),
];

/// For each thing that can be asked for, why the state does not allow it now; None when it does.
pub fn parts(shown: &Shown) -> Vec<Option<&'static str>> {
    ASKED.iter().map(|(permission, _)| hindrance(shown, *permission)).collect()
}

fn hindrance(shown: &Shown, permission: Permission) -> Option<&'static str> {
    let (_, ask) = ASKED.iter().find(|(own, _)| *own == permission)?;
    match permission {
        // The table lets what changes nothing through; a button that changes nothing is a puzzle.
        Permission::Start if shown.view.status == Status::Online => Some("The server is running."),
        Permission::Stop if shown.view.status == Status::Offline => Some("The server is off."),
        _ => allow(*ask, &shown.standing).err().map(|denied| denial(&denied)),
    }
}

/// The page.
pub fn page(settings: &Settings, shown: &Shown, browser: &Browser, notice: Option<&Notice>) -> Markup {
    let (view, now) = (&shown.view, state(shown));
    let content = html! {
        header.card.server {
            h1 { (view.hostname) }
            p.status data-status=(view.status.as_str()) { span.dot aria-hidden="true" {} span #status { (view.status.as_str()) } }
            p.action #action role="status" { (action(view.action.as_ref())) }
        }
        @if let Some(notice) = notice { (told(notice)) }
        @else if let Some(failed) = &shown.failed { p.notice.note.bad role="alert" { (failure(failed)) } }
        (power(shown, browser))
        @if let Some(used) = &shown.used { (usage::section(used)) }
        @if shown.visit.permissions.grant(Permission::Reinstall) { (reinstall(shown, browser)) }
        div.end.small.quiet {
            @if let Some(end) = shown.visit.expires_at { p { "This link works until " time { (end) " UTC" } "." } }
            form method="post" action="/manage/leave" {
                (check(browser))
                button.plain-button.small type="submit" { "Leave this page on this device" }
            }
        }
    };
    // A password that is shown once must not be taken away by the page's script.
    let is_kept = matches!(notice, Some(Notice::Reinstalling { password: Some(_) }));
    frame(settings, &view.hostname, (!is_kept).then_some(now.state.as_str()), &content)
}

fn check(browser: &Browser) -> Markup {
    html! { input type="hidden" name=(CHECK) value=(browser.check); }
}

fn told(notice: &Notice) -> Markup {
    match notice {
        Notice::Queued(asked) => html! { p.notice.note.good role="status" { (name(*asked)) " has been queued." } },
        Notice::Refused(why) => html! { p.notice.note.bad role="alert" { (why) } },
        Notice::Reinstalling { password: None } => html! {
            p.notice.note.good role="status" { "Reinstall has been queued. The keys that opened the server open it again." }
        },
        Notice::Reinstalling { password: Some(password) } => html! {
            section.notice.note.good.stack role="status" {
                p { "Reinstall has been queued. This is the new password of " strong { "root" } ". It is shown this once:" }
                p { code.password { (password.reveal()) } }
                p { a.button.primary href="/manage" { "I have kept it" } }
            }
        },
    }
}

/// A button for each of these that the link allows, and none for the others.
fn power(shown: &Shown, browser: &Browser) -> Markup {
    let buttons = [Permission::Start, Permission::Stop, Permission::Restart, Permission::Console];
    let granted: Vec<Permission> =
        buttons.into_iter().filter(|permission| shown.visit.permissions.grant(*permission)).collect();
    let reasons: Vec<_> = granted.iter().map(|permission| hindrance(shown, *permission)).collect();
    // What stands in the way of all of them is said once.
    let common = reasons.first().copied().flatten().filter(|first| reasons.iter().all(|why| *why == Some(*first)));
    html! {
        @if !granted.is_empty() {
            section.card aria-label="What you can do" {
                div.buttons {
                    @for (permission, why) in granted.iter().zip(&reasons) {
                        (button(browser, *permission, *why, common.is_some()))
                    }
                }
                @if let Some(why) = common { p.why #why-all { (why) } }
            }
        }
    }
}

fn button(browser: &Browser, permission: Permission, why: Option<&str>, is_said_below: bool) -> Markup {
    let word = permission.as_str();
    // A screen has a page of its own, which learns nothing of this one.
    let is_console = permission == Permission::Console;
    let described = if is_said_below { "why-all".to_owned() } else { format!("why-{word}") };
    html! {
        form method="post" action={ "/manage/" (word) } target=[is_console.then_some("_blank")]
            rel=[is_console.then_some("noopener")] {
            (check(browser))
            button.primary type="submit" disabled[why.is_some()] aria-describedby=[why.map(|_| &described)] { (name(permission)) }
            @if let (Some(why), false) = (why, is_said_below) { p.why id=(described) { (why) } }
        }
    }
}

fn reinstall(shown: &Shown, browser: &Browser) -> Markup {
    let hindrance = hindrance(shown, Permission::Reinstall);
    let (_, current, ..) = &shown.view.image;
    html! {
        section.card aria-labelledby="reinstall" {
            h2 #reinstall { "Reinstall" }
            p { "Makes the disk anew. " strong { "All data on the server is lost." } }
            @if let Some(why) = hindrance { p.why { (why) } }
            @else {
                details {
                    summary { "Reinstall this server…" }
                    form.stack method="post" action="/manage/reinstall" {
                        (check(browser))
                        @if let Some(disk) = shown.disk { input type="hidden" name=(DISK) value=(disk.0); }
                        div.field {
                            label for="image" { "System" }
                            select #image name=(IMAGE) required {
                                @for image in &shown.images {
                                    option value=(image.key) selected[image.key == *current] { (image.name) " " (image.version) }
                                }
                            }
                        }
                        div.field {
                            label for="confirm" { "Type " code { (shown.view.hostname) } " to confirm" }
                            input #confirm name=(CONFIRM) type="text" required autocomplete="off" autocapitalize="none"
                                spellcheck="false";
                        }
                        button.danger.primary type="submit" { "Erase and reinstall" }
                    }
                }
            }
        }
    }
}
