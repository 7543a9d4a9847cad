//! A guest that customers would buy: Debian with cloud-init, made by `scripts/image debian`.
//!
//! One boot shows all of it, since that boot takes minutes where there is no KVM.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use crate::rig::{Lab, Server};

/// A first boot under emulation takes one minute; on a busy machine, several.
const FIRST_BOOT: Duration = Duration::from_secs(600);
/// What the file system itself takes of its partition, journal and tables, and GRUB's partition.
const ROOT_SHARE: f64 = 0.9;

/// Keys, which the provider's part lists as well, a file with what is easily lost on its way, and a command.
const USER_DATA: &str = "#cloud-config\n\
    ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f theirs]\n\
    write_files:\n- {path: /root/said, content: \"one\u{a0}\\\"two\\\" \u{1f600}\"}\n\
    runcmd:\n- [sh, -c, 'echo ran on $(hostname) > /root/ran']\n";

const ASK: &str = r#"
cloud-init status --wait --long
echo "short: $(hostname)"
echo "full: $(hostname -f)"
echo "address: $(ip -4 -o address show dev eth0)"
echo "route: $(ip route show default)"
echo "dns: $(resolvectl dns eth0)"
echo "sshd: $(sshd -T | grep ^passwordauthentication)"
echo "failed: $(systemctl list-units --failed --plain --no-legend | tr '\n' ' ')"
echo "disk: $(blockdev --getsize64 /dev/vda)"
echo "root: $(findmnt -bno SIZE /)"
echo "ran: $(cat /root/ran)"
echo "said: $(od -An -tx1 /root/said | tr -d ' \n')"
echo "keys: $(grep -c '^ssh-' /root/.ssh/authorized_keys)"
"#;

#[test]
fn a_real_debian_is_what_was_ordered_when_its_first_boot_ends() {
    let lab = Lab::of_environment();
    let server = lab.order_with_user_data("debian1.example.com", "debian-12-cloud", USER_DATA);
    lab.await_status(&server, "Online");
    let said = first_boot(&lab, &server);
    let told =
        |key: &str| said.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key} {said}"));

    assert_eq!(told("status: "), "done", "{said}");
    assert_eq!((told("short: "), told("full: ")), ("debian1", "debian1.example.com"));
    assert!(told("address: ").contains(&format!("{}/24", server.address)), "{said}");
    assert!(told("route: ").starts_with("default via 203.0.113.1 "), "{said}");
    assert!(told("dns: ").ends_with(": 203.0.113.1"), "{said}");
    assert_eq!(told("sshd: "), "passwordauthentication no", "it was ordered with a key alone");
    assert_eq!(told("failed: "), "", "units that failed");
    let ordered = lab.call("GET", &format!("/servers/{}", server.uuid), None).1["data"]["package"]["disk_gb"].clone();
    let disk: u64 = told("disk: ").parse().unwrap();
    assert_eq!(Some(disk >> 30), ordered.as_u64(), "the disk is the package's");
    let root: u64 = told("root: ").parse().unwrap();
    assert!(root as f64 > disk as f64 * ROOT_SHARE, "the root has grown: {root} of {disk}");

    assert_eq!(told("ran: "), "ran on debian1", "the customer's command");
    let said: String = "one\u{a0}\"two\" \u{1f600}".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(told("said: "), said, "the customer's file, byte by byte");
    assert_eq!(told("keys: "), "2", "the customer's key and the one that was ordered");

    let host = lab.host_of(&server);
    let ping = r#"{"execute":"guest-ping"}"#;
    lab.run(&["exec", &host, "--", "virsh", "qemu-agent-command", &server.uuid, ping]);

    let (status, reset) = lab.call("POST", &format!("/servers/{}/reset-password", server.uuid), None);
    assert_eq!(status, 200, "{reset}");
    let shadow = lab.ssh(&server, "grep ^root: /etc/shadow");
    let hash = shadow.trim().split(':').nth(1).unwrap();
    let plain = reset["data"]["root_password"].as_str().unwrap();
    sha_crypt::sha512_check(plain, hash).expect("the guest's root has the password that was shown");

    // Freezing again and again takes its time.
    if cfg!(feature = "long") {
        crate::freeze::a_frozen_guest_writes_nothing_and_is_thawed_whatever_happens(&lab, &server);
    }
    lab.destroy(&server);
}

/// Before its package changes: the guest will not hear its power button until it has seen its disk grow, so that what it saw
/// is of this boot. It is asked again every few seconds, and obeys then.
#[cfg(feature = "long")]
const WATCH: &str = r#"mkdir -p /var/log/journal && systemctl restart systemd-journald && echo kept >/root/mark
cat >/root/watch <<'END'
until [ "$(lsblk -bdno SIZE /dev/vda)" -gt 5000000000 ]; do sleep 1; done
echo "$(cat /proc/sys/kernel/random/boot_id) $(lsblk -bdno SIZE /dev/vda)" >/root/grown
sync
END
systemd-run --unit=watch systemd-inhibit --what=handle-power-key --mode=block sh /root/watch && sleep 3
lsblk -bdno SIZE /dev/vda && systemctl is-active watch"#;

/// A larger package under the running system, another image, and a smaller package again.
#[cfg(feature = "long")]
#[test]
fn a_real_debian_sees_its_disk_grow_live_is_asked_to_go_down_and_gives_way_to_another_system() {
    use serde_json::json;

    let lab = Lab::of_environment();
    let server = lab.order_image("debian2.example.com", "debian-12-cloud");
    lab.await_status(&server, "Online");
    first_boot(&lab, &server);
    let before = lab.boot_id(&server).trim().to_owned();
    lab.ssh(&server, WATCH);
    let ask = |what: &str, body: serde_json::Value| {
        let (status, answer) = lab.call("POST", &format!("/servers/{}/{what}", server.uuid), Some((&body, None)));
        assert_eq!(status, 200, "{what}: {answer}");
    };
    ask("change-package", json!({"package_slug": "edge"}));
    lab.await_status(&server, "Online");
    let until = Instant::now() + FIRST_BOOT;
    while lab.try_boot_id(&server).is_none_or(|boot| boot.trim() == before) {
        assert!(Instant::now() < until, "no other boot");
    }
    let grown = lab.ssh(&server, "cat /root/grown");
    assert_eq!(grown.trim(), format!("{before} {}", 6u64 << 30), "lsblk saw it grow while it ran");
    let journal =
        lab.ssh(&server, "journalctl -b -1 --no-pager -u systemd-logind; findmnt -bno SIZE /; cat /root/mark");
    assert!(journal.to_lowercase().contains("power key pressed"), "{journal}");
    let last: Vec<&str> = journal.lines().rev().take(2).collect();
    assert_eq!(last[0], "kept");
    assert!(last[1].trim().parse::<f64>().unwrap() > (6u64 << 30) as f64 * ROOT_SHARE, "{journal}");

    ask("reinstall", json!({"os_image_key": "debian-12"}));
    lab.await_status(&server, "Online");
    let said = lab.ssh(&server, "ip -4 -o address show; hostname; ls /root");
    assert!(said.contains(&server.address) && said.contains("debian2") && !said.contains("mark"), "{said}");
    ask("change-package", json!({"package_slug": "starter", "confirm_data_loss": true, "erase_confirmation": "ERASE"}));
    lab.await_status(&server, "Online");
    assert_eq!(lab.ssh(&server, "cat /sys/block/vda/size").trim(), (4u64 << 20).to_string());
    lab.destroy(&server);
}

/// What the guest tells of itself once cloud-init says that it is done. One session, since each costs seconds.
fn first_boot(lab: &Lab, server: &Server) -> String {
    let until = Instant::now() + FIRST_BOOT;
    loop {
        if let Some(said) = lab.try_ssh(server, ASK) {
            return said;
        }
        assert!(Instant::now() < until, "no SSH after {} s", FIRST_BOOT.as_secs());
        sleep(Duration::from_secs(1));
    }
}
