/** Every bound of the system in one place: loops, queues, payloads, histories. */
export const limits = {
  templateBytesMax: 1024 * 1024,
  templateAliasCountMax: 100,
  payloadBytesMax: 64 * 1024,
  fleetStateBytesMax: 256 * 1024,
  hostRowBytesMax: 48,
  blobChunkBytesMax: 512 * 1024,
  blobRunBytesMax: 8 * 1024 * 1024,
  hostsMax: 2000,
  claimsRememberedMax: 5000,
  claimsInFlightPerFleetMax: 8,
  bootstrapsInFlightMax: 200,
  historyEventsPerBootstrapMax: 120,
  historyEventsPerTickMax: 12,
  /** A fleet run continues as new at this many events even when the server does not suggest it. */
  fleetHistoryEventsMax: 4000,
  /** An SSH server of default settings refuses the eleventh channel on one connection. */
  sshChannelsPerHostMax: 8,
  sshConnectsInFlightMax: 32,
  commandOutputBytesMax: 256 * 1024,
  agentFrameBytesMax: 1024 * 1024,
  agentOutboxRowsMax: 1000,
  lookUpPageBytesMax: 64 * 1024,
  lookUpPageRowsMax: 500,
  launchBatchHostsMax: 100,
} as const;
