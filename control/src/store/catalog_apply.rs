//! Bringing the stored catalog to what a file says. Compared column by column, so that applying it twice changes
//! nothing and a dry run is the same code, rolled back. What the file no longer names is retired, never deleted.

use rusqlite::{params_from_iter, types::Value};

use super::{StoreError, Tx, catalog::format_str, row};
use crate::domain::{
    billing::promo::{Discount, Promo},
    catalog::{AddressPool, Catalog, Location, OsImage, Package, PrivateRangeEntry},
    draw::Draw,
    gigabytes::Gigabytes,
    makeup::CpuWord,
    money::Cents,
    segment::{PrivateRange, Segments},
    time::Time,
};

/// One difference between the store and a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogChange {
    /// `location`, `package`, `image`, `pool`, `private range` or `promo code`.
    pub what: &'static str,
    /// Its key.
    pub key: String,
    /// What happens to it.
    pub kind: ChangeKind,
}

/// What happens to an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new, or comes back.
    Added,
    /// These fields get other values: name as in the file, before, after.
    Changed(Vec<(&'static str, String, String)>),
    /// It is not on sale any more; what was sold stays.
    Retired,
}

/// A kind of entry: its table, the column of its key, whether it has a public id.
struct Kind {
    what: &'static str,
    table: &'static str,
    key: &'static str,
    has_uuid: bool,
}

const LOCATION: Kind = Kind { what: "location", table: "locations", key: "slug", has_uuid: false };
const PACKAGE: Kind = Kind { what: "package", table: "packages", key: "slug", has_uuid: true };
const IMAGE: Kind = Kind { what: "image", table: "images", key: "key", has_uuid: true };
const POOL: Kind = Kind { what: "pool", table: "address_pools", key: "slug", has_uuid: false };
const RANGE: Kind = Kind { what: "private range", table: "private_ranges", key: "slug", has_uuid: false };
const PROMO: Kind = Kind { what: "promo code", table: "promo_codes", key: "code", has_uuid: false };

/// An entry's key and its other columns.
type Entry = (String, Vec<(&'static str, Value)>);

impl Tx<'_> {
    /// Makes the store's catalog equal to `catalog`; answers what that changed.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn catalog_apply(
        &mut self,
        catalog: &Catalog,
        draw: &mut Draw,
        now: Time,
    ) -> Result<Vec<CatalogChange>, StoreError> {
        let mut changes = self.entries_apply(&LOCATION, catalog.locations.iter().map(location), draw, now)?;
        let packages = catalog.packages.iter().enumerate().map(|(position, p)| package(position, p));
        changes.extend(self.entries_apply(&PACKAGE, packages, draw, now)?);
        let images = catalog.images.iter().enumerate().map(|(position, i)| image(position, i));
        changes.extend(self.entries_apply(&IMAGE, images, draw, now)?);
        let pools = catalog.pools.iter().map(|p| self.pool(p)).collect::<Result<Vec<_>, _>>()?;
        changes.extend(self.entries_apply(&POOL, pools.into_iter(), draw, now)?);
        changes.extend(self.entries_apply(&RANGE, catalog.private_ranges.iter().map(private_range), draw, now)?);
        changes.extend(self.entries_apply(&PROMO, catalog.promos.iter().map(promo), draw, now)?);
        Ok(changes)
    }

    fn entries_apply(
        &mut self,
        kind: &Kind,
        entries: impl Iterator<Item = Entry>,
        draw: &mut Draw,
        now: Time,
    ) -> Result<Vec<CatalogChange>, StoreError> {
        let change = |key: &str, what| CatalogChange { what: kind.what, key: key.to_owned(), kind: what };
        let (mut changes, mut named) = (Vec::new(), Vec::new());
        for (key, mut columns) in entries {
            columns.push(("active", Value::from(1)));
            match self.entry_columns(kind, &key, &columns)? {
                None => {
                    self.entry_insert(kind, &key, columns, draw, now)?;
                    changes.push(change(&key, ChangeKind::Added));
                }
                Some(before) => {
                    changes.extend(self.entry_update(kind, &key, &before, columns)?.map(|c| change(&key, c)))
                }
            }
            named.push(key);
        }
        let sql = format!("SELECT {} FROM {} WHERE active = 1 ORDER BY id", kind.key, kind.table);
        let stored: Vec<String> = self.many(&sql, [], |r| Ok(r.get(0)?))?;
        for key in stored.iter().filter(|key| !named.contains(key)) {
            self.run(&format!("UPDATE {} SET active = 0 WHERE {} = ?1", kind.table, kind.key), [key])?;
            changes.push(change(key, ChangeKind::Retired));
        }
        Ok(changes)
    }

    fn entry_columns(
        &self,
        kind: &Kind,
        key: &str,
        columns: &[(&str, Value)],
    ) -> Result<Option<Vec<Value>>, StoreError> {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let sql = format!("SELECT {} FROM {} WHERE {} = ?1", names.join(", "), kind.table, kind.key);
        self.maybe(&sql, [key], |r| Ok((0..names.len()).map(|i| r.get(i)).collect::<Result<_, _>>()?))
    }

    fn entry_insert(
        &mut self,
        kind: &Kind,
        key: &str,
        mut columns: Vec<(&'static str, Value)>,
        draw: &mut Draw,
        now: Time,
    ) -> Result<(), StoreError> {
        columns.push((kind.key, Value::from(key.to_owned())));
        if kind.has_uuid {
            columns.push(("uuid", Value::from(draw.uuid(now).to_string())));
        }
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let marks = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", kind.table, names.join(", "));
        self.insert(&sql, params_from_iter(columns.into_iter().map(|(_, value)| value))).map(drop)
    }

    fn entry_update(
        &mut self,
        kind: &Kind,
        key: &str,
        before: &[Value],
        columns: Vec<(&'static str, Value)>,
    ) -> Result<Option<ChangeKind>, StoreError> {
        let differing: Vec<_> =
            columns.into_iter().zip(before).filter(|((_, after), before)| after != *before).collect();
        if differing.is_empty() {
            return Ok(None);
        }
        let sets: Vec<String> = differing.iter().map(|((name, _), _)| format!("{name} = ?")).collect();
        let sql = format!("UPDATE {} SET {} WHERE {} = ?", kind.table, sets.join(", "), kind.key);
        let values = differing.iter().map(|((_, after), _)| after.clone()).chain([Value::from(key.to_owned())]);
        self.run(&sql, params_from_iter(values))?;
        let came_back = differing.iter().any(|((name, _), _)| *name == "active");
        let told =
            differing.into_iter().map(|((name, after), before)| (field(name), told(name, before), told(name, &after)));
        Ok(Some(if came_back { ChangeKind::Added } else { ChangeKind::Changed(told.collect()) }))
    }

    fn pool(&self, pool: &AddressPool) -> Result<Entry, StoreError> {
        let sql = "SELECT id FROM locations WHERE slug = ?1";
        let location: i64 = self.one(sql, [pool.location.as_str()], |r| Ok(r.get(0)?))?;
        let text = |value: &dyn std::fmt::Display| Value::from(value.to_string());
        let dns: Vec<String> = pool.dns.iter().map(ToString::to_string).collect();
        let columns = vec![
            ("location_id", Value::from(location)),
            ("family", Value::from(4)),
            ("network", text(&pool.range.network.network())),
            ("prefix_len", Value::from(i64::from(pool.range.network.prefix_len()))),
            ("gateway", text(&pool.range.gateway)),
            ("first", text(&pool.range.first)),
            ("last", text(&pool.range.last)),
            ("dns", Value::from(dns.join(" "))),
            ("extra_monthly_cents", Value::from(pool.extra_monthly.get())),
        ];
        Ok((pool.slug.as_str().to_owned(), columns))
    }
}

fn location(location: &Location) -> Entry {
    let segments = location.segments.as_ref();
    let number = |read: fn(&Segments) -> u32| Value::from(segments.map(|segments| i64::from(read(segments))));
    let reserved = segments.map(|s| s.reserved.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    let columns = vec![
        ("name", Value::from(location.name.as_str().to_owned())),
        ("segments", Value::from(segments.map(|segments| segments.kind.as_str().to_owned()))),
        ("segment_first", number(|segments| segments.first)),
        ("segment_last", number(|segments| segments.last)),
        ("segment_reserved", Value::from(reserved)),
        ("segment_mtu", number(|segments| segments.mtu.into())),
    ];
    (location.slug.as_str().to_owned(), columns)
}

fn private_range(entry: &PrivateRangeEntry) -> Entry {
    let PrivateRange { network, subnet_len } = entry.range;
    let columns = vec![
        ("family", Value::from(4)),
        ("network", Value::from(network.network().to_string())),
        ("prefix_len", Value::from(i64::from(network.prefix_len()))),
        ("subnet_len", Value::from(i64::from(subnet_len))),
    ];
    (entry.slug.as_str().to_owned(), columns)
}

fn package(position: usize, package: &Package) -> Entry {
    let text = |text: &str| Value::from(text.to_owned());
    let bound = |bound: Option<u32>| Value::from(bound.map(i64::from));
    let cpu_models: Vec<&str> = package.cpu_models.iter().map(CpuWord::as_str).collect();
    let columns = vec![
        ("type", text(package.kind.as_str())),
        ("name", text(package.name.as_str())),
        ("monthly_cents", Value::from(package.monthly.get())),
        ("cpu", Value::from(i64::from(package.size.cpu))),
        ("ram_mb", Value::from(i64::from(package.size.ram_mb))),
        ("disk_gb", Value::from(i64::from(package.size.disk_gb))),
        ("extra_ips_max", Value::from(i64::from(package.extra_ips_max))),
        ("cpu_weight", bound(package.limits.cpu_weight)),
        ("cpu_percent_max", bound(package.limits.cpu_percent_max)),
        ("disk_iops_max", bound(package.limits.disk_iops_max)),
        ("disk_mib_per_second_max", bound(package.limits.disk_mib_per_second_max)),
        ("net_mbit_per_second_max", bound(package.limits.net_mbit_per_second_max)),
        ("cpu_models", text(&cpu_models.join(" "))),
        ("traffic_bytes", Value::from(package.traffic.map(|quota| row::signed(quota.bytes)))),
        ("traffic_shape_mbit", bound(package.traffic.and_then(|quota| quota.shape_mbit_per_second))),
        ("position", Value::from(i64::try_from(position).unwrap_or(i64::MAX))),
    ];
    (package.slug.as_str().to_owned(), columns)
}

fn image(position: usize, image: &OsImage) -> Entry {
    let text = |text: &str| Value::from(text.to_owned());
    let columns = vec![
        ("type", text(image.kind.map_or("any", |kind| kind.as_str()))),
        ("name", text(image.name.as_str())),
        ("version", text(image.version.as_str())),
        ("url", text(&image.file.url)),
        ("sha256", text(&image.file.sha256.to_string())),
        ("format", text(format_str(image.file.format))),
        ("size_bytes", Value::from(i64::try_from(image.file.size_bytes).unwrap_or(i64::MAX))),
        ("position", Value::from(i64::try_from(position).unwrap_or(i64::MAX))),
    ];
    (image.key.as_str().to_owned(), columns)
}

fn promo(promo: &Promo) -> Entry {
    let time = |time: Option<Time>| Value::from(time.map(|time| time.0));
    let (percent, amount) = match promo.terms.discount {
        Discount::Percent(percent) => (Some(i64::from(percent)), None),
        Discount::Amount(amount) => (None, Some(amount.get())),
    };
    let packages: Vec<&str> = promo.packages.iter().map(|slug| slug.as_str()).collect();
    let columns = vec![
        ("percent", Value::from(percent)),
        ("amount_cents", Value::from(amount)),
        ("duration", Value::from(promo.terms.duration.as_str().to_owned())),
        ("type", Value::from(promo.kind.map(|kind| kind.as_str().to_owned()))),
        ("packages", Value::from(packages.join(" "))),
        ("valid_from", time(promo.valid_from)),
        ("valid_until", time(promo.valid_until)),
        ("uses_max", Value::from(promo.uses_max.map(i64::from))),
        ("uses_per_account_max", Value::from(promo.uses_per_account_max.map(i64::from))),
    ];
    (promo.code.as_str().to_owned(), columns)
}

/// What a column is called in the file.
fn field(column: &'static str) -> &'static str {
    match column {
        "monthly_cents" => "monthly_price",
        "extra_monthly_cents" => "extra_ip_price",
        "percent" => "off, %",
        "amount_cents" => "off",
        "extra_ips_max" => "max_extra_ips",
        "cpu_percent_max" => "max_cpu_percent",
        "disk_iops_max" => "max_disk_iops",
        "disk_mib_per_second_max" => "max_disk_mib_per_second",
        "net_mbit_per_second_max" => "max_net_mbit_per_second",
        "traffic_bytes" => "traffic, gb",
        "traffic_shape_mbit" => "traffic, shape_mbit_per_second",
        "uses_max" => "max_uses",
        "uses_per_account_max" => "max_uses_per_account",
        column => column,
    }
}

/// A value for people: money and time as they are written in the file.
fn told(column: &str, value: &Value) -> String {
    match value {
        Value::Integer(cents) if column.ends_with("_cents") => {
            Cents::new(*cents).map_or_else(|_| cents.to_string(), |amount| amount.to_string())
        }
        Value::Integer(bytes) if column == "traffic_bytes" => {
            u64::try_from(*bytes).map_or_else(|_| bytes.to_string(), |bytes| Gigabytes(bytes).to_string())
        }
        Value::Integer(seconds) if column.starts_with("valid_") => Time(*seconds).to_string(),
        Value::Null => "nothing".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}
