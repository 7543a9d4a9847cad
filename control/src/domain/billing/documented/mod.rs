//! Runs the examples of `docs/billing.md`, so that the document cannot say what the code does not do.
//!
//! Amounts are compared with what the domain decides, and every sum that stands behind an `=` is worked out again here,
//! with fractions and one rounding, by code that the domain does not know. [`lives`] runs what happens by the clock.

mod lives;

use std::collections::BTreeMap;

use time::{Date, Month, PrimitiveDateTime, Time as Clock};

use super::{
    destroy::{self, DestroyCredit},
    extend::{PaidSoFar, extend, period},
    extra_ip, package,
    price::Price,
    promo::{Discount, Duration, Terms},
    quote::{Charge, Quote},
    renewal::Prices,
    tests::{Book, lease},
};
use crate::domain::{billing::line::Thing, money::Cents, time::Time};

const DOCUMENT: &str = include_str!("../../../../../docs/billing.md");

#[test]
fn every_example_of_the_document_is_what_the_code_decides() {
    let (mut examples, mut sums) = (0, 0);
    for part in DOCUMENT.split("```example\n").skip(1) {
        let text = part.split("```").next().unwrap();
        sums += World::default().run(text);
        examples += 1;
    }
    assert!(examples > 10 && sums > 20, "{examples} examples with {sums} sums: the document lost some");
}

/// What an example is about.
#[derive(Default)]
struct World {
    services: BTreeMap<String, Service>,
    said: Vec<String>,
}

struct Service {
    book: Book,
    anchor: Option<Time>,
    price: Price,
    ips: Vec<(String, Cents, Time)>,
    promo: Option<Terms>,
    stood_still: bool,
    /// What the last change took, and how everything was before it.
    undo: Option<(Cents, Book, Price)>,
}

impl World {
    /// Runs one block; answers how many sums it wrote out.
    fn run(&mut self, text: &str) -> usize {
        let mut sums = 0;
        for line in text.lines() {
            match line.strip_prefix("=> ") {
                None => {
                    assert!(self.said.is_empty(), "before `{line}` the document leaves out: {:?}", self.said);
                    self.said = self.happens(line);
                    self.said.reverse();
                }
                Some(wanted) => {
                    let (wanted, sum) = wanted.split_once(" = ").map_or((wanted, None), |(w, s)| (w, Some(s)));
                    assert_eq!(self.said.pop().as_deref(), Some(wanted), "in:\n{text}");
                    if let Some(sum) = sum {
                        let amount = wanted.rsplit(' ').next().unwrap();
                        assert_eq!(Sum::of(sum), amount.parse().unwrap(), "{wanted} = {sum}");
                        sums += 1;
                    }
                }
            }
        }
        assert!(self.said.is_empty(), "the document leaves out: {:?} in:\n{text}", self.said);
        sums
    }

    fn happens(&mut self, line: &str) -> Vec<String> {
        let (now, rest) = (at(&line[..19]), &line[20..]);
        let words: Vec<&str> = rest.split(' ').collect();
        let (name, words) = words.split_first().unwrap();
        if let ["order", price, terms @ ..] = words {
            let (service, said) = Service::ordered(amount(price), terms, now);
            assert!(self.services.insert((*name).to_owned(), service).is_none());
            return said;
        }
        if let ["move-ip", ip, target] = words {
            return self.moves(name, target, ip, now);
        }
        let service = self.services.get_mut(*name).unwrap();
        match words {
            ["online"] => service.online(now),
            ["extend", months] => service.extend(months.parse().unwrap(), now),
            ["package", price] => service.package(amount(price), now),
            ["change", "fails"] => service.change_fails(),
            ["add-ip", ip, price] => service.add_ip(ip, amount(price), now),
            ["remove-ip", ip] => service.remove_ip(ip, now),
            ["destroy", policy] => service.destroy(policy, now),
            ["announce", price] => service.announce(amount(price), None, now),
            ["announce", price, "from", day, hour] => {
                service.announce(amount(price), Some(at(&format!("{day} {hour}"))), now)
            }
            ["stands", "still"] => {
                service.stood_still = true;
                vec![]
            }
            other => panic!("not understood: {other:?}"),
        }
    }

    fn moves(&mut self, source: &str, target: &str, ip: &str, now: Time) -> Vec<String> {
        let (mut from, mut to) = (self.services.remove(source).unwrap(), self.services.remove(target).unwrap());
        let at = from.ips.iter().position(|(known, ..)| known == ip).unwrap();
        let address = from.ips.swap_remove(at);
        let moved = extra_ip::move_to(&from.book.paid, &to.book.paid, ip_id(ip), address.1, now);
        from.book.post(&moved.source, from.anchor, now);
        to.book.post(&moved.target, to.anchor, now);
        to.ips.push(address);
        self.services.extend([(source.to_owned(), from), (target.to_owned(), to)]);
        let (pays, gets) = moved.net();
        if gets.is_zero() { vec![format!("charge {pays}")] } else { vec![format!("credit {gets}")] }
    }
}

impl Service {
    fn ordered(price: Cents, terms: &[&str], now: Time) -> (Self, Vec<String>) {
        let promo = match terms {
            [] | ["less", _] => None,
            ["promo", off, duration] => {
                let discount = match off.strip_suffix('%') {
                    Some(percent) => Discount::Percent(percent.parse().unwrap()),
                    None => Discount::Amount(amount(off)),
                };
                Some(Terms { discount, duration: Duration::parse(duration).unwrap() })
            }
            other => panic!("not understood: {other:?}"),
        };
        let mut service = Self {
            book: Book::default(),
            anchor: None,
            price: Price::of(price),
            ips: vec![],
            promo,
            stood_still: false,
            undo: None,
        };
        let mut charges = service.prices(now).charges(0);
        if let ["less", off] = terms {
            charges = vec![Charge::whole(0, Thing::Package, price, amount(off))];
        }
        let said = service.post(&Quote { charges, credits: vec![] }, now);
        (service, said)
    }

    fn prices(&self, now: Time) -> Prices {
        let ips = self.ips.iter().map(|(ip, price, _)| (ip_id(ip), *price)).collect();
        Prices { package: self.price.at(now), ips, promo: self.promo }
    }

    /// Posts and says what a customer sees of it.
    fn post(&mut self, quote: &Quote, now: Time) -> Vec<String> {
        self.book.post(quote, self.anchor, now);
        let discount = Some(quote.discount()).filter(|discount| !discount.is_zero());
        let mut said = if quote.charges.is_empty() {
            vec![format!("credit {}", quote.credited())]
        } else {
            vec![format!("charge {}", quote.charged())]
        };
        said.extend(discount.map(|discount| format!("discount {discount}")));
        said
    }

    fn paid(&self) -> PaidSoFar {
        let last = self.book.paid.iter().map(|period| period.ordinal).max().unwrap();
        PaidSoFar { anchor: self.anchor.unwrap(), last, stood_still: self.stood_still }
    }

    fn online(&mut self, now: Time) -> Vec<String> {
        self.anchor = Some(now);
        self.book.paid[0].span = Some(period(now, 0));
        vec![format!("paid until {}", self.paid().paid_until())]
    }

    fn extend(&mut self, months: u32, now: Time) -> Vec<String> {
        match extend(self.paid(), &self.prices(now), months, now) {
            Ok(extension) => {
                let mut said = self.post(&extension.quote, now);
                assert_eq!(extension.paid_until, self.paid().paid_until());
                said.push(format!("paid until {}", extension.paid_until));
                said
            }
            Err(why) => vec![format!("refused: {why}")],
        }
    }

    fn package(&mut self, price: Cents, now: Time) -> Vec<String> {
        let quote = package::change(&self.book.paid, self.price.at(now), price, now);
        self.undo = Some((quote.charged(), self.book.clone(), self.price.clone()));
        self.price = Price::of(price);
        self.post(&quote, now)
    }

    /// Its own debit comes back, whatever the clock says by then.
    fn change_fails(&mut self) -> Vec<String> {
        let (taken, book, price) = self.undo.take().unwrap();
        (self.book, self.price) = (book, price);
        vec![format!("reversed {taken}")]
    }

    fn add_ip(&mut self, ip: &str, price: Cents, now: Time) -> Vec<String> {
        let quote = extra_ip::add(&self.book.paid, ip_id(ip), price, now);
        self.ips.push((ip.to_owned(), price, now));
        self.post(&quote, now)
    }

    fn remove_ip(&mut self, ip: &str, now: Time) -> Vec<String> {
        let at = self.ips.iter().position(|(known, ..)| known == ip).unwrap();
        let (_, _, added) = self.ips.swap_remove(at);
        let quote = extra_ip::remove(&self.book.paid, ip_id(ip), added, now);
        self.post(&quote, now)
    }

    fn destroy(&mut self, policy: &str, now: Time) -> Vec<String> {
        let policy = DestroyCredit::ALL.into_iter().find(|known| known.as_str() == policy).unwrap();
        let added: Vec<_> = self.ips.iter().map(|(ip, _, added)| (ip_id(ip), *added)).collect();
        let quote = destroy::credit(&self.book.paid, policy, &added, now);
        self.post(&quote, now)
    }

    fn announce(&mut self, price: Cents, wished: Option<Time>, now: Time) -> Vec<String> {
        match self.price.announce(price, wished, now) {
            Ok(announced) => {
                self.price.announced.push(announced);
                vec![format!("begins {}", announced.effective_at)]
            }
            Err(why) => vec![format!("refused: {why}")],
        }
    }
}

fn ip_id(name: &str) -> csp_shared::id::LeaseId {
    lease(u128::from(name.as_bytes()[0]))
}

fn amount(text: &str) -> Cents {
    text.parse().unwrap_or_else(|_| panic!("{text} is no amount"))
}

fn at(text: &str) -> Time {
    let number = |range: std::ops::Range<usize>| text[range].parse::<u16>().unwrap();
    let month = Month::try_from(number(5..7) as u8).unwrap();
    let date = Date::from_calendar_date(i32::from(number(0..4)), month, number(8..10) as u8).unwrap();
    let clock = Clock::from_hms(number(11..13) as u8, number(14..16) as u8, number(17..19) as u8).unwrap();
    Time(PrimitiveDateTime::new(date, clock).assume_utc().unix_timestamp())
}

/// A written sum: numbers, `+ - * /`, `( )`, and `[ ]` for what is rounded on its own.
struct Sum<'t> {
    words: std::iter::Peekable<std::vec::IntoIter<&'t str>>,
}

/// A fraction of cents.
#[derive(Clone, Copy)]
struct Fraction(i128, i128);

impl<'t> Sum<'t> {
    /// Its value in cents, rounded half up.
    fn of(text: &'t str) -> Cents {
        let mut words: Vec<&str> = Vec::new();
        for word in text.split(' ') {
            let open = word.len() - word.trim_start_matches(['(', '[']).len();
            let bare = word.trim_start_matches(['(', '[']).trim_end_matches([')', ']']);
            words.extend(word[..open].split("").filter(|sign| !sign.is_empty()));
            words.push(bare);
            words.extend(word[open + bare.len()..].split("").filter(|sign| !sign.is_empty()));
        }
        let mut sum = Sum { words: words.into_iter().peekable() };
        let value = sum.sum().rounded();
        assert_eq!(sum.words.next(), None, "{text}");
        Cents::new(i64::try_from(value.0).unwrap()).unwrap()
    }

    fn sum(&mut self) -> Fraction {
        let mut value = self.product();
        while let Some(sign) = self.words.next_if(|word| ["+", "-"].contains(word)) {
            let Fraction(above, below) = self.product();
            let above = if sign == "+" { above } else { -above };
            value = Fraction(value.0 * below + above * value.1, value.1 * below);
        }
        value
    }

    fn product(&mut self) -> Fraction {
        let mut value = self.value();
        while let Some(sign) = self.words.next_if(|word| ["*", "/"].contains(word)) {
            let Fraction(above, below) = self.value();
            let (above, below) = if sign == "*" { (above, below) } else { (below, above) };
            value = Fraction(value.0 * above, value.1 * below);
        }
        value
    }

    /// An amount in cents, a plain number, or a time in seconds.
    fn value(&mut self) -> Fraction {
        let word = self.words.next().unwrap();
        if word == "(" || word == "[" {
            let inner = self.sum();
            self.words.next().unwrap();
            return if word == "[" { inner.rounded() } else { inner };
        }
        if let Some((whole, part)) = word.split_once('.') {
            return Fraction(format!("{whole}{part}").parse().unwrap(), 1);
        }
        let mut number: i128 = word.parse().unwrap();
        let unit =
            |word: &&str| [("d", 86_400), ("h", 3_600)].iter().find_map(|(name, s)| (name == word).then_some(*s));
        if let Some(seconds) = self.words.peek().and_then(unit) {
            self.words.next();
            number *= seconds;
            // `30 d 10 h`
            if self.words.peek().is_some_and(|word| word.parse::<i128>().is_ok()) {
                number += self.value().0;
            }
        }
        Fraction(number, 1)
    }
}

impl Fraction {
    fn rounded(self) -> Self {
        let Self(above, below) = self;
        Self((2 * above + below).div_euclid(2 * below), 1)
    }
}
