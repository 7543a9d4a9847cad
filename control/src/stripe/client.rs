//! Asks Stripe for a page where somebody pays (`POST /v1/checkout/sessions`).

use std::time::Duration;

use csp_shared::id::{AccountId, TopUpId};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::Account;
use crate::domain::{money::Cents, time::Time, top_up::CURRENCY};

/// Which of Stripe's dated versions we were written for: it answers in this shape for ever.
const VERSION: &str = "2024-06-20";
/// From the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// What somebody is to pay.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which of ours it is. Asked for again, Stripe answers with the same page.
    pub top_up: TopUpId,
    /// Into whose wallet.
    pub account: AccountId,
    /// How much.
    pub amount: Cents,
    /// Where the browser is led afterwards.
    pub done_url: String,
    /// Where it is led when nobody paid.
    pub left_url: String,
    /// When nobody can pay there any more, by the machine's clock.
    pub ends_at: Time,
}

/// A page where somebody pays.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Page {
    /// Its id.
    pub id: String,
    /// For the browser.
    pub url: String,
}

/// Why there is no page. The key stands in none of these.
#[derive(Debug, thiserror::Error)]
pub enum NoPage {
    /// Stripe did not answer, or not in time.
    #[error("Stripe cannot be reached: {0}")]
    Unreachable(String),
    /// Stripe refused, which is for the operator to mend.
    #[error("Stripe refused with status {status}: {why}")]
    Refused {
        /// Of HTTP.
        status: u16,
        /// In Stripe's words.
        why: String,
    },
    /// An answer that is none.
    #[error("Stripe's answer cannot be read: {0}")]
    Unreadable(String),
}

/// Asks for a page, on a thread that may wait.
///
/// # Errors
/// When there is none.
pub async fn ask_page(account: Account, wanted: Wanted) -> Result<Page, NoPage> {
    let asked = spawn_blocking(move || ask(&account, &wanted)).await;
    asked.map_err(|why| NoPage::Unreachable(why.to_string()))?
}

fn ask(account: &Account, wanted: &Wanted) -> Result<Page, NoPage> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent("csp-control")
        // Settings come from the configuration file, not from the environment.
        .proxy(None)
        .build();
    let unreachable = |why: ureq::Error| NoPage::Unreachable(why.to_string());
    let mut answer = ureq::Agent::from(config)
        .post(format!("{}/v1/checkout/sessions", account.api_url))
        .header("authorization", format!("Bearer {}", account.key.reveal()))
        .header("idempotency-key", format!("top-up-{}", wanted.top_up))
        .header("stripe-version", VERSION)
        .send_form(form(wanted))
        .map_err(unreachable)?;
    let status = answer.status();
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(unreachable)?;
    if !status.is_success() {
        return Err(NoPage::Refused { status: status.as_u16(), why: refusal(&text) });
    }
    let page: Page = serde_json::from_str(&text).map_err(|why| NoPage::Unreadable(why.to_string()))?;
    // The browser is sent there.
    let is_page = page.url.starts_with("https://") || !account.api_url.is_https();
    if is_page { Ok(page) } else { Err(NoPage::Unreadable("its page is not https".to_owned())) }
}

/// One line of a payment, with the amount that we say, and whose it is, for the words that come back.
fn form(wanted: &Wanted) -> Vec<(&'static str, String)> {
    let (top_up, account) = (wanted.top_up.to_string(), wanted.account.to_string());
    vec![
        ("mode", "payment".to_owned()),
        ("success_url", wanted.done_url.clone()),
        ("cancel_url", wanted.left_url.clone()),
        ("client_reference_id", top_up.clone()),
        ("expires_at", wanted.ends_at.0.to_string()),
        ("line_items[0][quantity]", "1".to_owned()),
        ("line_items[0][price_data][currency]", CURRENCY.to_owned()),
        ("line_items[0][price_data][unit_amount]", wanted.amount.get().to_string()),
        ("line_items[0][price_data][product_data][name]", "Account top-up".to_owned()),
        ("metadata[top_up]", top_up.clone()),
        ("metadata[account]", account.clone()),
        ("payment_intent_data[metadata][top_up]", top_up),
        ("payment_intent_data[metadata][account]", account),
    ]
}

/// Stripe's own words, without the echo of a key that a wrong one brings.
fn refusal(text: &str) -> String {
    #[derive(Deserialize)]
    struct Body {
        error: Fault,
    }
    #[derive(Deserialize)]
    struct Fault {
        #[serde(rename = "type")]
        kind: Option<String>,
        code: Option<String>,
        param: Option<String>,
    }
    let Ok(Body { error }) = serde_json::from_str(text) else { return "no reason is given".to_owned() };
    let parts = [error.kind, error.code, error.param].into_iter().flatten();
    parts
        .map(|part| part.chars().filter(char::is_ascii_graphic).take(80).collect::<String>())
        .collect::<Vec<_>>()
        .join(" ")
}
