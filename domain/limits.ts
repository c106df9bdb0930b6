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
  noticesMax: 20,
  claimsRememberedMax: 2000,
  claimsInFlightPerFleetMax: 8,
  bootstrapsInFlightMax: 200,
  historyEventsPerBootstrapMax: 120,
  historyEventsPerTickMax: 12,
  /**
   * A fleet run continues as new at this many events even when the server does not suggest it: after a worker was
   * killed, claims wait until another has replayed them, at about a millisecond of processor time an event.
   */
  fleetHistoryEventsMax: 500,
  /** An SSH server of default settings refuses the eleventh channel on one connection. */
  sshChannelsPerHostMax: 8,
  sshConnectsInFlightMax: 32,
  commandOutputBytesMax: 256 * 1024,
  agentFrameBytesMax: 1024 * 1024,
  agentOutboxRowsMax: 1000,
  /** Generations of configuration kept on a host besides the one in force. */
  agentGenerationsKeptMax: 2,
  agentLogBytesMax: 1024 * 1024,
  agentRestartDelayMsMin: 250,
  agentRestartDelayMsMax: 30_000,
  consoleTailCharactersMax: 4000,
  lookUpPageBytesMax: 64 * 1024,
  lookUpPageRowsMax: 500,
  launchBatchHostsMax: 100,
  sagaStartsPerCallMax: 10,
  /** Longest Unix socket path that both Linux (108) and macOS (104) take, with its closing zero. */
  socketPathBytesMax: 103,
  processLogBytesMax: 16 * 1024 * 1024,
  homeLockAttemptsMax: 20,
  demandSamplesPerReadMax: 100_000,
  /** A blob is put together in memory: 128 chunks are 64 MiB. */
  blobChunksMax: 128,
  lbAdminBodyBytesMax: 2 * 1024 * 1024,
  lbBackendsPerFleetMax: 2000,
  lbConnectionsPerBackendMax: 1024,
  lbConnectTimeoutMs: 2000,
  /** Longest silence of a backend before its response, and within it. */
  lbResponseTimeoutMs: 60_000,
  /** How long a request waits for a backend when there is none, and how many may wait, per fleet. */
  lbWaitMs: 1000,
  lbWaitingMax: 1000,
  /** Unhealthy backends are probed at least this often, so that an outage ends soon after its cause. */
  lbUnhealthyProbeMs: 500,
  lbMirrorInFlightMax: 64,
  lbShutdownMs: 5000,
  lbRebindMs: 3000,
  lbDrainDeadlineMsMax: 3_600_000,
  metricReadingsMax: 100_000,
  rackConsoleBytesMax: 64 * 1024,
  rackRequestBytesMax: 1024 * 1024,
  rackEndedMachinesMax: 1000,
  rackRequestsMax: 5000,
  rackEventsMax: 1000,
  rackJournalEntriesMax: 5000,
  rackAddressesTriedMax: 256,
} as const;
