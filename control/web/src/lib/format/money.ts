// Amounts of the wallet, in US dollars.
const shape = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });

export const money = (amount: number) => shape.format(amount);

/** With its sign, as a change of the balance. */
export const change = (amount: number) => (amount > 0 ? `+${money(amount)}` : money(amount).replace("-", "\u2212"));
