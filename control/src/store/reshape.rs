//! What reinstalls and other packages change of a server, and what was before.

use csp_shared::{
    generation::{DiskEpoch, Version},
    id::{ActionId, ServerId},
    spec::ServerSpec,
};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row, traffic::quota};
use crate::domain::{
    reshape::{Shape, Sold},
    time::Time,
};

/// A change that an action brings about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReshapeRow {
    /// What was, and is put back.
    pub before: Shape,
    /// What is wanted.
    pub after: Shape,
    /// Ordinal of the last period that was paid at acceptance.
    pub period: u32,
    /// Why it is being given up: a code, and a sentence for the customer.
    pub given_up: Option<(String, String)>,
}

fn json<T: serde::de::DeserializeOwned>(r: &Row<'_>, column: usize) -> Result<T, StoreError> {
    serde_json::from_str(&r.get::<_, String>(column)?).map_err(|why| StoreError::Damaged(why.to_string()))
}

fn text<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|why| StoreError::Damaged(why.to_string()))
}

impl Read<'_> {
    /// What an action changes; nothing for one that only changes power.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reshape_get(&self, action: ActionId) -> Result<Option<ReshapeRow>, StoreError> {
        let sql = "SELECT r.before, r.after, r.period, r.given_up_code, r.given_up_message FROM reshapes r \
                   JOIN actions x ON x.id = r.action_id WHERE x.uuid = ?1";
        self.maybe(sql, [action.to_string()], |r| {
            let (code, message): (Option<String>, Option<String>) = (r.get(3)?, r.get(4)?);
            let (before, after) = (json(r, 0)?, json(r, 1)?);
            Ok(ReshapeRow { before, after, period: row::number(r, 2)?, given_up: code.zip(message) })
        })
    }

    /// The newest disk epoch that was ever asked for beyond the first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reshape_disk_epoch(&self, server: ServerId) -> Result<Option<DiskEpoch>, StoreError> {
        let sql = "SELECT r.disk_epoch FROM reshapes r JOIN servers s ON s.id = r.server_id WHERE s.uuid = ?1 \
                   ORDER BY r.disk_epoch DESC LIMIT 1";
        self.maybe(sql, [server.to_string()], |r| Ok(DiskEpoch(row::number(r, 0)?)))
    }

    /// What was sold and chosen of a server.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sold_get(&self, server: ServerId) -> Result<Option<Sold>, StoreError> {
        let sql = "SELECT k.uuid, s.package_monthly_cents, s.price_fixed, i.uuid, h.uuid, s.chosen_key, s.authorized_keys, \
                   s.traffic_bytes, s.traffic_shape_mbit \
                   FROM servers s JOIN packages k ON k.id = s.package_id JOIN images i ON i.id = s.image_id \
                   LEFT JOIN ssh_keys h ON h.id = s.ssh_key_id WHERE s.uuid = ?1";
        self.maybe(sql, [server.to_string()], |r| {
            Ok(Sold {
                package: row::parsed(r, 0)?,
                monthly_cents: r.get(1)?,
                price_fixed: r.get(2)?,
                image: row::parsed(r, 3)?,
                ssh_key: row::parsed_maybe(r, 4)?,
                chosen_key: r.get(5)?,
                authorized_keys: json(r, 6)?,
                traffic: quota(r, 7)?,
            })
        })
    }
}

impl Tx<'_> {
    /// Notes what an action changes. The action is stored already.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn reshape_insert(
        &mut self,
        action: ActionId,
        before: &Shape,
        after: &Shape,
        period: u32,
    ) -> Result<(), StoreError> {
        let key = self.key_of("actions", &action.to_string())?;
        let server = self.key_of("servers", &after.spec.server.to_string())?;
        let sql = "INSERT INTO reshapes (action_id, server_id, disk_epoch, before, after, period) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.insert(sql, (key, server, after.spec.disk_epoch.0, text(before)?, text(after)?, period)).map(drop)
    }

    /// Notes why a change is given up, or with nothing that it goes on after all; its action ends with another version.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn reshape_turn(
        &mut self,
        action: ActionId,
        given_up: Option<(&str, &str)>,
        wanted: Version,
        deadline_at: Option<Time>,
    ) -> Result<(), StoreError> {
        let key = self.key_of("actions", &action.to_string())?;
        let (code, message) = given_up.unzip();
        let sql = "UPDATE reshapes SET given_up_code = ?2, given_up_message = ?3 WHERE action_id = ?1";
        self.run(sql, (key, code, message))?;
        let sql = "UPDATE actions SET incarnation = ?2, generation = ?3, deadline_at = ?4 WHERE id = ?1";
        let (incarnation, generation) = (row::signed(wanted.incarnation.0), row::signed(wanted.generation.0));
        self.run(sql, (key, incarnation, generation, deadline_at.map(|at| at.0))).map(drop)
    }

    /// Makes a server's row say what is sold and chosen. A key that the account no longer has is chosen by nobody.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn sold_put(&mut self, sold: &Sold, spec: &ServerSpec) -> Result<(), StoreError> {
        let package = self.key_of("packages", &sold.package.to_string())?;
        let image = self.key_of("images", &sold.image.to_string())?;
        let sql = "UPDATE servers SET package_id = ?2, package_monthly_cents = ?3, price_fixed = ?4, cpu = ?5, ram_mb = ?6, \
                   disk_gb = ?7, image_id = ?8, ssh_key_id = (SELECT id FROM ssh_keys WHERE uuid = ?9), chosen_key = ?10, \
                   authorized_keys = ?11, traffic_bytes = ?12, traffic_shape_mbit = ?13, billing_look_at = 0 WHERE uuid = ?1";
        let params = rusqlite::params![
            spec.server.to_string(),
            package,
            sold.monthly_cents,
            sold.price_fixed,
            spec.cpus,
            spec.ram_mib,
            spec.disk_gib,
            image,
            sold.ssh_key.map(|key| key.to_string()),
            sold.chosen_key,
            text(&sold.authorized_keys)?,
            sold.traffic.map(|quota| row::signed(quota.bytes)),
            sold.traffic.and_then(|quota| quota.shape_mbit_per_second)
        ];
        self.run(sql, params).map(drop)
    }
}
