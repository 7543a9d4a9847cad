//! What handlers of both HTTP faces stand on: the store, the hosts' wake-up, time and entropy.

use std::sync::Arc;

use csp_shared::key_pin::KeyPin;

use super::edge::Edge;
use crate::{
    clock::Clock,
    config::{Advertise, Orders, PublicUrl},
    domain::{draw::Draw, limits::Limits, time::Time},
    entropy::Entropy,
    fleet::Wake,
    store::Store,
};

/// Handed to every handler. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The only place that keeps anything.
    pub store: Store,
    /// Tells a host's connection that there is something to read.
    pub wake: Wake,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives seeds.
    pub entropy: Arc<dyn Entropy>,
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
    /// How many of each thing an account may usually have.
    pub limits: Limits,
}

impl App {
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

    /// What the outermost layer needs.
    #[must_use]
    pub fn edge(&self) -> Edge {
        Edge { clock: self.clock.clone(), entropy: self.entropy.clone() }
    }
}
