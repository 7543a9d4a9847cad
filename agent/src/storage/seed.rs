//! What a guest is told about itself at its first boot: cloud-init's NoCloud files. Pure: a spec in, three texts out.
//!
//! All of ours is JSON, which is YAML too, from a serializer: a host name or key with a quote or a line break in it stays
//! what it is. Only public keys and password hashes of ours are in here; nothing that opens a server. What the customer
//! hands to cloud-init is a string inside of that JSON, never text beside it.

use std::{collections::BTreeMap, net::IpAddr};

use csp_shared::{
    id::NetworkId,
    spec::{Nic, NicAddress, NicNetwork, ServerSpec},
};
use serde::Serialize;

/// Lets root sign in with a password, which OpenSSH refuses by default. Only for servers that were given one.
const ROOT_PASSWORD_CONF: &str = "/etc/ssh/sshd_config.d/00-csp-root-password.conf";

/// The three files of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedFiles {
    /// `meta-data`: who the guest is. A new instance-id makes cloud-init run again.
    pub meta_data: String,
    /// `user-data`: who may enter.
    pub user_data: String,
    /// `network-config`, version 2: its addresses.
    pub network_config: String,
}

impl SeedFiles {
    /// The seed of a server's present disk. `mtus` are the largest packets of its host's private networks, in bytes.
    #[must_use]
    pub fn of(spec: &ServerSpec, mtus: &BTreeMap<NetworkId, u32>) -> Self {
        Self {
            meta_data: json(&MetaData {
                instance_id: format!("{}-{}", spec.server, spec.disk_epoch),
                local_hostname: &spec.hostname,
            }),
            user_data: user_data(spec),
            network_config: json(&NetworkConfig {
                version: 2,
                ethernets: spec.nics.iter().enumerate().map(|(index, nic)| Ethernet::of(index, nic, mtus)).collect(),
            }),
        }
    }
}

/// Our part alone, or an archive of the customer's part and ours.
///
/// cloud-init merges parts in order, and the later part says how. By its default the later part takes the place of
/// whole lists, so a customer's `write_files` or `ssh_authorized_keys` would push ours out, or ours theirs. So ours
/// comes last and says: lists are joined, and what the customer said stays said (cloud-init, `mergers/m_dict.py`). A
/// part of theirs that is not understood is passed over, and ours is merged none the less.
fn user_data(spec: &ServerSpec) -> String {
    let mut ours = UserData::of(spec);
    let Some(theirs) = &spec.user_data else { return format!("#cloud-config\n{}", json(&ours)) };
    ours.merge_how = Some("dict(no_replace,recurse_list)+list(append)+str()");
    let parts = [
        Part { filename: "customer", content: theirs.reveal() },
        Part { filename: "provider", content: &format!("#cloud-config\n{}", json(&ours)) },
    ];
    format!("#cloud-config-archive\n{}", yaml(&parts))
}

/// JSON that every YAML reader takes for the same text. YAML breaks lines at U+0085, U+2028 and U+2029, and refuses
/// other controls and the last two characters of a plane, where JSON has them stand for themselves.
fn yaml(value: &impl Serialize) -> String {
    let json = json(value);
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => text.push(c),
        }
    }
    text
}

/// One part of an archive. Its kind is told by its first line.
#[derive(Serialize)]
struct Part<'a> {
    filename: &'static str,
    content: &'a str,
}

fn json(value: &impl Serialize) -> String {
    // Serializing these types cannot fail: text, numbers and lists with text for keys.
    serde_json::to_string(value).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct MetaData<'a> {
    instance_id: String,
    local_hostname: &'a str,
}

#[derive(Serialize)]
struct UserData<'a> {
    /// How this part is merged into the parts before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    merge_how: Option<&'static str>,
    hostname: &'a str,
    fqdn: &'a str,
    preserve_hostname: bool,
    manage_etc_hosts: &'static str,
    disable_root: bool,
    // cloud-init's schema refuses a list of none.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    ssh_authorized_keys: &'a [String],
    ssh_pwauth: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    chpasswd: Option<ChangePassword<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    write_files: Vec<WriteFile>,
}

#[derive(Serialize)]
struct ChangePassword<'a> {
    expire: bool,
    users: [UserPassword<'a>; 1],
}

#[derive(Serialize)]
struct UserPassword<'a> {
    name: &'static str,
    password: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct WriteFile {
    path: &'static str,
    content: &'static str,
}

impl<'a> UserData<'a> {
    fn of(spec: &'a ServerSpec) -> Self {
        let hash = spec.login.password_hash.as_deref();
        Self {
            merge_how: None,
            hostname: spec.hostname.split('.').next().unwrap_or(&spec.hostname),
            fqdn: &spec.hostname,
            preserve_hostname: false,
            manage_etc_hosts: "localhost",
            disable_root: false,
            ssh_authorized_keys: &spec.login.ssh_keys,
            ssh_pwauth: hash.is_some(),
            chpasswd: hash.map(|hash| ChangePassword {
                expire: false,
                users: [UserPassword { name: "root", password: hash, kind: "hash" }],
            }),
            write_files: hash
                .map(|_| WriteFile { path: ROOT_PASSWORD_CONF, content: "PermitRootLogin yes\n" })
                .into_iter()
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct NetworkConfig {
    version: u8,
    /// By the adapter's name. A map, since the format wants one; in the order of the spec.
    #[serde(serialize_with = "as_map")]
    ethernets: Vec<(String, Ethernet)>,
}

fn as_map<S: serde::Serializer>(entries: &[(String, Ethernet)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(name, ethernet)| (name, ethernet)))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Ethernet {
    #[serde(rename = "match")]
    matching: Match,
    set_name: String,
    /// In a private network packets may have to be smaller, since each is packed into another one between hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    addresses: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<Route>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nameservers: Option<Nameservers>,
}

#[derive(Serialize)]
struct Match {
    macaddress: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Route {
    to: &'static str,
    via: IpAddr,
    /// The gateway lies outside the adapter's own network, as with a /32.
    #[serde(skip_serializing_if = "is_false")]
    on_link: bool,
}

#[derive(Serialize)]
struct Nameservers {
    addresses: Vec<IpAddr>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Ethernet {
    fn of(index: usize, nic: &Nic, mtus: &BTreeMap<NetworkId, u32>) -> (String, Self) {
        let mtu = match nic.network {
            NicNetwork::Public => None,
            NicNetwork::Private { network } => mtus.get(&network).copied(),
        };
        let ethernet = Self {
            matching: Match { macaddress: nic.mac.to_string() },
            set_name: format!("eth{index}"),
            mtu,
            addresses: nic.addresses.iter().map(|a| format!("{}/{}", a.address, a.prefix_len)).collect(),
            routes: nic.addresses.iter().filter_map(Route::of).collect(),
            nameservers: (!nic.dns.is_empty()).then(|| Nameservers { addresses: nic.dns.clone() }),
        };
        (nic.name.clone(), ethernet)
    }
}

impl Route {
    fn of(address: &NicAddress) -> Option<Self> {
        let via = address.gateway?;
        let network = ipnet::IpNet::new(address.address, address.prefix_len);
        Some(Self {
            to: if via.is_ipv4() { "0.0.0.0/0" } else { "::/0" },
            via,
            on_link: !network.is_ok_and(|network| network.contains(&via)),
        })
    }
}

#[cfg(test)]
mod tests {
    use csp_shared::{mac::Mac, secret::Secret};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::storage::test_spec::spec;

    #[test]
    fn the_seed_of_a_server_is_the_known_one() {
        let mut spec = spec();
        spec.login.password_hash = Some("$6$salt$hash".to_owned());
        let seed = SeedFiles::of(&spec, &BTreeMap::new());
        insta::assert_snapshot!(format!("{}\n---\n{}\n---\n{}", seed.meta_data, seed.user_data, seed.network_config));
    }

    #[test]
    fn without_a_password_none_is_asked_for_or_allowed() {
        let seed = SeedFiles::of(&spec(), &BTreeMap::new());
        assert!(seed.user_data.contains(r#""ssh_pwauth":false"#), "{}", seed.user_data);
        assert!(!seed.user_data.contains("chpasswd") && !seed.user_data.contains("PermitRootLogin"));
    }

    #[test]
    fn a_gateway_outside_the_network_is_reached_on_the_link() {
        let mut spec = spec();
        spec.nics[0].addresses[0].prefix_len = 32;
        assert!(SeedFiles::of(&spec, &BTreeMap::new()).network_config.contains(r#""on-link":true"#));
    }

    #[test]
    fn what_the_customer_hands_over_stands_before_ours_in_an_archive() {
        let mut spec = spec();
        spec.login.password_hash = Some("$6$salt$hash".to_owned());
        spec.user_data = Some(Secret::new("#cloud-config\nruncmd: [\"touch /a\"]\n".to_owned()));
        insta::assert_snapshot!(SeedFiles::of(&spec, &BTreeMap::new()).user_data);
    }

    /// Characters that JSON leaves alone and YAML does not.
    #[test]
    fn what_yaml_reads_otherwise_is_escaped() {
        let odd = "#!/bin/sh\n\u{7f}\u{80}\u{85}\u{9f}\u{2028}\u{2029}\u{feff}\u{ffff}\u{a0}\u{1f600}é";
        let mut spec = spec();
        spec.user_data = Some(Secret::new(odd.to_owned()));
        let seed = SeedFiles::of(&spec, &BTreeMap::new()).user_data;
        let body = seed.strip_prefix("#cloud-config-archive\n").unwrap();
        assert!(
            !body.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{ffff}'))
        );
        let parts: Value = serde_json::from_str(body).unwrap();
        assert_eq!(parts[0]["content"], Value::from(odd));
        assert!(body.contains('\u{1f600}'), "YAML has no pairs of surrogates");
    }

    proptest! {
        /// It is a string in an archive of two parts, whatever it says.
        #[test]
        fn user_data_stays_in_its_part(data in ".*", more in proptest::collection::vec(any::<char>(), 0..40)) {
            let mut spec = spec();
            let data = format!("{data}\n{}", more.into_iter().collect::<String>());
            spec.user_data = Some(Secret::new(data.clone()));
            let seed = SeedFiles::of(&spec, &BTreeMap::new()).user_data;
            let body = seed.strip_prefix("#cloud-config-archive\n").unwrap();
            prop_assert!(!body.contains('\n'));
            let parts: Value = serde_json::from_str(body).unwrap();
            prop_assert_eq!(parts.as_array().unwrap().len(), 2);
            prop_assert_eq!(&parts[0]["content"], &Value::from(data));
            let ours = parts[1]["content"].as_str().unwrap().strip_prefix("#cloud-config\n").unwrap();
            let ours: Value = serde_json::from_str(ours).unwrap();
            prop_assert_eq!(&ours["fqdn"], &Value::from(spec.hostname));
        }

        /// Whatever stands in a text, it is the text that the guest reads, and nothing becomes another field.
        #[test]
        fn no_text_escapes_its_field(hostname in ".*", key in ".*", name in ".*") {
            let mut spec = spec();
            spec.hostname.clone_from(&hostname);
            spec.login.ssh_keys = vec![key.clone()];
            spec.nics[0].name.clone_from(&name);
            spec.nics[0].mac = Mac::for_guest([1, 2, 3, 4]);
            let seed = SeedFiles::of(&spec, &BTreeMap::new());
            let body = seed.user_data.strip_prefix("#cloud-config\n").unwrap();
            let user: Value = serde_json::from_str(body).unwrap();
            let meta: Value = serde_json::from_str(&seed.meta_data).unwrap();
            let network: Value = serde_json::from_str(&seed.network_config).unwrap();
            prop_assert_eq!(&user["ssh_authorized_keys"][0], &Value::from(key));
            prop_assert_eq!(&meta["local-hostname"], &Value::from(hostname));
            prop_assert_eq!(meta.as_object().unwrap().len(), 2);
            let mac = &network["ethernets"][name.as_str()]["match"]["macaddress"];
            prop_assert_eq!(mac, &Value::from("0a:c5:01:02:03:04"));
            prop_assert!(!body.contains('\n'));
        }
    }
}
