//! The seeds of every kind of server, written for cloud-init's own program to judge: `scripts/checks/seeds`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{fs, path::Path};

use csp_agent::storage::seed::SeedFiles;
use csp_shared::{secret::Secret, spec::ServerSpec};
use csp_tests::spec::server_spec;
use serde_json::Value;

/// A server with the address and the resolver that the check looks for.
fn server(change: impl FnOnce(&mut ServerSpec)) -> ServerSpec {
    let mut spec = server_spec(10);
    spec.hostname = "web-1.example.com".to_owned();
    spec.login.ssh_keys =
        vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f a".to_owned()];
    let nic = spec.nics.first_mut().unwrap();
    nic.dns = vec![[192, 0, 2, 53].into()];
    nic.mac = "0a:c5:01:02:03:04".parse().unwrap();
    change(&mut spec);
    spec
}

/// A seed in its files; an archive of user data in the files of its parts.
fn write(folder: &Path, spec: &ServerSpec) {
    fs::create_dir_all(folder).unwrap();
    let seed = SeedFiles::of(spec, &std::collections::BTreeMap::new());
    fs::write(folder.join("network-config"), &seed.network_config).unwrap();
    let Some(archive) = seed.user_data.strip_prefix("#cloud-config-archive\n") else {
        return fs::write(folder.join("user-data"), &seed.user_data).unwrap();
    };
    let parts: Vec<Value> = serde_json::from_str(archive).unwrap();
    for (number, part) in parts.iter().enumerate() {
        fs::write(folder.join(format!("user-data-{number}")), part["content"].as_str().unwrap()).unwrap();
    }
}

#[test]
fn every_kind_of_seed_is_written_for_the_check() {
    #[allow(clippy::disallowed_methods, reason = "a setting of the check, not of the product")]
    let asked = std::env::var_os("CSP_SEEDS_TO");
    let home = tempfile::tempdir().unwrap();
    let folder = asked.map_or_else(|| home.path().to_owned(), Into::into);
    let hash = "$6$rounds=5000$salt$0123456789abcdef".to_owned();
    let kinds: [(&str, ServerSpec); 4] = [
        ("key", server(|_| {})),
        (
            "password",
            server(|spec| {
                spec.login = csp_shared::spec::Login { ssh_keys: Vec::new(), password_hash: Some(hash.clone()) }
            }),
        ),
        (
            "gateway-on-link",
            server(|spec| spec.nics.first_mut().unwrap().addresses.first_mut().unwrap().prefix_len = 32),
        ),
        (
            "user-data",
            server(|spec| spec.user_data = Some(Secret::new("#cloud-config\nruncmd: [\"touch /a\"]\n".to_owned()))),
        ),
    ];
    for (name, spec) in &kinds {
        write(&folder.join(name), spec);
        let theirs = folder.join(name).join("user-data-1").exists();
        assert_eq!(theirs, spec.user_data.is_some(), "{name}");
    }
}
