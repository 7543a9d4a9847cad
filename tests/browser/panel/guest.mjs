// A screen that shows one colour and writes down which keys it was sent: the server's side of RFB 3.8 (RFC 6143), as much as
// a viewer needs.
const WIDTH = 640;
const HEIGHT = 400;
const HANDSHAKE = [12, 1, 1]; // version, security type, shared flag

const header = () => {
  const name = Buffer.from("guest");
  const init = Buffer.alloc(24);
  init.writeUInt16BE(WIDTH, 0);
  init.writeUInt16BE(HEIGHT, 2);
  Buffer.from([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0]).copy(init, 4);
  init.writeUInt32BE(name.length, 20);
  return Buffer.concat([init, name]);
};
const picture = () => {
  const head = Buffer.alloc(16);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(WIDTH, 8);
  head.writeUInt16BE(HEIGHT, 10);
  return Buffer.concat([head, Buffer.alloc(WIDTH * HEIGHT * 4, Buffer.from([0x50, 0x30, 0x10, 0]))]);
};
/** How long a client's message is, by its first bytes; undefined while that cannot be told. */
function lengthOf(bytes) {
  const fixed = { 0: 20, 3: 10, 4: 8, 5: 6 }[bytes[0]];
  if (fixed) return fixed;
  if (bytes[0] === 2 && bytes.length >= 4) return 4 + 4 * bytes.readUInt16BE(2);
  if (bytes[0] === 6 && bytes.length >= 8) return 8 + Math.abs(bytes.readInt32BE(4));
  if ([0, 2, 3, 4, 5, 6].includes(bytes[0])) return undefined;
  throw new Error(`message ${bytes[0]} is not known here`);
}

/** noVNC looks for a socket's parts on the object and its own class; the driver's stand-in has them one class above. */
function ownProperties() {
  const StandIn = window.WebSocket;
  const PARTS = ["send", "close", "binaryType", "onerror", "onmessage", "onopen", "protocol", "readyState"];
  window.WebSocket = class extends StandIn {
    constructor(...given) {
      super(...given);
      for (const part of PARTS.filter((name) => !Object.hasOwn(this, name))) {
        const get = () => {
          const value = Reflect.get(StandIn.prototype, part, this);
          return ["send", "close"].includes(part) ? value.bind(this) : value;
        };
        Object.defineProperty(this, part, { get, set: (value) => Reflect.set(StandIn.prototype, part, value, this), configurable: true, enumerable: true });
      }
    }
  };
}

export class Guest {
  /** Every key as it went down, by its symbol; what is held stands before it. */
  keys = [];
  tickets = [];
  /** What is held down. */
  held = new Set();
  #socket;

  /** Takes every stream of a page. */
  async take(context) {
    await context.routeWebSocket(/\/console\/stream/, (socket) => this.#serve(socket));
    await context.addInitScript(ownProperties);
  }

  /** Ends the stream under way. */
  close(reason = "", code = reason ? 4001 : 1011) {
    this.#socket.close({ code, reason });
  }

  #serve(socket) {
    this.#socket = socket;
    const answers = [Buffer.from([1, 1]), Buffer.from([0, 0, 0, 0]), header()];
    let step = 0;
    let rest = Buffer.alloc(0);
    const held = (this.held = new Set());
    socket.onMessage((message) => {
      if (typeof message === "string") {
        this.tickets.push(message);
        socket.send(Buffer.from("RFB 003.008\n"));
        return;
      }
      rest = Buffer.concat([rest, message]);
      while (rest.length) {
        const length = step < HANDSHAKE.length ? HANDSHAKE[step] : lengthOf(rest);
        if (!length || rest.length < length) return;
        const one = rest.subarray(0, length);
        rest = rest.subarray(length);
        if (step < HANDSHAKE.length) socket.send(answers[step++]);
        else if (one[0] === 3 && one[1] === 0) socket.send(picture());
        else if (one[0] === 4) this.#key(held, one[1] === 1, one.readUInt32BE(4));
      }
    });
  }

  #key(held, isDown, symbol) {
    const hold = { 0xffe1: "shift+", 0xffe3: "ctrl+", 0xffe9: "alt+", 0xfe03: "altgr+" }[symbol];
    if (hold) return isDown ? held.add(hold) : held.delete(hold);
    const name = { 0xff0d: "enter", 0xff09: "tab", 0x20: "space" }[symbol] ?? String.fromCodePoint(symbol);
    return isDown && this.keys.push([...held].join("") + name);
  }
}
