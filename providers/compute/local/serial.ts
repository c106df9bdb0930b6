/** Runs asynchronous steps one after the other, in the order they were asked for. */
export interface Serial {
  run<Result>(step: () => Promise<Result>): Promise<Result>;
  /** Resolves when all steps asked for so far are done, whatever became of them. */
  idle(): Promise<void>;
}

export function createSerial(): Serial {
  let last: Promise<void> = Promise.resolve();
  const run = <Result>(step: () => Promise<Result>): Promise<Result> => {
    const done = last.then(step);
    const settle = () => {};
    // The caller sees a failure; the next step is taken all the same.
    last = done.then(settle, settle);
    return done;
  };
  return { run, idle: () => last };
}
