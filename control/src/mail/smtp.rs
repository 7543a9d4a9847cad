//! Hands letters to a mail server by SMTP, step by step: which step was refused decides what is to be done about it.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use csp_shared::secret::Secret;
use lettre::{
    Message,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        self,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        commands,
        extension::ClientId,
    },
};
use tokio::time::timeout;

use super::Courier;
use crate::{
    config::{
        Brand,
        mail::{Mail, Tls},
    },
    domain::{letter::Delivery, time::Time},
    store::MailRow,
};

/// How long a server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refusals for good that say something about this program's sign-in even where they answer the recipient or the message
/// (RFC 4954, 6): whoever mends the configuration wants its letters sent. 504 and 530 are a server that wants another
/// sign-in, or TLS, first.
const NOT_ABOUT_THE_LETTER: [u16; 5] = [504, 530, 534, 535, 538];

/// What a server's answer is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// The server, the way there, or this program: another letter would fare no better, and this one may tomorrow.
    Server,
    /// The recipient or the message.
    Letter,
}

/// A mail server, and how it is spoken to.
pub struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    parameters: TlsParameters,
    name: ClientId,
    credentials: Option<Credentials>,
    from: Mailbox,
    signature: String,
}

impl fmt::Debug for Smtp {
    // It holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp(from {})", self.from)
    }
}

impl Smtp {
    /// A server of the configuration, with the password that its file held. Letters are signed by the provider, and say where to
    /// ask.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(mail: &Mail, brand: &Brand, password: Option<&Secret>) -> Result<Self, smtp::Error> {
        let Mailbox { name, email } = mail.from.0.clone();
        let from = Mailbox::new(name.or_else(|| Some(brand.name.clone())), email);
        let host = mail.server.host().to_owned();
        let signing_in = mail.user.as_ref().zip(password);
        Ok(Self {
            parameters: TlsParameters::new(host.clone())?,
            host,
            port: mail.server.port(),
            tls: mail.tls,
            name: ClientId::Domain(from.email.domain().to_owned()),
            credentials: signing_in
                .map(|(user, password)| Credentials::new(user.clone(), password.reveal().to_owned())),
            from,
            signature: signature(brand),
        })
    }

    /// A connection that a letter can be sent over: greeted, encrypted as asked for, signed in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let from_the_start = (self.tls == Tls::Tls).then(|| self.parameters.clone());
        let place = (self.host.as_str(), self.port);
        let mut line =
            AsyncSmtpConnection::connect_tokio1(place, Some(PATIENCE), &self.name, from_the_start, None).await?;
        if self.tls == Tls::Starttls {
            line.starttls(self.parameters.clone(), &self.name).await?;
        }
        if let Some(credentials) = &self.credentials {
            line.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(line)
    }

    async fn hand_over(&self, message: &Message) -> Result<(), Delivery> {
        let envelope = message.envelope();
        let mut line = answer(About::Server, self.connect()).await?;
        // The builder encodes whatever is not ASCII, so the sender asks for no extension.
        let sender = commands::Mail::new(envelope.from().cloned(), Vec::new());
        answer(About::Server, line.command(sender)).await?;
        for recipient in envelope.to() {
            let recipient = commands::Rcpt::new(recipient.clone(), Vec::new());
            answer(About::Letter, line.command(recipient)).await?;
        }
        answer(About::Letter, line.command(commands::Data)).await?;
        answer(About::Letter, line.message(&message.formatted())).await?;
        // It has the letter: how it takes leave is of no account.
        let _ = timeout(PATIENCE, line.quit()).await;
        Ok(())
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
            .body(format!("{}{}", letter.letter.body, self.signature))
            .map_err(|why| why.to_string())
    }
}

/// After the line that mail programs know a signature by (RFC 3676, 4.3).
fn signature(Brand { name, support, .. }: &Brand) -> String {
    let support = support.iter().map(|support| format!("{support}\n"));
    format!("\n-- \n{name}\n{}", support.collect::<String>())
}

impl Courier for Smtp {
    async fn carry(&self, letter: &MailRow) -> Delivery {
        let message = match self.message(letter) {
            Ok(message) => message,
            Err(why) => return Delivery::Refused(why),
        };
        match self.hand_over(&message).await {
            Ok(()) => Delivery::Taken,
            Err(delivery) => delivery,
        }
    }
}

/// Waits for a server's answer, and says what a refusal means.
async fn answer<T>(about: About, step: impl Future<Output = Result<T, smtp::Error>>) -> Result<T, Delivery> {
    match timeout(PATIENCE, step).await {
        Ok(answer) => answer.map_err(|why| refused(about, &why)),
        Err(_) => Err(Delivery::Later(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

fn refused(about: About, why: &smtp::Error) -> Delivery {
    let code = why.status().map(u16::from);
    let for_good =
        about == About::Letter && why.is_permanent() && code.is_none_or(|code| !NOT_ABOUT_THE_LETTER.contains(&code));
    let mut text = why.to_string();
    let mut cause = std::error::Error::source(why);
    while let Some(next) = cause {
        // Some say what their cause says, others do not.
        let next_text = next.to_string();
        text = if text.ends_with(&next_text) { text } else { format!("{text}: {next_text}") };
        cause = next.source();
    }
    // A server's words, into the log and before an operator: bounded, and on one line.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    if for_good { Delivery::Refused(text) } else { Delivery::Later(text) }
}
