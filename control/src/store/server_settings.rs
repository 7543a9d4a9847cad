//! What owners decide about their servers: columns of the server's row, and its labels.

use csp_shared::id::ServerId;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    hostname::Hostname,
    server_label::{LabelName, LabelValue, Labels},
    server_settings::{Protection, ServerSettings},
};

impl Read<'_> {
    /// The settings of a server, whoever owns it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_settings(&self, server: ServerId) -> Result<Option<ServerSettings>, StoreError> {
        let sql = "SELECT hostname, auto_renew, protect_destroy, protect_reinstall FROM servers WHERE uuid = ?1";
        let labels = self.server_labels(server)?;
        self.maybe(sql, [server.to_string()], |r| {
            let protection = Protection { destroy: r.get(2)?, reinstall: r.get(3)? };
            let hostname = row::checked(r, 0, Hostname::parse)?;
            Ok(ServerSettings { hostname, labels, auto_renew: r.get(1)?, protection })
        })
    }

    /// The labels of a server, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_labels(&self, server: ServerId) -> Result<Labels, StoreError> {
        let sql = "SELECT t.name, t.value FROM servers s JOIN server_labels t ON t.server_id = s.id WHERE s.uuid = ?1";
        let rows = self.many(sql, [server.to_string()], |r| {
            Ok((row::checked(r, 0, LabelName::parse)?, row::checked(r, 1, LabelValue::parse)?))
        })?;
        Ok(rows.into_iter().collect())
    }
}

impl Tx<'_> {
    /// Stores a server's settings.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn server_settings_put(&mut self, server: ServerId, settings: &ServerSettings) -> Result<(), StoreError> {
        let key = self.key_of("servers", &server.to_string())?;
        let Protection { destroy, reinstall } = settings.protection;
        let sql = "UPDATE servers SET hostname = ?2, auto_renew = ?3, protect_destroy = ?4, protect_reinstall = ?5, \
                   billing_look_at = 0 WHERE id = ?1";
        self.run(sql, (key, settings.hostname.as_str(), settings.auto_renew, destroy, reinstall))?;
        self.news.billing = true;
        self.run("DELETE FROM server_labels WHERE server_id = ?1", [key])?;
        for (name, value) in &settings.labels {
            let sql = "INSERT INTO server_labels (server_id, name, value) VALUES (?1, ?2, ?3)";
            self.run(sql, (key, name.as_str(), value.as_str()))?;
        }
        Ok(())
    }
}
