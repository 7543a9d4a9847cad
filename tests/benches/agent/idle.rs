//! An agent that has many servers and nothing to do: what measuring them costs beside libvirt's own call, and its memory.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    ptr,
    thread::sleep,
    time::{Duration, Instant},
};

use csp_agent::{
    hypervisor::{process, stats::Stats},
    metrics::{
        Mailbox,
        rates::{Look, Rates},
    },
    spec_file::{FolderBacking, SpecFile},
};
use csp_shared::spec::Desired;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use virt::{connect::Connect, sys};

use super::{GOAL_IDLE, GOAL_RESIDENT, Pairs, goal, real};

const LOOKS: u32 = 40;
/// The agent's own period of looking at everything, and a little.
const REST: Duration = Duration::from_secs(45);
/// Until the agent let go of what only its start needed.
const SETTLES: Duration = Duration::from_secs(75);
const SAMPLES: u32 = 90;
const PATIENCE: Duration = Duration::from_secs(1800);

pub fn measure(home: &Path, domains: u32) {
    let config = real::config(&home.join("idle"));
    fs::create_dir_all(&config.pool_dir).unwrap();
    // Their disks are promised in full and hardly written: a file system of that size, in memory.
    let size = format!("size={}g", domains + 10);
    mount(Some("tmpfs"), &config.pool_dir, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).unwrap();
    let image = real::furnish(&config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let specs: Vec<_> = (0..domains).map(|number| real::spec(10_000 + number, &image)).collect();
    runtime.block_on(async {
        let records = SpecFile::open(FolderBacking::open(config.state_dir.join("servers")).unwrap()).await.unwrap();
        for spec in &specs {
            records.accept(Desired::Present(Box::new(spec.clone()))).await.unwrap();
        }
    });
    let file = config.state_dir.join("agent.toml");
    let text = format!(
        "state_dir = {:?}\npool_dir = {:?}\nrun_dir = {:?}\nvirt_type = \"qemu\"\n[boot]\nwait_for_control_seconds = 0\n\
         [reserve]\nram_mib = 1\ndisk_gib = 0\n[network]\npublic_bridge = {:?}\n",
        config.state_dir, config.pool_dir, config.run_dir, config.network.public_bridge
    );
    fs::write(&file, text).unwrap();
    let agent = Running::start(&file);
    let began = Instant::now();
    while process::list().unwrap().len() < domains as usize {
        assert!(began.elapsed() < PATIENCE, "{} of {domains} guests run", process::list().unwrap().len());
        sleep(Duration::from_millis(500));
    }
    println!("{domains} guests run {:.0} s after the agent's start", began.elapsed().as_secs_f64());
    sleep(SETTLES);
    let before = agent.cpu();
    // All at one moment, so that the three belong together.
    let mut samples: Vec<[u64; 3]> = (0..SAMPLES)
        .map(|_| {
            sleep(REST / SAMPLES);
            ["VmRSS", "RssAnon", "RssFile"].map(|field| agent.memory(field))
        })
        .collect();
    let share = (agent.cpu() - before).as_secs_f64() / REST.as_secs_f64();
    samples.sort_unstable();
    let [least, middle, most] = [0, samples.len() / 2, samples.len() - 1].map(|at| samples[at]);
    let shown = |[all, own, files]: [u64; 3]| format!("{:.1} MiB ({:.1} + {:.1})", mib(all), mib(own), mib(files));
    println!(
        "at rest it takes {:.1} % of one processor, its tools included, and (its own + programs and libraries) at least {}, \
         mostly {}, at most {}",
        share * 1e2,
        shown(least),
        shown(middle),
        shown(most)
    );
    println!("a program that holds a connection to libvirt and does nothing (virsh): {:.1} MiB", mib(virsh_alone()));
    drop(agent);
    let [resident, own, _] = most;

    let pairs = looks();
    pairs.print(&format!("a look at {domains} guests, the bulk call alone in the place of the shell"));
    for spec in &specs {
        process::kill_all(spec.server).unwrap();
    }
    // A guest that was killed holds its disk a moment longer.
    umount2(&config.pool_dir, MntFlags::MNT_DETACH).unwrap();
    goal("agent_look_of_bulk_call", pairs.ratio(), GOAL_IDLE, pairs.ratio() <= GOAL_IDLE);
    for (name, bytes) in [("agent_resident_of_15_mb", resident), ("agent_resident_without_files_of_15_mb", own)] {
        let ratio = bytes as f64 / GOAL_RESIDENT as f64;
        goal(name, ratio, 1.0, ratio <= 1.0);
    }
}

/// What libvirt's library takes by itself: bytes that are resident in its own shell, connected and waiting for a word.
fn virsh_alone() -> u64 {
    let mut virsh = Command::new("virsh");
    virsh.args(["--connect", "qemu:///system"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let shell = Running(virsh.spawn().unwrap());
    sleep(Duration::from_secs(5));
    shell.memory("VmRSS")
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What the agent does every 15 s, beside the same call to libvirt whose answer nobody reads.
fn looks() -> Pairs {
    let mut connect = Connect::open(Some("qemu:///system")).unwrap();
    let (mut stats, mut rates, mailbox) =
        (Stats::new("qemu:///system".to_owned()), Rates::default(), Mailbox::default());
    let mut pairs = Pairs::default();
    let start = Instant::now();
    for pair in 0..=LOOKS {
        let bulk = || super::timed(|| bulk_call(&connect)).0;
        let mut look = || {
            super::timed(|| {
                let began_ms = start.elapsed().as_millis() as u64;
                let domains = stats.read().unwrap();
                let ended_ms = start.elapsed().as_millis() as u64;
                mailbox.put(rates.samples(Look { began_ms, ended_ms, domains }));
            })
            .0
        };
        let (ours, theirs) = if pair % 2 == 0 {
            let ours = look();
            (ours, bulk())
        } else {
            let theirs = bulk();
            (look(), theirs)
        };
        if pair > 0 {
            pairs.push(ours, theirs);
        }
    }
    connect.close().unwrap();
    pairs
}

#[allow(unsafe_code, reason = "the call has no sound wrapper")]
fn bulk_call(connect: &Connect) {
    let groups = sys::VIR_DOMAIN_STATS_CPU_TOTAL
        | sys::VIR_DOMAIN_STATS_INTERFACE
        | sys::VIR_DOMAIN_STATS_BALLOON
        | sys::VIR_DOMAIN_STATS_BLOCK;
    let flags = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the connection is open; libvirt sets `records` to a list that is freed once, below.
    unsafe {
        assert!(sys::virConnectGetAllDomainStats(connect.as_ptr(), groups, &raw mut records, flags) > 0);
        sys::virDomainStatsRecordListFree(records);
    }
}

/// What the agent's unit sets.
fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    let unit = include_str!("../../../systemd/csp-agent.service");
    unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
}

/// The program itself, as a host runs it.
struct Running(Child);

impl Running {
    fn start(config: &Path) -> Self {
        let program = PathBuf::from(std::env::var("CSP_AGENT").expect("CSP_AGENT: where the agent's program is"));
        let mut agent = Command::new(program);
        agent.arg("--config").arg(config).arg("run").stdin(Stdio::null()).envs(environment());
        let log = fs::File::create(config.with_extension("log")).unwrap();
        Self(agent.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }

    /// Bytes, by a field of proc_pid_status(5).
    fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let fields: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
        fields[field].trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// Processor time of it and of the tools that it ran.
    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        Duration::from_millis(fields[11..15].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>() * 10)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
