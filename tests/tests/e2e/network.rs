//! What a guest's own programs get of its network, and what they cannot do on it.

use super::rig::Lab;

/// One script, since the connection that runs it hangs while the adapter calls itself by another MAC.
const INSIDE: &str = r#"
mkdir -p /tmp
printf '#!/bin/sh\n[ "$1" != bound ] || echo "told $ip/$mask by $serverid via $router for $lease"\n' > /tmp/told
chmod 755 /tmp/told
dev=$(ip -o -4 route show default | sed 's/.*dev \([^ ]*\).*/\1/')
mac=$(cat /sys/class/net/$dev/address)
udhcpc -i $dev -n -q -f -s /tmp/told 2>/dev/null
udhcpc -i $dev -n -q -f -s /tmp/told -x 0x3d:00616e6f74686572 2>/dev/null
reaches() { ping -c 2 -W 2 "$@" 203.0.113.1 >/dev/null 2>&1 && echo "$name: reaches" || echo "$name: does not reach"; }
name=own; reaches
ip addr add 203.0.113.77/32 dev $dev
name=address; reaches -I 203.0.113.77
ip addr del 203.0.113.77/32 dev $dev
ip link set $dev address 0a:c5:77:77:77:77
name=mac; reaches
ip link set $dev address $mac
name=again; reaches
"#;

#[test]
fn a_guest_is_told_its_address_by_dhcp_and_is_not_heard_as_anybody_else() {
    let lab = Lab::of_environment();
    let server = lab.order("dhcp.example.com");
    lab.await_status(&server, "Online");
    let said = lab.ssh(&server, INSIDE);
    let told = format!("told {}/24 by 203.0.113.1 via 203.0.113.1 for 604800", server.address);
    assert_eq!(said.matches(&told).count(), 2, "whatever a client calls itself: {said}");
    for wanted in ["own: reaches", "address: does not reach", "mac: does not reach", "again: reaches"] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    lab.destroy(&server);
}
