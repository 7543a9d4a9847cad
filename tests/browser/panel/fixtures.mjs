// What the control plane could say, one of each thing, and many of each.
const hex = (number, digits) => number.toString(16).padStart(digits, "0");
export const uuid = (kind, number) => `01975a3e-7c00-7${hex(kind, 3)}-8f3e-${hex(number, 12)}`;
const at = (minutes) => new Date(Date.UTC(2026, 5, 10, 12) - minutes * 60_000).toISOString().slice(0, 19).replace("T", " ");
const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const STATUSES = ["Online", "Online", "Offline", "Online", "Starting", "Suspended", "Online", "Failed"];
const NAMES = ["web1.example.com", "db-primary", "mail", "build-runner-eu-central-with-a-rather-long-name.example.com", "staging", "vpn"];

const action = (number, status = "done", command = "restart") => ({
  uuid: uuid(3, number), server_uuid: uuid(1, 0), command, status, progress: status === "running" ? 40 : 100, created: at(number * 7 + 3),
  started: status === "queued" ? null : at(number * 7 + 2), finished: ["queued", "running"].includes(status) ? null : at(number * 7 + 1),
  error: status === "failed" ? { code: "image_damaged", message: "The image could not be verified. Try another one." } : null,
  management_link: number % 5 === 4 ? { uuid: uuid(4, number), label: "Colleague" } : null,
});

export const server = (number = 0, extra = {}) => ({
  uuid: uuid(1, number), hostname: number < NAMES.length ? NAMES[number] : `node-${number}.example.com`, type: "vps",
  service_status: STATUSES[number % 8] === "Suspended" ? "suspended" : "active", status: STATUSES[number % 8], status_observed_at: at(1),
  package: { uuid: uuid(5, 1), slug: "starter", name: "Starter", type: "vps", cpu: 2, ram_mb: 1024, disk_gb: 20, monthly_price: 6.95 },
  resources: { cpu: 2, ram_mb: 1024, disk_gb: 20 }, image: { uuid: uuid(6, 1), key: "debian-12", name: "Debian", version: "12" },
  ips: [{ uuid: uuid(7, number), address: `203.0.${113 + (number >> 8)}.${number & 255}`, type: "primary", adapter: "net0", prefix_len: 24, gateway: "203.0.113.1" }],
  adapters: [
    { name: "net0", mac: "52:54:00:12:34:56", addresses: [`203.0.113.${number & 255}`], private_network_uuid: null },
    { name: "net1", mac: "52:54:00:12:34:57", addresses: ["10.20.0.5"], private_network_uuid: uuid(8, 0) },
  ],
  location: "first", billing_date: at(-60 * 24 * (number + 12)), auto_renew: number % 4 !== 2, locks: STATUSES[number % 8] === "Suspended" ? ["unpaid"] : [],
  labels: number % 2 ? { env: "production" } : {}, protection: { destroy: number === 1, reinstall: false },
  renewal: { total: 8.95, package: 6.95, extra_ips: 2, discount: 0 },
  metrics: {
    observed_at: at(0), age_s: 4, cpu_percent: 37.4, memory_mb: 1024, memory_used_mb: 412, memory_resident_mb: 700, disk_allocated_mb: 4200, disk_read_bytes_per_s: 120_000,
    disk_write_bytes_per_s: 880_000, disk_read_requests_per_s: 4, disk_write_requests_per_s: 31, network_received_bytes_per_s: 1_480_000, network_sent_bytes_per_s: 212_000,
    network_received_packets_per_s: 900, network_sent_packets_per_s: 640,
  },
  action: number === 0 ? action(0, "running", "add_extra_ip") : null, failure: null, created_at: at(60 * 24 * 40), ...extra,
});

const pkg = (slug, name, cpu, ram_mb, disk_gb, monthly_price, available = ["first"]) => ({
  uuid: uuid(5, cpu * 100 + disk_gb), slug, type: slug === "metal" ? "dedicated" : "vps", name, monthly_price, resources: { cpu, ram_mb, disk_gb }, max_extra_ips: 5, traffic: cpu > 4 ? { bytes: 5e12, shape_mbit_per_second: 10 } : null, available,
});
const packages = [
  pkg("starter", "Starter", 2, 1024, 20, 6.95), pkg("edge", "Edge", 4, 4096, 60, 14.95), pkg("performance", "Performance", 8, 16384, 160, 42.95),
  pkg("large", "Large", 16, 65536, 640, 169.95, []), pkg("metal", "Metal", 32, 131072, 1920, 199),
];
const images = [["debian-12", "Debian", "12"], ["ubuntu-24-04", "Ubuntu", "24.04"], ["alma-9", "AlmaLinux", "9"]].map(([key, name, version], index) => ({ uuid: uuid(6, index), key, name, version, type: null }));

const extraIp = (number) => ({
  uuid: uuid(9, number), address: `203.0.113.${100 + number}`, adapter: `net${number + 2}`, mac: `52:54:00:aa:00:${hex(number, 2)}`, monthly_price: 2,
  status: ["active", "queued", "removing"][number % 3], created_at: at(100),
});
const member = (number, network = 0) => ({
  membership_id: uuid(10, network * 1000 + number), server_uuid: uuid(1, number), hostname: server(number).hostname, address: `10.20.0.${number + 5}`, adapter: "net1", status: number === 1 ? "queued" : "active",
});
const network = (number, members = 3) => ({
  uuid: uuid(8, number), name: number ? `Network ${number}` : "Internal", subnet: `10.${20 + (number % 200)}.0.0/24`, location: number % 3 === 2 ? null : "first", members: many(members, (index) => member(index, number)), created_at: at(5000),
});
const link = (number) => ({
  uuid: uuid(4, number), label: number ? `Link ${number}` : "Colleague", token_preview: "csp_sh_abc…••••1234", permissions: number % 2 ? { restart: true } : { start: true, stop: true, console: true, stats: true },
  expires_at: number % 3 ? at(-9000) : null, created_at: at(9000), uses: number, last_used_at: number ? at(44) : null, last_used_from: number ? "198.51.100.7" : null,
});
const CAUSES = ["renewal", "order", "topup", "extra_ip", "promotion"];
const transaction = (number) => ({
  uuid: uuid(11, number), type: number % 5 === 2 || number % 5 === 4 ? "credit" : "debit", amount: [6.95, 14.95, 50, 1.33, 5][number % 5], balance_after: 42.5 + number, cause: CAUSES[number % 5],
  server_uuid: number % 5 === 2 ? null : uuid(1, number % 4), description: ["Renewal of web1.example.com to 2026-07-10", "Order of db-primary", "Wallet top-up", "Extra address 203.0.113.101", "Welcome"][number % 5], created_at: at(number * 800),
});
const topUp = (number) => ({ uuid: uuid(16, number), amount: 25, state: ["pending", "paid", "failed", "expired"][number % 4], created_at: at(number * 3000) });
const statement = (number) => ({
  month: `${2026 - Math.floor((number + 6) / 12)}-${String(12 - ((number + 6) % 12)).padStart(2, "0")}`, opening_balance: 12.5, credits: 50, debits: 20, closing_balance: 42.5, currency: "USD", final: number > 0,
});
const sshKey = (number) => ({
  uuid: uuid(12, number), label: number ? `Key ${number}` : "Laptop", fingerprint: "SHA256:9dXq2uJm0c6m4b0k5Qf3zq7wq8u1sJrT9X2vYb1n3aE", public_key: "ssh-ed25519 AAAA you@laptop", created_at: at(7000),
});
const apiKey = (number) => ({
  uuid: uuid(13, number), account: uuid(2, 0), label: number ? `Key ${number}` : "Deploy", preview: "csp_live_ab…wxyz", state: ["active", "active", "expired", "revoked"][number % 4], scopes: number % 2 ? ["read"] : ["read", "write", "console", "billing"],
  networks: number % 3 ? [] : ["203.0.113.0/24"], created_at: at(9000), expires_at: number % 2 ? at(-90_000) : null, revoked_at: number % 4 === 3 ? at(100) : null, last_used_at: number ? at(12) : null, last_used_from: number ? "198.51.100.9" : null,
});
const signIn = (number) => ({
  uuid: uuid(14, number), current: number === 0, signed_in_at: at(3000 + number), last_seen_at: at(number * 30), ends_at: at(-30_000), from: `198.51.100.${number & 255}`,
  user_agent: number % 2 ? "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1" : "Mozilla/5.0 (X11; Linux x86_64) Chrome/129.0 Safari/537.36",
});
const notice = (number) => ({
  uuid: uuid(15, number), kind: ["maintenance", "incident", "info"][number % 3], title: ["Router software in First location", "Some servers were slow to answer", "A third location is coming"][number % 3],
  text: "We replace the software of two routers.\nConnections may break for some seconds between 02:00 and 02:30 UTC.", location: number % 2 ? null : "first", starts_at: at(number * 900 - 300), ends_at: number % 3 === 0 ? at(number * 900 - 500) : null, created_at: at(number * 900),
});
const wave = (low, high, speed) => many(120, (index) => (index > 70 && index < 76 ? null : low + (high - low) * (0.5 + 0.5 * Math.sin(index / speed) * Math.cos(index / 7))));
const metrics = (isEmpty) => {
  const line = (...args) => (isEmpty ? wave(0, 0, 1).map(() => null) : wave(...args));
  return {
    range: "1h", step_s: 30, from: at(60), to: at(0), unix_s: many(120, (index) => Date.UTC(2026, 5, 10, 11) / 1000 + index * 30),
    series: {
      cpu_percent: line(5, 80, 9), memory_mb: line(1024, 1024, 1), memory_used_mb: line(300, 620, 20), memory_resident_mb: line(700, 800, 20), disk_allocated_mb: line(4000, 4200, 30), disk_read_bytes_per_s: line(0, 9e5, 6),
      disk_write_bytes_per_s: line(1e5, 3e6, 8), disk_read_requests_per_s: line(0, 20, 6), disk_write_requests_per_s: line(4, 90, 8), network_received_bytes_per_s: line(1e5, 5e6, 10), network_sent_bytes_per_s: line(1e5, 1e6, 11),
      network_received_packets_per_s: line(90, 4000, 10), network_sent_packets_per_s: line(80, 900, 11),
    },
  };
};
const month = (number) => ({ month: `2026-0${6 - Math.min(number, 5)}`, received_bytes: 4e11 / (number + 1), received_packets: 9, sent_bytes: 9e11 / (number + 2), sent_packets: 9, total_bytes: 8.5e11 / (number + 1) });
const traffic = (count) => ({
  ...month(0), counted_at: at(1), resets_at: "2026-07-01 00:00:00", quota: count ? { bytes: 1e12, shape_mbit_per_second: 10, used_percent: 85 } : null, held_mbit_per_second: null, months: many(Math.min(count, 6), month),
});
const most = (used, max) => ({ used, max });
const account = {
  uuid: uuid(2, 0), name: "Ada", balance: 42.5, currency: "USD", limits: { servers: most(3, 25), share_links: most(1, 250), private_networks: most(2, 25), ssh_keys: most(1, 100), api_keys: most(4, 50) },
  key: { uuid: uuid(14, 0), label: "Panel", preview: "", scopes: ["read"], networks: [] },
};
const quote = {
  dry_run: true, lines: [{ item: "package", extra_ip_uuid: null, from: at(0), until: at(-43_200), list_price: 6.95, discount: 1, total: 5.95 }], list_total: 6.95, discount: 1, total: 5.95, credit: 0, balance: 42.5, balance_after: 36.55, erases_disk: false,
};
export const person = { uuid: uuid(2, 1), account: uuid(2, 0), name: "Ada Lovelace", email: "ada@example.com", terms_version: "2026-06" };
export const site = {
  name: "Example Hosting", has_logo: false, support: "support@example.com", terms_url: "https://example.com/terms", privacy_url: "https://example.com/privacy", imprint_url: null,
};

/** Answers by path, where `count` says how many of each thing there are. */
export const answers = (count) => {
  const list = (make, max = count) => ({ data: many(Math.min(count, max), make), total: count });
  const paged = (make) => ({ ...list(make, 50), ...(count > 50 && { next_cursor: "next" }) });
  return [
    [/^\/panel\/v1\/site$/, { data: site }],
    [/^\/panel\/v1\/person$/, { data: person }],
    [/^\/panel\/v1\/top-ups$/, { data: { bounds: count ? { least: 5, most: 1000 } : null, top_ups: many(Math.min(count, 25), topUp) } }],
    [/^\/panel\/v1\/sign-up$/, { data: { mode: "open", terms_version: "2026-06" } }],
    [/^\/panel\/v1\/sign-ins$/, list(signIn)],
    [/^\/panel\/v1\/second-factor$/, { data: { on: count > 0, since: count ? at(9000) : null, recovery_codes_left: count ? 8 : 0 } }],
    [/^\/panel\/v1\/keys$/, list(apiKey)],
    [/^\/api\/v1\/balance$/, { data: { balance: count ? 42.5 : 0, currency: "USD", owed: 0, runs_out_on: count ? at(-60 * 24 * 31) : null } }],
    [/^\/api\/v1\/account$/, { data: account }],
    [/\?dry_run$/, { data: quote }],
    [/^\/api\/v1\/servers$/, list(server)],
    [/^\/api\/v1\/servers\/[\w-]+$/, { data: server(0) }],
    [/\/metrics$/, { data: metrics(count === 0) }],
    [/\/traffic$/, { data: traffic(Math.min(count, 12)) }],
    [/\/actions$/, paged((number) => action(number, ["done", "done", "failed", "superseded"][number % 4], ["restart", "start", "reinstall", "stop"][number % 4]))],
    [/\/extra-ips$/, { ...list(extraIp, 5), limits: { max_extra_ips: 5 } }],
    [/\/share-links$/, list(link)],
    [/\/private-networks$/, list((number) => network(number, number ? 1 : 3))],
    [/\/private-networks\/[\w-]+$/, { data: network(0, Math.min(count, 250)) }],
    [/\/transactions$/, paged(transaction)],
    [/\/statements$/, list(statement, 60)],
    [/\/ssh-keys$/, list(sshKey)],
    [/\/notices$/, list(notice)],
    [/\/packages$/, { data: count ? packages : [] }],
    [/\/os-images$/, { data: count ? images : [] }],
    [/\/locations$/, { data: count ? [{ slug: "first", name: "First location", available: ["starter"] }] : [] }],
  ];
};
