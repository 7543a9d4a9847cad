//! What happens: one event after the other, drawn from the seed.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use csp_agent::machine::OffCause;
use csp_control::{
    clock::SetClock,
    config::AccountLimits,
    domain::{
        billing::{destroy::DestroyCredit, rules::Rules},
        catalog::ServiceType,
        hostname::Hostname,
        server::Request,
        time::Time,
    },
    entropy::{Entropy, SeededEntropy},
    service::{
        add_extra_ip::add_extra_ip,
        change_package::{ChangePackage, change_package},
        change_power::change_power,
        destroy_server::destroy_server,
        move_extra_ip::{MoveIp, move_extra_ip},
        order_server::{OrderServer, order_server},
        reinstall_server::{Reinstall, reinstall_server},
        remove_extra_ip::remove_extra_ip,
    },
    store::{Read, StoreError, Tx},
};
use csp_shared::{
    id::{AccountId, ActionId, ServerId},
    observed::{Fault, FaultCode},
};
use csp_tests::Op;

use super::{
    agent::SimHost,
    chance::Chance,
    control::{Control, PROVISION_TIMEOUT},
    fuse::Fuse,
};

const BEGIN: Time = Time(1_781_092_800);
const HOSTS: usize = 2;
const ACCOUNTS: usize = 2;

/// How often things happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub orders: u32,
    pub refused: u32,
    pub active: u32,
    pub refunded: u32,
    pub destroyed: u32,
    pub crashes_of_control: u32,
    pub crashes_of_agents: u32,
    pub reboots: u32,
    pub frames_lost: u32,
    pub frames_repeated: u32,
    pub cuts: u32,
    pub steps: u32,
    pub ips_added: u32,
    pub ips_moved: u32,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.refused += other.refused;
        self.active += other.active;
        self.refunded += other.refunded;
        self.destroyed += other.destroyed;
        self.crashes_of_control += other.crashes_of_control;
        self.crashes_of_agents += other.crashes_of_agents;
        self.reboots += other.reboots;
        self.frames_lost += other.frames_lost;
        self.frames_repeated += other.frames_repeated;
        self.cuts += other.cuts;
        self.steps += other.steps;
        self.ips_added += other.ips_added;
        self.ips_moved += other.ips_moved;
    }
}

pub struct History {
    pub control: Control,
    pub hosts: Vec<SimHost>,
    pub accounts: Vec<AccountId>,
    /// What was ordered, by whom, and with which address.
    pub ordered: BTreeMap<ServerId, (AccountId, Ipv4Addr)>,
    /// What was paid for a server beyond its order, in cents.
    pub extra: BTreeMap<ServerId, i64>,
    /// What a change of package took at once, and what it gives back when it is done, in cents.
    pub changes: BTreeMap<ActionId, (i64, i64)>,
    pub count: Tally,
    /// Hosts whose line is cut and stays so.
    pub away: [bool; HOSTS],
    pub fuse: Fuse,
    chance: Chance,
    tell: bool,
    _folder: tempfile::TempDir,
}

impl History {
    /// Hosts that joined and funded accounts.
    pub async fn begin(seed: u64, tell: bool) -> Self {
        let mut history = Self::bare(seed, tell, None);
        let pins: Vec<_> = history.hosts.iter().map(|host| (host.pin, host.machine_id.clone())).collect();
        history.accounts = history.control.furnish(&pins, ACCOUNTS).await;
        history.revive().await;
        history
    }

    /// A control plane that knows nobody, and hosts that it does not know.
    pub fn bare(seed: u64, tell: bool, fuse: Option<Fuse>) -> Self {
        // In memory: what is tried here is not the disk's durability, and a thousand flushes take a minute.
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let (clock, entropy) = (Arc::new(SetClock::new(BEGIN)), Arc::new(SeededEntropy::new(seed)));
        let control = Control::new(folder.path().join("csp.sqlite"), clock, entropy, HOSTS, fuse.clone());
        let fuse = fuse.unwrap_or_default();
        let hosts = (0..HOSTS).map(|number| SimHost::new(number, fuse.clone())).collect();
        let (chance, count, ordered) = (Chance::new(seed), Tally::default(), BTreeMap::new());
        let (accounts, away) = (Vec::new(), [false; HOSTS]);
        let (extra, changes) = (BTreeMap::new(), BTreeMap::new());
        Self { control, hosts, accounts, ordered, extra, changes, count, away, fuse, chance, tell, _folder: folder }
    }

    pub fn now_ms(&self) -> u64 {
        u64::try_from((self.control.now().0 - BEGIN.0) * 1000).unwrap()
    }

    fn told(&self, what: &str) {
        if self.tell {
            println!("{} {what}", self.control.now());
        }
    }

    pub async fn event(&mut self) {
        let host = self.chance.below(HOSTS);
        // Crashes are rare enough that what they interrupt had begun.
        match self.chance.below(1000) {
            0..30 => self.order().await,
            30..74 => self.request().await,
            74..80 => self.reshape().await,
            80..260 => self.hosts[host].hear().await,
            260..440 => self.deliver(host).await,
            440..810 => self.work(host).await,
            810..840 => self.extra_ip().await,
            840..855 => self.control.tell(host, &mut self.hosts[host].wire).await,
            855..865 => self.count.frames_lost += u32::from(self.hosts[host].wire.lose(&mut self.chance)),
            865..875 => self.count.frames_repeated += u32::from(self.hosts[host].wire.repeat(&mut self.chance)),
            875..880 => self.cut(host),
            880..930 => self.dial(host).await,
            930..934 => self.crash_control(),
            934..940 => self.crash_agent(host).await,
            940..943 => self.reboot(host).await,
            943..953 => self.mishap(host),
            953..963 => self.guest(host),
            _ => self.pass_time().await,
        }
    }

    async fn order(&mut self) {
        let account = *self.chance.one(&self.accounts).unwrap();
        let order = OrderServer {
            account,
            kind: ServiceType::Vps,
            package: "starter".to_owned(),
            image: "debian-12".to_owned(),
            hostname: Hostname::parse("web1").unwrap(),
            ssh_key: None,
            inline_keys: Vec::new(),
            user_data: None,
            location: None,
            promo: None,
            password_hash: None,
            provision_timeout: PROVISION_TIMEOUT,
            limits: AccountLimits::default().limits(),
        };
        let (draw, now) = (self.control.entropy.draw(), self.control.now());
        let ordered = self.control.store.write(move |tx| order_server(tx, &order, draw.clone(), now)).await;
        self.told(&format!("order: {ordered:?}"));
        let Ok(ordered) = ordered else { return self.count.refused += 1 };
        self.count.orders += 1;
        let server = ordered.server;
        let view = self.control.store.read(move |r| r.server_view(account, server, now)).await.unwrap().unwrap().0;
        self.ordered.insert(server, (account, view.ips[0].lease.address));
    }

    async fn request(&mut self) {
        let servers: Vec<_> = self.ordered.iter().map(|(server, (account, _))| (*server, *account)).collect();
        let Some((server, account)) = self.chance.one(&servers).copied() else { return };
        let request = match self.chance.below(8) {
            0..=1 => Request::Start,
            2..=3 => Request::Stop { force: false },
            4 => Request::Stop { force: true },
            5..=6 => Request::Restart,
            _ => Request::Destroy,
        };
        let (draw, now) = (self.control.entropy.draw(), self.control.now());
        let store = &self.control.store;
        let done = if request == Request::Destroy {
            store
                .write(move |tx| destroy_server(tx, account, server, DestroyCredit::default(), draw.clone(), now))
                .await
                .is_ok()
        } else {
            store.write(move |tx| change_power(tx, account, server, request, draw.clone(), now)).await.is_ok()
        };
        self.told(&format!("{request:?} of {server}: {done}"));
    }

    /// Another system, or another package.
    async fn reshape(&mut self) {
        let servers: Vec<_> = self.ordered.iter().map(|(server, (account, _))| (*server, *account)).collect();
        let Some((server, account)) = self.chance.one(&servers).copied() else { return };
        let (draw, now) = (self.control.entropy.draw(), self.control.now());
        if self.chance.below(2) == 0 {
            let image = (*self.chance.one(&["debian-12", "debian-13"]).unwrap()).to_owned();
            let wanted = Reinstall { account, server, image, ssh_key: None, password_hash: None };
            let done = self.control.store.write(move |tx| reinstall_server(tx, &wanted, draw.clone(), now)).await;
            return self.told(&format!("reinstall of {server}: {done:?}"));
        }
        let package = (*self.chance.one(&["starter", "large", "small"]).unwrap()).to_owned();
        let (confirms_loss, confirms_erasing) = (true, true);
        let wanted = ChangePackage {
            account,
            server,
            package,
            image: None,
            confirms_loss,
            confirms_erasing,
            password_hash: None,
        };
        let done = self.control.store.write(move |tx| change_package(tx, &wanted, draw.clone(), now)).await;
        self.told(&format!("package of {server}: {done:?}"));
        if let Ok(done) = done {
            self.changes.insert(done.action, (done.bill.quote.charged().get(), done.bill.quote.credited().get()));
        }
    }

    /// An address more, one fewer, or one that goes to another server.
    async fn extra_ip(&mut self) {
        let servers: Vec<_> = self.ordered.iter().map(|(server, (account, _))| (*server, *account)).collect();
        let (draw, now, rules) = (self.control.entropy.draw(), self.control.now(), Rules::default());
        let of = servers.clone();
        let read = move |r: &Read<'_>| {
            let of = of.iter().map(|(server, account)| Ok((*server, *account, r.extra_ip_list(*server)?)));
            of.collect::<Result<Vec<_>, StoreError>>()
        };
        let all = self.control.store.read(read).await.unwrap().into_iter();
        let all: Vec<_> =
            all.flat_map(|(server, account, ips)| ips.into_iter().map(move |ip| (server, account, ip))).collect();
        let Some((server, account, ip)) = self.chance.one(&all).cloned().filter(|_| self.chance.below(3) > 0) else {
            let Some((server, account)) = self.chance.one(&servers).copied() else { return };
            let add = move |tx: &mut Tx<'_>| add_extra_ip(tx, account, server, &rules, draw.clone(), now);
            let done = self.control.store.write(add).await.is_ok();
            self.count.ips_added += u32::from(done);
            return self.told(&format!("another address for {server}: {done}"));
        };
        if self.chance.below(4) == 0 {
            let place = (server, ip.id);
            let remove = move |tx: &mut Tx<'_>| remove_extra_ip(tx, account, place, draw.clone(), now);
            let done = self.control.store.write(remove).await.is_ok();
            return self.told(&format!("{} taken from {server}: {done}", ip.address));
        }
        let own = servers.iter().filter(|(other, owner)| *owner == account && *other != server);
        let own: Vec<_> = own.map(|(other, _)| *other).collect();
        let Some(target) = self.chance.one(&own).copied() else { return };
        let wanted = MoveIp { account, source: server, lease: ip.id, target };
        let moves = move |tx: &mut Tx<'_>| move_extra_ip(tx, &wanted, draw.clone(), now);
        let done = self.control.store.write(moves).await.is_ok();
        self.count.ips_moved += u32::from(done);
        self.told(&format!("{} from {server} to {target}: {done}", ip.address));
    }

    pub async fn deliver(&mut self, host: usize) {
        let SimHost { pin, wire, .. } = &mut self.hosts[host];
        if self.fuse.survive(self.control.hear(host, *pin, wire)).await.is_none() {
            self.replace_control().await;
        }
    }

    async fn work(&mut self, host: usize) {
        let servers = self.hosts[host].servers();
        let Some(server) = self.chance.one(&servers).copied() else { return };
        let now_ms = self.now_ms();
        self.count.steps += u32::from(self.hosts[host].step(server, now_ms).await);
    }

    fn cut(&mut self, host: usize) {
        self.count.cuts += u32::from(self.hosts[host].wire.up);
        self.hosts[host].hang_up();
        self.control.sessions[host] = None;
    }

    async fn dial(&mut self, host: usize) {
        if self.hosts[host].process.is_some() && !self.hosts[host].wire.up {
            // The control plane may still believe in the old connection: a half-open one.
            if self.chance.below(2) == 0 {
                self.control.sessions[host] = None;
            }
            self.hosts[host].dial().await;
        }
    }

    fn crash_control(&mut self) {
        self.told("the control plane dies");
        self.count.crashes_of_control += 1;
        self.control.restart();
        self.hosts.iter_mut().for_each(SimHost::hang_up);
    }

    async fn crash_agent(&mut self, host: usize) {
        self.told(&format!("agent {host} dies"));
        self.count.crashes_of_agents += 1;
        self.hosts[host].kill();
        self.control.sessions[host] = None;
        if self.chance.below(4) > 0 {
            let now_ms = self.now_ms();
            self.hosts[host].start(now_ms).await;
        }
    }

    async fn reboot(&mut self, host: usize) {
        self.told(&format!("host {host} reboots"));
        self.count.reboots += 1;
        self.hosts[host].kill();
        self.control.sessions[host] = None;
        self.hosts[host].machine.reboot();
        self.hosts[host].cables.cut();
        let now_ms = self.now_ms();
        self.hosts[host].start(now_ms).await;
    }

    fn mishap(&mut self, host: usize) {
        let ops = [
            (Op::See, FaultCode::HypervisorAway),
            (Op::FetchImage, FaultCode::ImageUnreachable),
            (Op::FetchImage, FaultCode::ImageChecksum),
            (Op::CreateDisk, FaultCode::PoolFull),
            (Op::GrowDisk, FaultCode::PoolFull),
            (Op::WriteSeed, FaultCode::SeedRefused),
            (Op::MakeTaps, FaultCode::NetworkRefused),
            (Op::ProbeAddresses, FaultCode::AddressInUse),
            (Op::SetFilters, FaultCode::NetworkRefused),
            (Op::LinkUp, FaultCode::NetworkRefused),
            (Op::Define, FaultCode::HypervisorRefused),
            (Op::Start, FaultCode::HypervisorRefused),
            (Op::Undefine, FaultCode::HypervisorAway),
            (Op::RemoveTaps, FaultCode::NetworkRefused),
        ];
        let (op, code) = *self.chance.one(&ops).unwrap();
        self.told(&format!("host {host}: {op:?} will fail with {}", code.as_str()));
        let times = if code.is_lasting() { 1 } else { 3 };
        self.hosts[host].machine.fail(op, times, Fault::new(code, "it was told to fail"));
        if self.chance.below(8) == 0 {
            self.hosts[host].machine.with(|machine| machine.pool_mounted = !machine.pool_mounted);
        }
    }

    fn guest(&mut self, host: usize) {
        let servers: Vec<ServerId> = self.hosts[host].machine.with(|machine| machine.servers.keys().copied().collect());
        let Some(server) = self.chance.one(&servers).copied() else { return };
        let cause = *self.chance.one(&[OffCause::Shutdown, OffCause::Crashed, OffCause::Unknown]).unwrap();
        self.told(&format!("guest {server} goes off: {cause:?}"));
        self.hosts[host].machine.guest_goes_off(server, cause);
    }

    async fn pass_time(&mut self) {
        let seconds = [1, 2, 5, 10, 15, 30, 60, 300][self.chance.below(8)];
        self.control.clock.advance(seconds);
        self.control.tick().await;
        let now_ms = self.now_ms();
        for host in &mut self.hosts {
            host.say_alive();
            host.tell_of_traffic(now_ms);
        }
    }

    /// The faults end, and everything has the time that it needs.
    pub async fn settle(&mut self) {
        self.calm_down().await;
        // Longer than an order may take, than a guest may take to go down, than an address rests.
        for _ in 0..PROVISION_TIMEOUT / 30 + 20 {
            self.wait(30).await;
        }
    }

    /// As [`Self::settle`] in fewer looks: what is to be seen here is not a race with the clock.
    pub async fn settle_soon(&mut self) {
        self.calm_down().await;
        for seconds in [30, 60, 60, 60, PROVISION_TIMEOUT, 60, 60, 60] {
            self.wait(seconds).await;
        }
    }

    async fn calm_down(&mut self) {
        self.told("settling");
        for host in &self.hosts {
            host.machine.with(|machine| machine.pool_mounted = true);
            for op in [Op::See, Op::FetchImage, Op::CreateDisk, Op::WriteSeed, Op::MakeTaps, Op::SetFilters, Op::LinkUp]
            {
                host.machine.fail(op, 0, Fault::new(FaultCode::Internal, ""));
            }
            for op in [Op::ProbeAddresses, Op::GrowDisk, Op::Define, Op::Start, Op::Undefine, Op::RemoveTaps] {
                host.machine.fail(op, 0, Fault::new(FaultCode::Internal, ""));
            }
        }
        self.revive().await;
    }

    /// Every process runs and every wire is new.
    pub async fn revive(&mut self) {
        let now_ms = self.now_ms();
        for index in 0..HOSTS {
            if self.hosts[index].process.is_none() {
                self.hosts[index].start(now_ms).await;
            }
            self.dial_anew(index).await;
        }
        self.calm().await;
    }

    /// Everything is delivered and done that can be, now.
    pub async fn calm(&mut self) {
        let now_ms = self.now_ms();
        for index in 0..HOSTS {
            self.hosts[index].say_alive();
            self.hosts[index].tell_of_traffic(now_ms);
            self.control.tell(index, &mut self.hosts[index].wire).await;
            loop {
                let mut busy = false;
                for server in self.hosts[index].servers() {
                    match self.fuse.survive(self.hosts[index].step(server, now_ms)).await {
                        Some(ran) => busy |= ran,
                        None => {
                            self.replace_agent(index).await;
                            busy = true;
                        }
                    }
                }
                let wire = &self.hosts[index].wire;
                busy |= !wire.to_control.is_empty() || !wire.to_agent.is_empty();
                if !busy {
                    break;
                }
                self.deliver(index).await;
                if self.fuse.survive(self.hosts[index].hear()).await.is_none() {
                    self.replace_agent(index).await;
                }
            }
        }
    }

    /// Time passes, and what it brings is done.
    pub async fn wait(&mut self, seconds: i64) {
        self.control.clock.advance(seconds);
        if self.fuse.survive(self.control.tick()).await.is_none() {
            self.replace_control().await;
        }
        self.calm().await;
    }

    /// The control plane died: another process takes over, and every host dials it.
    pub async fn replace_control(&mut self) {
        self.crash_control();
        for index in 0..HOSTS {
            self.dial_anew(index).await;
        }
    }

    /// An agent died: another process takes over.
    pub async fn replace_agent(&mut self, index: usize) {
        self.hosts[index].kill();
        let now_ms = self.now_ms();
        self.hosts[index].start(now_ms).await;
        self.dial_anew(index).await;
    }

    /// Dials, unless the line is cut.
    pub async fn dial_anew(&mut self, index: usize) {
        self.control.sessions[index] = None;
        if !self.away[index] && self.hosts[index].process.is_some() {
            self.hosts[index].dial().await;
        }
    }
}
