const periodMs = 200;

/**
 * Lets something run for only a share of every 200 ms; `pause(true)` holds it, `pause(false)` lets it go on.
 * Returns a function that ends this, with the thing going on.
 */
export function startSlowness(runShare: number, pause: (paused: boolean) => void): () => void {
  let hold: NodeJS.Timeout | undefined;
  const turn = () => {
    pause(false);
    hold = setTimeout(() => pause(true), periodMs * runShare);
  };
  turn();
  const cycle = setInterval(turn, periodMs);
  return () => {
    clearInterval(cycle);
    clearTimeout(hold);
    pause(false);
  };
}
