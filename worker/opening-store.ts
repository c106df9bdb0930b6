import type { Store } from "../providers/store/store.ts";

/** A store to hand out while it still opens: each call waits until it is open, and fails as the opening does. */
export function openingStore(opening: Promise<Store>): Store {
  const call = async (method: keyof Store, given: unknown[]): Promise<unknown> => {
    const store = await opening;
    return Reflect.apply(store[method], store, given);
  };
  return new Proxy({} as Store, {
    // Whoever awaits the store itself must not take it for a promise.
    get: (_target, name) => (name === "then" ? undefined : (...given: unknown[]) => call(name as keyof Store, given)),
  });
}
