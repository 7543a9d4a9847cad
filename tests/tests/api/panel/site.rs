//! Whose panel it is, and the pages that show it.

use csp_control::{api::panel::brand::Logo, config::Brand, domain::colour::Colour};
use csp_tests::test_control::TestControl;
use serde_json::json;

#[tokio::test]
async fn pages_are_told_whose_they_are_by_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logo.svg");
    std::fs::write(&path, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").unwrap();
    let logo = Logo::read(&path).unwrap();
    let control = TestControl::with_settings(|settings| {
        settings.brand = Brand {
            name: "Example Hosting".to_owned(),
            accent: Colour::parse("#7a1fa2").unwrap(),
            terms_url: Some("https://example.com/terms".to_owned()),
            ..Brand::default()
        };
        settings.logo = Some(logo);
    });
    let control = control.await;
    let site = control.raw("GET", "/panel/v1/site").send().await;
    assert_eq!(
        *site.data(),
        json!({"name": "Example Hosting", "has_logo": true, "support": null, "terms_url": "https://example.com/terms",
               "privacy_url": null, "imprint_url": null})
    );
    let style = control.raw("GET", "/panel/brand.css").send().await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert!(style.text.starts_with(":root{--brand:#7a1fa2;--on-brand:#ffffff;--brand-dark:#7db0ff;"), "{}", style.text);
    let picture = control.raw("GET", "/panel/brand/logo").send().await;
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert!(picture.header("content-security-policy").contains("sandbox"), "nothing in a picture may run");
}

#[tokio::test]
async fn without_a_picture_there_is_none_and_every_address_below_the_panel_is_a_page() {
    let control = TestControl::start().await;
    assert_eq!(control.raw("GET", "/panel/v1/site").send().await.data()["has_logo"], false);
    assert_eq!(control.raw("GET", "/panel/brand/logo").send().await.code(), "not_found");
    for page in ["/panel", "/panel/", "/panel/servers/any/graphs"] {
        let reply = control.raw("GET", page).send().await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "text/html; charset=utf-8"), "{page}");
    }
    assert_eq!(control.raw("GET", "/panel/v1/absent/deeper").send().await.code(), "not_found");
}

#[tokio::test]
async fn the_bare_address_leads_people_to_the_panel_and_tells_programs_that_nothing_is_there() {
    let control = TestControl::start().await;
    let ask = async |accept: &str| control.raw("GET", "/").header("accept", accept).send().await;
    for browser in ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "TEXT/HTML;q=0.1"] {
        let led = ask(browser).await;
        let told = ["location", "vary", "cache-control"].map(|name| led.header(name));
        assert_eq!((led.status.as_u16(), told), (303, ["/panel", "accept", "no-store"]), "{browser}");
    }
    for program in ["*/*", "application/json", "text/html;q=0, */*", ""] {
        let told = ask(program).await;
        assert_eq!((told.status.as_u16(), told.code(), told.header("location")), (404, "not_found", ""), "{program}");
    }
}
