//! `GET /packages`, `GET /packages/{uuid-or-slug}` and `GET /os-images`: what can be ordered.

use axum::extract::{Path, State, rejection::PathRejection};
use csp_shared::id::{ImageId, PackageId};
use serde::{Deserialize, Serialize};

use super::{
    auth::{By, Reads},
    envelope::{Answer, Money},
    error::{ApiError, Code},
    field::{Faults, Field, Unknown},
    page::Page,
    query::Query,
    state::App,
};
use crate::{
    domain::catalog::{ServiceType, Size},
    store::{ImageRow, PackageRow, StoreError},
};

/// Something that is sold.
#[derive(Debug, Serialize)]
pub struct Package {
    uuid: PackageId,
    slug: String,
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    monthly_price: Money,
    resources: Resources,
    max_extra_ips: u32,
}

/// What a server has, as sold.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Resources {
    cpu: u16,
    ram_mb: u32,
    disk_gb: u32,
}

impl From<Size> for Resources {
    fn from(size: Size) -> Self {
        Self { cpu: size.cpu, ram_mb: size.ram_mb, disk_gb: size.disk_gb }
    }
}

impl From<PackageRow> for Package {
    fn from(row: PackageRow) -> Self {
        Self {
            uuid: row.id,
            slug: row.slug,
            kind: row.kind.as_str(),
            name: row.name,
            monthly_price: Money(row.monthly),
            resources: row.size.into(),
            max_extra_ips: row.extra_ips_max,
        }
    }
}

/// An operating system that can be installed.
#[derive(Debug, Serialize)]
pub struct OsImage {
    uuid: ImageId,
    key: String,
    name: String,
    version: String,
    /// Null: for both.
    #[serde(rename = "type")]
    kind: Option<&'static str>,
}

impl From<ImageRow> for OsImage {
    fn from(row: ImageRow) -> Self {
        let kind = row.kind.map(ServiceType::as_str);
        Self { uuid: row.id, key: row.key, name: row.name, version: row.version, kind }
    }
}

/// `?type=&limit=&offset=`
#[derive(Debug, Deserialize)]
pub struct CatalogQuery {
    #[serde(default, rename = "type")]
    kind: Field<String>,
    #[serde(default)]
    limit: Field<String>,
    #[serde(default)]
    offset: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl CatalogQuery {
    fn parse(self) -> Result<(Option<ServiceType>, Page), ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let kind = faults.optional("type", self.kind).and_then(|text| {
            let kind = ServiceType::parse(&text).ok_or("must be vps or dedicated");
            faults.parsed(Code::ValidationFailed, "type", kind)
        });
        let page = Page::read(&mut faults, self.limit, self.offset, None);
        faults.into_result().map(|()| (kind, page))
    }
}

/// `GET /packages`
pub async fn packages(
    State(app): State<App>,
    _: By<Reads>,
    Query(query): Query<CatalogQuery>,
) -> Result<Answer<Vec<Package>>, ApiError> {
    let (kind, page) = query.parse()?;
    let rows = app.store.read::<_, StoreError>(|read| read.package_list()).await?;
    let wanted: Vec<PackageRow> = rows.into_iter().filter(|row| kind.is_none_or(|kind| row.kind == kind)).collect();
    let total = wanted.len() as u64;
    Ok(Answer::list(page.cut(wanted).into_iter().map(Package::from).collect(), total, &page))
}

/// `GET /packages/{uuid-or-slug}`
pub async fn package(
    State(app): State<App>,
    _: By<Reads>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Answer<Package>, ApiError> {
    let missing = || ApiError::new(Code::NotFound, "There is no such package.");
    let Path(name) = path.map_err(|_| missing())?;
    let row = app.store.read::<_, StoreError>(move |read| read.package_get(&name)).await?;
    row.map(|row| Answer::data(row.into())).ok_or_else(missing)
}

/// `GET /os-images`
pub async fn os_images(
    State(app): State<App>,
    _: By<Reads>,
    Query(query): Query<CatalogQuery>,
) -> Result<Answer<Vec<OsImage>>, ApiError> {
    let (kind, page) = query.parse()?;
    let rows = app.store.read::<_, StoreError>(|read| read.image_list()).await?;
    let fits = |row: &ImageRow| kind.is_none() || row.kind.is_none() || row.kind == kind;
    let wanted: Vec<ImageRow> = rows.into_iter().filter(fits).collect();
    let total = wanted.len() as u64;
    Ok(Answer::list(page.cut(wanted).into_iter().map(OsImage::from).collect(), total, &page))
}
