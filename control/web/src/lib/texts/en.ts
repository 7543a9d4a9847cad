// Every English text of the panel. Another language is another file of the same shape.
import type { CauseKind, Command, Lock, ServiceType, Status } from "../api/schema";

const many = (count: number, one: string, more: string) => `${count} ${count === 1 ? one : more}`;

const status: Record<Status, string> = {
  Provisioning: "Setting up", Online: "Online", Offline: "Offline", Starting: "Starting", Stopping: "Shutting down",
  Reinstalling: "Reinstalling", Changing: "Changing", Suspended: "Suspended", Failed: "Failed", Unknown: "Unknown",
};
const commands: Record<Command, string> = {
  create: "Setting the server up", start: "Start", stop: "Shutdown", restart: "Restart", reinstall: "Reinstall",
  change_package: "Change of package", attach_network: "Joining a private network", detach_network: "Leaving a private network",
  add_extra_ip: "Adding an address", remove_extra_ip: "Removing an address", move_extra_ip: "Moving an address", destroy: "Destroying",
};
const causes: Record<CauseKind, string> = {
  order: "Order", renewal: "Renewal", change: "Change of package", extra_ip: "Extra address", reversal: "Given back", credit: "Credit",
  topup: "Top-up", promotion: "Promotion", correction: "Correction", dispute: "Dispute", settlement: "Settlement", refund: "Refund",
};
const locks: Record<Lock, string> = { unpaid: "Not paid", abuse: "Locked: abuse", operator: "Locked by the provider" };
const lockMeans: Record<Lock, string> = {
  unpaid: "The server is off until it is paid: pay ahead, or top up your wallet.",
  abuse: "The server is off while a report of abuse is looked into. Ask your provider; paying does not lift it.",
  operator: "Your provider has locked the server. Ask them; paying does not lift it.",
};
const types: Record<ServiceType, string> = { vps: "Virtual servers", dedicated: "Dedicated servers" };

export const t = {
  status,
  commands,
  common: {
    loading: "Loading…", again: "Try again", more: "Show more", cancel: "Cancel", close: "Close", actions: "What can be done", copied: "Copied",
    unreachable: "The control plane cannot be reached. Check your connection and try again.",
    unreadable: "The control plane gave an answer that this page cannot read.",
    busyWith: (command: Command) => `The server is busy: ${commands[command]} is under way. Try again when that is done.`,
    failed: "This could not be loaded", absent: "There is nothing here", mend: "Please mend the fields that are marked.",
    offline: "The connection is lost. What you see may be out of date; it is restored by itself.",
    pageBroken: "This page could not be loaded: the connection is lost, or there is a new version.", loadAgain: "Load again", triesAgain: "This page tries again by itself.",
    shownOnce: "Keep it in a safe place: it is shown this once.",
    copy: (what: string) => `Copy ${what}`,
    shownOf: (shown: number, all: number) => `${shown} of ${all}`,
    stale: (why: string) => `This may be out of date. ${why}`,
    requestId: (id: string) => `If you ask for help, name this request: ${id}`,
    typeToConfirm: (word: string) => `Type ${word} to confirm`,
  },
  nav: {
    skip: "To the content", menu: "Menu", pages: "Pages", servers: "Servers", networks: "Private networks", wallet: "Wallet", sshKeys: "SSH keys",
    apiKeys: "API keys", notices: "Notices", account: "Account", signOut: "Sign out", support: "Support", docs: "API documentation", terms: "Terms", privacy: "Privacy", imprint: "Imprint",
  },
  theme: { label: "Colours", system: "As the system", light: "Light", dark: "Dark" },
  absent: { title: "There is no such page", text: "The address may be misspelled, or what it was about is gone.", back: "To your servers" },
  person: {
    signIn: "Sign in", signUp: "Sign up", email: "Mail address", password: "Password", newPassword: "New password", name: "Your name, or your company's", show: "Show", hide: "Hide",
    forgot: "Forgot your password?", noAccount: "No account yet?", haveAccount: "You have an account? Sign in", backToSignIn: "Back to signing in",
    signUpLead: "We send a letter to your mail address. Its link leads on from there.",
    approval: "We send a letter to your mail address. Once you followed it, we look at your request and tell you.",
    invitationOnly: "Accounts are opened by invitation. If you have one, follow the link in its letter.",
    closed: "Nobody can sign up here at the moment. Ask the provider for an account.",
    signedOut: "You are signed out. Sign in again to go on.",
    codeTitle: "One more step", codeLead: "Your account asks for a code beside the password.", code: "Code", codeHint: "Six digits of your authenticator, or a recovery code.",
    sendLetter: "Send the letter", letterSent: "A letter is on its way.",
    letterHint: (email: string) => `Sent to ${email}. It may take a minute; look among spam, too.`,
    letterEnded: "This link cannot be used: it was used before, is too old, or is incomplete. Ask for a new letter.",
    finish: "Open your account", finishLead: "Your name and a password are all that is missing.", openAccount: "Open the account", welcome: "Welcome",
    accountOpen: "Your account is open. Sign in with the password that you just chose.",
    accountWaits: "Thank you. We look at your request, and a letter tells you when your account is open.",
    passwordHint: "At least 10 characters; a few words that have nothing to do with each other are good.",
    acceptTerms: (version: string) => `I accept the terms (version ${version}).`, readTerms: "Read them",
    forgottenTitle: "Forgotten password", forgottenLead: "We send a letter to your mail address. Its link lets you choose a new password.",
    resetTitle: "Choose a new password", savePassword: "Save the password", resetDone: "Your password is changed, and all browsers are signed out.", askAgain: "Ask for a new letter",
    confirmEmail: "Confirm your mail address", confirmEmailLead: "From now on you sign in with the new address, and letters go there.", confirm: "Confirm", emailChanged: "Your mail address is changed.",
  },
  servers: {
    title: "Servers", one: "Server", order: "Order a server", orderFirst: "Order your first server", search: "Search by name, address or label",
    none: "No servers yet", noneText: "A server is ready within a minute or two after its order. It is paid from your wallet.",
    noneFound: (search: string) => `No server fits “${search}”.`,
    name: "Name", status: "State", address: "Address", size: "Size", paidUntil: "Paid until", renewal: "Next renewal", noRenewal: "ends then",
    sizeOf: (cpu: number, ram: string, disk: number) => `${cpu} CPU · ${ram} · ${disk} GB`,
  },
  server: {
    tabs: { overview: "Overview", graphs: "Graphs", network: "Network", activity: "Activity", links: "Share links", settings: "Settings" },
    parts: "Parts of this server", console: "Console", start: "Start", stop: "Shut down", restart: "Restart", cutOff: "Cut the power",
    asked: { start: "The server is told to start.", stop: "The server is told to shut down.", restart: "The server is told to restart." },
    stopTitle: (name: string) => `Shut down ${name}?`, stopText: "The guest is asked to shut down by itself. It stays paid for, and can be started at any time.",
    force: "Cut the power at once instead. What the guest has not written yet is lost.",
    underWay: "Under way", progress: "Progress", steps: { asked: "Asked for", waits: "Waiting for its host", started: "Taken up", runs: "Being done", done: "Done", failed: "Failed" },
    about: "About this server", change: "Change", package: "Package", price: "Package price", system: "System", location: "Location", address: "Address", extraAddress: "Extra address",
    made: "Made", seen: "Last heard of", id: "Its id", command: "the command", connect: "Connect",
    connectText: "With an SSH key of yours, or the root password that was shown when the server was ordered:",
    rootPassword: "The root password", rootPasswordOnce: "Keep it in a safe place: it is shown this once. It works when the server is set up.",
    rootPasswordFailed: "What it was made for failed, so it may not open the server: the password from before does then.",
    locks, lockMeans,
  },
  graphs: {
    now: "Right now", measured: "Measured", cpu: "Processor", memory: "Memory in use", received: "Received", sent: "Sent", used: "in use", all: "in all",
    traffic: "Network", disk: "Disk", reads: "Read", writes: "Written", requests: "Disk requests", packets: "Packets", range: "Time",
    ranges: { "1h": "1 hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days" }, none: "Nothing was measured yet", noneText: "Curves begin when the server runs.",
  },
  traffic: {
    title: "Traffic this month", resets: "Counted anew from", of: (quota: string) => `of ${quota}`, split: (received: string, sent: string) => `${received} received, ${sent} sent`,
    held: (rate: number) => `What the package allows is used up: until the month ends the server is held to ${rate} Mbit/s.`, allows: (quota: string) => `${quota} traffic a month`,
  },
  renewal: {
    title: "Renewal", extend: "Pay ahead", next: "Next renewal", ofThis: "Of this", notYet: "not yet, it is being set up", auto: "Renew by itself from the wallet",
    addresses: (price: string) => `${price} for extra addresses`, extendTitle: (name: string) => `Pay ahead for ${name}`, months: "For how long",
    monthCount: (count: number) => many(count, "month", "months"), pay: "Pay from the wallet", extended: "The server is paid for longer.",
  },
  price: {
    title: "What it costs", items: { package: "Package", extra_ip: "Extra address" }, discount: "Discount", credit: "Given back once it is done", total: "To pay now",
    after: "Left in the wallet", afterAll: "In the wallet then", asking: "The price is being asked…", choose: "The price appears once everything is chosen.",
  },
  order: {
    title: "Order a server", kind: "Kind", types, package: "Package", system: "System", location: "Location", hostname: "Host name", sshKey: "SSH key", promo: "Promotion code",
    hostnameHint: "Letters, digits, hyphens and dots. It can be changed later.", keyHint: "Whoever has the other half of the key can sign in as root.",
    noKeysYet: "You have no SSH keys yet; without one, a root password is shown once.", noKey: "None, a password instead",
    more: "Promotion code, cloud-init", userData: "cloud-init user data", userDataHint: "Runs at the first start. Leave it empty if you do not know it.",
    nothing: "Nothing is on sale right now", nothingText: "Look again later, or ask the provider.", nowhere: "Nowhere right now", soldOut: "Sold out right now", allSoldOut: "All of these are sold out right now. Look again later, or ask the provider.",
    upToIps: (count: number) => `up to ${many(count, "extra address", "extra addresses")}`, aMonth: (price: string) => `${price} a month`,
    does: "Order and pay", paid: "Paid from your wallet for a month from the first start, and renewed by the month from there. If the server cannot be set up, you get it back.", done: "Your server is ordered.",
  },
  network: {
    adapters: "Adapters", adapter: "Adapter", addresses: "Addresses", address: "Address", mac: "MAC", kind: "Kind", private: "Private network", public: "Public",
    extra: "Extra addresses", ofMost: (count: number, most: number) => `${count} of ${most}`, add: "Add", noExtra: "No extra addresses", noExtraText: "Each is a public IPv4 address on an adapter of its own.",
    noneAllowed: "This package has none.", monthly: "Monthly", states: { queued: "On its way", active: "Active", removing: "Being removed" },
    addTitle: "Add an extra address", addDoes: "Add and pay", addText: "One more public IPv4 address, on an adapter of its own. It is paid until the server's next renewal, and renewed with it.",
    added: "An address is on its way.", remove: "Remove", removeTitle: (address: string) => `Remove ${address}?`, removeText: "The guest loses the address at once, and somebody else may get it later.",
    removed: "The address is being removed.", removedFor: (credit: string) => `The address is being removed; ${credit} were given back.`,
    move: "Move", moveTitle: (address: string) => `Move ${address}`, target: "To which server", chooseServer: "Choose a server", moved: "The address is on its way to the other server.",
  },
  networks: {
    title: "Private networks", lead: "Networks between your servers alone, with addresses of their own.", name: "Name", network: "Network", subnet: "Subnet", members: "Members", server: "Server",
    none: "No private networks yet", noneText: "Servers in a private network reach each other without the internet, and nobody else does.",
    notIn: "In no private network", notInText: "The server can join one while it runs.", noneToJoin: "There is none in its location that it could join.", toAll: "To the private networks",
    make: "New private network", makeDoes: "Make it", made: "The private network is made.", anyLocation: "Where its first server is", locationHint: "A private network is in one location.", notPlaced: "where its first server is",
    facts: (subnet: string, location: string) => `${subnet} · ${location}`, rename: "Rename", delete: "Delete", hasMembers: "Detach its servers first", deleted: "The private network is deleted.",
    deleteTitle: (name: string) => `Delete ${name}?`, deleteText: "Its subnet is free for others afterwards.", attach: "Attach", attachServer: "Attach a server", attachTitle: (name: string) => `Attach ${name}`,
    attached: "The server joins the private network.", detach: "Detach", detachTitle: (server: string, network: string) => `Detach ${server} from ${network}?`,
    detachText: "The server loses its adapter in this network, also while it runs.", detached: "The server leaves the private network.",
    noMembers: "No servers in it", noMembersText: "Attach two or more, and they reach each other.",
  },
  activity: {
    none: "Nothing was asked of this server yet", what: "What", state: "State", asked: "Asked", ended: "Ended", by: "By", account: "the account",
    link: (label: string) => `link “${label}”`, states: { queued: "Waiting", running: "Under way", done: "Done", failed: "Failed", superseded: "Overtaken" },
  },
  links: {
    title: "Share links", lead: "For a colleague without an account: opens this one server, with what you allow.", label: "Label", labelHint: "For you, and for the list of what was done.", allows: "Allows", ends: "Works until", used: "Used",
    none: "No links", noneText: "A link can, for example, only restart this server.", never: "without end", times: (count: number) => (count === 0 ? "never" : many(count, "time", "times")),
    make: "New link", makeDoes: "Make the link", made: "The link", madeOnce: "Hand it over in private: whoever has it can use it. It is shown this once.", inDays: (count: number) => `${many(count, "day", "days")} from now`,
    revoke: "Revoke", revokeTitle: (label: string) => `Revoke “${label}”?`, revokeText: "It opens nothing more, and who uses it right now is cut off at once.", revoked: "The link is revoked.",
    permissions: { start: "Start", stop: "Shut down", restart: "Restart", console: "Console", stats: "Graphs", reinstall: "Reinstall" },
    grantsNothing: "Choose at least one thing.",
    means: { start: "switch it on", stop: "switch it off", restart: "restart it", console: "see its screen and type", stats: "see what it uses", reinstall: "erase it and set it up anew" },
  },
  settings: {
    sameKey: "As before: the same key, or a new root password", saved: "Saved.", save: "Save", names: "Names", hostnameHint: "The guest takes it at its next reinstall.", labels: "Labels", labelsHint: "One a line, such as env=production. For you alone.", labelTwice: (name: string) => `“${name}” stands here twice.`,
    protection: "Protection", protectionLead: "What is marked is refused, by whoever asks, until the mark is taken away.", fromDestroy: "Never destroy this server", fromReinstall: "Never reinstall this server", isProtected: "This server is protected from it.",
    package: "Package", changePackage: "Change the package", newPackage: "New package", choosePackage: "Choose a package", packageAsked: "The package is being changed.", restarts: "The server restarts once for this. Its disk and data stay.", asNow: "(as now)",
    erasesTitle: "All data will be lost", erases: "The disk of the new package is smaller. The server is set up anew on an empty disk.",
    password: "Root password", passwordLead: "Sets a new one while the server runs, with the help of its guest agent.", resetPassword: "Set a new password", resetTitle: (name: string) => `Set a new root password on ${name}?`, resetText: "It is changed in the running server at once, and the old one no longer works. The new one is shown here, this once.",
    reinstall: "Reinstall", reinstallLead: "Sets the server up anew. Addresses, price and paid time stay; all data on its disk is lost.", reinstallTitle: (name: string) => `Reinstall ${name}?`, reinstallDoes: "Erase and reinstall", reinstallWarning: "Everything on the disk of this server is erased. It cannot be brought back.", reinstallAsked: "The server is being set up anew.",
    destroy: "Destroy", destroyLead: "Ends the service. The server, its disk and its addresses are gone.", destroyTitle: (name: string) => `Destroy ${name}?`, destroyDoes: "Destroy for ever", destroyWarning: "The server and all its data are erased, and its addresses go to others. It cannot be brought back.", destroyed: (name: string) => `${name} is being destroyed.`,
  },
  wallet: {
    title: "Wallet", balance: "Balance", runsOut: "Runs out on", runsOutText: "Top up before, so that your servers are renewed.", lasts: "Does not run out", lastsText: "Nothing renews by itself that it would not cover.", owed: (sum: string) => `${sum} are owed`,
    toTopUp: "To the wallet", statements: "Statements", statementsLead: "One for each month, to print or to keep.", noStatements: "No statements yet",
    transactions: "Transactions", filter: "Which transactions", allCauses: "All", causes, none: "No transactions", noneText: "What comes into your wallet and what leaves it is listed here.",
    what: "What", when: "When", server: "Server", amount: "Amount", after: "Balance", month: "Month", opening: "Opening", credits: "In", debits: "Out", closing: "Closing", running: "not over", print: "Print",
  },
  topUp: {
    title: "Top up", amount: "Amount in US dollars", bounds: (least: string, most: string) => `From ${least} to ${most}. You pay on the page of our payment provider.`, does: "Pay by card",
    ask: "Ask the provider how to pay money in.", waits: "Your payment is on its way. This page follows it.", paid: (sum: string) => `${sum} are in your wallet.`, left: "Nothing was paid.",
    refunded: (sum: string) => `${sum} paid back`,
    states: { open: "Not paid yet", pending: "On its way", paid: "Paid", failed: "Failed", expired: "Not paid" },
  },
  sshKeys: {
    title: "SSH keys", lead: "Chosen when a server is ordered or reinstalled.", add: "Add a key", added: "The key is added.", label: "Label", fingerprint: "Fingerprint", made: "Added", none: "No SSH keys yet",
    noneText: "With a key you sign in to your servers without a password.", publicKey: "Public key", publicKeyHint: "One line, as in ~/.ssh/id_ed25519.pub.", delete: "Delete", deleted: "The key is deleted.",
    deleteTitle: (label: string) => `Delete “${label}”?`, deleteText: "Servers that were set up with it keep it.",
  },
  apiKeys: {
    title: "API keys", lead: "For programs. What you can do here, a key with the right scopes can do, too.", make: "New key", makeDoes: "Make the key", made: "The new key", label: "Label", state: "State", scopes: "Scopes", ends: "Works until", used: "Last used",
    none: "No API keys yet", noneText: "With a key, programs order and manage servers for you.", neverUsed: "never", from: (networks: string) => `from ${networks} only`, networks: "Only from these networks", networksHint: "Empty: from everywhere.",
    states: { active: "Active", expired: "Expired", revoked: "Revoked" }, revoked: "The key is revoked.", revokeTitle: (label: string) => `Revoke “${label}”?`, revokeText: "Programs that use it are refused from now on.",
    means: {
      read: "look at everything, the wallet too", write: "start, stop, change and destroy; with billing, order and pay too",
      console: "open screens", billing: "look at the wallet; with write, spend from it",
    },
  },
  account: {
    title: "Account", lead: (name: string, email: string) => `${name}, ${email}`, password: "Password", current: "Current password", changePassword: "Change the password", passwordChanged: "Your password is changed. All your other browsers are signed out.",
    email: "Mail address", newEmail: "New mail address", changeEmail: "Send a letter there", signIns: "Where you are signed in", browser: "Browser", from: "From", seen: "Last seen", now: "now", since: "Signed in", unknown: "Unknown", this: "this one", noSignIns: "Nowhere.",
    ended: "That browser is signed out.", endTitle: "Sign this browser out?", endText: "Whoever uses it has to sign in again.", endAll: "Sign out everywhere", endAllText: "All browsers are signed out, this one too. API keys go on working.",
    limits: "What the account may have", ofMost: (used: number, most: number) => `${used} of ${most}`, id: "Account id",
    kinds: { servers: "Servers", private_networks: "Private networks", ssh_keys: "SSH keys", api_keys: "API keys", share_links: "Share links" },
  },
  terms: {
    title: "Our terms have changed", lead: "Please read and accept them to go on. Until then nothing but your account opens here. Your servers run on, and so do your API keys.",
    read: (version: string) => `Read the terms (version ${version})`, accept: (version: string) => `Accept version ${version}`, leave: "Or take your data along and close the account",
  },
  leaving: {
    export: "Your data", exportLead: "All that is kept of you and your account, as one JSON file.", download: "Download", close: "Close the account", closeDoes: "Close for ever",
    closeLead: "Ends the account. Servers and private networks must be gone before, and the wallet empty.", closeWarning: "You cannot sign in any more, and API keys end. It cannot be brought back.",
    code: "Code, if you have a second factor", closed: "Your account is closed.",
  },
  factor: {
    title: "Second factor", on: "On", off: "Off", since: "Since", left: (count: number) => `${many(count, "recovery code", "recovery codes")} left.`,
    lead: "With it, nobody signs in with your password alone: a code of an authenticator app is asked for, too.", setUp: "Set it up", next: "Next", turnOn: "Turn it on",
    scan: "Scan this with your authenticator app, then type the code that it shows.", picture: "The secret for your authenticator, as a picture to scan", byHand: "Or type it in by hand:", secret: "the secret", first: "Code of the app",
    codes: "Recovery codes", codesText: "Each signs you in once when your authenticator is lost. Keep them in a safe place: they are shown this once.", all: "Copy all",
    newCodes: "New recovery codes", newCodesText: "The old ones end.", turnOff: "Turn it off", turnOffText: "Your password alone signs in again.", isOff: "The second factor is off.",
  },
  notices: { title: "Notices", none: "No notices", noneText: "Maintenance and incidents are told here.", read: "Read", kinds: { info: "News", maintenance: "Maintenance", incident: "Incident" } },
};
