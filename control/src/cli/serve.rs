//! `csp-control serve`: opens everything, says that it is ready, and stops in order when it is told to.
//!
//! Whatever cannot be opened ends the start with one line that says what, why, and what to do. Nothing is half up: the
//! service manager hears "ready" when the API, the operator's socket and the hosts' listener all accept.

use std::{
    fs::{File, TryLockError},
    future::Future,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use csp_link::key_file::load_or_create_bytes;
use csp_shared::secret::Secret;
use tokio::{
    net::{TcpListener, UnixListener},
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use super::watchdog;
use crate::{
    api::{
        self, App, Settings,
        connections::{self, ConnectionBounds},
        panel::brand::{Logo, LogoError},
    },
    clock::{Clock, SystemClock},
    config::{
        Brand, Config, ConfigError, Mail, Stripe,
        listen::{ListenError, PassedSockets},
    },
    domain::{time::MINUTE, vault::Vault},
    entropy::{Entropy, SystemEntropy},
    fleet::{Bounds, ControlKeys, Listener, StoreHosts},
    mail::{outbox, smtp::Smtp},
    metrics::Metrics,
    operator::{
        self,
        socket::{self, SocketError},
    },
    schedule,
    service::watch_clock::note_time,
    store::{Store, StoreError},
    stripe, telemetry,
};

/// How long requests that are under way may take after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// Why the control plane does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no database at {} (`csp-control init` makes one; if there was one, restore the backup)", .0.display())]
    NoDatabase(PathBuf),
    #[error("another control plane works on {}; stop it first", .0.display())]
    Locked(PathBuf),
    #[error("cannot lock {} (check that data_dir exists and is writable; `csp-control init` makes it)", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("cannot read the control plane's keys (`csp-control init` makes them, a backup holds them)")]
    Keys(#[source] csp_link::key_file::KeyFileError),
    #[error("cannot set up TLS for the hosts")]
    Tls(#[source] csp_link::tls::TlsError),
    #[error("cannot read {} (it is [mail] password_file)", path.display())]
    MailPassword { path: PathBuf, source: io::Error },
    #[error("cannot read {} (it is {field})", path.display())]
    StripeSecret { path: PathBuf, field: &'static str, source: io::Error },
    #[error("{} is empty (it is {field})", path.display())]
    NoStripeSecret { path: PathBuf, field: &'static str },
    #[error("cannot set up [mail]")]
    Mail(#[source] lettre::transport::smtp::Error),
    #[error(transparent)]
    Logo(#[from] LogoError),
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(file: &Path) -> Result<(), ServeError> {
    let config = Config::load(file)?;
    telemetry::start(&config.log);
    // Before the runtime opens files of its own.
    let sockets = PassedSockets::take_over()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    runtime.block_on(serve(&config, sockets))
}

/// Everything that is open before anything is served.
struct Open {
    app: App,
    keys: ControlKeys,
    api: TcpListener,
    fleet: TcpListener,
    operator: UnixListener,
    vault_is_new: bool,
    courier: Option<Smtp>,
    remote: Option<TcpListener>,
    lock: File,
}

fn open(config: &Config, mut sockets: PassedSockets) -> Result<Open, ServeError> {
    let lock = lock(&config.data_dir)?;
    let keys = ControlKeys::load(&config.keys()).map_err(ServeError::Keys)?;
    let store = Store::open(&database(config)?)?;
    let (vault, vault_is_new) =
        load_or_create_bytes(&config.vault_key(), SystemEntropy.draw().bytes()).map_err(ServeError::Keys)?;
    let settings = Settings {
        vault: Vault::new(vault),
        stripe: config.stripe.as_ref().map(stripe_account).transpose()?,
        public_url: config.public_url.clone(),
        advertise: config.fleet.advertise.clone(),
        pins: keys.pins(),
        orders: config.orders.clone(),
        billing: config.billing.rules(config.mail.is_some()),
        limits: config.account_limits.limits(),
        brand: config.brand.clone(),
        logo: config.brand.logo.as_deref().map(Logo::read).transpose()?,
        sign_up: config.sign_up.clone(),
        rate_limits: config.rate_limits,
        trusted_proxies: config.api.trusted_proxies.clone(),
    };
    let app = App::new(store, Arc::new(SystemClock), Arc::new(SystemEntropy), settings)
        .with_metrics(Metrics::open(&config.metrics()));
    Ok(Open {
        app,
        keys,
        api: sockets.open(&config.api.listen, "[api] listen")?,
        fleet: sockets.open(&config.fleet.listen, "[fleet] listen")?,
        operator: socket::listen(&config.operator.socket)?,
        vault_is_new,
        courier: config.mail.as_ref().map(|mail| courier(mail, &config.brand)).transpose()?,
        remote: config.operator.listen.as_ref().map(|at| sockets.open(at, "[operator] listen")).transpose()?,
        lock,
    })
}

/// A key that was missing is made: whoever set up an older version had none. Where something was sealed by it before, that opens
/// no more, which is told; nobody is let in for it.
async fn tell_new_vault(config: &Config, store: &Store) -> Result<(), ServeError> {
    let people = store.read::<_, StoreError>(|read| read.second_factor_count()).await?;
    if people > 0 {
        tracing::error!(
            people, file = %config.vault_key().display(),
            "this key was missing and is a new one: the codes of these people cannot be checked. Stop, put the file back from \
             the backup, and start again; or turn their codes off with `csp-control person code-off`"
        );
    }
    Ok(())
}

/// How payments by card are taken.
fn stripe_account(config: &Stripe) -> Result<stripe::Account, ServeError> {
    let read = |path: &PathBuf, field| {
        let fail = |source| ServeError::StripeSecret { path: path.clone(), field, source };
        let text = std::fs::read_to_string(path).map_err(fail)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let secrets: Vec<Secret> = lines.map(|line| Secret::new(line.to_owned())).collect();
        let empty = || ServeError::NoStripeSecret { path: path.clone(), field };
        if secrets.is_empty() { Err(empty()) } else { Ok(secrets) }
    };
    let empty = || ServeError::NoStripeSecret { path: config.secret_key_file.clone(), field: KEY };
    let key = read(&config.secret_key_file, KEY)?.into_iter().next().ok_or_else(empty)?;
    let signing = read(&config.webhook_secret_file, "[stripe] webhook_secret_file")?;
    let (api_url, least, most) = (config.api_url.clone(), config.least, config.most);
    Ok(stripe::Account { key, signing, api_url, least, most })
}

const KEY: &str = "[stripe] secret_key_file";

/// How letters are handed over. That the server answers is not asked here: it may be away for a day.
fn courier(mail: &Mail, brand: &Brand) -> Result<Smtp, ServeError> {
    let read = |path: &PathBuf| {
        let fail = |source| ServeError::MailPassword { path: path.clone(), source };
        let text = std::fs::read_to_string(path).map_err(fail)?;
        Ok::<_, ServeError>(Secret::new(text.lines().next().unwrap_or_default().to_owned()))
    };
    let password = mail.password_file.as_ref().map(read).transpose()?;
    Smtp::new(mail, brand, password.as_ref()).map_err(ServeError::Mail)
}

/// The database that `init` made. One that is missing is never made here: a ledger that was lost must not be replaced
/// by an empty one without a word.
fn database(config: &Config) -> Result<PathBuf, ServeError> {
    let path = config.database();
    let there = std::fs::metadata(&path).is_ok_and(|found| found.len() > 0);
    if there { Ok(path) } else { Err(ServeError::NoDatabase(path)) }
}

/// Two control planes on one database would answer twice and migrate under each other's feet. The kernel lifts this lock
/// when its process ends, however it ends.
fn lock(data_dir: &Path) -> Result<File, ServeError> {
    let path = data_dir.join("lock");
    let fail = |source| ServeError::Lock { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::Locked(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}

async fn serve(config: &Config, sockets: PassedSockets) -> Result<(), ServeError> {
    let Open { app, keys, api, fleet, operator, vault_is_new, courier, remote, lock } = open(config, sockets)?;
    if vault_is_new {
        tell_new_vault(config, &app.store).await?;
    }
    let at = (place(&api), place(&fleet));
    let (stop, stopped) = watch::channel(false);
    let told = |mut stopped: watch::Receiver<bool>| async move {
        // The sender lives until the end of this function; should it be gone, stopping is right too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let mut tasks = JoinSet::new();
    let (api_app, operator_app) = (api::router(app.clone()), operator::router(app.clone()));
    let bounds = ConnectionBounds::new(
        config.api.connections_max,
        config.api.connections_per_address_max,
        config.api.trusted_proxies.clone(),
    );
    if let Some(remote) = remote {
        tracing::info!(operator = place(&remote), "other machines may connect");
        let remote_app = operator::remote::router(app.clone());
        tasks.spawn(connections::serve(remote, remote_app, bounds.clone(), told(stopped.clone())));
    }
    tasks.spawn(connections::serve(api, api_app, bounds, told(stopped.clone())));
    let until = told(stopped.clone());
    tasks.spawn(
        async move { log_end("operator", axum::serve(operator, operator_app).with_graceful_shutdown(until).await) },
    );
    let wake = app.wake.clone();
    let clockwork =
        schedule::run(app.store.clone(), app.clock.clone(), app.entropy.clone(), app.key_uses.clone(), move |host| {
            wake.wake(host);
        });
    let wake = app.wake.clone();
    let billed = schedule::billing::run(
        app.store.clone(),
        app.clock.clone(),
        app.entropy.clone(),
        app.settings.billing,
        move |host| wake.wake(host),
        |state| notify(sd_notify::NotifyState::Status(state)),
    );
    let posted = post(app.store.clone(), app.clock.clone(), app.entropy.clone(), courier);
    let swept = schedule::keep_metrics(app.store.clone(), app.clock.clone(), app.metrics.clone());
    let fed = watchdog::feed(app.store.clone(), || notify(sd_notify::NotifyState::Watchdog));
    let until = told(stopped.clone());
    tasks.spawn(async move {
        tokio::select! {
            () = clockwork => {}
            () = billed => {}
            () = posted => {}
            () = swept => {}
            () = fed => {}
            () = until => {}
        }
    });
    let quarantine = i64::from(config.orders.quarantine_minutes) * MINUTE;
    let hosts = StoreHosts::new(app.store.clone(), app.clock.clone(), app.entropy.clone(), quarantine)
        .with_metrics(app.metrics.clone())
        .with_mail(app.settings.billing.has_mail)
        .with_wake(app.wake.clone());
    let listener = Listener::new(&keys.current, hosts, app.wake.clone(), Bounds::default());
    let listener = listener.map_err(ServeError::Tls)?;
    tasks.spawn(listener.serve(fleet, told(stopped.clone())));
    let held = app.held.clone();
    tracing::info!(api = at.0, fleet = at.1, "ready");
    notify(sd_notify::NotifyState::Ready);
    asked_to_stop().await.map_err(ServeError::Runtime)?;
    tracing::info!("stopping: requests under way may end");
    notify(sd_notify::NotifyState::Stopping);
    held.end();
    stop.send_replace(true);
    drain(tasks).await;
    app.screens.end();
    if let Err(error) = schedule::write_key_uses(&app.store, &app.key_uses, app.now(), true).await {
        tracing::warn!(%error, "the last uses of API keys are not written down");
    }
    let now = app.now();
    if let Err(error) = app.store.write(move |tx| note_time(tx, now)).await {
        tracing::warn!(%error, "the time is not noted; the next start goes on from a few seconds ago");
    }
    // Left behind, it would be taken over at the next start all the same; without it commands say at once what is wrong.
    let _ = std::fs::remove_file(&config.operator.socket);
    tracing::info!("stopped");
    drop(lock);
    Ok(())
}

/// Sends letters for ever, where any are sent.
async fn post(store: Store, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, courier: Option<Smtp>) {
    match courier {
        Some(courier) => outbox::run(store, clock, entropy, courier).await,
        None => std::future::pending().await,
    }
}

/// Where a listener really is: port 0 and passed sockets are known only now.
fn place(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string())
}

/// Waits for the tasks, but not for ever: whoever holds a request open must not hold the stop.
async fn drain(mut tasks: JoinSet<()>) {
    let ended = tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(waited_s = DRAIN.as_secs(), "stopped with requests still open");
    }
}

fn log_end(task: &'static str, outcome: io::Result<()>) {
    if let Err(error) = outcome {
        tracing::error!(task, "ended: {error}");
    }
}

fn asked_to_stop() -> impl Future<Output = io::Result<()>> {
    let signals = signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
    async move {
        let (mut term, mut int) = signals?;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        Ok(())
    }
}

/// Tells the service manager, where there is one.
fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("cannot tell the service manager: {error}");
    }
}
