import {
  Client,
  Connection,
  type ConnectionOptions,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
} from "@temporalio/client";
import { loadClientConnectConfig } from "@temporalio/envconfig";
import { ForewarmError } from "../domain/errors.ts";
import { readStack } from "../embedded/stack-state.ts";
import type { ClientConfig } from "./config.ts";

/** A connection to the Temporal server that holds the fleets. */
export interface Session {
  client: Client;
  /** Link to a workflow in the Web UI; null when the UI's address is not known. */
  link: (workflowId: string) => string | null;
  close: () => Promise<void>;
}

interface ServerAddress {
  /** Address, and the credentials that belong to it: the embedded server has none. */
  connection: ConnectionOptions;
  namespace: string;
  uiUrl: string | null;
}

/** The embedded stack of this home if it runs and no server is named; else what the Temporal environment says. */
function findServer({ home, temporalAddress: named }: ClientConfig): ServerAddress {
  const { temporalAddress: running = null, uiUrl = null } = readStack(home) ?? {};
  // Only a server of our own has a page of which we know the address.
  if (running !== null && uiUrl !== null && (named ?? running) === running)
    return { connection: { address: running }, namespace: "default", uiUrl };
  return ownServer(named ?? running);
}

function ownServer(named: string | null): ServerAddress {
  const { connectionOptions, namespace = "default" } = loadClientConnectConfig();
  const address = named ?? connectionOptions.address ?? "127.0.0.1:7233";
  return { connection: { ...connectionOptions, address }, namespace, uiUrl: null };
}

const closingRetryMs = { first: 30, factor: 1.7, most: 1000 };

/**
 * A fleet that continues as new refuses messages for some milliseconds with "workflow is closing", which the server
 * reports as an exhausted resource; the SDK would wait 1.7 s before it tries again.
 */
function retryInterceptor(): ReturnType<typeof makeGrpcRetryInterceptor> {
  const options = defaultGrpcRetryOptions();
  return makeGrpcRetryInterceptor({
    ...options,
    delayFunction: (attempt, status) => {
      if (!/closing/i.test(status.details)) return options.delayFunction(attempt, status);
      return Math.min(closingRetryMs.most, closingRetryMs.first * closingRetryMs.factor ** attempt);
    },
  });
}

/** Connects to Temporal. Throws TEMPORAL_UNREACHABLE naming the address that was tried. */
export async function openSession(config: ClientConfig): Promise<Session> {
  const { connection: options, namespace, uiUrl } = findServer(config);
  const connection = await Connection.connect({
    ...options,
    connectTimeout: "5s",
    interceptors: [retryInterceptor()],
  }).catch((error: unknown) => {
    throw new ForewarmError("TEMPORAL_UNREACHABLE", `no Temporal server answers at ${options.address}`, {
      cause: error,
    });
  });
  return {
    client: new Client({ connection, namespace }),
    link: (workflowId) =>
      uiUrl === null ? null : `${uiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}`,
    close: () => connection.close(),
  };
}
