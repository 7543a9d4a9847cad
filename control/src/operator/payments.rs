//! Payments as whoever takes them tells of them: credits, refunds, disputes; and what the operator gives or puts right.

use axum::extract::State;
use csp_shared::id::AccountId;

use super::{
    accounts::AccountPath,
    wire::payments::{CloseDispute, Correction, Credit, Credited, Dispute, Moved, Return},
};
use crate::{
    api::{
        App,
        account::missing,
        denied::sentence,
        envelope::Answer,
        error::{ApiError, Code},
        field::Faults,
        json::Json,
    },
    domain::{
        label::Label,
        ledger::Book,
        money::Cents,
        payment::{Outcome, Reference},
    },
    service::{
        close_dispute::close_dispute,
        correct_account::{CorrectAccount, CorrectError, correct_account},
        credit_account::{CreditAccount, credit_account, give_goodwill},
        money_in::{self, PaymentError},
        open_dispute::{OpenDispute, open_dispute},
        refund_payment::{RefundPayment, refund_payment},
    },
    store::StoreError,
};

/// `POST /accounts/{uuid}/credits`
pub async fn credit(
    State(app): State<App>,
    AccountPath(account): AccountPath,
    Json(credit): Json<Credit>,
) -> Result<Answer<Credited>, ApiError> {
    let credit = read_credit(account, credit)?;
    let (draw, now) = (app.draw(), app.now());
    let moved = app.store.write(move |tx| credit_account(tx, &credit, draw.clone(), now)).await?;
    Ok(Answer::data(credited(moved)))
}

/// `POST /accounts/{uuid}/goodwill`
pub async fn goodwill(
    State(app): State<App>,
    AccountPath(account): AccountPath,
    Json(gift): Json<Credit>,
) -> Result<Answer<Credited>, ApiError> {
    let gift = read_credit(account, gift)?;
    let (draw, now) = (app.draw(), app.now());
    let moved = app.store.write(move |tx| give_goodwill(tx, &gift, draw.clone(), now)).await?;
    Ok(Answer::data(credited(moved)))
}

/// `POST /accounts/{uuid}/corrections`
pub async fn correct(
    State(app): State<App>,
    AccountPath(account): AccountPath,
    Json(new): Json<Correction>,
) -> Result<Answer<Moved>, ApiError> {
    let mut faults = Faults::default();
    let is_credit = match new.direction.as_str() {
        "credit" => Some(true),
        "debit" => Some(false),
        _ => None,
    };
    let is_credit = faults.parsed(Code::ValidationFailed, "direction", is_credit.ok_or("must be credit or debit"));
    let amount = faults.parsed(Code::ValidationFailed, "amount", new.amount.parse::<Cents>());
    let book = Book::parse(new.book.as_deref().unwrap_or(Book::Revenue.as_str()));
    // What is owed is settled by payments, and by nothing that somebody types.
    let book = book.filter(|book| *book != Book::Receivables).ok_or("must be revenue, topups or promotions");
    let book = faults.parsed(Code::ValidationFailed, "book", book);
    let reference = faults.parsed(Code::ValidationFailed, "reference", Reference::parse(&new.reference));
    let note = faults.parsed(Code::ValidationFailed, "note", Label::parse(&new.note));
    let (Some(is_credit), Some(amount), Some(book), Some(reference), Some(note)) =
        (is_credit, amount, book, reference, note)
    else {
        return Err(faults.refusal());
    };
    let correction = CorrectAccount { account, is_credit, amount, book, reference, note, server: new.server_uuid };
    let (draw, now) = (app.draw(), app.now());
    Ok(done(app.store.write(move |tx| correct_account(tx, &correction, draw.clone(), now)).await?))
}

/// `POST /refunds`
pub async fn refund(State(app): State<App>, Json(new): Json<Return>) -> Result<Answer<Moved>, ApiError> {
    let (payment, reference, amount) = read_return(&new)?;
    let refund = RefundPayment { payment, reference, amount };
    let (draw, now) = (app.draw(), app.now());
    Ok(done(app.store.write(move |tx| refund_payment(tx, &refund, draw.clone(), now)).await?))
}

/// `POST /disputes`
pub async fn dispute(State(app): State<App>, Json(new): Json<Return>) -> Result<Answer<Moved>, ApiError> {
    let (payment, reference, amount) = read_return(&new)?;
    let dispute = OpenDispute { payment, reference, amount };
    let (draw, now) = (app.draw(), app.now());
    Ok(done(app.store.write(move |tx| open_dispute(tx, &dispute, draw.clone(), now)).await?))
}

/// `POST /disputes/close`
pub async fn close(State(app): State<App>, Json(end): Json<CloseDispute>) -> Result<Answer<Moved>, ApiError> {
    let mut faults = Faults::default();
    let reference = faults.parsed(Code::ValidationFailed, "reference", Reference::parse(&end.reference));
    let outcome = Outcome::parse(&end.outcome).ok_or("must be won or lost");
    let outcome = faults.parsed(Code::ValidationFailed, "outcome", outcome);
    let (Some(reference), Some(outcome)) = (reference, outcome) else { return Err(faults.refusal()) };
    let (draw, now) = (app.draw(), app.now());
    Ok(done(app.store.write(move |tx| close_dispute(tx, &reference, outcome, draw.clone(), now)).await?))
}

/// `GET /disputes`
pub async fn disputes(State(app): State<App>) -> Result<Answer<Vec<Dispute>>, ApiError> {
    let all = app.store.read::<_, StoreError>(|read| read.dispute_list()).await?;
    let shown = all.into_iter().map(|dispute| Dispute {
        reference: dispute.reference,
        payment: dispute.payment,
        account: dispute.account,
        amount: dispute.amount.to_string(),
        status: dispute.outcome.map_or("open", Outcome::as_str).to_owned(),
        opened_at: dispute.opened_at.to_string(),
        closed_at: dispute.closed_at.map(|at| at.to_string()),
    });
    Ok(Answer::data(shown.collect()))
}

fn read_credit(account: AccountId, credit: Credit) -> Result<CreditAccount, ApiError> {
    let mut faults = Faults::default();
    // An empty text is none, as in every other request.
    let note = credit.note.filter(|note| !note.is_empty());
    let amount = faults.parsed(Code::ValidationFailed, "amount", credit.amount.parse::<Cents>());
    if note.as_deref().is_some_and(|note| Label::parse(note).is_err()) {
        faults.add(Code::ValidationFailed, "note", "is one line of at most 100 characters");
    }
    let Some(amount) = amount else { return Err(faults.refusal()) };
    faults.into_result()?;
    Ok(CreditAccount { account, amount, reference: credit.reference, note })
}

fn read_return(new: &Return) -> Result<(Reference, Reference, Option<Cents>), ApiError> {
    let mut faults = Faults::default();
    let payment = faults.parsed(Code::ValidationFailed, "payment", Reference::parse(&new.payment));
    let reference = faults.parsed(Code::ValidationFailed, "reference", Reference::parse(&new.reference));
    let amount = new.amount.as_deref().map(str::parse::<Cents>).transpose();
    let amount = faults.parsed(Code::ValidationFailed, "amount", amount);
    match (payment, reference, amount) {
        (Some(payment), Some(reference), Some(amount)) => Ok((payment, reference, amount)),
        _ => Err(faults.refusal()),
    }
}

fn credited(moved: money_in::Moved) -> Credited {
    Credited {
        account: moved.account,
        amount: moved.amount.to_string(),
        balance: moved.balance.to_string(),
        owed: moved.owed.to_string(),
        settled: moved.settled.to_string(),
        credited: !moved.before,
    }
}

fn done(moved: money_in::Moved) -> Answer<Moved> {
    Answer::data(Moved {
        account: moved.account,
        amount: moved.amount.to_string(),
        balance: moved.balance.to_string(),
        owed: moved.owed.to_string(),
        settled: moved.settled.to_string(),
        done: !moved.before,
    })
}

impl From<PaymentError> for ApiError {
    fn from(error: PaymentError) -> Self {
        let reason = error.to_string();
        match error {
            PaymentError::NoAccount(account) => missing(account),
            PaymentError::NoPayment(_) => {
                Self::new(Code::NotFound, sentence(&reason)).naming("payment", "was not credited")
            }
            PaymentError::NoDispute(_) => {
                Self::new(Code::NotFound, sentence(&reason)).naming("reference", "is unknown")
            }
            PaymentError::Zero | PaymentError::Overflow | PaymentError::MoreThanLeft(_) => {
                Self::field(Code::ValidationFailed, "amount", reason)
            }
            PaymentError::Reference(_) => Self::field(Code::ValidationFailed, "reference", reason),
            PaymentError::Differs { .. } => Self::field(Code::AlreadyExists, "reference", reason),
            PaymentError::Insufficient { missing } | PaymentError::Spent { missing, .. } => {
                let short = format!("{missing} USD short");
                Self::new(Code::InsufficientBalance, sentence(&reason)).naming("amount", short)
            }
            PaymentError::Store(error) => error.into(),
        }
    }
}

impl From<CorrectError> for ApiError {
    fn from(error: CorrectError) -> Self {
        let reason = error.to_string();
        match error {
            CorrectError::Payment(error) => error.into(),
            CorrectError::NoServer { .. } => Self::field(Code::ValidationFailed, "server_uuid", reason),
        }
    }
}
