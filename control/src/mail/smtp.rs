//! Hands letters to a mail server by SMTP.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use csp_shared::secret::Secret;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{self, authentication::Credentials, extension::ClientId},
};

use super::Courier;
use crate::{
    config::mail::{Mail, Tls},
    domain::{letter::Delivery, time::Time},
    store::MailRow,
};

/// How long a server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refusals for good that say something about this program's sign-in, not about the letter (RFC 4954, 6): whoever mends the
/// configuration wants its letters sent. 504 and 530 are a server that wants another sign-in, or TLS, first.
const NOT_ABOUT_THE_LETTER: [u16; 5] = [504, 530, 534, 535, 538];

/// A mail server, and how it is spoken to.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for Smtp {
    // The transport holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp(from {})", self.from)
    }
}

impl Smtp {
    /// A server of the configuration, with the password that its file held.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(mail: &Mail, password: Option<&Secret>) -> Result<Self, smtp::Error> {
        let from: Mailbox = mail.from.0.clone();
        let (host, port) = (mail.server.host(), mail.server.port());
        let builder = match mail.tls {
            Tls::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host)?,
            Tls::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(host)?,
            Tls::None => AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host),
        };
        let name = ClientId::Domain(from.email.domain().to_owned());
        let mut builder = builder.port(port).timeout(Some(PATIENCE)).hello_name(name);
        if let (Some(user), Some(password)) = (&mail.user, password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// The letter as it travels. The builder encodes whatever stands in it, so nothing can become a header of its own.
    fn message(&self, letter: &MailRow) -> Result<Message, String> {
        let to: Mailbox = letter.recipient.parse().map_err(|why| format!("the address cannot be written to: {why}"))?;
        let Time(seconds) = letter.created_at;
        let date = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.letter.subject.clone())
            .date(date)
            // The same however often it is sent.
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.letter.body.clone())
            .map_err(|why| why.to_string())
    }
}

impl Courier for Smtp {
    async fn carry(&self, letter: &MailRow) -> Delivery {
        let message = match self.message(letter) {
            Ok(message) => message,
            Err(why) => return Delivery::Refused(why),
        };
        match self.transport.send(message).await {
            Ok(_) => Delivery::Taken,
            Err(why) => said(&why),
        }
    }
}

fn said(why: &smtp::Error) -> Delivery {
    let code = why.status().map(u16::from);
    let for_good = why.is_permanent() && code.is_none_or(|code| !NOT_ABOUT_THE_LETTER.contains(&code));
    let mut text = why.to_string();
    let mut cause = std::error::Error::source(why);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    // A server's words, into the log and before an operator: bounded, and on one line.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    if for_good { Delivery::Refused(text) } else { Delivery::Later(text) }
}
