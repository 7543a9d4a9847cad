//! What lies on the host's disks: images, customers' disks, seeds. And the one door to other programs.

pub mod base_length;
pub mod console_log;
pub mod disk;
pub mod download;
pub mod durable;
pub mod former;
pub mod grow;
pub mod image_cache;
mod image_fetch;
pub mod image_sweep;
pub mod pool;
pub mod qcow2;
pub mod raw;
pub mod room;
pub mod seal;
pub mod seed;
pub mod seed_image;
pub mod tool;
pub mod trash;
pub mod trash_clock;
pub mod trash_rescue;

#[cfg(test)]
pub(crate) mod test_spec;
