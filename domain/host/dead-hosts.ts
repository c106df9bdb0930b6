/** What the load balancer knows of one host in rotation. */
export interface ObservedBackend {
  hostId: string;
  healthy: boolean;
  draining: boolean;
  /** Since when it takes requests. */
  activeSinceMs: number;
  /** When it last passed a health check; null when it never did. */
  lastPassAtMs: number | null;
}

/** Time a replacement has to pass its first check before the next host is given up. */
const proofMs = 15_000;

/**
 * Hosts to give up because the balancer finds them dead. When no host is known to live, the fault may be the network's
 * or the golden configuration's, and replacing the whole fleet would help nobody: then one is given up, the one silent
 * for longest, and the next only when the newest has had time to prove itself.
 */
export function findDeadHosts(backends: readonly ObservedBackend[], nowMs: number): string[] {
  const inRotation = backends.filter(({ draining }) => !draining);
  const dead = inRotation.filter(({ healthy }) => !healthy);
  if (inRotation.some(({ healthy, lastPassAtMs }) => healthy && lastPassAtMs !== null)) {
    return dead.map(({ hostId }) => hostId);
  }
  const newestMs = Math.max(...inRotation.map(({ activeSinceMs }) => activeSinceMs));
  if (dead.length < inRotation.length || nowMs - newestMs < proofMs) return [];
  const silentSinceMs = ({ lastPassAtMs, activeSinceMs }: ObservedBackend): number => lastPassAtMs ?? activeSinceMs;
  const longestSilent = dead.toSorted((left, right) => silentSinceMs(left) - silentSinceMs(right));
  return longestSilent.slice(0, 1).map(({ hostId }) => hostId);
}
