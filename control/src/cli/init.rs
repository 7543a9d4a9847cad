//! `csp-control init`: everything that `serve` needs, made once and never overwritten.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use csp_link::key_file::load_or_create_bytes;

use super::{CommandError, InitArguments, text::say};
use crate::{
    clock::{Clock as _, SystemClock},
    config::{Config, template, toml_text::TomlFault},
    entropy::{Entropy as _, SystemEntropy},
    fleet::ControlKeys,
    store::{Store, StoreError},
};

/// Why nothing was set up, or not all.
#[derive(Debug, thiserror::Error)]
pub(super) enum InitError {
    #[error("nothing was written: --config names a file that is there ({} here); to set up in a folder of your own, say --dir", .0.display())]
    OtherFile(PathBuf),
    #[error("{} is there already, so this machine is set up: nothing was changed", .0.display())]
    Configured(PathBuf),
    #[error(
        "{} is there already and may hold customers' money: it is left as it is. If the configuration was lost, put back {} \
         from a backup, or write it anew from docs/examples/control.toml with `data_dir = \"{}\"`; no other step is needed",
        database.display(), config.display(), data.display()
    )]
    Ledger { database: PathBuf, config: PathBuf, data: PathBuf },
    #[error("cannot make {}", path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("these choices make no usable configuration: {0}")]
    Choices(TomlFault),
    #[error("cannot make the keys")]
    Keys(#[source] csp_link::key_file::KeyFileError),
    #[error("cannot make the database")]
    Database(#[source] StoreError),
    #[error("everything is set up, but cannot be told")]
    Print(#[source] Box<CommandError>),
}

/// Where things go.
struct Places {
    config: PathBuf,
    data: PathBuf,
    socket: PathBuf,
}

impl Places {
    fn of(dir: Option<&Path>) -> io::Result<Self> {
        Ok(match dir {
            None => Self {
                config: crate::config::DEFAULT_FILE.into(),
                data: "/var/lib/csp-control".into(),
                socket: "/run/csp-control/operator.sock".into(),
            },
            Some(dir) => {
                // Absolute, so that the file means the same wherever `serve` is started.
                let dir = std::path::absolute(dir)?;
                let socket = dir.join("operator.sock");
                Self { config: dir.join("control.toml"), data: dir.join("data"), socket }
            }
        })
    }
}

/// Sets everything up.
pub(super) fn run(choices: &InitArguments) -> Result<(), InitError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| InitError::Make { path, source }
    };
    let dir = choices.dir.as_deref();
    let places = Places::of(dir).map_err(fail(dir.unwrap_or(Path::new("."))))?;
    let text = template::render(&template::Choices {
        data_dir: &places.data,
        socket: &places.socket,
        public_url: &choices.public_url,
        api_listen: &choices.api_listen,
        fleet_listen: &choices.fleet_listen,
        advertise: choices.advertise.as_deref(),
    });
    // Read back before anything is written: a wrong choice leaves no trace.
    let config = Config::parse(&text, "configuration").map_err(InitError::Choices)?;
    let database = config.database();
    if places.config.try_exists().map_err(fail(&places.config))? {
        return Err(InitError::Configured(places.config));
    }
    if database.try_exists().map_err(fail(&database))? {
        return Err(InitError::Ledger { database, config: places.config, data: places.data });
    }
    make_folder(&places.data, 0o700).map_err(fail(&places.data))?;
    make_folder(&config.keys(), 0o700).map_err(fail(&config.keys()))?;
    ControlKeys::load_or_create(&config.keys()).map_err(InitError::Keys)?;
    let fresh = SystemEntropy.draw().bytes();
    load_or_create_bytes(&config.vault_key(), fresh).map_err(InitError::Keys)?;
    Store::open(&config.database()).map_err(InitError::Database)?;
    // The configuration last: it says that the rest is complete.
    if let Some(folder) = places.config.parent() {
        make_folder(folder, 0o755).map_err(fail(folder))?;
    }
    write_new(&places.config, &text).map_err(fail(&places.config))?;
    tell_next(&places.config, &config).map_err(|error| InitError::Print(Box::new(error)))
}

fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn tell_next(file: &Path, config: &Config) -> Result<(), CommandError> {
    let mut text = format!(
        "Wrote {file}\nMade {database} and the keys beside it\nThis machine's clock shows {now} UTC; rent is charged by it\n\nNext:\n",
        file = file.display(),
        database = config.database().display(),
        now = SystemClock.now()
    );
    if config.fleet.advertise.is_none() {
        text += &format!("  edit {}: set [fleet] advertise to how hosts reach this machine\n", file.display());
    }
    text += &format!("  csp-control serve --config {}\n", file.display());
    say(&text)
}
