/** What the load balancer knows of one host in rotation. */
export interface ObservedBackend {
  hostId: string;
  healthy: boolean;
  draining: boolean;
  /** When it last passed a health check; null when it never did. */
  lastPassAtMs: number | null;
}

/**
 * Hosts to give up because the balancer finds them dead. When no host is known to live, the fault may be the network's
 * or the golden configuration's, and replacing the whole fleet would help nobody: then one host that was well before
 * is given up, the one silent for longest, and no other until its replacement has passed a check.
 */
export function findDeadHosts(backends: readonly ObservedBackend[]): string[] {
  const inRotation = backends.filter(({ draining }) => !draining);
  const dead = inRotation.filter(({ healthy }) => !healthy);
  if (inRotation.some(({ healthy, lastPassAtMs }) => healthy && lastPassAtMs !== null)) {
    return dead.map(({ hostId }) => hostId);
  }
  if (inRotation.some(({ lastPassAtMs }) => lastPassAtMs === null)) return [];
  const longestSilent = dead.toSorted((left, right) => (left.lastPassAtMs ?? 0) - (right.lastPassAtMs ?? 0));
  return longestSilent.slice(0, 1).map(({ hostId }) => hostId);
}
