import { createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** `closed` resets every connection, `open` hands them on, `held` keeps them without a word, as a frozen machine does. */
export type GateState = "closed" | "open" | "held";

/** The SSH port of one host. It is bound as long as the machine exists, so that nobody else can take its address. */
export class HostGate {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private waiting: Socket[] = [];
  private state: GateState = "closed";
  private onSocket: (socket: Socket) => void = (socket) => socket.resetAndDestroy();

  constructor() {
    this.server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.admit(socket));
  }

  /** Binds the port unless it is bound; rejects with the error of the socket, such as EADDRINUSE. */
  async listen(address: string, port: number): Promise<void> {
    if (!this.server.listening) await this.bind(address, port);
  }

  private bind(address: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen({ host: address, port, backlog: 128 }, () => {
        this.server.off("error", reject);
        resolve();
      });
    });
  }

  /** Names who gets the connections from now on. */
  handTo(onSocket: (socket: Socket) => void): void {
    this.onSocket = onSocket;
  }

  private admit(socket: Socket): void {
    this.sockets.add(socket);
    socket.once("close", () => this.sockets.delete(socket));
    // ssh2 listens for errors once it has the socket; a held one must not end the rack either.
    socket.on("error", () => socket.destroy());
    if (this.state === "closed") socket.resetAndDestroy();
    else if (this.state === "held") this.waiting.push(socket);
    else this.handOn(socket);
  }

  private handOn(socket: Socket): void {
    this.onSocket(socket);
    socket.resume();
  }

  set(state: GateState): void {
    const before = this.state;
    this.state = state;
    if (state === "closed") this.dropAll();
    if (state === "held") for (const socket of this.sockets) socket.pause();
    if (state === "open" && before === "held") this.resumeAll();
  }

  private resumeAll(): void {
    const fresh = this.waiting.filter((socket) => !socket.destroyed);
    this.waiting = [];
    for (const socket of this.sockets) if (!fresh.includes(socket)) socket.resume();
    for (const socket of fresh) this.handOn(socket);
  }

  /** Breaks every connection without a farewell. */
  dropAll(): void {
    this.waiting = [];
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  close(): Promise<void> {
    this.state = "closed";
    this.dropAll();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
    });
  }
}
