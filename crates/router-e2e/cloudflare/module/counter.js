// A Durable Object that counts, and says so in SQL.

import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  next() {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS counter (n INTEGER)");
    sql.exec("INSERT INTO counter VALUES (1)");
    return sql.exec("SELECT COUNT(*) AS n FROM counter").one().n;
  }
}
