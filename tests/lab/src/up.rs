//! Brings a lab up: returns when an order would succeed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    agent,
    catalog::{self, Image, Segments},
    control,
    error::{Attempted, LabError, Result},
    guest, host, internet,
    layout::{HOSTS_MAX, Layout},
    process,
    state::State,
    wait::Steps,
};

/// The programs that a lab is built with.
const NEEDED: [&str; 8] = ["ip", "nsenter", "libvirtd", "virtlogd", "virsh", "qemu-system-x86_64", "nft", "ssh-keygen"];
const CONNECT_LIMIT: Duration = Duration::from_secs(90);
/// What the lab's hosts install.
const IMAGE: &str = "mini";
/// What they install too, where it was made.
const DEBIAN: &str = "debian";

/// What a lab is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many hosts.
    pub hosts: u8,
    /// The agents' `virt_type`.
    pub virt: String,
    /// The folder of built programs.
    pub programs: PathBuf,
    /// The folder of guest images.
    pub images: PathBuf,
    /// Where libvirt's knowledge of QEMU is kept from lab to lab.
    pub cache: Option<PathBuf>,
    /// How private networks are carried.
    pub segments: Segments,
}

/// Brings it up.
///
/// # Errors
/// When a part does not come up. What did stays, to be looked at, until `down`.
pub fn up(layout: &Layout, plan: &Plan) -> Result<State> {
    let mut steps = Steps::new();
    check(layout, plan)?;
    let port = control::free_port()?;
    let mut state = State {
        hosts: plan.hosts,
        api_port: port,
        control: plan.programs.join("csp-control"),
        agent: plan.programs.join("csp-agent"),
        config: layout.control().join("control.toml"),
        api_key: String::new(),
        other_key: String::new(),
        ready: false,
    };
    prepare_folder(layout)?;
    state.save(layout)?;
    wire(layout, plan)?;
    steps.done(&format!("internet and {} with libvirt started", hosts_text(plan.hosts)));
    start_control(layout, plan, &mut state)?;
    steps.done("control plane up, catalog applied, two accounts with money");
    start_agents(layout, plan, &state)?;
    steps.done("hosts enrolled and connected");
    state.ready = true;
    state.save(layout)?;
    println!("lab: up in {:.1} s, in {}; API at {}", steps.total().as_secs_f32(), layout.dir().display(), state.url());
    Ok(state)
}

fn hosts_text(hosts: u8) -> String {
    if hosts == 1 { "one host".to_owned() } else { format!("{hosts} hosts") }
}

/// Everything that can be known to fail, before anything is made.
fn check(layout: &Layout, plan: &Plan) -> Result<()> {
    let no = |text: String| Err(LabError::State(text));
    if !nix::unistd::geteuid().is_root() {
        return no("a lab is made of namespaces and mounts: run it as root".to_owned());
    }
    if !(1..=HOSTS_MAX).contains(&plan.hosts) {
        return no(format!("a lab has 1 to {HOSTS_MAX} hosts, not {}", plan.hosts));
    }
    if layout.state().exists() || !process::named_namespaces(layout)?.is_empty() {
        return no(format!("a lab is up in {}, or left over; run `down` first", layout.dir().display()));
    }
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let missing = NEEDED.iter().find(|name| !folders.iter().any(|folder| Path::new(folder).join(name).exists()));
    if let Some(name) = missing {
        return no(format!("{name} is not installed; run scripts/setup"));
    }
    for program in ["csp-control", "csp-agent"] {
        let path = plan.programs.join(program);
        if !path.exists() {
            return no(format!("{} is not built; scripts/lab builds it", path.display()));
        }
    }
    for file in [format!("{IMAGE}.qcow2"), format!("{IMAGE}.toml")] {
        if !plan.images.join(&file).exists() {
            return no(format!("there is no {file} in {}; make it with scripts/image {IMAGE}", plan.images.display()));
        }
    }
    Ok(())
}

fn prepare_folder(layout: &Layout) -> Result<()> {
    for dir in [layout.dir().join("log"), layout.dir().join("hosts"), layout.control()] {
        fs::create_dir_all(&dir).attempted(|| format!("making {}", dir.display()))?;
    }
    guest::make_key(layout)
}

fn wire(layout: &Layout, plan: &Plan) -> Result<()> {
    internet::create(layout)?;
    for number in 1..=plan.hosts {
        let host = layout.host(number);
        host::create(layout, &host, plan.cache.as_deref())?;
        agent::configure(&host, &plan.virt, plan.segments)?;
        internet::connect(layout, &host)?;
        host::boot(layout, &host)?;
    }
    Ok(())
}

/// An image's file name and stanza.
fn image(plan: &Plan, name: &str) -> Result<(String, String)> {
    let stanza = plan.images.join(format!("{name}.toml"));
    let text = fs::read_to_string(&stanza).attempted(|| format!("reading {}", stanza.display()))?;
    Ok((format!("{name}.qcow2"), text))
}

/// While the hosts' libvirt looks at QEMU, the control plane comes up.
fn start_control(layout: &Layout, plan: &Plan, state: &mut State) -> Result<()> {
    control::start_servers(layout, &plan.images)?;
    let (file, stanza) = image(plan, IMAGE)?;
    // The real Debian takes minutes to make, so it is offered only where somebody made it.
    let debian = plan.images.join(format!("{DEBIAN}.toml")).exists().then(|| image(plan, DEBIAN)).transpose()?;
    let debian = debian.as_ref().map(|(file, stanza)| Image { file, stanza });
    let text = catalog::render(Image { file: &file, stanza: &stanza }, debian, plan.segments)?;
    fs::write(layout.catalog(), text).attempted(|| format!("writing {}", layout.catalog().display()))?;

    control::init(layout, &state.control, state.api_port)?;
    control::start(layout, state, None)?;
    control::ask(state, &["apply", &layout.catalog().display().to_string()])?;
    let account = control::open_account(state, "first", "500")?;
    let other = control::open_account(state, "second", "500")?;
    let key = guest::public_key(layout).display().to_string();
    control::ask(state, &["ssh-key", "add", &account, &key, "--label", "lab"])?;
    state.api_key = control::make_key(state, &account)?;
    state.other_key = control::make_key(state, &other)?;
    state.save(layout)
}

fn start_agents(layout: &Layout, plan: &Plan, state: &State) -> Result<()> {
    for number in 1..=plan.hosts {
        let host = layout.host(number);
        host::await_libvirt(layout, &host, plan.cache.as_deref())?;
        let added = control::ask(state, &["host", "add", &host.name(), "--location", catalog::LOCATION])?;
        agent::enroll(state, &host, &control::text(&added, "join")?)?;
        agent::start(layout, state, &host, &agent::Odd::default())?;
    }
    control::await_hosts(layout, state, CONNECT_LIMIT)
}
