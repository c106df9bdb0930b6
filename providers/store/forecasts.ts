import type { Kysely } from "kysely";
import { readPage } from "./page.ts";
import type { StoreTables } from "./schema.ts";
import type { Store } from "./store.ts";

const forecastColumns = ["fleet", "madeAtMs", "stepMs", "model", "quantiles", "values"] as const;

/** Forecasts as they were made; one model's second forecast of the same moment replaces the first. */
export function createForecastTable(
  db: Kysely<StoreTables>,
): Pick<Store, "keepForecast" | "forecasts" | "latestForecast"> {
  return {
    keepForecast: async (row) => {
      const values = { ...row, quantiles: JSON.stringify(row.quantiles), values: JSON.stringify(row.values) };
      await db
        .insertInto("forecasts")
        .values(values)
        .onConflict((conflict) =>
          conflict
            .columns(["fleet", "madeAtMs", "model"])
            .doUpdateSet({ stepMs: values.stepMs, quantiles: values.quantiles, values: values.values }),
        )
        .execute();
    },
    forecasts: (request) => readPage(db.selectFrom("forecasts").selectAll(), request),
    latestForecast: async (fleet) => {
      const row = await db
        .selectFrom("forecasts")
        .select(forecastColumns)
        .where("fleet", "=", fleet)
        .orderBy("madeAtMs", "desc")
        .orderBy("number", "desc")
        .limit(1)
        .executeTakeFirst();
      return row ?? null;
    },
  };
}
