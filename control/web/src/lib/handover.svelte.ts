// What is told once and shown on the next page: the root password of a server that was just ordered.
const passwords = new Map<string, string>();

export const handOver = (server: string, password: string | null | undefined) => password && passwords.set(server, password);

/** Takes it; a second time it is gone. */
export function takeOver(server: string): string | undefined {
  const password = passwords.get(server);
  passwords.delete(server);
  return password;
}
