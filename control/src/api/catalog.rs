//! `GET /locations`, `GET /packages`, `GET /packages/{uuid-or-slug}` and `GET /os-images`: what can be ordered, and where
//! there is room for it now.

use axum::{
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
};
use csp_shared::id::{ImageId, PackageId};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{ObjectBuilder, Type},
};

use super::{
    auth::{By, Reads},
    document::{
        schemas::{ServiceTypeWord, path_parameter},
        sheet::{Part, Sheet},
        tags,
    },
    envelope::{Answer, List, Money},
    error::{ApiError, Code},
    field::Field,
    page::{Listed, NoFilters, Page},
    query::Query,
    servers::traffic::AllowedTraffic,
    state::App,
};
use crate::{
    domain::catalog::{ServiceType, Size},
    service::look_for_room::{Offer, offers},
    store::{ImageRow, PackageRow, StoreError},
};

/// Something that is sold.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"monthly_price": 6.95}))]
pub struct Package {
    #[schema(value_type = Uuid)]
    uuid: PackageId,
    #[schema(example = "starter")]
    slug: String,
    #[serde(rename = "type")]
    kind: ServiceTypeWord,
    #[schema(example = "Starter")]
    name: String,
    monthly_price: Money,
    resources: Resources,
    #[schema(minimum = 0, maximum = 1000, example = 5)]
    max_extra_ips: u32,
    /// What its servers may carry a month; null: as much as they like.
    #[schema(required)]
    traffic: Option<AllowedTraffic>,
    /// Slugs of the locations where an order would find room and an address now. Empty: sold out for the moment.
    #[schema(example = json!(["fra1"]))]
    available: Vec<String>,
}

/// Where servers stand.
#[derive(Debug, Serialize, ToSchema)]
pub struct Location {
    #[schema(example = "fra1")]
    slug: String,
    #[schema(example = "Frankfurt")]
    name: String,
    /// Slugs of the packages that an order would find room and an address for here now.
    #[schema(example = json!(["starter", "edge"]))]
    available: Vec<String>,
}

impl From<Offer> for Location {
    fn from(offer: Offer) -> Self {
        let (slug, name) = (offer.location.slug.as_str().to_owned(), offer.location.name);
        Self { slug, name, available: offer.available }
    }
}

/// What a server has, as sold.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Resources {
    /// Virtual processors.
    #[schema(minimum = 1, example = 2)]
    cpu: u16,
    /// Memory, in MiB.
    #[schema(minimum = 1, example = 1024)]
    ram_mb: u32,
    /// Disk, in GiB.
    #[schema(minimum = 1, example = 20)]
    disk_gb: u32,
}

impl From<Size> for Resources {
    fn from(size: Size) -> Self {
        Self { cpu: size.cpu, ram_mb: size.ram_mb, disk_gb: size.disk_gb }
    }
}

impl Package {
    fn new(row: PackageRow, offers: &[Offer]) -> Self {
        let here = |offer: &&Offer| offer.available.contains(&row.slug);
        Self {
            available: offers.iter().filter(here).map(|offer| offer.location.slug.as_str().to_owned()).collect(),
            uuid: row.id,
            slug: row.slug,
            kind: ServiceTypeWord(row.kind),
            name: row.name,
            monthly_price: Money(row.monthly),
            resources: row.size.into(),
            max_extra_ips: row.extra_ips_max,
            traffic: row.traffic.map(AllowedTraffic::from),
        }
    }
}

/// An operating system that can be installed.
#[derive(Debug, Serialize, ToSchema)]
pub struct OsImage {
    #[schema(value_type = Uuid)]
    uuid: ImageId,
    #[schema(example = "ubuntu-24-04")]
    key: String,
    #[schema(example = "Ubuntu")]
    name: String,
    #[schema(example = "24.04")]
    version: String,
    /// Null: for both.
    #[serde(rename = "type")]
    #[schema(required)]
    kind: Option<ServiceTypeWord>,
}

impl From<ImageRow> for OsImage {
    fn from(row: ImageRow) -> Self {
        let kind = row.kind.map(ServiceTypeWord);
        Self { uuid: row.id, key: row.key, name: row.name, version: row.version, kind }
    }
}

/// Which part of the catalog is wanted.
#[derive(Debug, Deserialize, IntoParams)]
pub struct CatalogFilter {
    /// Only what is for this kind of service.
    #[serde(default, rename = "type")]
    #[param(value_type = ServiceTypeWord, inline, required = false)]
    kind: Field<String>,
}

type CatalogQuery = Listed<CatalogFilter>;

fn parsed(query: CatalogQuery) -> Result<(Option<ServiceType>, Page), ApiError> {
    query.parsed(None, |faults, filter, _| {
        faults.optional("type", filter.kind).and_then(|text| {
            let kind = ServiceType::parse(&text).ok_or("must be vps or dedicated");
            faults.parsed(Code::ValidationFailed, "type", kind)
        })
    })
}

/// List packages
///
/// Active packages, in the order in which the provider shows them, each with the locations that have room for it now.
#[utoipa::path(get, path = "/packages", operation_id = "list_packages", tag = tags::CATALOG)]
pub async fn packages(
    State(app): State<App>,
    _: By<Reads>,
    Query(query): Query<CatalogQuery>,
) -> Result<List<Package>, ApiError> {
    let (kind, page) = parsed(query)?;
    let now = app.now();
    let read = app.store.read::<_, StoreError>(move |read| {
        let mut wanted = read.package_list()?;
        wanted.retain(|row| kind.is_none_or(|kind| row.kind == kind));
        let total = wanted.len() as u64;
        let shown = page.cut(wanted);
        let offers = offers(read, &shown, now)?;
        Ok((shown.into_iter().map(|row| Package::new(row, &offers)).collect(), total))
    });
    let (data, total) = read.await?;
    Ok(List::new(data, total, &page))
}

/// The name in a path of a package: its slug, or its uuid.
#[derive(Debug)]
pub struct PackagePath(String);

impl<S: Send + Sync> FromRequestParts<S> for PackagePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) = Path::from_request_parts(parts, state).await.map_err(|_| no_package())?;
        Ok(Self(name))
    }
}

impl Part for PackagePath {
    fn describe(sheet: &mut Sheet) {
        let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).examples(["performance"]);
        sheet.parameter(path_parameter("uuid_or_slug", "The package's uuid, or its slug.", schema));
        sheet.refuses(&[Code::NotFound]);
    }
}

fn no_package() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such package.")
}

/// Show a package
///
/// One package, by its uuid or slug.
#[utoipa::path(
    get,
    path = "/packages/{uuid_or_slug}",
    operation_id = "show_package",
    tag = tags::CATALOG,
    extensions(("x-example" = json!({
        "data": {
            "slug": "performance",
            "name": "Performance",
            "monthly_price": 42.95,
            "resources": {"cpu": 8, "ram_mb": 16_384, "disk_gb": 320},
        },
    })))
)]
pub async fn package(
    State(app): State<App>,
    _: By<Reads>,
    PackagePath(name): PackagePath,
) -> Result<Answer<Package>, ApiError> {
    let now = app.now();
    let read = app.store.read::<_, StoreError>(move |read| {
        let Some(row) = read.package_get(&name)? else { return Ok(None) };
        let offers = offers(read, std::slice::from_ref(&row), now)?;
        Ok(Some(Package::new(row, &offers)))
    });
    read.await?.map(Answer::data).ok_or_else(no_package)
}

/// List locations
///
/// Places where servers stand, and which packages an order would find room for there now. What is shown is not reserved:
/// the next order may take it.
#[utoipa::path(get, path = "/locations", operation_id = "list_locations", tag = tags::CATALOG)]
pub async fn locations(
    State(app): State<App>,
    _: By<Reads>,
    Query(query): Query<Listed<NoFilters>>,
) -> Result<List<Location>, ApiError> {
    let (page, now) = (query.page()?, app.now());
    let read = app.store.read::<_, StoreError>(move |read| offers(read, &read.package_list()?, now));
    let offers = read.await?;
    let total = offers.len() as u64;
    Ok(List::new(page.cut(offers).into_iter().map(Location::from).collect(), total, &page))
}

/// List OS images
///
/// Operating systems that a server can be ordered with.
#[utoipa::path(get, path = "/os-images", operation_id = "list_os_images", tag = tags::CATALOG)]
pub async fn os_images(
    State(app): State<App>,
    _: By<Reads>,
    Query(query): Query<CatalogQuery>,
) -> Result<List<OsImage>, ApiError> {
    let (kind, page) = parsed(query)?;
    let rows = app.store.read::<_, StoreError>(|read| read.image_list()).await?;
    let fits = |row: &ImageRow| kind.is_none() || row.kind.is_none() || row.kind == kind;
    let wanted: Vec<ImageRow> = rows.into_iter().filter(fits).collect();
    let total = wanted.len() as u64;
    Ok(List::new(page.cut(wanted).into_iter().map(OsImage::from).collect(), total, &page))
}
