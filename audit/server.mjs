// Holds a GraphQL endpoint against GraphQL over HTTP: `node server.mjs URL`. A warning fails too.
import { auditServer } from "graphql-http";

const results = await auditServer({ url: process.argv[2], fetchFn: fetch });
const failed = results.filter((result) => result.status !== "ok");
for (const result of failed) console.log(`${result.status}  ${result.id}  ${result.name}  (${result.reason})`);
console.log(`GraphQL over HTTP: ${results.length - failed.length} of ${results.length} audits ok`);
process.exit(failed.length ? 1 : 0);
