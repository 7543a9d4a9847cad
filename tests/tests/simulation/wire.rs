//! A connection as a wire that can fail: frames wait in both directions until they are delivered, lost or repeated.

use std::collections::VecDeque;

use super::chance::Chance;

#[derive(Default)]
pub struct Wire {
    pub up: bool,
    pub to_control: VecDeque<String>,
    pub to_agent: VecDeque<String>,
}

impl Wire {
    /// Everything under way is lost.
    pub fn cut(&mut self) {
        *self = Self::default();
    }

    pub fn connect(&mut self) {
        *self = Self { up: true, ..Self::default() };
    }

    /// Loses one frame. Worse than TCP does: the protocol does not rest on its order or wholeness.
    pub fn lose(&mut self, chance: &mut Chance) -> bool {
        let queue = if chance.below(2) == 0 { &mut self.to_control } else { &mut self.to_agent };
        queue.remove(chance.below(queue.len())).is_some()
    }

    /// Delivers one frame a second time, later.
    pub fn repeat(&mut self, chance: &mut Chance) -> bool {
        let queue = if chance.below(2) == 0 { &mut self.to_control } else { &mut self.to_agent };
        let again = queue.get(chance.below(queue.len())).cloned();
        queue.extend(again.clone());
        again.is_some()
    }
}
