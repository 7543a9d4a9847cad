//! What is asked about servers, by their customers and by the operator.

use csp_shared::observed::FaultCode;
use serde_json::json;

use super::{
    money::Money,
    service::{Service, Stage},
    world::{CODES, CUSTOMERS, PACKAGES, World},
};

/// Servers at once: the host has room for a few more.
const SERVERS_MAX: usize = 20;

impl World {
    pub(super) async fn order(&mut self) {
        if self.model.services.iter().filter(|service| service.stage != Stage::Over).count() >= SERVERS_MAX {
            return;
        }
        // What is on its way is settled first, so that a failure means this order alone.
        self.obey().await;
        let owner = self.chance.below(CUSTOMERS);
        let package = self.chance.below(PACKAGES.len());
        let (slug, price) = PACKAGES[package];
        let code = Some(self.chance.below(CODES.len() * 2)).filter(|code| *code < CODES.len());
        let mut body = json!({"type": "vps", "package_slug": slug, "os_image_key": "debian-12", "hostname": "a"});
        if let Some(code) = code {
            body["promo_code"] = json!(CODES[code].0);
        }
        let reply = self.ask(owner, "POST", "/servers", &body).await;
        self.note(format!("customer {owner} orders {slug} with {code:?}: {}", reply.status));
        let id = reply.json["data"]["uuid"].as_str().unwrap_or_default().to_owned();
        let expected = self.model.order(owner, (package, Money(price)), code, &id);
        self.agree(&reply, expected);
        match self.chance.below(8) {
            0 => {
                self.host.fail(FaultCode::HypervisorRefused).await;
                self.model.failed();
                self.note("the host refuses it");
            }
            1..=3 => {}
            _ => self.obey().await,
        }
    }

    /// One of the servers that are not over.
    fn any(&mut self) -> Option<usize> {
        let is_there = |at: &usize| self.model.services[*at].stage != Stage::Over;
        let there: Vec<usize> = (0..self.model.services.len()).filter(is_there).collect();
        self.chance.one(&there).copied()
    }

    fn in_use(&mut self) -> Option<usize> {
        self.any().filter(|at| self.model.services[*at].stage == Stage::InUse)
    }

    pub(super) async fn extend(&mut self) {
        // What has expired, seen by a scheduler or not.
        let now = self.model.now;
        let is_late = |service: &Service| service.stage == Stage::InUse && now >= service.paid_until();
        let late = self.model.services.iter().position(is_late).filter(|_| self.chance.below(2) == 0);
        let Some(at) = late.or_else(|| self.in_use()) else { return };
        let most = [1, 2, 2, 12][self.chance.below(4)];
        let months = 1 + u32::try_from(self.chance.below(most)).unwrap();
        let Service { id, owner, .. } = self.model.services[at].clone();
        let reply = self.ask(owner, "POST", &format!("/servers/{id}/extend"), &json!({"months": months})).await;
        self.note(format!("{id} is extended by {months}: {}", reply.status));
        let expected = self.model.extend(at, months);
        self.agree(&reply, expected);
    }

    pub(super) async fn change(&mut self) {
        self.obey().await;
        // What has expired, where no scheduler has seen it yet.
        let now = self.model.now;
        let is_due =
            |service: &Service| service.stage == Stage::InUse && now >= service.paid_until() && !service.is_locked();
        let due = self.model.services.iter().position(is_due);
        let Some(at) = due.or_else(|| self.any()) else { return };
        let Service { id, owner, .. } = self.model.services[at].clone();
        let package = self.chance.below(PACKAGES.len());
        let (slug, price) = PACKAGES[package];
        let body = json!({"package_slug": slug});
        let reply = self.ask(owner, "POST", &format!("/servers/{id}/change-package"), &body).await;
        self.note(format!("{id} becomes {slug}: {}", reply.status));
        let expected = self.model.change(at, package, Money(price));
        self.agree(&reply, expected);
        if self.chance.below(5) == 0 {
            self.host.fail(FaultCode::HypervisorRefused).await;
            self.model.change_failed();
            self.note("the host refuses it");
        }
        self.obey().await;
    }

    pub(super) async fn destroy(&mut self) {
        // What has not run yet, while there is some.
        let waiting = self.model.services.iter().position(|service| service.stage == Stage::Waiting);
        let Some(at) = waiting.filter(|_| self.chance.below(2) == 0).or_else(|| self.any()) else { return };
        let Service { id, owner, .. } = self.model.services[at].clone();
        let reply = self.control.api("POST", &format!("/servers/{id}/destroy")).by(&self.customers[owner]).send().await;
        self.note(format!("{id} is destroyed: {}", reply.status));
        let expected = self.model.destroy(at);
        self.agree(&reply, expected);
        if self.chance.below(3) > 0 {
            self.obey().await;
        }
    }

    pub(super) async fn renews(&mut self) {
        let Some(at) = self.in_use() else { return };
        let Service { id, owner, renews, .. } = self.model.services[at].clone();
        // Seldom off: a history in which nothing renews has little to tell.
        let wish = renews && self.chance.below(2) == 0;
        let wish = !wish;
        let reply = self.ask(owner, "PATCH", &format!("/servers/{id}"), &json!({"auto_renew": wish})).await;
        self.note(format!("{id} renews by itself: {wish}"));
        self.model.services[at].renews = wish;
        self.agree(&reply, Ok(()));
    }

    pub(super) async fn lock(&mut self) {
        let Some(at) = self.in_use() else { return };
        let Service { id, abuse, operator, .. } = self.model.services[at].clone();
        let is_abuse = self.chance.below(2) == 0;
        let is_on = !(if is_abuse { abuse } else { operator });
        // Most servers are not locked: what is locked neither renews nor changes.
        if is_on && self.chance.below(3) > 0 {
            return;
        }
        let (verb, reason) = (if is_on { "lock" } else { "unlock" }, if is_abuse { "abuse" } else { "operator" });
        let reply = self.operate(&format!("/servers/{id}/{verb}"), json!({"reason": reason})).await;
        self.note(format!("{id}: {verb} {reason}: {}", reply.status));
        if is_on {
            self.model.lock(at, is_abuse)
        } else {
            self.model.unlock(at, is_abuse)
        }
        self.agree(&reply, Ok(()));
    }

    pub(super) async fn price(&mut self) {
        let Some(at) = self.in_use() else { return };
        let id = self.model.services[at].id.clone();
        match self.chance.below(4) {
            0 => {
                let reply = self.operate(&format!("/servers/{id}/price/fix"), json!({})).await;
                self.note(format!("{id}: its price is fixed: {}", reply.status));
                self.model.fix(at);
                self.agree(&reply, Ok(()));
            }
            1 => {
                let reply = self.operate(&format!("/servers/{id}/price/release"), json!({})).await;
                self.note(format!("{id}: its price is released: {}", reply.status));
                self.model.release(at);
                self.agree(&reply, Ok(()));
            }
            _ => {
                let price = self.amount(1_500);
                let reply = self.operate("/prices", json!({"server_uuid": id, "price": price.text()})).await;
                self.note(format!("{id}: {} is announced: {}", price.text(), reply.status));
                let expected = if self.model.announce(at, price) { Ok(()) } else { Err("validation_failed") };
                self.agree(&reply, expected);
            }
        }
    }
}
