//! Where a link's token, a session and a ticket must never be found.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use super::{PERMISSIONS, REINSTALL, World};

/// All that the program logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Hears all that this thread logs, until the guard is dropped.
    pub fn hear(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        tracing::subscriber::set_default(subscriber.with_writer(self.clone()).finish())
    }

    /// What was heard.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_of_a_link_is_in_the_log_a_page_or_the_database() {
    let log = Log::default();
    let _guard = log.hear();

    let world = World::online().await;
    let (uuid, path) = world.link(&PERMISSIONS).await;
    let browser = world.browser(&path).await;
    let token = path.strip_prefix("/manage/").unwrap().to_owned();
    let session = browser.cookie.split_once('=').unwrap().1.to_owned();
    let mut pages = vec![world.get(&browser.cookie, "/manage").await.text];
    let renewed = world.post(&browser, "ticket", "").await.json["ticket"].as_str().unwrap().to_owned();
    let opened = world.post(&browser, "console", "").await;
    let ticket = opened.header("location").split_once('#').unwrap().1.to_owned();
    assert!(ticket.starts_with("csp_con_") && opened.header("referrer-policy") == "no-referrer");
    pages.push(opened.text);
    let installed = world.post(&browser, "reinstall", REINSTALL).await.text;
    let password = installed.split("<code class=\"password\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    pages.push(world.post(&browser, "restart", "").await.text);
    for strange in
        [format!("{path}/"), format!("{path}/state"), format!("/manage/%63{}", &token[1..]), format!("/x/{token}")]
    {
        pages.push(world.follow(&strange).await.text);
    }
    world.host.obey().await;
    // What was measured, as the page and the API tell it.
    assert!(world.host.measured(vec![world.sample()]).await);
    let page = world.get(&browser.cookie, "/manage").await.text;
    assert!(page.contains("50.0 %"), "it is shown: {page}");
    pages.push(page);
    for path in ["", "/metrics?range=1h"] {
        let told = world.control.api("GET", &format!("/servers/{}{path}", world.server)).by(&world.ada).send().await;
        assert_eq!(told.status.as_u16(), 200, "{}", told.text);
        pages.push(told.text);
    }
    world.revoke(&uuid).await;
    pages.push(world.follow(&path).await.text);
    pages.push(world.get(&browser.cookie, "/manage").await.text);

    let (log, database, backups) = (log.text(), world.control.database_bytes(), world.control.back_up());
    assert!(log.contains("path=\"/manage/…\"") && log.contains("status=303"), "the log is heard: {log}");
    // Parts of a secret are looked for, so that one that is cut or spelled differently is found as well.
    for secret in [&token[7..30], &session[7..30], &ticket[8..30], &renewed[8..30], &password] {
        assert!(!log.contains(secret), "the log: {log}");
        for (name, bytes) in std::iter::once(("the database", &database)).chain(backups.iter().map(|b| ("a backup", b)))
        {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{name}");
        }
        for page in &pages {
            assert!(!page.contains(secret), "{page}");
        }
    }
}
