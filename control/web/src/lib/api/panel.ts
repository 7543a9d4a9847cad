// What `/panel/v1` says; it has no document that types could be made from.
export interface Person {
  uuid: string;
  account: string | null;
  name: string;
  email: string;
  terms_version: string;
  /** The version that is to be accepted before anything is changed. */
  terms_to_accept?: string | null;
}

export interface SignUpRules {
  mode: "closed" | "invitation" | "approval" | "open";
  terms_version: string | null;
}

export interface SignIn {
  uuid: string;
  current: boolean;
  signed_in_at: string;
  last_seen_at: string;
  ends_at: string;
  from: string;
  user_agent: string;
}

export interface Key {
  uuid: string;
  label: string;
  preview: string;
  state: "active" | "expired" | "revoked";
  scopes: string[];
  networks: string[];
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
  last_used_from: string | null;
}

/** The provider, as its settings say. */
export interface Site {
  name: string;
  has_logo: boolean;
  support: string | null;
  terms_url: string | null;
  privacy_url: string | null;
  imprint_url: string | null;
}

/** The answer to a right password: signed in, or a token for the code that is still missing. */
export interface SignedIn {
  signed_in: boolean;
  token?: string;
}

export interface SecondFactor {
  on: boolean;
  since: string | null;
  recovery_codes_left: number;
}

export interface SecondFactorSecret {
  secret: string;
  uri: string;
  qr_svg: string;
}

export interface TopUp {
  uuid: string;
  amount: number | string;
  state: "open" | "pending" | "paid" | "failed" | "expired";
  /** What of it went back. */
  refunded: number | string;
  created_at: string;
}

export interface TopUps {
  /** Null where nothing can be paid here. */
  bounds: { least: number | string; most: number | string } | null;
  top_ups: TopUp[];
}
