//! Every bound on what one side accepts from the other, in one place.

/// Longest frame of a control connection, in bytes. A spec is under 160 KiB (keys and user data included, each character
/// escaped), an inventory of a host with a thousand servers under 2 MiB.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Specs in one frame.
pub const SPECS_PER_FRAME_MAX: usize = 64;
/// Private networks in one frame.
pub const NETWORKS_PER_FRAME_MAX: usize = 64;
/// Adapters in one private network: a subnet is a /22 at most.
pub const NETWORK_MEMBERS_MAX: usize = 1024;
/// Tags that a host says it uses itself: all there are.
pub const OWN_TAGS_MAX: usize = 4094;
/// Reports, or entries of an inventory's part, in one frame.
pub const REPORTS_PER_FRAME_MAX: usize = 4096;
/// Entries of a whole inventory. Tombstones are kept for ever, so it grows with a host's age.
pub const INVENTORY_ENTRIES_MAX: usize = 65_536;
/// Things of one host that an audit takes in. A server has about six of them, and tombstones are kept for ever.
pub const HOLDINGS_MAX: usize = 262_144;
/// Longest text of a thing that an audit shows, in characters; what is longer is cut.
pub const HOLDING_TEXT_CHARS_MAX: usize = 300;
/// Longest first frame of a connection whose key is not known, in bytes: an enrolment, nothing else.
pub const STRANGER_FRAME_BYTES_MAX: usize = 4096;
/// Longest text that explains a fault, in characters; what is longer is cut.
pub const FAULT_DETAIL_CHARS_MAX: usize = 500;
/// Adapters of one server.
pub const NICS_MAX: usize = 16;
/// Public keys put into one guest.
pub const SSH_KEYS_MAX: usize = 16;
/// Longest public key line, in bytes. RSA with 16,384 bits is below 3 KiB.
pub const SSH_KEY_BYTES_MAX: usize = 4096;
/// Longest text that a customer hands to cloud-init, in bytes of UTF-8.
pub const USER_DATA_BYTES_MAX: usize = 16 * 1024;
/// Largest image that a host fetches, in bytes (64 GiB).
pub const IMAGE_BYTES_MAX: u64 = 64 << 30;
/// Samples in one frame: below 256 KiB, so that a report that comes up meanwhile waits for no more than that.
pub const SAMPLES_PER_FRAME_MAX: usize = 256;
/// Servers' counts of traffic in one frame; each is below 8 KiB with its earlier totals.
pub const TRAFFIC_PER_FRAME_MAX: usize = 256;
/// Longest time that one sample tells of, in milliseconds: after a longer hole nothing is known.
pub const SAMPLE_MS_MAX: u32 = 120_000;
/// A host says that it lives at least this often, in seconds.
pub const HEARTBEAT_SECONDS: u64 = 20;
/// A host that was silent for longer is `Unknown`, in seconds.
pub const SILENCE_SECONDS_MAX: i64 = 90;
/// Longest binary frame of a console, in bytes. A screen is read in parts of [`CONSOLE_READ_BYTES`].
pub const CONSOLE_FRAME_BYTES_MAX: usize = 64 * 1024;
/// What is read at once of a screen that sends much, in bytes: with the head of its frame it fills three records of TLS, and no
/// fourth one. Each session keeps some buffers of that size.
pub const CONSOLE_READ_BYTES: usize = 3 * 16 * 1024 - 8;
/// Open consoles of one server.
pub const CONSOLES_PER_SERVER_MAX: usize = 4;
/// Open consoles of one host.
pub const CONSOLES_PER_HOST_MAX: usize = 64;
