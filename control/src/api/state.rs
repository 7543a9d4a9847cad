//! What handlers of both HTTP faces stand on: the store, the hosts' wake-up, time and entropy.

use std::sync::Arc;

use csp_link::screens::Screens;
use csp_shared::key_pin::KeyPin;
use ipnet::IpNet;

use super::{edge::Edge, hashing::Hashing, held::Held, panel::brand::Logo, throttle::Throttle, turns::Turns};
use crate::{
    clock::{Clock, SteadyClock},
    config::{Advertise, Brand, Orders, PublicUrl, RateLimits, SignUpRules},
    domain::{billing::rules::Rules, draw::Draw, limits::Limits, time::Time, vault::Vault},
    entropy::Entropy,
    fleet::Wake,
    metrics::Metrics,
    service::{check_factor::Checker, note_key_uses::KeyUses},
    store::Store,
    stripe,
};

/// Handed to every handler. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The only place that keeps anything.
    pub store: Store,
    /// Tells a host's connection that there is something to read.
    pub wake: Wake,
    /// What servers used.
    pub metrics: Metrics,
    /// Tells the time.
    pub clock: Arc<SteadyClock>,
    /// Gives seeds.
    pub entropy: Arc<dyn Entropy>,
    /// How often somebody may ask.
    pub throttle: Arc<Throttle>,
    /// Requests that are held open.
    pub held: Arc<Held>,
    /// When keys were used last.
    pub key_uses: Arc<KeyUses>,
    /// Who changes what lies outside the store, one at a time.
    pub turns: Turns,
    /// What carries screens.
    pub screens: Screens,
    /// Where passwords are hashed.
    pub hashing: Arc<Hashing>,
    /// What the configuration says.
    pub settings: Arc<Settings>,
}

/// What handlers need of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URLs in answers begin with it.
    pub public_url: PublicUrl,
    /// How hosts reach the fleet's listener; None when the operator has not said.
    pub advertise: Option<Advertise>,
    /// Fingerprints that a joining host is told: of the key in use, and of the next.
    pub pins: [KeyPin; 2],
    /// Bounds of an order.
    pub orders: Orders,
    /// The life of services.
    pub billing: Rules,
    /// How many of each thing an account may usually have.
    pub limits: Limits,
    /// Whose panel it is.
    pub brand: Brand,
    /// The picture beside the name.
    pub logo: Option<Logo>,
    /// Who may open an account.
    pub sign_up: SignUpRules,
    /// How often somebody may ask.
    pub rate_limits: RateLimits,
    /// Where people pay by card; None: nowhere.
    pub stripe: Option<stripe::Account>,
    /// Opens and seals what the store must not hold in clear.
    pub vault: Vault,
    /// Proxies that are believed when they name the client.
    pub trusted_proxies: Vec<IpNet>,
}

impl App {
    /// What handlers stand on when the program begins. Time goes on from what the store knew.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, settings: Settings) -> Self {
        let bound = settings.billing.clock_jump_max;
        let clock = Arc::new(SteadyClock::begin(clock, &store.scheduler_at_open(), bound));
        let throttle = Arc::new(Throttle::new(&settings.rate_limits, clock.clone()));
        let (held, key_uses, settings) = (Arc::default(), Arc::default(), Arc::new(settings));
        let hashing = Arc::default();
        let metrics = Metrics::without_history();
        let (turns, wake, screens) = (Turns::default(), Wake::default(), Screens::default());
        let bell = wake.clone();
        store.wake_hosts_by(move |host| bell.wake(host));
        Self { store, wake, metrics, clock, entropy, throttle, held, key_uses, turns, screens, hashing, settings }
    }

    /// The same, with samples kept there.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A fresh stream of random values.
    #[must_use]
    pub fn draw(&self) -> Draw {
        self.entropy.draw()
    }

    /// What codes of authenticators are checked by.
    #[must_use]
    pub fn checker(&self) -> Checker {
        Checker { vault: self.settings.vault.clone(), clock_shows: self.clock.shown() }
    }

    /// What the outermost layer needs.
    #[must_use]
    pub fn edge(&self) -> Edge {
        let is_https = self.settings.public_url.is_https();
        Edge { clock: self.clock.clone(), entropy: self.entropy.clone(), is_https }
    }
}
